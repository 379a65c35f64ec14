// The account: who one is, what was used today, and where one is signed in.

import { button, complain, confirmed, field, h, values } from "./dom.js";
import { ago, device, t } from "./texts.js";
import { usageOfToday } from "./usage.js";

export class Account {
  constructor(app) {
    this.app = app;
    this.sessions = h("ul", { class: "sessions" });
    this.usage = h("div", { class: "usage" });
    const out = button(t("signOut"), "out", () => app.client.session.signOut());
    const head = h("header", { class: "sheet-head" }, h("h1", {}, t("account")), out);
    const cards = [
      ["usageToday", this.usage],
      ["profile", this.profile()],
      ["sessions", this.sessions],
      ["changePassword", this.password()],
    ];
    this.element = h(
      "div",
      { class: "scroll sheet" },
      head,
      ...cards.map(([title, ...inside]) => h("section", { class: "card" }, h("h2", {}, t(title)), ...inside)),
    );
  }

  async enter() {
    const failed = (place) => (error) =>
      place.replaceChildren(h("p", { class: "fault", role: "alert" }, error.status ? error.message : t("unreachable")));
    await Promise.all([
      this.readSessions().catch(failed(this.sessions)),
      usageOfToday(this.app.client, this.usage).catch(failed(this.usage)),
    ]);
  }

  profile() {
    const { name, email } = this.app.user;
    const address = field(t("email"), "email", { value: email, type: "email", autocomplete: "email" });
    const password = field(t("currentPassword"), "current_password", {
      type: "password",
      autocomplete: "current-password",
      hint: t("emailNeedsPassword"),
    });
    const fields = [
      field(t("name"), "name", { value: name, autocomplete: "name", maxlength: 120 }),
      address,
      password,
    ];
    const moves = () => address.querySelector("input").value.toLowerCase() !== this.app.user.email.toLowerCase();
    const ask = () => (password.hidden = !moves()); // The server asks for it where the address changes, and only there.
    address.addEventListener("input", ask);
    ask();
    return this.form(fields, async (form) => {
      const { current_password, ...profile } = values(form);
      this.app.user = await this.app.client.put("/user/me", moves() ? { ...profile, current_password } : profile);
      form.elements.current_password.value = "";
      ask();
    });
  }

  password() {
    const fields = [
      field(t("currentPassword"), "current_password", { type: "password", autocomplete: "current-password" }),
      field(t("newPassword"), "new_password", {
        type: "password",
        autocomplete: "new-password",
        hint: t("passwordHint"),
      }),
    ];
    return this.form(fields, async (form) => {
      await this.app.client.put("/user/me/password", values(form));
      form.reset();
      await this.readSessions(); // Every other session has ended.
    });
  }

  form(fields, act) {
    const done = h("span", { class: "saved", role: "status" });
    const form = h(
      "form",
      { class: "grid", novalidate: true },
      ...fields,
      h("div", { class: "buttons" }, button(t("save"), null, null, { type: "submit", class: "primary" }), done),
    );
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      complain(form, null);
      done.textContent = "";
      try {
        await act(form);
        done.textContent = t("saved");
      } catch (error) {
        complain(form, error);
      }
    });
    return form;
  }

  async readSessions() {
    const { sessions } = await this.app.client.get("/user/me/sessions");
    this.sessions.replaceChildren(...sessions.map((session) => this.session(session)));
  }

  session({ id, user_agent, ip, last_used_at, created_at, current }) {
    const end = button(t("signOutThere"), "out", () => this.end(id, end), { class: "small" });
    const about = current ? t("thisBrowser") : ago(last_used_at ?? created_at);
    return h(
      "li",
      {},
      h("div", {}, h("strong", {}, device(user_agent)), h("small", {}, [ip, about].filter(Boolean).join(" · "))),
      current ? "" : end,
    );
  }

  async end(id, asked) {
    if (!(await confirmed(asked, t("signOutReally")))) return;
    await this.app.client
      .delete(`/user/me/sessions/${id}`)
      .catch((error) => error.status === 404 || this.app.notice(error.message));
    await this.readSessions();
  }
}
