// Where a message is written: words, files, and who is to answer.

import { Attachments, looksLikeCode } from "./attachments.js";
import { button, h } from "./dom.js";
import { number, t } from "./texts.js";

const LONGEST = 10_000; // Characters of a message; more is refused by the server.
const DRAFT = "codesherpa.draft";

export class Composer {
  constructor(app, send, stop) {
    this.app = app;
    this.onsend = send;
    this.attachments = new Attachments(() => this.changed());
    this.words = h("textarea", {
      rows: 1,
      "aria-label": t("message"),
      placeholder: t("placeholder"),
      oninput: () => this.changed(),
    });
    this.words.value = sessionStorage.getItem(DRAFT) ?? "";
    this.words.addEventListener("keydown", (event) => this.key(event));
    this.words.addEventListener("paste", (event) => this.paste(event));
    this.agent = this.select(
      t("agent"),
      app.agents.filter((agent) => agent.status !== "inactive"),
      t("anyAgent"),
    );
    this.project = this.select(t("project"), app.projects, t("noProject"));
    this.over = h("span", { class: "over", role: "status" });
    this.sender = button(t("send"), "send", null, { type: "submit", class: "primary", quiet: true });
    this.stopper = button(t("stop"), "stop", stop, { class: "stop", hidden: true });
    this.element = this.build();
    this.listening = new AbortController();
    this.takeDrops();
    this.changed();
  }

  build() {
    const pick = h("input", { type: "file", multiple: true, class: "unseen", tabindex: -1, "aria-hidden": "true" });
    pick.addEventListener("change", () => this.addFiles(pick.files).then(() => (pick.value = "")));
    const clip = button(t("attach"), "clip", () => pick.click(), { quiet: true });
    return h(
      "form",
      { class: "composer", onsubmit: (event) => this.submit(event) },
      this.attachments.element,
      this.words,
      h("div", { class: "tools" }, clip, pick, this.agent, this.project, this.over, this.stopper, this.sender),
    );
  }

  select(label, items, none) {
    const select = h("select", { "aria-label": label }, h("option", { value: "" }, none));
    select.append(...items.map(({ id, name }) => h("option", { value: id }, name)));
    return select;
  }

  choose(agentId, projectId) {
    this.agent.value = agentId ?? "";
    this.project.value = projectId ?? "";
    for (const select of [this.agent, this.project]) if (select.selectedIndex < 0) select.value = "";
  }

  fill(words, file) {
    this.words.value = words;
    if (file) this.attachments.add(file);
    this.changed();
    this.focus();
  }

  focus() {
    if (matchMedia("(hover: hover)").matches) this.words.focus(); // A phone would open its keyboard over the page.
  }

  leave() {
    this.listening.abort();
  }

  busy(busy) {
    this.stopper.hidden = !busy;
  }

  changed() {
    const { value } = this.words;
    sessionStorage.setItem(DRAFT, value);
    this.words.style.height = "auto";
    this.words.style.height = `${Math.min(this.words.scrollHeight, innerHeight * 0.4)}px`;
    const left = LONGEST - [...value].length;
    this.over.textContent =
      left < 500 ? t(left < 0 ? "tooLong" : "charactersLeft", { count: number(Math.abs(left)) }) : "";
    this.over.classList.toggle("fault", left < 0);
    this.sender.disabled = left < 0 || !(value.trim() || this.attachments.any);
  }

  key(event) {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    this.element.requestSubmit();
  }

  paste(event) {
    const { files } = event.clipboardData;
    const text = event.clipboardData.getData("text/plain");
    if (!files.length && !looksLikeCode(text)) return;
    event.preventDefault();
    if (files.length) this.addFiles(files);
    else this.attachments.add({ name: "", text });
  }

  // Files may be dropped anywhere on the page; elsewhere they would make the browser leave it.
  takeDrops() {
    const on = (type, act) => addEventListener(type, act, { signal: this.listening.signal });
    const over = (is) => document.body.classList.toggle("dropping", is);
    on("dragover", (event) => {
      event.preventDefault();
      over(true);
    });
    on("dragleave", (event) => event.relatedTarget || over(false));
    on("drop", (event) => {
      event.preventDefault();
      over(false);
      const text = event.dataTransfer.getData("text/plain");
      if (event.dataTransfer.files.length) this.addFiles(event.dataTransfer.files);
      else if (text) this.attachments.add({ name: "", text });
    });
  }

  async addFiles(files) {
    for (const file of files) {
      const fault = await this.attachments.addFile(file);
      if (fault) this.app.notice(fault);
    }
  }

  submit(event) {
    event.preventDefault();
    if (this.sender.disabled) return;
    const message = this.words.value.trim() ? this.words.value : t("justCode");
    const code_context = this.attachments.context();
    const wanted = { agent_id: Number(this.agent.value), project_id: Number(this.project.value), code_context };
    const given = Object.entries(wanted).filter(([, value]) => value);
    this.words.value = "";
    this.attachments.clear();
    this.changed();
    this.onsend({ message, ...Object.fromEntries(given) });
  }
}
