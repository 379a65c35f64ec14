// What the connection is doing, in words.

import { h } from "./dom.js";
import { t } from "./texts.js";

const PASSING = 4000; // Milliseconds for which good news is shown.

export class Connection {
  constructor(app) {
    this.dot = h("span", { class: "dot", "aria-hidden": "true" });
    this.words = h("span", {});
    this.element = h("div", { class: "connection", role: "status", "data-state": "connecting" }, this.dot, this.words);
    app.client.live.addEventListener("state", ({ detail }) => this.show(detail));
  }

  show({ state, seconds }) {
    clearTimeout(this.timer);
    clearInterval(this.countdown);
    this.element.dataset.state = state;
    this.words.textContent = t(`state.${state}`, { seconds });
    if (state === "expiring") this.count(seconds);
    if (state === "resumed" || state === "renewed")
      this.timer = setTimeout(() => this.show({ state: "online" }), PASSING);
  }

  count(seconds) {
    this.countdown = setInterval(() => {
      seconds = Math.max(0, seconds - 1);
      this.words.textContent = t("state.expiring", { seconds });
    }, 1000);
  }
}
