// The title of a conversation, changed in place, and the way to delete it.

import { button, confirmed, h } from "./dom.js";
import { t } from "./texts.js";

export class Title {
  constructor(app) {
    this.app = app;
    this.field = h("input", {
      class: "title-field",
      "aria-label": t("title"),
      maxlength: 120,
      onchange: () => this.rename(),
      onkeydown: (event) => event.key === "Enter" && this.field.blur(),
    });
    const remove = button(t("deleteConversation"), "trash", () => this.delete(remove), { quiet: true });
    this.heading = h("h1", { class: "unseen" });
    this.element = h("header", { class: "talk-head", hidden: true }, this.heading, this.field, remove);
  }

  show({ id, title }) {
    this.id = id;
    this.field.value = this.heading.textContent = title;
    document.title = `${title} · CodeSherpa`;
    this.element.hidden = false;
  }

  async rename() {
    const title = this.field.value.trim();
    try {
      if (title) this.show(await this.app.client.put(`/chat/conversations/${this.id}`, { title }));
      this.app.refresh();
    } catch (error) {
      this.app.notice(error.message);
    }
  }

  async delete(asked) {
    if (!(await confirmed(asked, t("deleteReally")))) return;
    try {
      await this.app.client.delete(`/chat/conversations/${this.id}`);
      this.app.refresh();
      this.app.go("#/");
    } catch (error) {
      this.app.notice(error.message);
    }
  }
}
