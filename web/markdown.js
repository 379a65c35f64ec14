// Markdown that a model wrote, as nodes that are safe to show. What a model writes is hostile: it repeats what
// strangers put into code. So HTML is shown as text, pictures become links (to load one tells its host who reads),
// and whatever the parser makes passes DOMPurify with a short list of what may stay.

import DOMPurify from "./packages/dompurify.js";
import hljs from "./packages/highlight.js";
import { Marked } from "./packages/marked.js";
import { button, h } from "./dom.js";
import { t } from "./texts.js";

const BLOCKS = "p h1 h2 h3 h4 h5 h6 ul ol li pre blockquote table thead tbody tr th td hr br input".split(" ");
const WORDS = "a code em strong del span".split(" ");
const ALLOWED = {
  ALLOWED_TAGS: [...BLOCKS, ...WORDS],
  ALLOWED_ATTR: ["href", "title", "start", "align", "class", "type", "checked", "disabled"],
  ALLOW_DATA_ATTR: false,
  ALLOW_ARIA_ATTR: false,
  ALLOWED_URI_REGEXP: /^(?:https?|mailto):/i,
  RETURN_DOM_FRAGMENT: true,
};
const CODE_CLASS = /^(?:language-[\w+#.-]{1,30}|hljs-[\w-]+(?: [\w-]+)*)$/;
const LONGEST_COLOURED = 40_000; // Characters; longer code stays plain, since colouring it would hold up the page.

const escape = (text) => text.replace(/[&<>"']/g, (letter) => `&#${letter.charCodeAt(0)};`);

const marked = new Marked({
  gfm: true,
  renderer: {
    html: ({ text, block }) => (block ? `<p>${escape(text.trim())}</p>` : escape(text)),
    image: ({ href, text }) => `<a href="${escape(href)}">${escape(text || href)}</a>`,
  },
});

DOMPurify.addHook("afterSanitizeAttributes", (node) => {
  if (node.tagName === "A") {
    node.setAttribute("target", "_blank");
    node.setAttribute("rel", "noopener noreferrer nofollow");
  }
  if (node.tagName === "INPUT") {
    node.setAttribute("type", "checkbox"); // A task list's, to be seen and not used.
    node.setAttribute("disabled", "");
    node.setAttribute("aria-label", t("task"));
  }
  if (node.hasAttribute("class") && !CODE_CLASS.test(node.className)) node.removeAttribute("class");
});

export const lex = (text) => marked.lexer(text);

// Give the nodes of block tokens. Code is coloured unless it is `growing`.
export function nodes(tokens, { growing = false } = {}) {
  const fragment = DOMPurify.sanitize(marked.parser(tokens), ALLOWED);
  for (const pre of fragment.querySelectorAll("pre")) pre.replaceWith(codeBlock(pre, growing));
  for (const table of fragment.querySelectorAll("table")) letScroll(table);
  for (const node of [...fragment.childNodes]) if (node.nodeType === Node.TEXT_NODE) enclose(node);
  return fragment;
}

// Text between blocks: HTML that is shown as text is a paragraph, a line break is nothing.
function enclose(text) {
  if (text.data.trim()) text.replaceWith(h("p", {}, text.data.trim()));
  else text.remove();
}

// Give a whole text as nodes at once; for long ones there is Growing.
export const render = (text) => nodes(lex(text ?? ""));

// Give code with its language and a button that copies it.
export function code(text, language = "") {
  const inner = h("code", { class: language && `language-${language}` }, text);
  return codeBlock(h("pre", {}, inner), false);
}

function codeBlock(pre, growing) {
  const inner = pre.firstElementChild ?? pre;
  const language = /language-([\w+#.-]+)/.exec(inner.className)?.[1] ?? "";
  if (!growing) colour(inner, language);
  const shown = h("pre", { tabindex: 0, role: "group", "aria-label": language || t("code") }, inner);
  return h("div", { class: "code" }, h("div", { class: "code-head" }, h("span", {}, language), copying(inner)), shown);
}

export function colour(inner, language) {
  const text = inner.textContent;
  if (!hljs.getLanguage(language) || text.length > LONGEST_COLOURED) return;
  const { value } = hljs.highlight(text, { language, ignoreIllegals: true });
  inner.replaceChildren(DOMPurify.sanitize(value, ALLOWED));
}

function letScroll(table) {
  const frame = h("div", { class: "table", tabindex: 0, role: "group", "aria-label": t("table") });
  table.replaceWith(frame);
  frame.append(table);
}

export function copying(source, label = t("copy")) {
  const one = button(label, "copy", async () => {
    await copy(typeof source === "string" ? source : source.textContent);
    one.classList.add("done");
    one.lastChild.textContent = t("copied");
    setTimeout(() => {
      one.classList.remove("done");
      one.lastChild.textContent = label;
    }, 1500);
  });
  one.classList.add("small");
  return one;
}

// The clipboard is closed to plain http outside localhost; the old way works there.
async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const hidden = h("textarea", { class: "unseen" }, text);
    document.body.append(hidden);
    hidden.select();
    document.execCommand("copy");
    hidden.remove();
  }
}
