// A conversation: what was said, what is being written, and the place to write.

import { Composer } from "./composer.js";
import { button, h } from "./dom.js";
import { randomId } from "./client/live.js";
import { t } from "./texts.js";
import { Title } from "./title.js";
import { Turn } from "./turn.js";
import { welcome } from "./welcome.js";

const PAGE = 20;
const NEAR = 80; // Pixels from the end at which the page follows what is written.

export class Conversation {
  constructor(app, id) {
    this.app = app;
    this.id = id;
    this.key = id ? null : randomId(); // Names the conversation until the server has given it an id.
    this.turns = new Map();
    this.reading = new Set(); // The ids of chats that are being read because their reply began.
    this.sending = Promise.resolve(); // When what is being sent from here has been taken or refused.
    this.composer = new Composer(
      app,
      (message) => this.send(message),
      () => this.stop(),
    );
    this.title = new Title(app);
    this.earlier = button(t("earlier"), null, () => this.readEarlier(), { class: "link earlier", hidden: true });
    this.thread = h("div", { class: "thread" });
    this.latest = button(t("latest"), "down", () => this.toEnd(), { class: "latest", hidden: true });
    this.scroll = h(
      "div",
      { class: "scroll stage", tabindex: -1, onscroll: () => this.scrolled() },
      this.earlier,
      this.thread,
    );
    this.element = h(
      "div",
      { class: "talk" },
      this.title.element,
      this.scroll,
      h("div", { class: "desk" }, this.latest, this.composer.element),
    );
    this.listening = new AbortController();
    this.follows = true;
    this.grown = new ResizeObserver(() => this.follows && this.toEnd());
    this.grown.observe(this.thread);
  }

  async enter() {
    this.listen();
    this.composer.changed();
    if (this.id) await this.read();
    else this.thread.append(welcome(this.app.user, this.composer));
    this.composer.focus();
  }

  leave() {
    this.listening.abort();
    this.grown.disconnect();
    this.composer.leave();
  }

  listen() {
    const { live } = this.app.client;
    const on = (type, act) =>
      live.addEventListener(type, ({ detail }) => act(detail), { signal: this.listening.signal });
    on("status", (status) => this.began(status));
    on("text", ({ chat_id, more, text }) => this.turns.get(chat_id)?.feed(more, text));
    on("end", ({ chat, error }) => this.ended(chat, error));
  }

  async read() {
    const { client } = this.app;
    try {
      const [about, { chats, next_before }] = await Promise.all([
        client.get(`/chat/conversations/${this.id}`),
        client.get("/chat", { conversation_id: this.id, limit: PAGE }),
      ]);
      this.show(about);
      this.next(next_before);
      for (const chat of chats) this.add(chat);
      this.toEnd();
    } catch (error) {
      this.thread.replaceChildren(
        h("p", { class: "empty", role: "alert" }, error.status === 404 ? t("gone") : error.message),
      );
    }
  }

  async readEarlier() {
    const before = this.before;
    const { chats, next_before } = await this.app.client.get("/chat", {
      conversation_id: this.id,
      limit: PAGE,
      before,
    });
    this.next(next_before);
    const height = this.scroll.scrollHeight;
    this.follows = false;
    for (const chat of chats.reverse()) this.thread.prepend(this.turn(chat).element);
    this.scroll.scrollTop += this.scroll.scrollHeight - height;
  }

  next(before) {
    this.before = before;
    this.earlier.hidden = before === null;
  }

  show(conversation) {
    this.title.show(conversation);
    this.composer.choose(conversation.agent_id, conversation.project_id);
  }

  turn(chat) {
    const turn = new Turn(this.app, chat, (id) => this.retry(id));
    if (chat.id) this.turns.set(chat.id, turn);
    return turn;
  }

