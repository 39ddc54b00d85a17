// Times as people read them, and those that go on: "12 seconds ago".

import { el } from "./dom.js";

const STYLES = {
  t: { hour: "2-digit", minute: "2-digit" },
  T: { hour: "2-digit", minute: "2-digit", second: "2-digit" },
  d: { day: "2-digit", month: "2-digit", year: "numeric" },
  D: { day: "numeric", month: "long", year: "numeric" },
  f: { day: "numeric", month: "long", year: "numeric", hour: "2-digit", minute: "2-digit" },
  F: { weekday: "long", day: "numeric", month: "long", year: "numeric", hour: "2-digit", minute: "2-digit" },
};
const UNITS = [
  ["year", 31_536_000],
  ["month", 2_592_000],
  ["day", 86_400],
  ["hour", 3600],
  ["minute", 60],
  ["second", 1],
];
const formats = new Map();
const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });

function format(date, style) {
  if (!formats.has(style)) formats.set(style, new Intl.DateTimeFormat("en-GB", STYLES[style]));
  return formats.get(style).format(date);
}

export function ago(date, now = Date.now()) {
  const seconds = Math.round((date.getTime() - now) / 1000);
  const [unit, size] = UNITS.find(([, size]) => Math.abs(seconds) >= size) ?? UNITS.at(-1);
  return relative.format(Math.trunc(seconds / size), unit);
}

/** What `<t:unix:style>` says. */
export function told(date, style) {
  return style === "R" ? ago(date) : format(date, style in STYLES ? style : "f");
}

/** `<t:unix:style>`; a relative one is kept true by the clock below. */
export function moment(unix, style = "f") {
  const date = new Date(Number(unix) * 1000);
  if (Number.isNaN(date.getTime())) return String(unix);
  const ticks = style === "R" ? { "data-ticks": date.getTime() } : {};
  return el("time", { class: "moment", datetime: date.toISOString(), title: format(date, "F"), ...ticks }, told(date, style));
}

/** When a message was written: "14:05". */
export const clock = (text) => format(new Date(text), "t");
export const full = (text) => format(new Date(text), "F");
export const day = (text) => format(new Date(text), "D");

/** "Today at 14:05", "23/11/2026, 14:05" */
export function stamp(text) {
  const date = new Date(text);
  const days = Math.round((midnight(new Date()) - midnight(date)) / 86_400_000);
  const at = format(date, "t");
  if (days === 0) return `Today at ${at}`;
  if (days === 1) return `Yesterday at ${at}`;
  return `${format(date, "d")} ${at}`;
}

const midnight = (date) => new Date(date.getFullYear(), date.getMonth(), date.getDate()).getTime();

/** Relative times go on by themselves; only a text that changes is touched. */
export function startClock() {
  setInterval(() => {
    const now = Date.now();
    for (const node of document.querySelectorAll("time[data-ticks]")) {
      const text = ago(new Date(Number(node.dataset.ticks)), now);
      if (node.textContent !== text) node.textContent = text;
    }
  }, 1000);
}
