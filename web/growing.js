// Markdown that grows, however long: only its last block is made anew when more comes. A block is settled as soon as
// another follows it; a fence, a list or a table that goes on and on is settled line by line.

import { colour, lex, nodes } from "./markdown.js";
import { h } from "./dom.js";

const SLICE = 12_000; // Characters taken up in one frame.
const LONG = 40; // Items or rows after which the first of them are settled.
const SECTION = 400; // Items or rows of one list or table; a longer one goes on in another, laid out by itself.
const CHUNK = 100; // Lines of code that are laid out together.
const OPEN_FENCE = /^ {0,3}(`{3,}|~{3,})([^\n]*)\n/;

export class Growing {
  #queue = "";
  #tail = ""; // The source of what is not settled.
  #last = []; // The nodes of what is not settled.
  #into = null; // The list or the table's body that the first block of the tail goes on.
  #fence = null;
  #frame = 0;

  // `settled` is called with the text of each block that will not change any more.
  constructor(element, settled = () => {}) {
    this.element = element;
    this.settled = settled;
    this.done = new Promise((resolve) => (this.resolve = resolve));
  }

  feed(text) {
    this.#queue += text;
    this.#frame ||= requestAnimationFrame(() => this.#paint());
  }

  // Say that nothing more comes. `done` is kept when all of it is shown.
  finish() {
    this.ending = true;
    this.feed("");
    return this.done;
  }

  #paint() {
    const started = performance.now();
    const more = this.#next();
    if (more) this.#take(more.replace(/\r\n?/g, "\n"));
    if (this.ending && !this.#queue) this.#end();
    const pause = (performance.now() - started) * 2; // A slow machine paints less often, and stays usable.
    this.#frame = 0;
    if (this.#queue && more) this.#later(pause);
  }

  // Give the next of what came, and not the first half of a line break.
  #next() {
    const queue = this.#queue;
    let size = Math.min(SLICE, queue.length);
    if (queue[size - 1] === "\r" && !(this.ending && size === queue.length)) size -= 1;
    this.#queue = queue.slice(size);
    return queue.slice(0, size);
  }

  #later(pause) {
    this.#frame = -1;
    setTimeout(() => (this.#frame = requestAnimationFrame(() => this.#paint())), pause);
  }

  #take(more) {
    if (this.#fence) return this.#intoFence(more);
    this.#tail += more;
    for (const node of this.#last) node.remove();
    this.#last = [];
    const tokens = lex(this.#tail);
    const from = lastBlock(tokens);
    for (const token of tokens.slice(0, from)) this.#settle(token);
    this.#cut(tokens[from]);
    this.#draw();
  }

  #settle(token) {
    this.#tail = this.#tail.slice(token.raw.length);
    if (token.type === "space") return;
    this.#place([token]);
    this.#into = null;
    this.settled(token.raw);
  }

  // Settle the beginning of a list or a table that has grown long, and go on with its end.
  #cut(token) {
    const parts = token?.items ?? token?.rows;
    if (!parts || parts.length < LONG) return;
    const keep = parts.length - 2;
    if (token.items) {
      const length = token.items.slice(0, keep).reduce((sum, item) => sum + item.raw.length, 0);
      this.#tail = this.#tail.slice(length);
      this.#place([{ ...token, items: token.items.slice(0, keep) }]);
    } else {
      const lines = this.#tail.split("\n");
      this.#tail = [...lines.slice(0, 2), ...lines.slice(2 + keep)].join("\n");
      this.#place([{ ...token, rows: token.rows.slice(0, keep) }]);
    }
  }

  #draw() {
    const fence = OPEN_FENCE.exec(this.#tail);
    if (fence && lex(this.#tail).length === 1 && !closed(this.#tail, fence[1])) return this.#openFence(fence);
    this.#last = this.#place(lex(this.#tail), true);
  }

  // Append the nodes of tokens, the first to the list or table that it goes on. Return what was appended.
  #place(tokens, growing = false) {
    const placed = [];
    if (this.#into?.childElementCount >= SECTION) this.#into = null;
    const fragment = nodes(tokens, { growing });
    const first = fragment.firstElementChild;
    const parts = first && (first.matches("ul, ol") ? first : first.querySelector("tbody"));
    if (this.#into && parts && this.#into.tagName === parts.tagName) {
      placed.push(...parts.children);
      this.#into.append(...parts.children);
      first.remove();
    }
    placed.push(...fragment.children);
    this.element.append(fragment);
    if (!growing && parts && !this.#into) this.#into = parts;
    return placed;
  }

  #openFence([head, marker, info]) {
    const block = nodes(lex(`${marker}${info}\n${marker}`), { growing: true }).firstElementChild;
    this.#fence = { block, code: block.querySelector("code"), end: closing(marker), line: "", lines: 0, chunk: null };
    this.#fence.code.textContent = "";
    this.element.append(block);
    const rest = this.#tail.slice(head.length);
    this.#tail = "";
    this.#intoFence(rest);
  }

  #intoFence(more) {
    const fence = this.#fence;
    const lines = (fence.line + more).split("\n");
    fence.partial?.remove();
    while (lines.length > 1) {
      const line = lines.shift();
      if (fence.end.test(line)) return this.#closeFence(lines.join("\n"));
      this.#addLine(`${line}\n`);
    }
    fence.line = lines[0];
    fence.partial = h("span", {}, fence.line);
    if (!/^ {0,3}[`~]/.test(fence.line)) fence.code.append(fence.partial); // Else it may be the end.
  }

  #addLine(line) {
    const fence = this.#fence;
    if (fence.lines++ % CHUNK === 0) fence.code.append((fence.chunk = h("span", { class: "lines" }, "")));
    fence.chunk.append(line);
  }

  #closeFence(rest) {
    const { code, block, lines } = this.#fence;
    this.#fence = null;
    if (lines < 2 * CHUNK) {
      code.textContent = code.textContent; // One run of text again, which is what is coloured.
      colour(code, /language-([\w+#.-]+)/.exec(code.className)?.[1] ?? "");
    }
    this.settled(block.querySelector("code").textContent);
    if (rest) this.#take(rest);
  }

  #end() {
    if (this.#fence) {
      const { line, partial, end } = this.#fence;
      partial?.remove();
      if (line && !end.test(line)) this.#addLine(`${line}\n`);
      this.#closeFence("");
    }
    for (const node of this.#last) node.remove();
    this.#last = [];
    for (const token of lex(this.#tail)) this.#settle(token);
    this.resolve();
  }
}

// Give the place of the first block that more text may still change: the last, with the list in front of it, which
// "1" becomes an item of as soon as a "." follows.
function lastBlock(tokens) {
  const blocks = tokens.flatMap((token, place) => (token.type === "space" ? [] : [place]));
  const [before, last = 0] = blocks.slice(-2).length === 2 ? blocks.slice(-2) : [undefined, blocks[0]];
  return before !== undefined && tokens[before].type === "list" ? before : last;
}

const closing = (marker) => new RegExp(`^ {0,3}\\${marker[0]}{${marker.length},}\\s*$`);

function closed(source, marker) {
  const end = closing(marker);
  return source
    .split("\n")
    .slice(1, -1)
    .some((line) => end.test(line));
}
