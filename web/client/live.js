// The socket: messages go out once, replies come in whole, whatever the connection does in between.

import { io } from "../packages/socket.io-client.js";
import { ApiError, opened, passes } from "./call.js";
import { Replies } from "./replies.js";

const PATIENCE = 60_000; // Milliseconds until an acknowledgement is given up; a lost connection is known sooner.
const RESUME_PATIENCE = 30_000; // The same for a question of what was missed: others wait for it, and it can be asked again.
const LONGEST_PAUSE = 30; // Seconds between two tries to send a message.
const MOST = 1024 * 1024 - 256; // Bytes of a message: the server closes a connection that sends more than 1 MiB.
const LARGE = 16 * 1024; // Bytes from which on the server is asked whether it has a message that is sent again.
const RENEW_AHEAD = 55; // Seconds before its end that a session is renewed.
const REFUSED = ["token_expired", "token_revoked", "unauthorized"];

// Events: "state" with {state}: connecting, online, reconnecting, offline, resumed (online again, what was missed is
// there), expiring with {seconds}, renewed; "status", "text" and "end" of replies (see Replies), "refused" with the
// error of a payload. `state` is the last state.
export class Live extends EventTarget {
  state = "idle";
  #wasOnline = false;
  #renewal;

  constructor(url, session) {
    super();
    this.session = session;
    this.replies = new Replies(this);
    this.socket = io(url, {
      autoConnect: false,
      // WebSocket first: any worker serves it, and long polling is there where a proxy forbids it.
      transports: ["websocket", "polling"],
      tryAllTransports: true,
      reconnectionDelay: 500,
      reconnectionDelayMax: 4000,
      auth: (give) => this.#token().then((token) => give({ token })),
    });
    this.#listen();
    session.addEventListener("renew", () => this.#authenticate());
    session.addEventListener("end", () => this.close());
  }

  open() {
    this.#enter(navigator.onLine ? "connecting" : "offline");
    this.socket.connect();
  }

  close() {
    clearTimeout(this.#renewal);
    this.#wasOnline = false;
    this.socket.disconnect();
    this.replies.clear();
    this.#enter("idle");
  }

  // Send a message and give its chat as it is stored. Waits for the connection, and survives the loss of it: the
  // client_message_id lets the server recognise a message that it has. Throws ApiError where it is refused.
  async send(message) {
    const sent = { client_message_id: randomId(), ...message };
    const size = bytes(sent);
    if (size > MOST) throw new ApiError(413, "payload_too_large", "What was sent is larger than 1 MiB.");
    for (let lost = 0; ; ) {
      await this.#online();
      try {
        const known = lost && size > LARGE ? await this.#stored(sent) : null;
        const { chat } = known ?? (await this.ask("message", sent));
        if (chat.status === "pending") this.replies.expect(chat);
        return chat;
      } catch (error) {
        if (passes(error)) await seconds(error.data.retry_after);
        else if (error instanceof ApiError && !REFUSED.includes(error.code)) throw error;
        else await seconds(backOff(lost++));
      }
    }
  }

  // Give the chat of a message that was sent before, without sending all of it again; null where it is not stored.
  async #stored({ client_message_id }) {
    try {
      return await this.ask("message", { client_message_id });
    } catch (error) {
      if (error.code !== "validation_error") throw error;
      return null;
    }
  }

  stop(chatId) {
    return this.ask("stop", { chat_id: chatId });
  }

  // Emit an event and give the data of its acknowledgement. Throws ApiError, or Error when none came.
  async ask(event, payload, patience = event === "resume" ? RESUME_PATIENCE : PATIENCE) {
    return opened(await this.socket.timeout(patience).emitWithAck(event, payload));
  }

  tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  #listen() {
    const { socket } = this;
    socket.on("ready", (ready) => this.#ready(ready));
    socket.on("status", (status) => this.replies.status(status));
    socket.on("delta", (delta) => this.replies.delta(delta));
    socket.on("response", ({ chat }) => this.replies.end(chat));
    socket.on("error", (error) => (error.chat ? this.replies.end(error.chat, error) : this.tell("refused", error)));
    socket.on("session_expiring", ({ expires_in }) => this.#renewIn(expires_in));
    socket.on("disconnect", (reason) => this.#lost(reason));
    socket.on("connect_error", (error) => this.#refused(error));
    addEventListener("offline", () => this.state !== "idle" && this.#enter("offline"));
    addEventListener("online", () => this.state === "offline" && this.open());
  }

  async #ready({ active }) {
    const again = this.#wasOnline;
    this.#wasOnline = true;
    if (again) await this.replies.resume(active);
    else this.replies.follow(active);
    if (this.socket.connected) this.#enter(again ? "resumed" : "online");
  }

  #lost(reason) {
    clearTimeout(this.#renewal);
    if (reason === "io client disconnect") return;
    this.#enter(navigator.onLine ? "reconnecting" : "offline");
    // Who is sent away is not reconnected by itself: the session may be over. Renewing it tells.
    if (reason === "io server disconnect") this.#again();
  }

  // A lost connection reconnects by itself; a refused one after its token has been renewed.
  #refused(error) {
    this.#enter(navigator.onLine ? (this.#wasOnline ? "reconnecting" : "connecting") : "offline");
    if (error.data?.code === "account_disabled") this.session.end("ended");
    else if (!this.socket.active) this.#again(REFUSED.includes(error.data?.code) ? this.lastToken : undefined, error.data?.retry_after);
  }

  async #again(stale, wait = 0) {
    await Promise.all([seconds(wait + 0.5 + Math.random()), this.session.fresh(stale).catch(() => {})]);
    if (this.session.signedIn && this.state !== "idle") this.socket.connect();
  }

  async #token() {
    this.lastToken = await this.session.fresh().catch(() => "");
    return this.lastToken;
  }

  // The server warns a minute ahead, at once where less is left.
  #renewIn(left) {
    this.#enter("expiring", { seconds: left });
    clearTimeout(this.#renewal);
    this.#renewal = setTimeout(() => this.#renew(), Math.max(0, left - RENEW_AHEAD) * 1000);
  }

  async #renew() {
    try {
      await this.session.fresh(this.lastToken); // "renew" is told in every tab, and each carries its socket over.
    } catch {
      if (this.session.signedIn) this.#renewal = setTimeout(() => this.#renew(), 5000);
    }
  }

  async #authenticate() {
    if (!this.socket.connected) return;
    clearTimeout(this.#renewal);
    this.lastToken = this.session.record.access_token;
    try {
      await this.ask("authenticate", { token: this.lastToken });
      this.#enter("renewed");
    } catch {
      // The connection is lost or will be closed; the next one has the new token.
    }
  }

  #enter(state, more = {}) {
    this.state = state;
    this.tell("state", { state, ...more });
  }

  async #online() {
    while (!this.socket.connected) {
      if (!this.session.signedIn) throw new ApiError(401, "unauthorized", "Nobody is signed in.");
      // The socket is connected before the state says so: that waits until what was missed is there.
      await new Promise((done) => {
        this.addEventListener("state", done, { once: true });
        this.socket.once("connect", done);
      });
    }
  }
}

const seconds = (count) => new Promise((done) => setTimeout(done, count * 1000));

// At once the first time, then after 1, 2, 4, ... seconds, give or take a half: many may have lost their connection.
const backOff = (lost) => (lost ? Math.min(2 ** (lost - 1), LONGEST_PAUSE) * (0.5 + Math.random()) : 0);

const bytes = (value) => new TextEncoder().encode(JSON.stringify(value)).length;

// crypto.randomUUID is missing on plain http outside localhost.
export function randomId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
