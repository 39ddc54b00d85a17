// The panel that breaks this server: drawn from `fault_kinds` of the state alone, so that a new fault needs nothing here.

import { post } from "./api.js";
import { el } from "./dom.js";
import { inline } from "./inline.js";
import { channelName, isDirect, isThread, on, store } from "./store.js";

let place = null;

/** Clearing them all has a button of its own. */
const kinds = () => store.overview.fault_kinds.filter((fault) => fault.kind !== "clear");
export const faultsActive = () => kinds().filter((fault) => fault.active).length;

export function startFaults() {
  on("overview", mark);
}

export function drawFaults(body) {
  const problem = el("p", { class: "problem", role: "alert" });
  const clear = el("button", { class: "button secondary", type: "button", id: "clear-faults", click: () => send({ kind: "clear" }) }, "Clear all");
  const cards = kinds().map((fault) => card(fault, send));
  const about = "Discord has bad days. These are played by this server, until you clear them; see how the bot lives with it.";
  const bar = el("p", { class: "panel-bar" }, el("span", { class: "active-count", role: "status" }), clear);
  body.append(el("div", { class: "panel-list" }, el("p", { class: "panel-about" }, about), bar, problem, el("div", { class: "cards" }, cards.map(({ node }) => node))));
  place = { body, cards, problem };
  mark();

  async function send(fault) {
    problem.textContent = "";
    try {
      await post("fault", fault);
      return true;
    } catch (error) {
      problem.textContent = error.message;
      problem.scrollIntoView({ block: "nearest" });
      return false;
    }
  }
}

/** Which are in force; the fields, in which somebody may be writing, are left alone. */
function mark() {
  if (!place?.body.isConnected) return;
  const count = faultsActive();
  place.body.querySelector(".active-count").textContent = count ? `${count} in force` : "Nothing is broken";
  for (const { kind, show } of place.cards) show(Boolean(kinds().find((fault) => fault.kind === kind)?.active));
}

function card(fault, send) {
  const id = `fault-${fault.kind}`;
  const badge = el("span", { class: "badge active-badge", hidden: true }, "active");
  const fields = fault.fields ?? [];
  const [only] = fields;
  const head = [el("div", { class: "card-title" }, el("h3", {}, fault.name), badge), el("p", {}, inline(fault.description ?? ""))];
  // What is on or off, and nothing else, is a switch.
  if (fields.length === 1 && only.type === "boolean" && only.name === "on") {
    const box = el("input", { type: "checkbox", role: "switch", id, "data-fault": fault.kind });
    box.addEventListener("change", async () => {
      if (!(await send({ kind: fault.kind, on: box.checked }))) box.checked = !box.checked;
    });
    const node = el("div", { class: "card" }, el("label", { class: "card-text", for: id }, head), box);
    return { kind: fault.kind, node, show: (active) => ((badge.hidden = !active), (box.checked = active)) };
  }
  const inputs = fields.map((field) => control(field, `${id}-${field.name}`));
  const press = el("button", { class: "button danger", type: "submit", "data-fault": fault.kind, "aria-label": `${fault.name}: break` }, "Break");
  const options = fields.length ? el("details", {}, el("summary", {}, "Options"), el("div", { class: "controls" }, inputs.map(({ node }) => node))) : null;
  const form = el("form", { class: "card column", novalidate: true }, el("div", { class: "card-row" }, el("div", { class: "card-text" }, head), press), options);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const empty = inputs.find((input) => input.required && input.read()[1] === undefined);
    if (empty) {
      options.open = true;
      return empty.focus();
    }
    const given = inputs.map((input) => input.read()).filter(([, value]) => value !== undefined);
    return send({ kind: fault.kind, ...Object.fromEntries(given) });
  });
  return { kind: fault.kind, node: form, show: (active) => (badge.hidden = !active) };
}

function control(field, id) {
  const label = field.name.replaceAll("_", " ");
  const required = field.required && el("span", { class: "required", "aria-hidden": "true" }, " *");
  const help = field.help ? el("small", { class: "muted", id: `${id}-help` }, field.help) : null;
  const common = { id, "data-field": field.name, "aria-describedby": help ? `${id}-help` : undefined, "aria-required": String(Boolean(field.required)) };
  if (field.type === "boolean") {
    const box = el("input", { type: "checkbox", ...common, checked: field.default });
    return { node: el("div", { class: "control inline" }, box, el("label", { for: id }, label, help && [" ", help])), required: false, read: () => [field.name, box.checked] };
  }
  const input = field.type === "choice" || field.type === "channel" ? choice(field, common) : el("input", { type: "text", inputmode: field.type === "number" ? "decimal" : "text", autocomplete: "off", ...common, value: field.default === undefined || field.default === null ? "" : String(field.default) });
  const read = () => {
    const text = input.value.trim();
    const number = field.type === "number" && text !== "" && Number.isFinite(Number(text));
    return [field.name, text === "" ? undefined : number ? Number(text) : text];
  };
  const node = el("div", { class: "control" }, el("label", { for: id }, label, required), input, help);
  return { node, read, required: field.required, focus: () => input.focus() };
}

function choice(field, common) {
  const channels = () => store.overview.channels.filter((each) => !isDirect(each)).map((each) => [each.id, `${isThread(each) ? "" : "#"}${channelName(each)}`]);
  const options = field.type === "channel" ? channels() : (field.choices ?? []).map((each) => (typeof each === "object" ? [each.value, each.name] : [each, String(each)]));
  // Nothing is chosen beforehand where only the reader can know.
  const empty = field.default === undefined || field.default === null ? el("option", { value: "" }, field.required ? "choose one" : "any") : null;
  return el("select", common, empty, options.map(([value, name]) => el("option", { value, selected: value === field.default }, name)));
}
