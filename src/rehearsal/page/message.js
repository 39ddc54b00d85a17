// One message, from who wrote it to what hangs below it.

import { attachments } from "./attachments.js";
import { components } from "./components.js";
import { failureOf } from "./deeds.js";
import { el } from "./dom.js";
import { embeds } from "./embed.js";
import { icon } from "./icons.js";
import { inline } from "./inline.js";
import { markdown } from "./markdown.js";
import { callsMe, channelName, channelOf, colourOf, messagesIn, nameOf, store } from "./store.js";
import { clock, full, stamp } from "./time.js";

const EPHEMERAL = 1 << 6;
const LOADING = 1 << 7;
const [THREAD_MADE, REPLY, THREAD_START] = [18, 19, 21];
/** Messages of one author within this many milliseconds stand together. */
const TOGETHER = 7 * 60_000;

/** Whether a message goes on where the one before left off, without a name of its own. */
export function continues(message, before) {
  if (!before || before.author?.id !== message.author?.id) return false;
  const alone = (each) => [THREAD_MADE, REPLY, THREAD_START].includes(each.type) || each.interaction;
  if (alone(message) || before.type === THREAD_MADE || before.type === THREAD_START) return false;
  const near = new Date(message.timestamp) - new Date(before.timestamp) < TOGETHER;
  return near && isMine(message) === isMine(before);
}

const isMine = (message) => Boolean(message.flags & EPHEMERAL);

/** A round mark with the first letters of a name; its tone goes by the id. */
export function avatar(user, kind = "avatar") {
  const name = nameOf(user);
  const bot = user?.id === store.overview.bot;
  const tone = bot ? "bot" : Number(BigInt(user?.id ?? 0) % 6n);
  return el("span", { class: [kind, `tone-${tone}`], "aria-hidden": "true" }, [...name][0]?.toUpperCase() ?? "?");
}

export function author(user) {
  const colour = colourOf(user);
  return el("span", { class: "author", style: colour ? { "--role": colour } : {} }, nameOf(user));
}

const badge = (user) => user?.bot && el("span", { class: "badge" }, "APP");

export function message(shown, before, divider) {
  if (shown.type === THREAD_MADE) return threadNotice(shown);
  if (shown.type === THREAD_START) return threadStart(shown);
  const short = continues(shown, before) && !divider;
  const mine = isMine(shown);
  const props = {
    class: ["message", short && "short", mine && "only-you", callsMe(shown) && "calls-me"],
    id: `m${shown.id}`,
    "data-key": shown.id,
    "data-message": shown.id,
    "data-channel": shown.channel_id,
    tabindex: "-1",
  };
  return el("article", props, above(shown), short ? el("time", { class: "at", datetime: shown.timestamp, title: full(shown.timestamp) }, clock(shown.timestamp)) : avatar(shown.author),
    el("div", { class: "body" }, short ? null : head(shown), content(shown), embeds(shown), attachments(shown), components(shown), failure(shown), threadChip(shown), mine ? onlyYou(shown) : null));
}

function head(shown) {
  return el("header", { class: "head" }, author(shown.author), badge(shown.author), " ", el("time", { class: "stamp", datetime: shown.timestamp, title: full(shown.timestamp) }, stamp(shown.timestamp)));
}

/** What the message answers: a command, or another message. */
function above(shown) {
  if (shown.interaction) {
    const { user, name } = shown.interaction;
    return el("div", { class: "above" }, avatar(user, "avatar tiny"), author(user), el("span", {}, " used "), el("span", { class: "pill command" }, `/${name}`));
  }
  if (shown.type !== REPLY) return null;
  const to = shown.referenced_message;
  if (!to) return el("div", { class: "above" }, el("span", { class: "muted" }, "The original message was deleted"));
  const text = to.content || to.embeds?.[0]?.title || "Click to see the message";
  return el("button", { class: "above", type: "button", "data-act": "jump", "data-channel": to.channel_id, "data-target": to.id }, avatar(to.author, "avatar tiny"), author(to.author), el("span", { class: "excerpt" }, inline(text.split("\n")[0])));
}

