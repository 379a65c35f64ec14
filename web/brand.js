// The name, and who answers under it.

import { h } from "./dom.js";
import { t } from "./texts.js";

export const brand = () =>
  h(
    "div",
    { class: "brand" },
    h("img", { src: "/app/icon.svg", alt: "", width: 32, height: 32 }),
    h("span", {}, "CodeSherpa"),
  );

export const sherpas = () =>
  h(
    "ul",
    { class: "sherpas" },
    ...["review_monk", "codebase_sherpa", "general_chat"].map((name) =>
      h(
        "li",
        { "data-agent": name },
        h("span", { class: "face", "aria-hidden": "true" }, face(name)),
        h("div", {}, h("strong", {}, t(`agent.${name}`)), h("span", {}, t(`about.${name}`))),
      ),
    ),
  );

export const face = (agent) => ({ review_monk: "R", codebase_sherpa: "C" })[agent] ?? "G";
