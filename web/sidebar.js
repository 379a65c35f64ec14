// The conversations, to find one again, and the ways to everything else.

import { button, h, icon } from "./dom.js";
import { brand } from "./brand.js";
import { LANGUAGES, day, t } from "./texts.js";

export class Sidebar {
  #page = 1;

  constructor(app) {
    this.app = app;
    this.list = h("ul", { class: "conversations" });
    this.more = button(t("more"), null, () => this.read(this.#page + 1), { class: "link", hidden: true });
    this.search = h("input", {
      type: "search",
      placeholder: t("searchConversations"),
      "aria-label": t("searchConversations"),
      oninput: () => this.soon(250),
    });
    this.close = button(t("close"), "close", () => document.body.classList.remove("side-open"), {
      quiet: true,
      class: "side-close",
    });
    this.element = this.build();
    const { live } = app.client;
    live.addEventListener("end", () => this.soon());
    live.addEventListener("status", () => this.soon());
    this.read();
  }

  build() {
    const fresh = h(
      "a",
      { class: "button primary wide", href: "#/", onclick: () => this.app.go("#/") },
      icon("plus"),
      h("span", {}, t("newConversation")),
    );
    return h(
      "aside",
      { class: "side", id: "side" },
      h("div", { class: "side-head" }, brand(), this.close),
      fresh,
      h("div", { class: "search" }, icon("search"), this.search, h("kbd", { "aria-hidden": "true" }, "Ctrl K")),
      h("nav", { class: "scroll", "aria-label": t("conversations") }, this.list, this.more),
      this.foot(),
    );
  }

  foot() {
    const links = [
      ["agents", "agent"],
      ["projects", "project"],
      ["account", "gear"],
    ];
    return h(
      "div",
      { class: "side-foot" },
      h(
        "nav",
        { "aria-label": t("more.places") },
        ...links.map(([name, symbol]) => h("a", { href: `#/${name}` }, icon(symbol), t(name))),
      ),
      h("label", { class: "language" }, h("span", { class: "unseen" }, t("language")), this.languages()),
    );
  }

  languages() {
    const select = h("select", {}, ...LANGUAGES.map(([value, words]) => h("option", { value }, words)));
    select.value = this.app.user.language;
    select.addEventListener("change", async () => {
      this.app.user = await this.app.client.put("/user/me", { language: select.value }).catch((error) => {
        this.app.notice(error.message);
        return this.app.user;
      });
      this.app.draw();
    });
    return select;
  }

  soon(pause = 100) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.read(), pause);
  }

  // Read the first page, or a further one; a search looks at titles and, below, into the messages.
  async read(page = 1) {
    const q = this.search.value.trim();
    try {
      const { client } = this.app;
      const found = await client.get("/chat/conversations", { page, page_size: 30, q });
      const inside = q && page === 1 ? (await client.get("/chat", { q, limit: 20 })).chats : [];
      if (q !== this.search.value.trim()) return;
      this.show(found, inside.reverse(), q);
    } catch {
      // Out of reach or signed out: the connection's words say so, and this is read again later.
    }
  }

  show({ conversations, page, total, page_size }, inside, q) {
    this.#page = page;
    if (page === 1) this.list.replaceChildren();
    const known = new Set(conversations.map(({ id }) => id));
    this.list.append(...conversations.map((one) => this.item(one.id, one.title, day(one.updated_at))));
    const first = new Map(
      inside.filter((chat) => !known.has(chat.conversation_id)).map((chat) => [chat.conversation_id, chat]),
    );
    this.list.append(
      ...[...first.values()].map((chat) => this.item(chat.conversation_id, excerpt(chat, q), t("inMessages"))),
    );
    if (!this.list.children.length)
      this.list.append(h("li", { class: "empty" }, t(q ? "nothingFound" : "noConversations")));
    this.more.hidden = page * page_size >= total;
    this.mark();
  }

  item(id, title, about) {
    return h("li", {}, h("a", { href: `#/c/${id}` }, h("span", { class: "title" }, title), h("small", {}, about)));
  }

  // Mark where one is.
  mark() {
    for (const link of this.element.querySelectorAll("a")) {
      const here = link.getAttribute("href") === (location.hash || "#/") && !link.classList.contains("button");
      if (here) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
  }
}

function excerpt({ message, response }, q) {
  const text = message.toLowerCase().includes(q.toLowerCase()) ? message : response;
  const at = Math.max(0, text.toLowerCase().indexOf(q.toLowerCase()) - 20);
  return (at ? "…" : "") + text.slice(at, at + 80).replace(/\s+/g, " ");
}