function content(shown) {
  if (shown.flags & LOADING && !shown.content) {
    return el("p", { class: "thinking" }, el("span", { class: "dots", "aria-hidden": "true" }, el("i"), el("i"), el("i")), `${nameOf(shown.author)} is thinking…`);
  }
  if (!shown.content) return null;
  const edited = shown.edited_timestamp && el("span", { class: "edited", title: full(shown.edited_timestamp) }, "(edited)");
  const nodes = markdown(shown.content);
  const last = nodes.at(-1);
  if (edited && last?.tagName === "P") last.append(" ", edited);
  return el("div", { class: "content prose" }, nodes, edited && last?.tagName !== "P" && edited);
}

const failure = (shown) => {
  const text = failureOf(shown.id);
  return text ? el("p", { class: "failure", role: "alert" }, icon("warn"), text) : null;
};

function onlyYou(shown) {
  return el("p", { class: "for-you" }, icon("eye"), "Only you can see this · ", el("button", { class: "as-link", type: "button", "data-act": "dismiss", "data-id": shown.id }, "Dismiss message"));
}

/** The thread that hangs at a message: its name, how much is in it, and the last that was said. */
function threadChip(shown) {
  if (!shown.thread) return null;
  const thread = channelOf(shown.thread.id) ?? shown.thread;
  const inside = [...messagesIn(thread.id).values()].filter((each) => each.type !== THREAD_START);
  const last = inside.at(-1);
  const count = inside.length === 1 ? "1 message" : `${inside.length} messages`;
  return el("button", { class: "thread-chip", type: "button", "data-act": "jump", "data-channel": thread.id },
    el("span", { class: "thread-line" }, el("strong", {}, channelName(thread)), el("span", { class: "as-link" }, `${count} ›`)),
    last && el("span", { class: "thread-line muted" }, avatar(last.author, "avatar tiny"), author(last.author), el("span", { class: "excerpt" }, inline((last.content || last.embeds?.[0]?.title || "sent something").split("\n")[0]))));
}

function threadNotice(shown) {
  const thread = shown.message_reference?.channel_id;
  return el("article", { class: "message notice", id: `m${shown.id}`, "data-key": shown.id, "data-message": shown.id, "data-channel": shown.channel_id }, icon("thread"),
    el("p", { class: "body" }, author(shown.author), " started a thread: ", el("button", { class: "as-link", type: "button", "data-act": "jump", "data-channel": thread }, shown.content), " ", el("time", { class: "stamp" }, stamp(shown.timestamp))));
}

/** The first of a thread repeats the message that it hangs at. */
function threadStart(shown) {
  const { channel_id: channel, message_id: id } = shown.message_reference ?? {};
  const source = messagesIn(channel).get(id);
  const props = { class: "message thread-start", id: `m${shown.id}`, "data-key": shown.id, "data-message": shown.id, "data-channel": channel };
  const about = source?.embeds?.[0]?.title || source?.content.split("\n")[0] || "a message that is gone";
  return el("article", props, icon("thread"), el("p", { class: "body" }, "This thread hangs at ", el("button", { class: "as-link", type: "button", "data-act": "jump", "data-channel": channel, "data-target": id }, inline(about))));
}

/** A command that is on its way, or what went wrong with one. */
export function notice(shown) {
  const bot = { id: store.overview.bot, bot: true };
  const failed = shown.kind === "failed";
  const above = shown.command && el("div", { class: "above" }, avatar({ ...store.overview.people.find((person) => person.name === shown.person) }, "avatar tiny"), el("span", { class: "author" }, shown.person), el("span", {}, " used "), el("span", { class: "pill command" }, shown.command));
  const text = failed ? el("p", { class: "failure" }, icon("warn"), shown.text) : el("p", { class: "thinking" }, el("span", { class: "dots", "aria-hidden": "true" }, el("i"), el("i"), el("i")), "Sending command…");
  const foot = failed && el("p", { class: "for-you" }, icon("eye"), "Only you can see this · ", el("button", { class: "as-link", type: "button", "data-act": "dismiss-notice", "data-id": shown.number }, "Dismiss message"));
  return el("article", { class: ["message", "only-you"], "data-key": `n${shown.number}` }, above, avatar(bot), el("div", { class: "body" }, el("header", { class: "head" }, author(bot), badge(bot), " ", el("time", { class: "stamp" }, stamp(shown.at))), text, foot));
}
