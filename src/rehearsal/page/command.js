// A command that is being typed: its name, and a field for each option that is filled in.
//
// By keyboard alone: Tab goes to the next option, Enter takes what is marked in the list and sends when nothing is,
// Backspace in an empty field goes back, Escape gives up.

import { post } from "./api.js";
import { el } from "./dom.js";
import { channelName, isDirect, nameOf, store, visibleChannels } from "./store.js";
import { comboBox } from "./suggestions.js";

const [TEXT, WHOLE, TRUTH, USER, CHANNEL, ROLE, MENTIONABLE, NUMBER, FILE] = [3, 4, 5, 6, 7, 8, 9, 10, 11];
/** Choices that the bot makes are asked for when typing pauses this long, in milliseconds. */
const PAUSE = 120;

/** Every command that can be run, subcommands by their whole path. */
export function commands() {
  const leaves = (path, options, description) => {
    const inner = (options ?? []).filter((option) => option.type === 1 || option.type === 2);
    if (!inner.length) return [{ path, description, options: options ?? [] }];
    return inner.flatMap((option) => leaves(`${path} ${option.name}`, option.options, option.description));
  };
  const slash = store.overview.commands.filter((command) => command.type === 1);
  return slash.flatMap((command) => leaves(command.name, command.options, command.description)).sort((a, b) => a.path.localeCompare(b.path));
}

export class CommandLine {
  /** `leave(text)` goes back to plain text; `send(path, options, shown)` sends. */
  constructor(command, suggestions, { leave, send }) {
    Object.assign(this, { command, suggestions, leave, send, chips: [], asked: 0 });
    this.rest = el("input", { ...comboBox, class: "rest", type: "text", id: "composer-rest", "aria-label": `Options of /${command.path}` });
    this.problem = el("p", { class: "problem", role: "alert" });
    this.node = el("div", { class: "command-line", role: "group", "aria-label": `Command ${command.path}` }, el("span", { class: "command-name" }, `/${command.path}`), this.rest);
    this.rest.addEventListener("input", () => this.offer());
    this.rest.addEventListener("focus", () => this.offer());
    this.rest.addEventListener("keydown", (event) => this.restKey(event));
    for (const option of command.options.filter((option) => option.required)) this.add(option);
  }

  focus() {
    (this.chips.find((chip) => !chip.input.value)?.input ?? this.rest).focus();
  }

  get left() {
    return this.command.options.filter((option) => !this.chips.some((chip) => chip.option === option));
  }

  /** Options that are not there yet, filtered by what is typed. */
  offer() {
    const typed = this.rest.value.trim().toLowerCase();
    const items = this.left
      .filter((option) => option.name.includes(typed))
      .map((option) => ({ name: option.name, mark: option.required ? "required" : null, detail: option.description, pick: () => this.pick(option) }));
    const title = this.command.description;
    this.suggestions.show(this.rest, title, items, typed ? 0 : -1);
  }

  pick(option) {
    this.rest.value = "";
    this.add(option).input.focus();
  }

  add(option) {
    const chip = { option, picked: null };
    const kind = option.type === FILE ? { type: "file" } : { ...comboBox, type: "text", inputmode: [WHOLE, NUMBER].includes(option.type) ? "decimal" : "text" };
    const id = `option-${option.name}`;
    chip.input = el("input", { ...kind, id, class: "chip-input", "data-option": option.name, "aria-required": String(Boolean(option.required)), "aria-description": option.description, maxlength: option.max_length, size: 6 });
    chip.node = el("span", { class: "chip" }, el("label", { for: id }, option.name, option.required && el("span", { class: "required", title: "required" }, "*")), chip.input);
    chip.input.addEventListener("input", () => {
      chip.picked = null;
      this.fit(chip);
      this.suggest(chip);
    });
    chip.input.addEventListener("focus", () => this.suggest(chip));
    chip.input.addEventListener("keydown", (event) => this.chipKey(event, chip));
    this.chips.push(chip);
    this.node.insertBefore(chip.node, this.rest);
    return chip;
  }

  fit(chip) {
    chip.node.classList.remove("wrong");
    if (chip.option.type !== FILE) chip.input.size = Math.min(40, Math.max(6, chip.input.value.length + 1));
  }

  drop(chip) {
    this.chips = this.chips.filter((each) => each !== chip);
    chip.node.remove();
    this.rest.focus();
  }

  restKey(event) {
    if (this.suggestions.key(event)) return;
    if (event.key === "Tab" && !event.shiftKey && this.left.length && !event.defaultPrevented && this.suggestions.open) {
      event.preventDefault();
      return this.suggestions.items[0]?.pick();
    }
    if (event.key === "Enter" && !event.isComposing) return event.preventDefault(), this.submit();
    if (event.key === "Escape") return event.preventDefault(), this.leave("");
    if (event.key !== "Backspace" || this.rest.value) return;
    event.preventDefault();
    const last = this.chips.at(-1);
    if (last) last.input.focus();
    else this.leave(`/${this.command.path}`);
  }

