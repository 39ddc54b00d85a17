// The panels beside the chat, and the bar that opens them: one breaks the practice system, one breaks this server.

import { byId, el } from "./dom.js";
import { drawFaults, faultsActive } from "./faults.js";
import { helpButton } from "./guide.js";
import { icon } from "./icons.js";
import { on, store } from "./store.js";
import { themeSwitch } from "./theme.js";
import { drawTools } from "./tools.js";

const narrow = matchMedia("(max-width: 1000px)");
const PANELS = {
  tools: { icon: "flame", title: () => store.overview.scene.tools_title || "Tools", draw: drawTools },
  faults: { icon: "unplug", title: () => "Break Discord", draw: drawFaults },
};
let open = null;

export function startPanels() {
  const bar = byId("tools");
  const state = el("span", { class: "presence", id: "presence" });
  const buttons = Object.entries(PANELS).map(([name, panel]) => {
    const node = el("button", { class: "panel-button", type: "button", id: `open-${name}`, "aria-expanded": "false", "aria-controls": "panel", click: () => openPanel(open === name ? null : name) });
    panel.button = node;
    return node;
  });
  bar.append(state, ...buttons, helpButton(), themeSwitch());
  // A button that is pressed here may be disabled, and lose the focus to nobody.
  document.addEventListener("keydown", ({ key, target }) => {
    if (key === "Escape" && open && (target === document.body || byId("panel").contains(target))) openPanel(null);
  });
  byId("shade").addEventListener("click", () => openPanel(null));
  on(["overview", "link"], label);
}

/** The bar's words, and whether the bot is there. */
function label() {
  if (!store.overview) return;
  for (const [name, panel] of Object.entries(PANELS)) {
    const count = name === "faults" ? faultsActive() : 0;
    const title = panel.title();
    const key = `${title} ${count}`;
    if (panel.label === key) continue;
    panel.label = key;
    panel.button.title = title;
    panel.button.replaceChildren(icon(panel.icon), el("span", { class: "panel-button-name" }, title), count ? el("span", { class: "count", title: `${count} in force` }, String(count)) : "");
  }
  const { connected, bot_name: bot } = store.overview;
  const gone = !store.linked ? "The rehearsal does not answer. Trying again…" : connected ? "" : `${bot} is not connected: commands and buttons reach nobody.`;
  const strip = byId("connection");
  if (strip.textContent !== gone) strip.textContent = gone;
  strip.classList.toggle("lost", !store.linked);
  const presence = byId("presence");
  presence.classList.toggle("there", Boolean(connected && store.linked));
  presence.replaceChildren(el("i", { "aria-hidden": "true" }), el("span", {}, `${bot} ${connected && store.linked ? "connected" : "away"}`));
}

export function openPanel(name) {
  if (name === open) return;
  const before = open;
  open = name;
  for (const [each, { button }] of Object.entries(PANELS)) button.setAttribute("aria-expanded", String(each === name));
  const node = byId("panel");
  node.hidden = !name;
  document.body.classList.toggle("panel-open", Boolean(name));
  byId("shade").hidden = !(name && narrow.matches);
  if (!name) return PANELS[before].button.focus();
  const panel = PANELS[name];
  const body = el("div", { class: "panel-body" });
  node.replaceChildren(
    el("header", { class: "panel-head" }, icon(panel.icon), el("h2", { id: "panel-title", tabindex: "-1" }, panel.title()), el("button", { class: "icon-button", type: "button", "aria-label": "Close the panel", click: () => openPanel(null) }, icon("close"))),
    body,
  );
  panel.draw(body);
  return byId("panel-title").focus();
}
