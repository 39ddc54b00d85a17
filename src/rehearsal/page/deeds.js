// What the person does to messages, and what came of it: the rehearsal's answer, or an error where Discord shows it.

import { post } from "./api.js";
import { openForm } from "./form.js";
import { store, tell } from "./store.js";

/** message and component -> {busy} */
const busy = new Map();
/** message -> what is written below it in red */
const failures = new Map();
/** Notices below the conversation that only this page has: commands on their way, and errors. */
let notices = [];
let number = 0;

const FAILED = "This interaction failed";
const key = (message, component) => `${store.person} ${message} ${component}`;

export const deedOf = (message, component) => busy.get(key(message, component));
export const failureOf = (message) => failures.get(`${store.person} ${message}`);
export const noticesHere = () => notices.filter((notice) => notice.channel === store.channel && notice.person === store.person);

/** Presses a button, or chooses in a select. */
export async function press(channel, message, component, values) {
  const mine = key(message, component);
  if (busy.has(mine)) return;
  const person = store.person;
  busy.set(mine, { busy: true });
  failures.delete(`${person} ${message}`);
  redraw(channel, message);
  let failure = null;
  try {
    const answer = await post("click", { person, message, custom_id: component, ...(values && { values }) });
    failure = answer.error && explain(answer.error);
    if (answer.modal) openForm(answer.modal, person);
  } catch (error) {
    failure = error.message;
  }
  busy.delete(mine);
  if (failure) failures.set(`${person} ${message}`, failure);
  redraw(channel, message);
}

/** What Discord says, and in a rehearsal also why. */
const explain = (error) => `${FAILED}: ${error.replace(/^not connected: /, "")}`;

function redraw(channel, id) {
  tell("message", { kind: "redraw", message: { id, channel_id: channel } });
}

/** Sends a command; until the bot's answer is there, a notice stands for it. */
export async function run(command, options, shown) {
  const notice = add({ kind: "sending", command: shown });
  try {
    const answer = await post("command", { person: notice.person, channel: notice.channel, command, options });
    if (answer.error) return change(notice, { kind: "failed", text: answer.error.startsWith("not connected") ? "The application did not respond: no bot is connected." : "The application did not respond" });
    if (answer.modal) openForm(answer.modal, notice.person);
    dismiss(notice.number);
  } catch (error) {
    change(notice, { kind: "failed", text: error.message });
  }
}

export async function say(content) {
  const { person, channel } = store;
  try {
    await post("say", { person, channel, content });
    return true;
  } catch (error) {
    add({ kind: "failed", text: error.message });
    return false;
  }
}

function add(notice) {
  const whole = { number: ++number, channel: store.channel, person: store.person, at: new Date().toISOString(), ...notice };
  notices.push(whole);
  tell("notices");
  return whole;
}

function change(notice, props) {
  Object.assign(notice, props);
  tell("notices");
}

export function dismiss(which) {
  notices = notices.filter((notice) => notice.number !== which);
  tell("notices");
}
