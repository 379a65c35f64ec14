// What an empty conversation says.

import { sherpas } from "./brand.js";
import { button, h } from "./dom.js";
import { t } from "./texts.js";

export function welcome(user, composer) {
  const tries = ["try.review", "try.explain", "try.ask"].map((key) =>
    button(t(key), null, () => composer.fill(t(key), key === "try.ask" ? null : EXAMPLE), { class: "chip" }),
  );
  return h(
    "section",
    { class: "welcome" },
    h("h1", {}, t("welcome", { name: user.name.split(" ")[0] })),
    h("p", {}, t("welcomeHint")),
    sherpas(),
    h("div", { class: "chips" }, ...tries),
  );
}

const EXAMPLE = {
  name: "cart.py",
  text: `import subprocess
from datetime import datetime


def add(item, cart=[]):
    """Put an item into the cart."""
    cart.append((item, datetime.now()))
    return cart


def total(cart):
    try:
        return sum(eval(price) for price, _ in cart)
    except:
        return 0


def receipt(path):
    subprocess.run(f"lp {path}", shell=True)
`,
};
