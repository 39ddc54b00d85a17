// The beginning of a channel, and for somebody who has never been here: what this is, and what to try.

import { byId, el, show } from "./dom.js";
import { icon } from "./icons.js";
import { inline } from "./inline.js";
import { markdown } from "./markdown.js";
import { channelName, channelOf, isDirect, isThread, store } from "./store.js";
import { remember } from "./theme.js";

const KEY = "rehearsal-guide";
const hasGuide = () => Boolean(store.overview.scene.welcome || store.overview.scene.steps.length);

export function beginning(node, empty) {
  const channel = channelOf(store.channel);
  if (!channel) return;
  const name = channelName(channel);
  const first = store.overview.channels[0].id === channel.id;
  const kind = isThread(channel) ? "thread" : isDirect(channel) ? "at" : "hash";
  const intro = isThread(channel) ? "Everything that happens, in order." : `This is the beginning of ${isDirect(channel) ? "your messages with" : "#"}${isDirect(channel) ? " " : ""}${name}.`;
  node.className = empty ? "beginning empty" : "beginning";
  show(node,
    el("span", { class: "beginning-mark", "aria-hidden": "true" }, icon(kind)),
    el("h3", { dir: "auto" }, isThread(channel) ? name : `Welcome to ${isDirect(channel) ? "" : "#"}${name}`),
    el("p", { class: "muted" }, intro, channel.topic && ` ${channel.topic}.`),
    first && hasGuide() && !remember.get(KEY) && guide());
}

function guide() {
  return el("section", { class: "guide", "aria-labelledby": "guide-title" }, content(el("h4", { id: "guide-title" }, "New here?")),
    el("p", { class: "guide-foot" },
      el("button", { class: "button primary", type: "button", "data-open-panel": "tools" }, icon("flame"), store.overview.scene.tools_title || "Tools"),
      el("button", { class: "button quiet", type: "button", "data-guide-done": true }, "Hide this")));
}

function content(title) {
  const { welcome, steps } = store.overview.scene;
  return [title, el("div", { class: "prose" }, markdown(welcome)), steps.length ? el("ol", { class: "steps" }, steps.map((step) => el("li", {}, inline(step)))) : null];
}

/** One listener for all: the beginning is drawn again and again. */
export function startGuide(openPanel, redraw) {
  byId("beginning").addEventListener("click", (event) => {
    const node = event.target.closest("[data-open-panel], [data-guide-done]");
    if (node?.dataset.openPanel) openPanel(node.dataset.openPanel);
    else if (node) {
      remember.set(KEY, "done");
      redraw();
      byId("composer")?.focus();
    }
  });
}

export function helpButton() {
  return el("button", { class: "icon-button", type: "button", id: "help", "aria-label": "What is this?", title: "What is this?", click: openHelp }, icon("help"));
}

function openHelp() {
  const close = el("button", { class: "icon-button", type: "button", "aria-label": "Close", click: () => dialog.close() }, icon("close"));
  const keys = [["/", "commands, with completion"], ["Tab", "next option of a command"], ["↑ ↓", "in a list of suggestions"], ["Enter", "takes what is marked, then sends"], ["Esc", "closes a list, a panel, a form"]];
  const dialog = el("dialog", { class: "dialog wide", "aria-labelledby": "help-title", close: () => dialog.remove() },
    el("header", {}, el("h2", { id: "help-title" }, "What is this?"), close),
    el("div", { class: "guide-text" }, hasGuide() ? content(null) : el("p", {}, "A chat server on this machine, for trying a bot: docs/rehearsal.md."),
      el("dl", { class: "keys" }, keys.map(([key, does]) => el("div", {}, el("dt", {}, el("kbd", {}, key)), el("dd", {}, does))))));
  document.body.append(dialog);
  dialog.showModal();
}
