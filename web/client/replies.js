// The replies that are being written. Deltas count from 1 in each: one that is there already is dropped, and where
// one is missing the server is asked for what came after the last.

import { passes } from "./call.js";

// Told through `live`: "status" as it comes; "text" with {chat_id, more, text}; "end" with {chat, error}, once.
export class Replies {
  #open = new Map();
  #ended = new Set();
  #asked = Promise.resolve(); // When the last question has been answered.

  constructor(live) {
    this.live = live;
  }

  // Give the text of a reply so far; undefined where none is being written.
  text(chatId) {
    return this.#open.get(chatId)?.text;
  }

  clear() {
    this.#open.clear();
    this.#ended.clear();
  }

  // After a connect: catch up with what is being written, as `ready` lists it. Where nothing is missing, the next
  // delta follows live.
  follow(active) {
    const behind = active.filter(({ chat_id, seq }) => this.#reply(chat_id).seq !== seq);
    return Promise.all(behind.map(({ chat_id }) => this.#catchUp(this.#reply(chat_id))));
  }

  // After a reconnect: with what was being written before as well; it may have ended meanwhile.
  resume(active) {
    const known = [...this.#open.keys()].map((chat_id) => ({ chat_id }));
    const all = new Map([...known, ...active].map((one) => [one.chat_id, one]));
    return this.follow([...all.values()]);
  }

  // Follow a chat whose acknowledgement says that it waits: all of its reply comes live, and may have come already.
  expect(chat) {
    if (!this.#ended.has(chat.id)) this.#reply(chat.id);
  }

  // Follow a chat that was read as unfinished, over REST.
  watch(chat) {
    if (!this.#open.has(chat.id)) this.#catchUp(this.#reply(chat.id));
  }

  status(status) {
    this.#reply(status.chat_id);
    this.live.tell("status", status);
  }

  delta({ chat_id, seq, content }) {
    const reply = this.#reply(chat_id);
    if (reply.waiting) reply.waiting.push({ chat_id, seq, content });
    else if (seq === reply.seq + 1) this.#add(reply, seq, content);
    else if (seq > reply.seq) this.#catchUp(reply);
  }

  end(chat, error = null) {
    this.#open.delete(chat.id);
    this.#ended.add(chat.id);
    this.live.tell("end", { chat, error });
  }

  #reply(id) {
    if (!this.#open.has(id)) this.#open.set(id, { id, seq: 0, text: "", waiting: null });
    return this.#open.get(id);
  }

  #add(reply, seq, more) {
    reply.seq = seq;
    reply.text += more;
    if (more) this.live.tell("text", { chat_id: reply.id, more, text: reply.text });
  }

  // What comes live while the server is asked waits its turn.
  async #catchUp(reply) {
    if (reply.waiting) return;
    reply.waiting = [];
    let missed;
    try {
      missed = await this.#ask(reply);
    } catch (error) {
      if (error.code === "not_found") this.#open.delete(reply.id);
      else if (passes(error)) setTimeout(() => this.#again(reply), error.data.retry_after * 1000);
    }
    const { waiting } = reply;
    reply.waiting = null;
    if (this.#open.get(reply.id) !== reply || !missed) return;
    this.#add(reply, Math.max(missed.seq, reply.seq), missed.content);
    if (!["pending", "streaming"].includes(missed.chat.status)) this.end(missed.chat, missed.chat.error);
    else waiting.forEach((delta) => this.delta(delta));
  }

  // One question at a time: each answer carries a whole chat. What a lost connection leaves, the next `ready` asks.
  #ask(reply) {
    const answer = this.#asked.then(() => {
      if (!this.live.socket.connected) throw new Error("The connection is lost.");
      if (this.#open.get(reply.id) !== reply) return null; // It ended while others were asked for.
      return this.live.ask("resume", { chat_id: reply.id, after_seq: reply.seq });
    });
    this.#asked = answer.catch(() => {});
    return answer;
  }

  #again(reply) {
    if (this.#open.get(reply.id) === reply) this.#catchUp(reply);
  }
}
