// Sign in, or make an account, in one place.

import { brand, sherpas } from "./brand.js";
import { button, complain, field, h, values } from "./dom.js";
import { LANGUAGES, language, speak, t } from "./texts.js";

export class SignIn {
  constructor(app, reason, registering = false) {
    this.app = app;
    this.reason = reason;
    this.registering = registering;
    this.element = h("main", { class: "gate" });
    this.draw();
  }

  draw() {
    const why =
      ["ended", "elsewhere"].includes(this.reason) &&
      h("p", { class: "why", role: "status" }, t(`left.${this.reason}`));
    this.element.replaceChildren(
      h("div", { class: "gate-words" }, brand(), h("p", { class: "lead" }, t("lead")), sherpas()),
      h(
        "div",
        { class: "card gate-card" },
        h("h1", {}, t(this.registering ? "register" : "signIn")),
        why || "",
        this.form(),
        this.other(),
      ),
      this.languages(),
    );
  }

  form() {
    const registering = this.registering;
    const kind = registering ? "new-password" : "current-password";
    this.fields = h(
      "form",
      { onsubmit: (event) => this.submit(event), novalidate: true },
      registering && field(t("name"), "name", { autocomplete: "name", required: true, maxlength: 120 }),
      field(t("email"), "email", { type: "email", autocomplete: "username", required: true, inputmode: "email" }),
      field(t("password"), "password", {
        type: "password",
        autocomplete: kind,
        required: true,
        hint: registering ? t("passwordHint") : null,
      }),
      button(t(registering ? "makeAccount" : "signIn"), null, null, { type: "submit", class: "primary wide" }),
    );
    return this.fields;
  }

  other() {
    const turn = () => {
      this.registering = !this.registering;
      this.reason = null;
      this.draw();
      this.fields.elements[0].focus();
    };
    const words = this.registering ? "haveAccount" : "noAccount";
    return h(
      "p",
      { class: "other" },
      t(words),
      " ",
      button(t(this.registering ? "signIn" : "register"), null, turn, { class: "link" }),
    );
  }

  languages() {
    const change = (event) => {
      speak(event.target.value);
      localStorage.setItem("codesherpa.language", event.target.value);
      this.draw();
    };
    return h(
      "div",
      { class: "gate-language" },
      field(t("language"), "language", { choices: LANGUAGES, value: language(), onchange: change }),
    );
  }

  async submit(event) {
    event.preventDefault();
    const { session } = this.app.client;
    const { name, email, password } = values(this.fields);
    const send = this.fields.querySelector("[type=submit]");
    send.disabled = true;
    complain(this.fields, null);
    try {
      if (this.registering) await this.register(name, email, password);
      else await session.signIn(email, password);
    } catch (error) {
      send.disabled = false;
      complain(this.fields, error.status ? error : { message: t("unreachable") });
    }
  }

  async register(name, email, password) {
    const chosen = language();
    const user = await this.app.client.session.register(name, email, password);
    if (user.language !== chosen) await this.app.client.put("/user/me", { language: chosen });
  }
}
