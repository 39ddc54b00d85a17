// A form that the bot opened: a dialog with its fields, checked as the client checks them before anything is sent.

import { post } from "./api.js";
import { optionsOf } from "./components.js";
import { el } from "./dom.js";
import { icon } from "./icons.js";
import { markdown } from "./markdown.js";
import { nameOf, store } from "./store.js";

export function openForm(modal, person) {
  const id = `form-${modal.id}`;
  const fields = [];
  const problem = el("p", { class: "problem", role: "alert", hidden: true });
  const send = el("button", { class: "button primary", type: "submit" }, "Submit");
  const dialog = el(
    "dialog",
    { class: "dialog", "aria-labelledby": `${id}-title`, close: () => dialog.remove() },
    el("form", { method: "dialog", novalidate: true, submit: (event) => submit(event) },
      el("header", {},
        el("h2", { id: `${id}-title`, dir: "auto" }, modal.title),
        el("button", { class: "icon-button", type: "button", "aria-label": "Close", click: () => dialog.close() }, icon("close"))),
      el("p", { class: "form-from" }, `This form goes to ${nameOf({ id: store.overview.bot })}, from ${person}.`),
      el("div", { class: "fields-of-form" }, modal.components.map((component, index) => field(component, `${id}-${index}`, fields))),
      problem,
      el("footer", {}, el("button", { class: "button quiet", type: "button", click: () => dialog.close() }, "Cancel"), send)),
  );
  async function submit(event) {
    event.preventDefault();
    const wrong = fields.map((each) => each.check()).filter(Boolean);
    if (wrong.length) return wrong[0].focus();
    send.disabled = true;
    problem.hidden = true;
    try {
      const values = Object.fromEntries(fields.map((each) => [each.id, each.value()]));
      const answer = await post("submit", { person, modal: modal.id, values });
      if (!answer.error) return dialog.close();
      problem.textContent = `Something went wrong: ${answer.error.replace(/^not connected: /, "")}`;
    } catch (error) {
      problem.textContent = error.message;
    }
    problem.hidden = false;
    send.disabled = false;
  }
  document.body.append(dialog);
  dialog.showModal();
  dialog.querySelector("input, textarea, select")?.focus();
}

function field(component, id, fields) {
  if (component.type === 10) return el("div", { class: "prose" }, markdown(component.content));
  const input = component.component ?? component.components?.[0];
  if (!input) return null;
  const label = component.label ?? input.label ?? "";
  const required = input.required ?? true;
  const made = input.type === 4 ? textInput(input, id, required) : selectInput(input, id, required);
  const error = el("p", { class: "problem", id: `${id}-problem` });
  fields.push({
    id: input.custom_id,
    value: made.value,
    check() {
      const text = made.check();
      error.textContent = text ?? "";
      made.node.toggleAttribute("aria-invalid", Boolean(text));
      return text ? made.node : null;
    },
  });
  return el("div", { class: "form-field" },
    el("label", { for: id, dir: "auto" }, label, required && el("span", { class: "required", "aria-hidden": "true" }, " *")),
    component.description && el("p", { class: "muted" }, component.description),
    made.node, error);
}

function textInput(input, id, required) {
  const long = input.style === 2;
  const [least, most] = [input.min_length ?? 0, input.max_length ?? 4000];
  const props = { id, name: input.custom_id, placeholder: input.placeholder, maxlength: most, "aria-required": String(required), "aria-describedby": `${id}-problem`, autocomplete: "off", dir: "auto" };
  const node = long ? el("textarea", { rows: 4, ...props }) : el("input", { type: "text", ...props });
  node.value = input.value ?? "";
  return {
    node,
    value: () => node.value,
    check() {
      const length = [...node.value].length;
      if (required && length === 0) return "This field is required.";
      if (length > 0 && length < least) return `At least ${least} characters, please.`;
      return length > most ? `At most ${most} characters, please.` : null;
    },
  };
}

function selectInput(input, id, required) {
  const several = (input.max_values ?? 1) > 1;
  const options = optionsOf(input).map((option) => el("option", { value: option.value, selected: option.default }, option.label));
  const empty = several ? null : el("option", { value: "" }, input.placeholder ?? "Make a selection");
  const node = el("select", { id, multiple: several, "aria-describedby": `${id}-problem` }, empty, options);
  const value = () => [...node.selectedOptions].map((option) => option.value).filter(Boolean);
  return { node, value, check: () => (required && value().length === 0 ? "Choose something, please." : null) };
}
