// What was used today. The service counts by UTC day; a bar is an hour of it, written in the reader's own time.

import { h, svg } from "./dom.js";
import { clock, number, t } from "./texts.js";

const PAGES = 10; // Of a hundred chats each; who had more today sees the last thousand, and is told.
const WIDTH = 480;
const HEIGHT = 72;

export async function usageOfToday(client, place) {
  const [{ hours, input, output, chats, whole }, budget] = await Promise.all([count(client), dailyBudget()]);
  const total = input + output;
  place.replaceChildren(
    h(
      "p",
      { class: "figures" },
      h("strong", {}, number(total)),
      " ",
      t(budget ? "tokensOf" : "tokensToday", { budget: number(budget ?? 0) }),
    ),
    budget
      ? h("meter", { min: 0, max: budget, high: budget * 0.8, optimum: 0, value: total, "aria-label": t("usageToday") })
      : "",
    total ? chart(hours) : "",
    h(
      "p",
      { class: "facts" },
      t(whole ? "usageParts" : "usagePartsMore", {
        chats: number(chats),
        input: number(input),
        output: number(output),
      }),
    ),
  );
}

// What the service lets a user spend in a day; the API does not tell, the page is served with it.
async function dailyBudget() {
  const answer = await fetch("/app/settings.json");
  return answer.ok ? (await answer.json()).daily_token_budget : null;
}

async function count(client) {
  const sum = { hours: Array(24).fill(0), input: 0, output: 0, chats: 0, whole: true };
  const midnight = new Date().setUTCHours(0, 0, 0, 0);
  let before;
  for (let page = 0; page < PAGES; page++) {
    const { chats, next_before } = await client.get("/chat", { limit: 100, before });
    for (const chat of chats.filter(({ created_at }) => new Date(created_at) >= midnight)) add(sum, chat);
    if (next_before === null || new Date(chats[0].created_at) < midnight) return sum;
    before = next_before;
  }
  return { ...sum, whole: false };
}

function add(sum, { created_at, input_tokens, output_tokens }) {
  sum.hours[new Date(created_at).getUTCHours()] += (input_tokens ?? 0) + (output_tokens ?? 0);
  sum.input += input_tokens ?? 0;
  sum.output += output_tokens ?? 0;
  sum.chats += 1;
}

function chart(hours) {
  const most = Math.max(...hours);
  const step = WIDTH / 24;
  const bars = hours.map((tokens, hour) => {
    const height = tokens ? Math.max(2, (tokens / most) * HEIGHT) : 1;
    const bar = {
      class: tokens ? "bar-used" : "bar-empty",
      x: hour * step + 2,
      y: HEIGHT - height,
      width: step - 4,
      height,
      rx: 2,
    };
    return svg("rect", bar, svg("title", {}, `${label(hour)}: ${number(tokens)}`));
  });
  const marks = [0, 6, 12, 18].map((hour) => svg("text", { x: hour * step + 2, y: HEIGHT + 13 }, label(hour)));
  const words = t("chart", { hour: label(hours.indexOf(most)), tokens: number(most) });
  return svg(
    "svg",
    { class: "chart", viewBox: `0 0 ${WIDTH} ${HEIGHT + 16}`, role: "img", "aria-label": words },
    ...bars,
    ...marks,
  );
}

const label = (hour) => clock(new Date().setUTCHours(hour, 0, 0, 0));
