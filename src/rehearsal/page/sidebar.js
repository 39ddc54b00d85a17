// Channels and their threads, what is unread in them, and going from one to another.

import { byId, el, show } from "./dom.js";
import { icon } from "./icons.js";
import { callsMe, channelName, channelOf, isDirect, isThread, messagesIn, newer, on, store, tell, visibleChannels } from "./store.js";

/** So many threads of a channel are listed; the others on request. */
const THREADS = 6;
/** channel -> the newest message that was seen there */
const seen = new Map();
const unfolded = new Set();

export function startSidebar() {
  on(["overview", "messages", "channel", "person", "unread"], draw);
  // One listener for all: nodes are kept while what they show changes.
  const follow = (event) => {
    const to = event.target.closest("[data-go], [data-unfold]");
    if (to?.dataset.go) go(to.dataset.go);
    else if (to) unfolded.add(to.dataset.unfold), draw();
  };
  byId("channels").addEventListener("click", follow);
  byId("place").addEventListener("click", follow);
  byId("menu").append(icon("menu"));
  byId("menu").addEventListener("click", () => drawer(true));
  byId("shade").addEventListener("click", () => drawer(false));
  byId("drawer").addEventListener("keydown", (event) => event.key === "Escape" && drawer(false));
}

/** On a narrow screen the channels are a drawer. */
export function drawer(open) {
  if (open === document.body.classList.contains("drawer-open")) return;
  document.body.classList.toggle("drawer-open", open);
  byId("shade").hidden = !open;
  byId("menu").setAttribute("aria-expanded", String(open));
  if (open) byId("drawer").querySelector("[aria-current]")?.focus();
  else byId("menu").focus();
}

export function go(id) {
  if (!channelOf(id)) return;
  store.channel = id;
  history.replaceState(null, "", `#${id}`);
  markRead(id);
  drawer(false);
  tell("channel");
}

/** What is there when the page opens has been seen. */
export function seeAll() {
  for (const channel of store.overview.channels) markRead(channel.id, true);
}

export function markRead(id, quiet = false) {
  if (!quiet && document.hidden) return;
  const last = [...messagesIn(id).keys()].at(-1);
  if (last) seen.set(id, last);
  if (!quiet) tell("unread");
}

/** A message came in somewhere. */
export function noticed(message) {
  if (message.channel_id !== store.channel || document.hidden) tell("unread");
}

function unread(channel) {
  const last = seen.get(channel.id);
  const fresh = [...messagesIn(channel.id).values()].filter((each) => !last || newer(each.id, last) > 0);
  return { fresh: fresh.length, calls: fresh.filter(callsMe).length };
}

function draw() {
  if (!store.overview) return;
  const all = visibleChannels();
  const parts = all.filter((each) => !isThread(each) && !isDirect(each)).map((channel) => [row(channel), threads(all, channel)]);
  const direct = all.filter(isDirect);
  show(
    byId("channels"),
    el("h2", { class: "group" }, "Text channels"),
    el("ul", {}, parts),
    direct.length ? [el("h2", { class: "group" }, "Direct messages"), el("ul", {}, direct.map((each) => row(each)))] : null,
  );
  heading();
}

function threads(all, channel) {
  const mine = all.filter((each) => isThread(each) && each.parent_id === channel.id).sort((a, b) => newer(b.id, a.id));
  if (!mine.length) return null;
  const open = unfolded.has(channel.id);
  const listed = mine.filter((each, index) => open || index < THREADS || each.id === store.channel || unread(each).fresh);
  const rest = mine.length - listed.length;
  const more = rest > 0 && el("li", {}, el("button", { class: "channel more", type: "button", "data-unfold": channel.id }, `${rest} older`));
  return el("li", {}, el("ul", { class: "threads", "aria-label": `Threads of ${channel.name}` }, listed.map((each) => row(each)), more));
}

function row(channel) {
  const here = channel.id === store.channel;
  const { fresh, calls } = here && !document.hidden ? { fresh: 0, calls: 0 } : unread(channel);
  const kind = isThread(channel) ? "thread" : isDirect(channel) ? "at" : "hash";
  const said = calls ? `, ${calls} mentions` : fresh ? ", unread" : "";
  const props = { class: ["channel", kind, here && "here", fresh && "unread"], type: "button", "data-key": channel.id, "data-go": channel.id, "aria-current": here ? "page" : undefined };
  const name = channelName(channel);
  return el("li", { "data-key": `c${channel.id}` }, el("button", { ...props, title: name },
    isThread(channel) ? el("span", { class: "branch", "aria-hidden": "true" }) : icon(kind),
    el("span", { class: "name", dir: "auto" }, name), calls ? el("span", { class: "count", "aria-hidden": "true" }, String(calls)) : fresh ? el("span", { class: "dot", "aria-hidden": "true" }) : null, said && el("span", { class: "spoken" }, said)));
}

function heading() {
  const channel = channelOf(store.channel);
  if (!channel) return;
  const parent = isThread(channel) && channelOf(channel.parent_id);
  const name = channelName(channel);
  show(byId("place"),
    parent ? [el("button", { class: "crumb", type: "button", "data-go": parent.id }, icon("hash"), el("span", {}, parent.name)), el("span", { class: "crumb-end", "aria-hidden": "true" }, "›")] : null,
    el("span", { class: "place-name", dir: "auto" }, icon(isThread(channel) ? "thread" : isDirect(channel) ? "at" : "hash"), el("span", {}, name)));
  byId("topic").textContent = channel.topic ?? "";
  const calls = visibleChannels().reduce((sum, each) => sum + unread(each).calls, 0);
  document.title = `${calls ? `(${calls}) ` : ""}${isThread(channel) ? "" : "#"}${name} | Rehearsal`;
}
