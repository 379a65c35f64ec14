// Runs the hook of docs/frontend.md through a review whose connection breaks, and tells what was shown of it.
import { Manager } from "socket.io-client";
import { mount } from "./react.mjs";
import { useSherpa } from "./sherpa.mjs";

const [url, token, code] = process.argv.slice(2);
const managers = [];
const opened = Manager.prototype.open;
Manager.prototype.open = function (...rest) {
  managers.push(this);
  return opened.apply(this, rest);
};

let page, woken = () => {};
const getToken = () => token;
mount(() => {
  page = useSherpa(url, getToken);
  woken();
});
const until = async (condition) => {
  while (!condition()) await new Promise((wake) => (woken = wake));
};

const shown = [];
await until(() => page.ask);
await new Promise((wake) => setTimeout(wake));
const chat = await page.ask("Please review this.", { code_context: code });
const look = () => shown.push(page.chats[chat.id]?.text ?? "") && shown.at(-1);
await until(look);
managers.at(-1).engine.close();
await until(() => look() && page.chats[chat.id].completed_at);

const { status, response, text } = page.chats[chat.id];
const grown = shown.every((one, at) => one.startsWith(shown[at - 1] ?? "") && response.startsWith(one));
const refused = await page.ask("  ").catch((error) => [error.code, Object.keys(error.errors)]);
console.log(JSON.stringify({ status, whole: text === response, grown, refused }));
process.exit();
