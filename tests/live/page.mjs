// Runs the client of docs/realtime.md, compiled, through what a user goes through. Says on standard output where it is,
// a line of JSON each, and goes on when told to by a line on standard input.
import { createInterface } from "node:readline";

const [client, url, tokens] = process.argv.slice(2);
const { Sherpa } = await import(client);
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const say = (what) => process.stdout.write(JSON.stringify(what) + "\n");
const told = () => lines.next();

let woken = () => {};
const shown = new Map(); // The texts of each chat as they were shown, one after another.
const sherpa = new Sherpa(url, JSON.parse(tokens), (id, reply) => {
  shown.set(id, [...(shown.get(id) ?? []), reply.text]);
  woken();
});
const until = async (condition) => {
  while (!condition()) await new Promise((wake) => (woken = wake));
};
const events = [];
sherpa.socket.onAny((name) => events.push(name) && woken());
sherpa.socket.on("disconnect", (reason) => events.push(`disconnect: ${reason}`));
const reply = (id) => sherpa.replies.get(id) ?? {};
const grown = (id) => shown.get(id).every((text, at, all) => !at || text.startsWith(all[at - 1]));

await until(() => events.includes("ready"));

const long = await sherpa.send('@chat slowly. <<standin {"tokens": 120, "tokens_per_second": 30}>>');
await until(() => reply(long.id).seq > 3);
say({ at: "words", seq: reply(long.id).seq });
await told(); // The connection is cut.
const repeated = sherpa.send("@chat hello. <<standin {}>>");
await until(() => reply(long.id).chat);
const { chat } = reply(long.id);
const before = shown.get(long.id).at(-2); // The last that was joined from deltas, before the end told the whole.
say({ at: "resumed", status: chat.status, grown: grown(long.id), whole: before === chat.response, events });

const second = await repeated;
await until(() => reply(second.id).chat);
say({ at: "repeated", status: reply(second.id).chat.status });

const endless = await sherpa.send('@chat on and on. <<standin {"tokens": 2000, "tokens_per_second": 30}>>');
await until(() => reply(endless.id).seq > 1);
const { chat: stopped } = await sherpa.stop(endless.id);
await until(() => reply(endless.id).chat);
say({ at: "stopped", status: stopped.status, text: stopped.response, shown: reply(endless.id).text });

say({ at: "expiring", events });
await told(); // The first access token has ended.
const last = await sherpa.send("@chat still there? <<standin {}>>");
await until(() => reply(last.id).chat);
say({ at: "renewed", status: reply(last.id).chat.status, events });
process.exit(0);
