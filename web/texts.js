// The page's words, in the language that the user reads; what a language lacks is said in English.

import en from "./texts/en.js";
import hi from "./texts/hi.js";
import hinglish from "./texts/hinglish.js";

const TEXTS = { en, hi, hinglish };
const TAGS = { en: "en", hi: "hi", hinglish: "hi-Latn" };
const FORMATS = { en: undefined, hi: "hi-IN", hinglish: "en-IN" }; // English leaves dates to the browser's own habit.

export const LANGUAGES = [
  ["en", "English"],
  ["hi", "हिन्दी"],
  ["hinglish", "Hinglish"],
];

let current = "en";

export const language = () => current;

// Speak a language: one of ours, or what a browser calls its own.
export function speak(wanted = "en") {
  current = TEXTS[wanted] ? wanted : wanted.startsWith("hi") ? "hi" : "en";
  document.documentElement.lang = TAGS[current];
}

// Give a text, with what belongs into its {places}.
export function t(key, places = {}, otherwise = key) {
  const text = TEXTS[current][key] ?? en[key] ?? otherwise;
  return text.replace(/\{(\w+)\}/g, (all, name) => places[name] ?? all);
}

const locale = () => FORMATS[current];

export const number = (value, digits = 0) => (value ?? 0).toLocaleString(locale(), { maximumFractionDigits: digits });
export const clock = (at) => new Date(at).toLocaleTimeString(locale(), { hour: "numeric", minute: "2-digit" });
export const time = (at) =>
  isToday(at) ? clock(at) : new Date(at).toLocaleString(locale(), { dateStyle: "medium", timeStyle: "short" });
export const day = (at) =>
  isToday(at) ? clock(at) : new Date(at).toLocaleDateString(locale(), { day: "numeric", month: "short" });

const isToday = (at) => new Date(at).toDateString() === new Date().toDateString();

export function ago(at) {
  const minutes = Math.round((Date.now() - new Date(at)) / 60_000);
  const [value, unit] =
    minutes < 60
      ? [minutes, "minute"]
      : minutes < 1440
        ? [Math.round(minutes / 60), "hour"]
        : [Math.round(minutes / 1440), "day"];
  return new Intl.RelativeTimeFormat(locale(), { numeric: "auto" }).format(-value, unit);
}

// Name a device by what its user agent says of itself.
export function device(agent) {
  const browser = [
    ["Edg/", "Edge"],
    ["OPR/", "Opera"],
    ["Firefox/", "Firefox"],
    ["Chrome/", "Chrome"],
    ["Safari/", "Safari"],
  ].find(([mark]) => agent?.includes(mark))?.[1];
  const system = [
    ["Android", "Android"],
    ["iPhone", "iPhone"],
    ["iPad", "iPad"],
    ["Windows", "Windows"],
    ["Mac OS", "macOS"],
    ["Linux", "Linux"],
  ].find(([mark]) => agent?.includes(mark))?.[1];
  return [browser, system].filter(Boolean).join(" · ") || agent?.slice(0, 60) || t("unknownDevice");
}
