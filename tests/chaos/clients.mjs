// Users with tabs that run the client of docs/realtime.md, send, stop and reload, and write down what they see.
// The plan is one line of JSON on standard input (see driver.py); each line after it says how many messages may be
// sent, so that they do not outrun the kills. Standard output tells how far they are.
import { appendFileSync } from "node:fs";
import { createInterface } from "node:readline";

const input = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const plan = JSON.parse((await input.next()).value);
const { Sherpa } = await import(plan.client);
process.on("unhandledRejection", (error) => note("fault", { who: "clients", text: String(error?.stack ?? error) }));

let waiting = [];
const write = () => waiting.length && appendFileSync(plan.ledger, waiting.splice(0).join(""));
setInterval(write, 50);
function note(kind, more) {
  waiting.push(JSON.stringify({ kind, at: Date.now() / 1000, ...more }) + "\n");
}

let state = plan.seed;
function random() { // mulberry32: the same seed gives the same choices.
  let t = (state = (state + 0x6d2b79f5) | 0);
  t = Math.imul(t ^ (t >>> 15), t | 1);
  t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
  return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
}
const pause = (seconds) => new Promise((wake) => setTimeout(wake, seconds * 1000));
const within = (seconds, promise) => Promise.race([promise, pause(seconds)]);

let { allowed } = plan;
(async () => { for await (const line of input) allowed = JSON.parse(line); })();

const count = { sent: 0, acknowledged: 0, ended: 0, stops: 0, reloads: 0, posts: 0 };

/** A tab: one Sherpa from load to reload. */
class Tab {
  loads = 0;
  constructor(name, tokens) {
    Object.assign(this, { name, tokens });
    this.load();
  }
  load() {
    this.reloaded = new Promise((tell) => (this.tellReload = tell));
    const who = `${this.name}/${this.loads++}`;
    const sherpa = (this.sherpa = new Sherpa(plan.url, this.tokens, () => this.wake?.()));
    this.who = who;
    let connection = 1; // Counted where one ends: events of the next are handed out before its own "connect".
    sherpa.socket.on("connect", () => note("connected", { who, connection }));
    sherpa.socket.on("disconnect", (reason) => note("disconnected", { who, connection: connection++, reason }));
    sherpa.socket.onAny((event, { chat_id, seq, content, chat }) => {
      if (event === "delta") note("delta", { who, connection, chat_id, seq, content });
      else if (chat) note("last", { who, connection, chat_id, event, status: chat.status, response: chat.response });
    });
    const emit = sherpa.socket.emitWithAck.bind(sherpa.socket);
    sherpa.socket.emitWithAck = async (event, payload) => {
      if (event === "resume") note("asked", { who, connection, chat_id: payload.chat_id });
      const answer = await emit(event, payload);
      if (!answer.success) note("refused", { who, event, code: answer.data.code });
      else if (event === "resume") {
        const { seq, content, chat } = answer.data;
        note("missed", { who, connection, chat_id: chat.id, after: payload.after_seq, seq, content, status: chat.status });
      } else if (event === "stop") note("stopped", { who, chat_id: payload.chat_id, status: answer.data.chat.status });
      return answer;
    };
  }
  /** Forget everything, as a page does that is loaded anew; what was not acknowledged is sent again. */
  reload() {
    count.reloads++;
    const gone = this.sherpa;
    note("reloaded", { who: this.who });
    this.tokens = gone.tokens;
    gone.renew = async () => {};
    gone.socket.removeAllListeners().close();
    const tell = this.tellReload;
    this.load();
    tell();
  }
  async send(payload) {
    const { message, ...more } = payload;
    for (;;) {
      const chat = await Promise.race([this.sherpa.send(message, more), this.reloaded]);
      if (chat) return chat;
    }
  }
  async post(payload) {
    for (;;) {
      const headers = { "Content-Type": "application/json", Authorization: `Bearer ${this.sherpa.tokens.access_token}` };
      try {
        const body = JSON.stringify(payload);
        const answer = await fetch(`${plan.url}/api/v1/chat`, { method: "POST", headers, body });
        const { data } = await answer.json();
        const chat = answer.ok ? data : data.chat;
        if (chat) return chat;
        note("refused", { who: this.name, event: "POST /chat", code: data.code });
      } catch {} // The way broke; nobody knows how far the message came.
      await pause(0.2 + random() * 0.3);
    }
  }
  ended(id) {
    return this.sherpa.replies.get(id)?.chat;
  }
  async end(id) {
    while (!this.ended(id)) await pause(0.05);
  }
  async audit() {
    for (const [chat_id, reply] of this.sherpa.replies) {
      await this.sherpa.socket.emitWithAck("resume", { chat_id, after_seq: reply.seq }).catch(() => {});
    }
  }
}

async function ask(user, number) {
  while (count.sent >= allowed) await pause(0.05);
  const tab = user.tabs[Math.floor(random() * user.tabs.length)];
  const cmid = `${user.name}-${number}`;
  const words = plan.words[0] + Math.floor(random() * (plan.words[1] - plan.words[0]));
  const text = Array.from({ length: words }, (_, at) => `${cmid}:${at} `).join("");
  const script = JSON.stringify({ text, tokens_per_second: plan.rate });
  const payload = { message: `@chat m=${cmid}; <<standin ${script}>>`, client_message_id: cmid };
  const [how, then] = [random(), random()];
  if (how < 0.5 && user.conversation) payload.conversation_id = user.conversation;
  note("sent", { who: tab.who, cmid });
  count.sent++;
  const rest = how > 1 - plan.posts;
  if (rest) count.posts++;
  const sending = rest ? tab.post(payload) : tab.send(payload);
  if (then < plan.reloads) setTimeout(() => tab.reload(), random() * 400);
  const chat = await within(2 * plan.patience, sending);
  if (!chat) return note("unanswered", { who: tab.who, cmid });
  note("acknowledged", { who: tab.who, cmid, chat_id: chat.id });
  count.acknowledged++;
  user.conversation = chat.conversation_id;
  tab.sherpa.of(chat.id); // One that waits for another in its conversation is told nowhere else until it begins.
  if (then > 1 - plan.stops && !rest) {
    await pause(random() * 0.3);
    count.stops++;
    const other = user.tabs[Math.floor(random() * user.tabs.length)];
    await within(5, other.sherpa.stop(chat.id).catch(() => {})); // It may have ended by then.
  }
  await within(1.5, tab.end(chat.id)); // Who waits longer is writing the next message already.
}

const until = Date.now() + plan.seconds * 1000;
async function live(user) {
  for (let number = 0; number < plan.messages && Date.now() < until; number++) await ask(user, number);
}

const users = plan.users.map(({ name, tabs }) => ({
  name,
  tabs: tabs.map((tokens, at) => new Tab(`${name}/${at}`, tokens)),
}));
const tell = (more) => process.stdout.write(JSON.stringify({ ...count, ...more }) + "\n");
setInterval(tell, 100, {});
await Promise.all(users.map(live));
tell({ at: "quiet" });

const unended = () => users.flatMap(({ tabs }) => tabs.flatMap((tab) =>
  [...tab.sherpa.replies].filter(([, reply]) => !reply.chat).map(([id]) => [tab.who, id])));
const patience = Date.now() + plan.patience * 1000;
while (unended().length && Date.now() < patience) await pause(0.1);
for (const [who, chat_id] of unended()) note("waiting", { who, chat_id });
await within(60, Promise.all(users.flatMap(({ tabs }) => tabs.map((tab) => tab.audit()))));
write();
tell({ at: "done" });
process.exit(0);