  add(chat) {
    if (this.turns.has(chat.id)) return this.turns.get(chat.id);
    const turn = this.turn(chat);
    this.thread.querySelector(".welcome")?.remove();
    this.thread.append(turn.element);
    this.busy();
    if (turn.active && chat.id) this.watch(chat, turn);
    return turn;
  }

  // What came of a reply before it was shown here, it is given at once; the rest follows live.
  watch(chat, turn) {
    const { replies } = this.app.client.live;
    const text = replies.text(chat.id);
    if (text) turn.feed(text, text);
    replies.watch(chat);
  }

  async send(message) {
    const draft = {
      message: message.message,
      code_context: message.code_context ?? null,
      status: "sending",
      created_at: new Date().toISOString(),
    };
    const turn = this.add({ ...draft, response: "" });
    this.toEnd();
    const place = this.id ? { conversation_id: this.id } : { session_id: this.key };
    const sent = this.app.client.live.send({ ...message, ...place });
    this.sending = Promise.allSettled([this.sending, sent]);
    try {
      const chat = await sent;
      this.took(turn, chat);
    } catch (error) {
      turn.refuse(error, () => this.again(turn, message));
    }
    this.busy();
  }

  // The server has stored the message; a tab may have been told of it before the acknowledgement.
  took(turn, chat) {
    const told = this.turns.get(chat.id);
    if (told) told.element.remove();
    this.turns.set(chat.id, turn);
    turn.take(chat);
    if (turn.active) this.watch(chat, turn);
    else this.ended(chat);
    if (!this.id && !this.listening.signal.aborted) {
      this.id = chat.conversation_id;
      history.replaceState(null, "", `#/c/${this.id}`);
      this.app.client.get(`/chat/conversations/${this.id}`).then(
        (about) => this.show(about),
        () => {},
      );
    }
  }

  again(turn, message) {
    turn.element.remove();
    this.send(message);
  }

  // A reply begins, maybe to a message that another tab sent; to one from here, maybe before its acknowledgement.
  async began(status) {
    if (!this.turns.has(status.chat_id)) await this.sending;
    const turn = this.turns.get(status.chat_id);
    if (turn) turn.begin(status);
    else if (status.conversation_id === this.id && !this.reading.has(status.chat_id)) {
      this.reading.add(status.chat_id);
      const chat = await this.app.client.get(`/chat/${status.chat_id}`).catch(() => null);
      this.reading.delete(status.chat_id);
      if (chat) this.add(chat);
    }
  }

  ended(chat, error) {
    const turn = this.turns.get(chat.id);
    if (turn?.active) this.finish(turn, chat, error);
    else if (turn) turn.end(chat, error);
    else if (chat.conversation_id === this.id) this.add(chat);
    this.busy();
  }

  // A reply that has turned into cards is read from its beginning.
  finish(turn, chat, error) {
    turn.end(chat, error);
    if (!this.follows || !turn.hasParts) return;
    this.follows = false;
    turn.element.scrollIntoView({ block: "start" });
  }

  busy() {
    this.composer.busy([...this.turns.values()].some((turn) => turn.active));
  }

  async stop() {
    const ids = [...this.turns].filter(([, turn]) => turn.active).map(([id]) => id);
    await Promise.all(ids.map((id) => this.app.client.live.stop(id))).catch((error) => {
      if (error.code !== "conflict") this.app.notice(error.message); // A reply that has just ended needs no stop.
    });
  }

  // The answer to this call comes when the reply has ended; its words come live like any other's.
  async retry(id) {
    this.follows = true;
    await this.app.client.post(`/chat/${id}/retry`).catch((error) => {
      if (!error.data?.chat) this.app.notice(error.message);
    });
  }

  scrolled() {
    const left = this.scroll.scrollHeight - this.scroll.scrollTop - this.scroll.clientHeight;
    this.follows = left < NEAR;
    this.latest.hidden = this.follows;
  }

  toEnd() {
    this.follows = true;
    this.latest.hidden = true;
    this.scroll.scrollTop = this.scroll.scrollHeight;
  }
}