  chipKey(event, chip) {
    if (this.suggestions.key(event)) return;
    if (event.key === "Enter" && !event.isComposing) return event.preventDefault(), this.submit();
    if (event.key === "Escape") return event.preventDefault(), this.leave("");
    if (event.key === "Tab" && !event.shiftKey) return event.preventDefault(), this.next(chip);
    if (event.key !== "Backspace" || chip.input.value) return;
    event.preventDefault();
    if (!chip.option.required) this.drop(chip);
    else this.leave(`/${this.command.path}`);
  }

  next(chip) {
    const after = this.chips[this.chips.indexOf(chip) + 1];
    (after?.input ?? this.rest).focus();
  }

  suggest(chip) {
    const { option } = chip;
    clearTimeout(this.timer);
    if (option.type === FILE) return this.suggestions.hide();
    if (option.autocomplete) {
      this.timer = setTimeout(() => this.ask(chip), this.suggestions.field === chip.input && this.suggestions.open ? PAUSE : 0);
      return undefined;
    }
    const typed = chip.picked ? "" : chip.input.value.trim().toLowerCase();
    const fitting = choicesOf(option).filter((choice) => choice.name.toLowerCase().includes(typed));
    return this.list(chip, fitting);
  }

  list(chip, choices, note) {
    const items = choices.map((choice) => ({ name: choice.name, pick: () => this.take(chip, choice) }));
    if (note) items.push({ name: note });
    const { name, description, required } = chip.option;
    this.suggestions.show(chip.input, `${name}${required ? " (required)" : ""}: ${description}`, items, chip.picked ? -1 : 0);
  }

  async ask(chip) {
    const mine = ++this.asked;
    const options = { ...this.filled(), [chip.option.name]: chip.picked ? "" : chip.input.value };
    let answer;
    try {
      answer = await post("autocomplete", { person: store.person, channel: store.channel, command: this.command.path, options, focused: chip.option.name });
    } catch (error) {
      answer = { choices: [], error: error.message };
    }
    if (mine !== this.asked || document.activeElement !== chip.input) return;
    const note = answer.error ? "Loading options failed" : answer.choices.length ? null : "No options match";
    this.list(chip, answer.choices, note);
  }

  take(chip, choice) {
    chip.picked = choice;
    chip.input.value = choice.name;
    this.fit(chip);
    this.next(chip);
  }

  /** What is there and good, for the bot's own choices. */
  filled() {
    const values = {};
    for (const chip of this.chips) {
      const { value } = read(chip);
      if (value !== undefined) values[chip.option.name] = value;
    }
    return values;
  }

  async submit() {
    const options = {};
    for (const chip of this.chips) {
      const { value, wrong } = chip.option.type === FILE ? await readFile(chip) : read(chip);
      chip.node.classList.toggle("wrong", Boolean(wrong));
      if (wrong) {
        this.problem.textContent = wrong;
        chip.input.focus();
        return;
      }
      if (value !== undefined) options[chip.option.name] = value;
    }
    this.suggestions.hide();
    const shown = Object.entries(options).map(([name, value]) => ` ${name}:${value.filename ?? value}`);
    this.send(this.command.path, options, `/${this.command.path}${shown.join("")}`);
  }
}

/** The choices that need no bot. */
function choicesOf(option) {
  if (option.choices?.length) return option.choices;
  const people = () => store.overview.people.map((person) => ({ name: `@${nameOf(person)}`, value: person.id }));
  const roles = () => store.overview.roles.filter((role) => role.id !== store.overview.guild).map((role) => ({ name: `@${role.name}`, value: role.id }));
  const channels = () => visibleChannels().filter((each) => !isDirect(each)).map((each) => ({ name: `#${channelName(each)}`, value: each.id }));
  const truths = [{ name: "True", value: true }, { name: "False", value: false }];
  return { [TRUTH]: () => truths, [USER]: people, [ROLE]: roles, [MENTIONABLE]: () => [...people(), ...roles()], [CHANNEL]: channels }[option.type]?.() ?? [];
}

/** The value of a field as the API takes it, or what is wrong with it. */
function read({ option, input, picked }) {
  if (option.type === FILE) return {};
  const typed = input.value.trim();
  if (picked && picked.name === input.value) return { value: picked.value };
  if (!typed) return option.required ? { wrong: `"${option.name}" is required.` } : {};
  const choices = choicesOf(option);
  const named = choices.find((choice) => [choice.name, choice.name.slice(1)].some((name) => name.toLowerCase() === typed.toLowerCase()));
  if (named) return { value: named.value };
  if (choices.length) return { wrong: `"${option.name}" takes one of its choices.` };
  if (option.type !== WHOLE && option.type !== NUMBER) return { value: typed };
  const number = Number(typed);
  const good = Number.isFinite(number) && (option.type === NUMBER || Number.isInteger(number));
  return good ? { value: number } : { wrong: `"${option.name}" takes a ${option.type === WHOLE ? "whole " : ""}number.` };
}

async function readFile({ option, input }) {
  const [file] = input.files;
  if (!file) return option.required ? { wrong: `"${option.name}" is required.` } : {};
  return { value: { filename: file.name, content: await file.text() } };
}
