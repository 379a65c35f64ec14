// Agents and projects: listed, made and changed in place.

import { button, complain, confirmed, field, h, values } from "./dom.js";
import { t } from "./texts.js";

const KINDS = ["general", "review", "explain"];

// What can be said of each: name, how it is asked for, and what an empty field means.
const FIELDS = {
  agents: [
    ["name", { required: true, maxlength: 120 }],
    ["kind", { choices: () => KINDS.map((kind) => [kind, t(`kind.${kind}`)]), value: "general" }],
    [
      "status",
      { choices: () => ["active", "inactive"].map((status) => [status, t(`status.${status}`)]), value: "active" },
    ],
    ["description", { rows: 2, maxlength: 10_000 }],
    ["system_prompt", { rows: 4, maxlength: 20_000, hint: true }],
    ["model_id", { maxlength: 2048, hint: true }],
    ["temperature", { type: "number", min: 0, max: 1, step: "any", hint: true }],
    ["max_tokens", { type: "number", min: 1, max: 200_000, hint: true }],
  ],
  projects: [
    ["name", { required: true, maxlength: 120 }],
    ["repository", { placeholder: "owner/name" }],
    ["description", { rows: 2, maxlength: 10_000 }],
    ["instructions", { rows: 4, maxlength: 20_000, hint: true }],
  ],
};

export class Items {
  constructor(app, kind) {
    this.app = app;
    this.kind = kind;
    this.list = h("ul", { class: "items" });
    this.fresh = h("div", {});
    this.make = button(t(`new.${kind}`), "plus", () => this.begin(), { class: "primary" });
    this.element = h(
      "div",
      { class: "scroll sheet" },
      h("header", { class: "sheet-head" }, h("h1", {}, t(kind)), this.make),
      h("p", { class: "lead" }, t(`lead.${kind}`)),
      this.fresh,
      this.list,
    );
  }

  async enter() {
    try {
      const found = await this.app.client.get(`/${this.kind}`, { page_size: 100 });
      this.app[this.kind] = found[this.kind];
    } catch (error) {
      this.app.notice(error.message);
    }
    this.draw();
  }

  draw() {
    const items = this.app[this.kind];
    this.list.replaceChildren(...items.map((item) => this.card(item)));
    if (!items.length) this.list.append(h("li", { class: "empty" }, t(`none.${this.kind}`)));
  }

  begin() {
    const done = () => this.fresh.replaceChildren();
    this.fresh.replaceChildren(h("div", { class: "card" }, this.form({}, done)));
    this.fresh.querySelector("input").focus();
  }

  card(item) {
    const card = h("li", { class: "card item", "data-id": item.id });
    const edit = button(
      t("edit", { name: item.name }),
      "edit",
      () => {
        card.replaceChildren(this.form(item, () => this.draw()));
        card.querySelector("input").focus();
      },
      { quiet: true },
    );
    const remove = button(t("delete", { name: item.name }), "trash", () => this.delete(item, remove), { quiet: true });
    const marks =
      this.kind === "agents" ? [t(`kind.${item.kind}`), t(`status.${item.status}`), item.model_id] : [item.repository];
    card.append(
      h("div", { class: "item-head" }, h("h2", {}, item.name), edit, remove),
      h("p", { class: "marks" }, ...marks.filter(Boolean).map((mark) => h("span", {}, mark))),
      item.description ? h("p", {}, item.description) : "",
    );
    return card;
  }

  form(item, done) {
    const fields = FIELDS[this.kind].map(([name, { hint, choices, ...props }]) =>
      field(t(`field.${name}`), name, {
        ...props,
        choices: choices?.(),
        value: shown(item, name) ?? props.value ?? "",
        hint: hint && t(`hint.${name}`),
      }),
    );
    const save = button(t("save"), null, null, { type: "submit", class: "primary" });
    const form = h(
      "form",
      { class: "grid", novalidate: true },
      ...fields,
      h("div", { class: "buttons" }, save, button(t("cancel"), null, done)),
    );
    form.addEventListener("submit", (event) => this.save(event, form, item, done));
    return form;
  }

  async save(event, form, item, done) {
    event.preventDefault();
    complain(form, null);
    const changes = Object.fromEntries(
      Object.entries(values(form)).map(([name, value]) => [name, read(form.elements[name], value)]),
    );
    try {
      if (item.id) await this.app.client.put(`/${this.kind}/${item.id}`, changes);
      else await this.app.client.post(`/${this.kind}`, changes);
      done();
      await this.enter();
      this.make.focus();
    } catch (error) {
      complain(form, error);
    }
  }

  async delete(item, asked) {
    if (!(await confirmed(asked, t("deleteReally")))) return;
    try {
      await this.app.client.delete(`/${this.kind}/${item.id}`);
      await this.enter();
    } catch (error) {
      this.app.notice(error.message);
    }
  }
}

// `processing` is a state, not a choice: an agent that is writing is active.
const shown = (item, name) => (name === "status" && item.status === "processing" ? "active" : item[name]);

function read(input, value) {
  if (input.required || input.tagName === "SELECT") return value;
  if (!value.trim()) return null;
  return input.type === "number" ? Number(value) : value;
}
