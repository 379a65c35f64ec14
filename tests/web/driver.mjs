// A real Chromium, driven over standard input: a line of JSON is an order, a line out is its answer.
//   {id, on: "browser" | the name of a page, call, args}   "browser" knows open, close; a page all of Playwright's
import { createInterface } from "node:readline";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

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
  page.on("pageerror", (error) => page.complaints.push(String(error)));
  page.on("console", (line) => line.type() === "error" && page.complaints.push(line.text()));
  pages.set(name, page);
  contexts.set(name, context);
}

const ours = {
  complaints: (page) => page.complaints.splice(0),
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
