// The messages of the channel that is open. Only what changed is touched, and the reader's place is kept.

import { press, noticesHere, dismiss } from "./deeds.js";
import { byId, el, morph } from "./dom.js";
import { message, notice } from "./message.js";
import { beginning } from "./guide.js";
import { on, messagesIn, store } from "./store.js";
import { day } from "./time.js";
import { go } from "./sidebar.js";

/** Nearer to the end than this, in pixels, the view follows what comes. */
const NEAR = 90;
const dismissed = new Set();
const revealed = new Set();
let follows = true;
let missed = 0;

const scroller = () => byId("scroller");
const shownHere = () => [...messagesIn(store.channel).values()].filter((each) => !dismissed.has(`${store.person} ${each.id}`));

export function startConversation() {
  on("channel", () => drawAll());
  // After a pause of the stream the reader's place is kept, as with every other change.
  on(["messages", "person"], () => patchAll());
  on("overview", () => store.channel && patchAll());
  on("message", ({ kind, message }) => {
    if (message.channel_id === store.channel) patchAll(kind === "create" ? message : null);
    else if (messagesIn(store.channel).has(message.channel_id)) patchAll();
  });
  on("notices", () => patchAll());
  const view = scroller();
  view.addEventListener("scroll", () => settle(), { passive: true });
  view.addEventListener("click", act);
  view.addEventListener("change", (event) => {
    const select = event.target.closest("select[data-act=choose]");
    if (select) press(...placeOf(select), select.dataset.id, [select.value]);
  });
  // Pictures that load, cards that grow, a keyboard that comes up: the end stays in view.
  const grown = new ResizeObserver(() => follows && toEnd());
  [view, byId("log"), byId("notices"), byId("beginning")].forEach((node) => grown.observe(node));
  byId("present").addEventListener("click", () => toEnd());
}

function drawAll() {
  missed = 0;
  byId("log").replaceChildren();
  follows = true;
  patchAll();
  toEnd();
}

function patchAll(come) {
  if (!store.channel) return;
  const log = byId("log");
  const nodes = [];
  let before = null;
  for (const each of shownHere()) {
    const divider = !before || day(before.timestamp) !== day(each.timestamp);
    if (divider) nodes.push(el("div", { class: "divider", role: "separator", "data-key": `d${each.id}` }, el("span", {}, day(each.timestamp))));
    nodes.push(message(each, before, divider));
    before = each;
  }
  patch(log, nodes);
  patch(byId("notices"), noticesHere().map(notice));
  beginning(byId("beginning"), !nodes.length);
  for (const id of revealed) byId(`m${id}`)?.querySelectorAll(".spoiler").forEach((each) => each.classList.add("revealed"));
  if (come && !follows) missed += 1;
  if (follows) toEnd();
  present();
}

/** Brings the children of `node` in line with `wanted`, by their keys. */
function patch(node, wanted) {
  const there = new Map([...node.children].map((child) => [child.dataset.key, child]));
  const keys = new Set(wanted.map((child) => child.dataset.key));
  for (const [key, child] of there) if (!keys.has(key)) child.remove();
  let at = node.firstElementChild;
  for (const next of wanted) {
    const old = there.get(next.dataset.key);
    if (!old) {
      node.insertBefore(next, at);
      continue;
    }
    if (old !== at) node.insertBefore(old, at);
    else at = at.nextElementSibling;
    if (!old.isEqualNode(next)) morph(old, next);
  }
}

function toEnd() {
  const view = scroller();
  view.scrollTop = view.scrollHeight;
  follows = true;
  missed = 0;
  present();
}

function settle() {
  const view = scroller();
  follows = view.scrollHeight - view.scrollTop - view.clientHeight < NEAR;
  if (follows) missed = 0;
  present();
}

function present() {
  const button = byId("present");
  button.hidden = follows;
  button.textContent = missed ? `${missed} new ${missed === 1 ? "message" : "messages"} ↓` : "Jump to present ↓";
}

const placeOf = (node) => {
  const { message: id, channel } = node.closest("[data-message]").dataset;
  return [channel, id];
};

function act(event) {
  const node = event.target.closest("[data-act]");
  if (!node) return;
  const { act, id } = node.dataset;
  switch (act) {
    case "press":
      return press(...placeOf(node), id);
    case "choose-several": {
      const chosen = [...node.parentElement.querySelectorAll("input:checked")].map((box) => box.value);
      node.closest("details").open = false;
      return press(...placeOf(node), id, chosen);
    }
    case "jump":
      return jump(node.dataset.channel, node.dataset.target);
    case "dismiss":
      dismissed.add(`${store.person} ${id}`);
      return patchAll();
    case "dismiss-notice":
      return dismiss(Number(id));
    case "reveal":
      revealed.add(placeOf(node)[1]);
      return node.classList.add("revealed");
    case "unfold":
      node.parentElement.classList.add("whole");
      node.hidden = true;
      return undefined;
    default:
      return undefined;
  }
}

/** Opens a channel, and shows one message of it. */
export function jump(channel, id) {
  if (channel && channel !== store.channel) go(channel);
  const node = id && byId(`m${id}`);
  if (!node) return byId("composer")?.focus();
  follows = false;
  node.scrollIntoView({ block: "center" });
  node.focus({ preventScroll: true });
  node.classList.remove("found");
  requestAnimationFrame(() => node.classList.add("found"));
  setTimeout(() => node.classList.remove("found"), 2500);
}
