// Buttons and selects below a message. What they do: `deeds.js`; here they only say whose they are.

import { el } from "./dom.js";
import { icon } from "./icons.js";
import { channelName, isDirect, isThread, nameOf, store, visibleChannels } from "./store.js";
import { deedOf } from "./deeds.js";

const STYLES = { 1: "primary", 2: "secondary", 3: "success", 4: "danger", 5: "secondary" };

export function components(message) {
  const rows = message.components ?? [];
  if (!rows.length) return null;
  return el("div", { class: "components" }, rows.map((row) => el("div", { class: "row" }, row.components.map((each) => component(message, each)))));
}

function component(message, shown) {
  if (shown.type === 2) return button(message, shown);
  return select(message, shown);
}

function button(message, shown) {
  const label = [shown.emoji?.name && el("span", { class: "emoji" }, shown.emoji.name), shown.label && el("span", {}, shown.label)];
  if (shown.style === 5) {
    const safe = /^https?:\/\//.test(shown.url) ? shown.url : undefined;
    return el("a", { class: "button secondary", href: safe, target: "_blank", rel: "noopener noreferrer nofollow" }, label, icon("link"));
  }
  const busy = deedOf(message.id, shown.custom_id)?.busy;
  const data = { "data-act": "press", "data-id": shown.custom_id, "data-key": `b${shown.custom_id}` };
  return el("button", { class: ["button", STYLES[shown.style] ?? "secondary", busy && "busy"], type: "button", disabled: shown.disabled, "aria-disabled": busy ? "true" : undefined, ...data }, label);
}

/** Options of a select, whichever kind it is: value, label, description. */
export function optionsOf(shown) {
  const roles = () => store.overview.roles.filter((role) => role.id !== store.overview.guild).map((role) => ({ value: role.id, label: `@${role.name}` }));
  const people = () => store.overview.people.map((person) => ({ value: person.id, label: nameOf(person) }));
  const channels = () => visibleChannels().filter((each) => !isDirect(each)).map((each) => ({ value: each.id, label: `${isThread(each) ? "" : "#"}${channelName(each)}` }));
  return { 3: () => shown.options, 5: people, 6: roles, 7: () => [...people(), ...roles()], 8: channels }[shown.type]?.() ?? [];
}

function select(message, shown) {
  const options = optionsOf(shown);
  const name = shown.placeholder || "Make a selection";
  const data = { "data-act": "choose", "data-id": shown.custom_id, "data-key": `s${shown.custom_id}` };
  const least = shown.min_values ?? 1;
  const most = shown.max_values ?? 1;
  if (most > 1) {
    const boxes = options.map((option) => el("label", {}, el("input", { type: "checkbox", value: option.value, checked: option.default }), el("span", {}, option.label, option.description && el("small", {}, option.description))));
    const done = el("button", { class: "button primary", type: "button", disabled: shown.disabled, "data-least": least, "data-most": most, ...data, "data-act": "choose-several" }, "Choose");
    return el("details", { class: "select several" }, el("summary", {}, name, icon("chevron")), el("div", { class: "several-options" }, boxes, done));
  }
  const list = options.map((option) => el("option", { value: option.value, selected: option.default }, option.description ? `${option.label} — ${option.description}` : option.label));
  const empty = el("option", { value: "", disabled: true, hidden: true, selected: !options.some((option) => option.default) }, name);
  return el("span", { class: "select" }, el("select", { "aria-label": name, disabled: shown.disabled, ...data }, empty, list), icon("chevron"));
}
