// Elements without a framework, and without HTML in strings.

const SVG = "http://www.w3.org/2000/svg";
const ICONS = {
  plus: "M8 3v10M3 8h10",
  send: "M8 13V3M3.5 7.5 8 3l4.5 4.5",
  stop: "M4.5 4.5h7v7h-7z",
  copy: "M6 6h7v7H6zM3 10V3h7",
  retry: "M13 8a5 5 0 1 1-1.6-3.7M13 2v3h-3",
  menu: "M2.5 4h11M2.5 8h11M2.5 12h11",
  close: "M4 4l8 8M12 4l-8 8",
  search: "M7 11.5a4.5 4.5 0 1 0 0-9 4.5 4.5 0 0 0 0 9zM10.5 10.5 14 14",
  clip: "M12.5 7.5 7.6 12.4a2.6 2.6 0 0 1-3.7-3.7l5.3-5.3a1.7 1.7 0 0 1 2.5 2.5l-5.2 5.2",
  edit: "M10.5 3.5l2 2L6 12l-3 1 1-3z",
  trash: "M3 4.5h10M6 4.5V3h4v1.5M4.5 4.5l.6 8.5h5.8l.6-8.5",
  down: "M8 3v10M3.5 8.5 8 13l4.5-4.5",
  out: "M9 3H4v10h5M7 8h7M11.5 5.5 14 8l-2.5 2.5",
  agent: "M8 8a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5zM3 13.5c.4-2.6 2.3-4 5-4s4.6 1.4 5 4",
  project: "M2.5 4.5h4l1.5 1.5h5.5v6.5h-11z",
  gear: "M2.5 5h11M2.5 11h11M6 3.2v3.6M10 9.2v3.6",
};

// Make an element: `class`, attributes, `on…` listeners; null and false are left out.
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "value" && tag !== "option") element.value = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

export function svg(tag, attributes, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

export const icon = (name) =>
  svg("svg", { class: "icon", viewBox: "0 0 16 16", "aria-hidden": "true" }, svg("path", { d: ICONS[name] }));

// A button with a symbol and its words; `quiet` keeps the words for those who hear the page.
export function button(label, symbol, onclick, { quiet = false, ...props } = {}) {
  const words = h("span", { class: quiet ? "unseen" : null }, label);
  return h("button", { type: "button", onclick, title: quiet && label, ...props }, symbol && icon(symbol), words);
}

// A labelled field of a form. `choices` makes it a select of [value, words], `rows` a text area.
export function field(label, name, { choices, rows, hint, ...props } = {}) {
  const id = `field-${name}-${field.count++}`;
  const about = hint && h("small", { id: `${id}-hint` }, hint);
  const all = { id, name, "aria-describedby": about && `${id}-hint`, ...props };
  const input = choices
    ? h(
        "select",
        all,
        ...choices.map(([value, words]) => h("option", { value, selected: value === props.value }, words)),
      )
    : h(rows ? "textarea" : "input", { rows, ...all });
  if (choices && props.value !== undefined) input.value = props.value;
  return h("div", { class: "field" }, h("label", { for: id }, label), input, about);
}
field.count = 0;

// Show what was wrong with a form: beside the fields that are at fault, else below.
export function complain(form, error) {
  for (const old of form.querySelectorAll(".fault")) old.remove();
  for (const input of form.querySelectorAll("[aria-invalid]")) input.removeAttribute("aria-invalid");
  if (!error) return;
  const places = Object.entries(error.data?.errors ?? {}).filter(([name]) => form.elements[name]);
  for (const [name, sentences] of places) {
    const input = form.elements[name];
    const fault = h("p", { class: "fault", id: `${input.id}-fault` }, sentences.join(" "));
    input.setAttribute("aria-invalid", "true");
    input.setAttribute("aria-describedby", fault.id);
    input.after(fault);
  }
  if (places.length) form.elements[places[0][0]].focus();
  else form.append(h("p", { class: "fault", role: "alert" }, error.message));
}

export const values = (form) => Object.fromEntries(new FormData(form));

// Ask before what cannot be undone: the button asks, and acts when it is pressed again.
export function confirmed(asked, words) {
  return new Promise((resolve) => {
    let settled = false;
    const yes = button(words, null, () => settle(true), { class: "danger small" });
    const settle = (answer) => {
      if (settled) return; // To take the button away takes the focus from it, which is an answer too.
      settled = true;
      yes.replaceWith(asked);
      asked.focus();
      resolve(answer);
    };
    asked.replaceWith(yes);
    yes.focus();
    yes.addEventListener("blur", () => settle(false));
    yes.addEventListener("keydown", (event) => event.key === "Escape" && settle(false));
  });
}
