// A review as cards and an explanation as steps: the reply's data, where the text is made of it.

import { h } from "./dom.js";
import { code, render } from "./markdown.js";
import { number, t } from "./texts.js";

const SEVERITIES = ["CRITICAL", "HIGH", "MEDIUM", "LOW"];
const LANGUAGE = {
  py: "python",
  js: "javascript",
  mjs: "javascript",
  ts: "typescript",
  tsx: "typescript",
  rb: "ruby",
  rs: "rust",
  sh: "bash",
  yml: "yaml",
  cs: "csharp",
  kt: "kotlin",
  md: "markdown",
};

export const hasParts = (result) => ["review", "explanation"].includes(result?.kind);

// Give the parts of a chat's result; the text they were made of stays within reach.
export function parts(chat) {
  const shown = chat.result.kind === "review" ? review(chat.result) : explanation(chat.result);
  const text = h("details", { class: "as-text" }, h("summary", {}, t("asText")));
  text.addEventListener("toggle", () => text.children.length > 1 || text.append(prose(chat.response)), { once: true });
  return h("div", { class: "parts" }, ...shown, text);
}

const prose = (text) => h("div", { class: "prose" }, render(text));

function review({ summary, findings, quality_score, security_risk }) {
  const sorted = [...findings].sort(
    (one, other) => SEVERITIES.indexOf(one.severity) - SEVERITIES.indexOf(other.severity),
  );
  const list = h("ol", { class: "findings" }, ...sorted.map(finding));
  return [
    prose(summary),
    h("div", { class: "scores" }, score(quality_score), risk(security_risk)),
    findings.length ? counts(findings, list) : h("p", { class: "all-well" }, t("noFindings")),
    list,
  ];
}

function score(value) {
  if (value === null || value === undefined) return null;
  const meter = h("meter", { min: 0, max: 10, low: 5, high: 8, optimum: 10, value, "aria-label": t("quality") });
  return h("div", { class: "score" }, h("span", {}, t("quality")), meter, h("strong", {}, `${number(value)}/10`));
}

function risk(value) {
  return (
    value &&
    h("div", { class: "score" }, h("span", {}, t("risk")), h("strong", { "data-risk": value }, t(`risk.${value}`)))
  );
}

// How many of each severity; pressing one shows these alone.
function counts(findings, list) {
  const show = (severity, pressed) => {
    for (const other of bar.children)
      other.setAttribute("aria-pressed", String(other === pressed && pressed.getAttribute("aria-pressed") !== "true"));
    const alone = pressed.getAttribute("aria-pressed") === "true";
    for (const card of list.children) card.hidden = alone && card.dataset.severity !== severity;
  };
  const bar = h("div", { class: "counts", role: "group", "aria-label": t("findings") });
  for (const severity of SEVERITIES) {
    const count = findings.filter((one) => one.severity === severity).length;
    if (!count) continue;
    const chip = h(
      "button",
      {
        type: "button",
        class: "badge",
        "data-severity": severity,
        "aria-pressed": "false",
        onclick: () => show(severity, chip),
      },
      `${number(count)} ${t(`severity.${severity}`)}`,
    );
    bar.append(chip);
  }
  return bar;
}

function finding({ severity, file, line, issue, suggestion, code_fix }) {
  const place = line ? `${file}:${line}` : file;
  return h(
    "li",
    { class: "finding", "data-severity": severity },
    h(
      "header",
      {},
      h("span", { class: "badge", "data-severity": severity }, t(`severity.${severity}`)),
      h("code", { class: "place" }, place),
    ),
    h("div", { class: "prose issue" }, render(issue)),
    suggestion && h("div", { class: "prose" }, render(suggestion)),
    code_fix && code(code_fix, languageOf(file, code_fix)),
  );
}

function languageOf(file, text) {
  const ending = /\.(\w+)$/.exec(file)?.[1] ?? "";
  return (
    LANGUAGE[ending] ?? (ending || (/^\s*(def|import|from|class|return|with|for .* in) /m.test(text) ? "python" : ""))
  );
}

function explanation({ explanation: text, learning_steps, key_concepts, analogy }) {
  const steps = learning_steps?.length && [
    h("h3", {}, t("steps")),
    h("ol", { class: "steps" }, ...learning_steps.map((step) => h("li", {}, prose(step)))),
  ];
  const concepts = key_concepts?.length && [
    h("h3", {}, t("concepts")),
    h("dl", { class: "concepts" }, ...key_concepts.map(concept)),
  ];
  const like = analogy && h("aside", { class: "analogy" }, h("h3", {}, t("analogy")), prose(analogy));
  return [prose(text), ...(steps || []), ...(concepts || []), like].filter(Boolean);
}

function concept({ term, definition }) {
  return h("div", {}, h("dt", {}, term), h("dd", {}, prose(definition)));
}
