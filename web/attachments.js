// Files and diffs beside a message, as the code_context that the API takes.

import { button, h, icon } from "./dom.js";
import { number, t } from "./texts.js";

const MOST = 200_000; // Characters of code beside a message.
const DIFF = /^(?:diff --git |--- \S.*\n\+\+\+ \S|@@ -\d+)/m;
const CODE =
  /[{};]\s*$|^\s*(?:def|class|import|from|function|const|let|var|return|if|for|while|public|private|#include|@|\/\/|SELECT)\b|[=(]\s*$|\)\s*:?$|^\s+\S/;

export class Attachments {
  #all = [];

  constructor(changed) {
    this.changed = changed;
    this.element = h("ul", { class: "attachments", "aria-label": t("attachments"), hidden: true });
  }

  get any() {
    return this.#all.length > 0;
  }

  // Take a file. Give a sentence where it cannot be taken.
  async addFile(file) {
    if (file.size > MOST * 4) return t("fileTooLarge", { name: file.name });
    const text = await file.text();
    if (text.includes("\0") || text.includes("\ufffd")) return t("fileNotText", { name: file.name });
    return this.add({ name: file.name, text });
  }

  add({ name, text }) {
    const one = { name, text: text.replace(/\r\n?/g, "\n"), diff: DIFF.test(text) };
    if (contextOf([...this.#all, one]).length > MOST) return t("fileTooLarge", { name: name || t("pasted") });
    this.#all.push(one);
    this.#draw();
    return null;
  }

  clear() {
    this.#all = [];
    this.#draw();
  }

  context() {
    return contextOf(this.#all);
  }

  #draw() {
    this.element.replaceChildren(...this.#all.map((one) => this.#chip(one)));
    this.element.hidden = !this.any;
    this.changed();
  }

  #chip(one) {
    const name = one.name || t(one.diff ? "diff" : "pasted");
    const remove = button(
      t("remove", { name }),
      "close",
      () => {
        this.#all = this.#all.filter((other) => other !== one);
        this.#draw();
      },
      { quiet: true },
    );
    const lines = one.text.trimEnd().split("\n").length;
    return h("li", {}, icon("clip"), h("span", {}, name), h("small", {}, t("lines", { lines: number(lines) })), remove);
  }
}

// A diff and a lone paste go as they are; a file goes in a fence that names it, so that findings name it too.
function contextOf(all) {
  if (all.length === 1 && (all[0].diff || !all[0].name)) return all[0].text;
  return all.map(({ name, text, diff }) => (diff ? text : fenced(name, text))).join("\n\n");
}

function fenced(name, text) {
  const longest = Math.max(2, ...(text.match(/`+/g) ?? []).map((run) => run.length));
  const fence = "`".repeat(longest + 1);
  const info = name ? `${/\.(\w+)$/.exec(name)?.[1] ?? "text"} ${name}` : "";
  return `${fence}${info}\n${text}${text.endsWith("\n") ? "" : "\n"}${fence}`;
}

// Tell whether pasted text is code or a diff, which goes beside the message instead of into it.
export function looksLikeCode(text) {
  const lines = text.split("\n").filter((line) => line.trim());
  if (lines.length < 4) return false;
  return DIFF.test(text) || lines.filter((line) => CODE.test(line)).length / lines.length > 0.5;
}
