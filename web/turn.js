// A message and the reply to it.

import { button, h } from "./dom.js";
import { Growing } from "./growing.js";
import { copying } from "./markdown.js";
import { hasParts, parts } from "./result.js";
import { face } from "./brand.js";
import { number, t, time } from "./texts.js";

const ACTIVE = ["sending", "pending", "streaming"];

export class Turn {
  #shown = ""; // The text that was given to the reply's prose.

  constructor(app, chat, retry) {
    this.app = app;
    this.chat = chat;
    this.retry = retry;
    this.who = h("div", { class: "who" });
    this.body = h("div", { class: "body" });
    this.trouble = h("div", {});
    this.foot = h("footer", { class: "turn-foot" });
    this.reply = h(
      "div",
      { class: "reply", role: "group", "aria-label": t("reply") },
      this.who,
      this.body,
      this.trouble,
      this.foot,
    );
    this.element = h("article", { class: "turn" }, asked(chat), this.reply);
    if (this.active) this.draw();
    else this.end(chat);
  }

  get active() {
    return ACTIVE.includes(this.chat.status);
  }

  get hasParts() {
    return hasParts(this.chat.result);
  }

  // The server has stored the message.
  take(chat) {
    this.chat = { ...chat, response: chat.response || this.chat.response };
    this.draw();
  }

  // The reply begins: who writes it, and why, is known.
  begin({ agent, routing, content }) {
    if (!this.active) return;
    Object.assign(this.chat, { agent, routing, status: "streaming" });
    this.writing = content === "streaming";
    this.draw();
    if (content === "thinking") this.app.announce(t("isThinking", { agent: t(`agent.${agent}`) }));
  }

  // More of the reply. `text` is all of it so far, for a turn that was not there from the start.
  feed(more, text) {
    if (!this.active) return;
    this.chat.status = "streaming";
    this.write(text.slice(0, text.length - more.length) === this.#shown ? more : this.restart(text));
    if (!this.writing) {
      this.writing = true;
      this.draw();
    }
  }

  write(more) {
    this.growing ??= new Growing(this.prose(), (block) => this.active && this.app.announce(block));
    this.#shown += more;
    this.growing.feed(more);
  }

  restart(text) {
    if (this.#shown) this.growing = null;
    this.#shown = "";
    return text;
  }

  prose() {
    const prose = h("div", { class: "prose" });
    this.body.replaceChildren(prose);
    return prose;
  }

  // The reply has ended, well or not. `error` may say whether another try makes sense.
  end(chat, error) {
    const wasActive = this.growing && this.active;
    this.chat = chat;
    const { response } = chat;
    if (this.hasParts) this.body.replaceChildren(parts(chat));
    else if (response.startsWith(this.#shown)) this.write(response.slice(this.#shown.length));
    else this.write(this.restart(response));
    this.growing?.finish();
    this.draw();
    this.showTrouble(error);
    if (wasActive) this.app.announce(t(`ended.${chat.status}`));
  }

  // The message was refused and is not stored.
  refuse(error, again) {
    this.chat.status = "refused";
    this.draw();
    const words = error.status === 0 && !error.code ? t("unreachable") : worded(error.code, error.message);
    const all = [words, ...Object.values(error.data?.errors ?? {}).flat()];
    this.trouble.replaceChildren(troubleBox(all.join(" "), again));
  }

  showTrouble(error) {
    const fault = this.chat.error;
    const bad = ["failed", "interrupted"].includes(this.chat.status);
    const words = fault && worded(fault.code, fault.message);
    const again = bad && error?.retryable !== false ? () => this.retry(this.chat.id) : null;
    this.trouble.replaceChildren(...(fault ? [troubleBox(words, again, !bad)] : []));
  }

  draw() {
    const { chat } = this;
    this.element.dataset.status = chat.status;
    this.element.dataset.chat = chat.id ?? "";
    this.reply.setAttribute("aria-busy", String(this.active));
    this.who.replaceChildren(...who(chat, this.state()));
    this.foot.replaceChildren(...(this.active || !chat.id ? [] : foot(chat, () => this.retry(chat.id))));
  }

  state() {
    const { status, agent } = this.chat;
    if (status === "sending") return t("sending");
    if (status === "pending") return t("waiting");
    if (status === "streaming") return t(this.writing ? "writing" : agent ? "thinking" : "waiting");
    return ["stopped", "failed", "interrupted"].includes(status) ? t(`ended.${status}`) : "";
  }
}

function asked({ message, code_context, created_at }) {
  const lines = code_context?.split("\n").length;
  const beside =
    code_context &&
    h(
      "details",
      { class: "beside" },
      h("summary", {}, t("codeBeside", { lines: number(lines) })),
      h("pre", { tabindex: 0, role: "group", "aria-label": t("code") }, code_context),
    );
  return h(
    "div",
    { class: "asked", role: "group", "aria-label": t("you") },
    h("div", { class: "words" }, message),
    beside,
    h("time", { datetime: created_at }, time(created_at)),
  );
}

function who({ agent, routing }, state) {
  const name = agent ? t(`agent.${agent}`) : "CodeSherpa";
  const why =
    routing &&
    h(
      "details",
      { class: "why-agent" },
      h("summary", {}, t("whyAgent")),
      h(
        "p",
        {},
        routing.reasoning,
        " ",
        h("span", {}, t("confidence", { percent: Math.round(routing.confidence * 100) })),
      ),
    );
  return [
    h("span", { class: "face", "data-agent": agent ?? "", "aria-hidden": "true" }, agent ? face(agent) : "·"),
    h("strong", {}, name),
    state && h("span", { class: "state" }, state),
    why,
  ].filter(Boolean);
}

function foot(chat, again) {
  const { model_id, provider, input_tokens, output_tokens, created_at, completed_at } = chat;
  const took = completed_at && (new Date(completed_at) - new Date(created_at)) / 1000;
  const facts = [
    provider === "offline" ? t("offlineModel") : model_id,
    input_tokens || output_tokens ? t("tokens", { input: number(input_tokens), output: number(output_tokens) }) : null,
    took ? t("took", { seconds: number(took, 1) }) : null,
  ];
  // What went wrong has a button of its own to try again.
  const bad = ["failed", "interrupted"].includes(chat.status);
  return [
    h("span", { class: "facts" }, facts.filter(Boolean).join(" · ")),
    chat.response && copying(chat.response, t("copyReply")),
    !bad && button(t("retry"), "retry", again, { class: "small" }),
  ].filter(Boolean);
}

function troubleBox(words, again, mild = false) {
  return h(
    "div",
    { class: mild ? "trouble mild" : "trouble", role: mild ? null : "alert" },
    h("p", {}, words),
    again && button(t("again"), "retry", again, { class: "small" }),
  );
}

const worded = (code, message) => t(`error.${code}`, {}, message);
