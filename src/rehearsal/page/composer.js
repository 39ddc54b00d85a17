// The message box: ordinary text, or a command as soon as a line begins with a slash.

import { CommandLine, commands } from "./command.js";
import { run, say } from "./deeds.js";
import { byId, el } from "./dom.js";
import { icon } from "./icons.js";
import { channelName, channelOf, isThread, on, store } from "./store.js";
import { Suggestions, comboBox } from "./suggestions.js";

const LONGEST = 2000;
/** channel -> what was begun there */
const drafts = new Map();
let line = null;
let here = null;

const suggestions = new Suggestions();
const text = el("textarea", { ...comboBox, id: "composer", rows: 1, maxlength: LONGEST, spellcheck: "true" });
const send = el("button", { class: "send", type: "submit", "aria-label": "Send" }, icon("send"));
const field = el("div", { class: "composer-field" }, text);
const problem = el("p", { class: "problem", role: "alert" });
const hint = el("p", { class: "composer-hint" });

export function startComposer() {
  const box = el("form", { class: "composer", submit: (event) => (event.preventDefault(), submit()) }, field, send);
  byId("composer-place").append(suggestions.node, box, problem, hint);
  text.addEventListener("input", () => (grow(), complete()));
  text.addEventListener("keydown", key);
  text.addEventListener("focus", complete);
  byId("composer-place").addEventListener("focusout", (event) => {
    if (!byId("composer-place").contains(event.relatedTarget)) suggestions.hide();
  });
  // Typing anywhere goes into the box, as in every chat.
  document.addEventListener("keydown", (event) => {
    const plain = event.key.length === 1 && !event.ctrlKey && !event.metaKey && !event.altKey && event.key !== " ";
    // A button that was pressed keeps the focus, and means no letter.
    if (plain && !document.activeElement?.closest("input, textarea, select, dialog, [role=menu], [role=listbox]")) focusComposer();
  });
  on("channel", moved);
  on("person", place);
  on("overview", () => document.activeElement === text && suggestions.open && complete());
}

export const focusComposer = () => (line ? line.focus() : text.focus());

function moved() {
  if (here === store.channel) return;
  if (here) drafts.set(here, line ? "" : text.value);
  here = store.channel;
  leave(drafts.get(here) ?? "", false);
  place();
}

function place() {
  const channel = channelOf(store.channel);
  if (!channel) return;
  const name = `${isThread(channel) ? "" : "#"}${channelName(channel)}`;
  text.placeholder = `Message ${name} as ${store.person}`;
  text.setAttribute("aria-label", `Message ${name} as ${store.person}. Type a slash for commands`);
  tip();
}

function tip() {
  const command = [["Tab", "next option"], ["Enter", "send"], ["Esc", "cancel"]];
  const keys = line ? command : [["/", "commands"], ["Enter", "send"], ["Shift Enter", "new line"]];
  hint.replaceChildren(...keys.flatMap(([name, does]) => [el("kbd", {}, name), ` ${does}   `]));
}

function grow() {
  text.style.height = "auto";
  text.style.height = `${text.scrollHeight}px`;
  problem.textContent = "";
}

/** Offers the commands that begin with what is typed, then those that have it in them. */
function complete() {
  const typed = /^\/([\w -]*)$/.exec(text.value)?.[1].toLowerCase();
  if (typed === undefined) return suggestions.hide();
  const all = commands();
  // A space after a name is as good as choosing it.
  const exact = typed.endsWith(" ") && all.find((command) => command.path === typed.trim());
  if (exact) return begin(exact);
  const begins = all.filter((command) => command.path.startsWith(typed));
  const has = all.filter((command) => !begins.includes(command) && command.path.includes(typed));
  const items = [...begins, ...has].map((command) => ({ name: `/${command.path}`, detail: command.description, mark: optionsOf(command), pick: () => begin(command) }));
  const none = store.overview.commands.length ? "No command begins like this" : "No bot has registered a command yet";
  return suggestions.show(text, items.length ? "Commands" : none, items, 0);
}

const optionsOf = (command) => command.options.map((option) => `${option.name}${option.required ? "*" : ""}`).join(" ");

function begin(command) {
  suggestions.hide();
  line = new CommandLine(command, suggestions, { leave, send: submitCommand });
  problem.replaceWith(line.problem);
  field.replaceChildren(line.node);
  tip();
  line.focus();
}

/** Back to plain text. */
function leave(value, focus = true) {
  suggestions.hide();
  if (line) line.problem.replaceWith(problem);
  line = null;
  text.value = value;
  field.replaceChildren(text);
  grow();
  tip();
  if (focus) text.focus();
}

function submitCommand(path, options, shown) {
  leave("");
  run(path, options, shown);
}

function key(event) {
  if (suggestions.key(event)) return;
  const sends = event.key === "Enter" && !event.shiftKey && !event.isComposing;
  if (!sends) return;
  event.preventDefault();
  submit();
}

async function submit() {
  if (line) return line.submit();
  const content = text.value.trim();
  if (!content) return text.focus();
  if (/^\/[\w-]+( |$)/.test(content) && suggestions.active < 0) {
    problem.textContent = `There is no command ${content.split(" ")[0]} here. Type / to see what there is.`;
    return undefined;
  }
  text.value = "";
  grow();
  suggestions.hide();
  if (!(await say(content)) && !text.value) text.value = content;
  return undefined;
}
