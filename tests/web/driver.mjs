// A real Chromium, driven over standard input: a line of JSON is an order, a line out is its answer.
//   {id, on: "browser" | the name of a page, call, args}   "browser" knows open, close; a page all of Playwright's
import { createInterface } from "node:readline";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";
import { injections } from "./injections.mjs";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM,
  args: process.getuid() === 0 ? ["--no-sandbox"] : [], // Chromium's sandbox refuses to be started by root.
});
const contexts = new Map();
const pages = new Map();

// A page in a context of its own or, as a second tab, in another page's; what it complains about is kept.
async function open({ name, beside, ...options }) {
  const context = beside ? pages.get(beside).context() : await browser.newContext({ locale: "en-GB", ...options });
  context.setDefaultTimeout(30_000);
  const page = await context.newPage();
  page.complaints = [];
  page.asked = [];
  page.on("request", (request) => page.asked.push(request.url()));
  page.traffic = { connections: 0, sent: 0, received: 0 };
  page.on("websocket", (socket) => count(socket, page.traffic));
  page.on("pageerror", (error) => page.complaints.push(String(error)));
  page.on("console", (line) => line.type() === "error" && page.complaints.push(line.text()));
  pages.set(name, page);
  contexts.set(name, context);
}

// Count the connections of a page's socket, and the bytes of the frames in both directions.
function count(socket, traffic) {
  traffic.connections += 1;
  socket.on("framesent", ({ payload }) => (traffic.sent += Buffer.byteLength(payload)));
  socket.on("framereceived", ({ payload }) => (traffic.received += Buffer.byteLength(payload)));
}

const ours = {
  traffic: (page) => page.traffic,
  complaints: (page) => page.complaints.splice(0),
  foreign: (page) => page.asked.filter((url) => new URL(url).origin !== new URL(page.url()).origin),
  offline: (page, is) => page.context().setOffline(is),
  close: (page) => page.context().close(),
  async axe(page) {
    await page.evaluate(axe);
    const { violations } = await page.evaluate(() => axe.run({ resultTypes: ["violations"] }));
    return violations.map(({ id, nodes }) => ({
      id,
      nodes: nodes.map((node) => node.html.slice(0, 200) + node.failureSummary),
    }));
  },
  // Show every injection, and tell how many ran and what they left that a reply has no use for.
  async inject(page, how) {
    const shown = await page.evaluate(
      async ({ all, sanitised }) => {
        const { render } = await import("/app/markdown.js");
        const ran = new Set();
        window.ran = (number) => ran.add(number);
        const place = document.body.appendChild(document.createElement("div"));
        for (const one of all) {
          const here = place.appendChild(document.createElement("div"));
          try {
            if (sanitised) here.append(render(one));
            else here.innerHTML = one;
          } catch (refusal) {
            if (sanitised) throw refusal; // Else it is the policy's, which takes no HTML as text.
          }
          for (const link of here.querySelectorAll("a"))
            if (/^(java|vb)script:/.test(link.protocol)) ran.add(link.href);
          for (const focusable of here.querySelectorAll("[autofocus], [tabindex]")) focusable.focus();
        }
        for (let turn = 0; turn < 50; turn++) await new Promise((done) => setTimeout(done, 10));
        const useless = "script,img,svg,math,iframe,object,embed,style,link,meta,base,form,video,[id],[name],[style]";
        const found = [...place.querySelectorAll("*")].filter(
          (one) =>
            (one.matches(useless) && !one.closest("button")) ||
            [...one.attributes].some(({ name }) => name.startsWith("on")),
        );
        return { all: all.length, ran: ran.size, foreign: found.map((one) => one.outerHTML) };
      },
      { all: injections(), sanitised: how === "sanitised" },
    );
    page.complaints.length = 0;
    return shown;
  },
  // Let a text grow by steps, and tell what became of it, what it would be as a whole, and how much was made anew.
  grow: (page, text, step) =>
    page.evaluate(
      async ({ text, step }) => {
        const { Growing } = await import("/app/growing.js");
        const { render } = await import("/app/markdown.js");
        window.requestAnimationFrame = (paint) => queueMicrotask(paint) ?? 1;
        const place = document.body.appendChild(document.createElement("div"));
        let redrawn = 0;
        const size = (node) => 1 + (node.querySelectorAll?.("*").length ?? 0);
        const count = (records) =>
          records.flatMap(({ removedNodes }) => [...removedNodes]).reduce((sum, node) => sum + size(node), 0);
        new MutationObserver((records) => (redrawn = Math.max(redrawn, count(records)))).observe(place, {
          childList: true,
          subtree: true,
        });
        const growing = new Growing(place);
        for (let at = 0; at < text.length; at += step) {
          growing.feed(text.slice(at, at + step));
          await new Promise((done) => setTimeout(done));
        }
        await growing.finish();
        const whole = document.createElement("div");
        if (text.length < 20_000) whole.append(render(text.replace(/\r\n?/g, "\n")));
        const plain = (element) =>
          element.innerHTML.replace(/<span class="lines">|<\/span>|<span>/g, "").replace(/>\s+</g, "><");
        const told = { html: plain(place), whole: plain(whole), text: place.textContent, redrawn };
        place.remove();
        return told;
      },
      { text, step },
    ),
  press: (page, keys) => page.keyboard.press(keys),
  type: (page, text) => page.keyboard.type(text),
  // Paste or drop text, or files by name and content, as the clipboard or the mouse brings them.
  give: (page, type, selector, what) =>
    page.$eval(
      selector,
      (element, [type, { text, files = {} }]) => {
        const data = new DataTransfer();
        if (text) data.setData("text/plain", text);
        for (const [name, content] of Object.entries(files)) data.items.add(new File([content], name));
        const how = { bubbles: true, cancelable: true, clipboardData: data, dataTransfer: data };
        element.dispatchEvent(type === "paste" ? new ClipboardEvent(type, how) : new DragEvent(type, how));
      },
      [type, what],
    ),
};

async function obey({ on, call, args }) {
  if (on === "browser") return call === "open" ? open(...args) : browser.close();
  const page = pages.get(on);
  const result = await (ours[call] ? ours[call](page, ...args) : page[call](...args));
  return ["string", "number", "boolean"].includes(typeof result) ||
    Array.isArray(result) ||
    result?.constructor === Object
    ? result
    : null;
}

for await (const line of createInterface({ input: process.stdin })) {
  const order = JSON.parse(line);
  obey(order).then(
    (result) => process.stdout.write(JSON.stringify({ id: order.id, result }) + "\n"),
    (error) => process.stdout.write(JSON.stringify({ id: order.id, error: error.message }) + "\n"),
  );
}
await browser.close();
