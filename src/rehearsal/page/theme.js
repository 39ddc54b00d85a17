// Light or dark: as the system says, until somebody chooses.

import { el } from "./dom.js";
import { icon } from "./icons.js";

const KEY = "rehearsal-theme";
const system = matchMedia("(prefers-color-scheme: dark)");

/** Local storage may be forbidden; then a choice holds until the page is left. */
export const remember = {
  get(key) {
    try {
      return localStorage.getItem(key);
    } catch {
      return null;
    }
  },
  set(key, value) {
    try {
      localStorage.setItem(key, value);
    } catch {
      // Nothing depends on it.
    }
  },
};

const chosen = () => document.documentElement.dataset.theme;
const dark = () => (chosen() ? chosen() === "dark" : system.matches);

export function startTheme() {
  const kept = remember.get(KEY);
  if (kept === "dark" || kept === "light") document.documentElement.dataset.theme = kept;
}

export function themeSwitch() {
  const node = el("button", { class: "icon-button", type: "button", id: "theme", click: () => turn() });
  const draw = () => {
    const next = dark() ? "light" : "dark";
    node.replaceChildren(icon(dark() ? "sun" : "moon"));
    node.setAttribute("aria-label", `Switch to the ${next} theme`);
    node.title = `Switch to the ${next} theme`;
  };
  function turn() {
    document.documentElement.dataset.theme = dark() ? "light" : "dark";
    remember.set(KEY, chosen());
    draw();
  }
  system.addEventListener("change", draw);
  draw();
  return node;
}
