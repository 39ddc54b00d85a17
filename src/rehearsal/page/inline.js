// Markdown within a line: emphasis, code, mentions, times, links. Text in, nodes out; what is not understood stays text.
//
// Hostile text must cost nothing: every search is over a message's few thousand characters, and nesting has an end.

import { el } from "./dom.js";
import { channelName, channelOf, hex, isThread, nameOf, personOf, roleOf, store } from "./store.js";
import { icon } from "./icons.js";
import { moment } from "./time.js";

const DEEPEST = 8;
const MARKS = [
  ["**", "strong"],
  ["__", "u"],
  ["~~", "s"],
  ["||", "spoiler"],
  ["*", "em"],
  ["_", "em"],
];
const SPECIAL = /[\\`<[*_~|@h]/g;
const TAGGED = [
  [/<t:(-?\d{1,13})(?::([tTdDfFR]))?>/y, (unix, style) => moment(unix, style)],
  [/<@!?(\d{1,20})>/y, (id) => person(id)],
  [/<@&(\d{1,20})>/y, (id) => role(id)],
  [/<#(\d{1,20})>/y, (id) => place(id)],
  [/<\/([\w-]{1,32}(?: [\w-]{1,32}){0,2}):\d{1,20}>/y, (name) => pill("command", `/${name}`)],
  [/<a?:(\w{2,32}):\d{1,20}>/y, (name) => `:${name}:`],
  [/<(https?:\/\/[^\s<>]{1,2000})>/y, (url) => link(url)],
];
const MASKED = /\[([^[\]\n]{1,300})\]\(<?(https?:\/\/[^\s()<>]{1,2000})>?\)/y;
const BARE = /https?:\/\/[^\s<>]{1,2000}/y;
const EVERYONE = /@(?:everyone|here)\b/y;
const JUMP = /^https:\/\/(?:\w+\.)?discord(?:app)?\.com\/channels\/(\d+|@me)\/(\d+)(?:\/(\d+))?$/;

export function inline(text, depth = 0) {
  const nodes = [];
  let plain = "";
  const put = (node) => {
    if (plain) nodes.push(plain);
    plain = "";
    nodes.push(node);
  };
  let at = 0;
  while (at < text.length) {
    SPECIAL.lastIndex = at;
    const next = SPECIAL.exec(text)?.index ?? text.length;
    plain += text.slice(at, next);
    if (next === text.length) break;
    const found = special(text, next, depth);
    if (!found) {
      plain += text[next];
      at = next + 1;
    } else {
      if (typeof found.node === "string") plain += found.node;
      else put(found.node);
      at = found.end;
    }
  }
  if (plain) nodes.push(plain);
  return nodes;
}

function special(text, at, depth) {
  switch (text[at]) {
    case "\\":
      return /[^A-Za-z0-9\s]/.test(text[at + 1] ?? " ") ? { node: text[at + 1], end: at + 2 } : null;
    case "`":
      return code(text, at);
    case "<":
      return tagged(text, at);
    case "[":
      return masked(text, at, depth);
    case "@":
      return match(EVERYONE, text, at, ([word]) => pill("mention", word));
    case "h":
      return bare(text, at);
    default:
      return depth < DEEPEST ? emphasis(text, at, depth) : null;
  }
}

function match(pattern, text, at, make) {
  pattern.lastIndex = at;
  const found = pattern.exec(text);
  return found && { node: make(found), end: pattern.lastIndex };
}

function tagged(text, at) {
  for (const [pattern, make] of TAGGED) {
    const found = match(pattern, text, at, ([, ...parts]) => make(...parts));
    if (found) return found;
  }
  return null;
}

function code(text, at) {
  const fence = text.startsWith("``", at) ? "``" : "`";
  const end = text.indexOf(fence, at + fence.length);
  if (end <= at + fence.length) return null;
  return { node: el("code", {}, text.slice(at + fence.length, end)), end: end + fence.length };
}

function masked(text, at, depth) {
  return match(MASKED, text, at, ([, label, url]) => link(url, depth < DEEPEST ? inline(label, DEEPEST) : [label]));
}

function bare(text, at) {
  const found = match(BARE, text, at, ([url]) => url);
  if (!found) return null;
  let url = found.node.replace(/[.,:;!?'"]+$/, "");
  if (url.endsWith(")") && !url.includes("(")) url = url.slice(0, -1);
  return { node: link(url), end: at + url.length };
}

function emphasis(text, at, depth) {
  for (const [mark, kind] of MARKS) {
    if (!text.startsWith(mark, at)) continue;
    const end = closing(text, at, mark);
    if (end < 0) continue;
    const inner = inline(text.slice(at + mark.length, end), depth + 1);
    const node = kind === "spoiler" ? spoiler(inner) : el(kind, {}, inner);
    return { node, end: end + mark.length };
  }
  return null;
}

function closing(text, at, mark) {
  const start = at + mark.length;
  if (mark.length === 2) {
    let end = text.indexOf(mark, start + 1);
    // In ***both*** the inner one closes first.
    if (end >= 0 && text[end + 2] === mark[0]) end += 1;
    return end;
  }
  if (/\s/.test(text[start] ?? " ")) return -1;
  if (mark === "_" && /\w/.test(text[at - 1] ?? "")) return -1;
  for (let end = text.indexOf(mark, start + 1); end >= 0; end = text.indexOf(mark, end + 1)) {
    const doubled = text[end + 1] === mark || text[end - 1] === mark;
    const good = !doubled && !/[\s\\]/.test(text[end - 1]) && !(mark === "_" && /\w/.test(text[end + 1] ?? ""));
    if (good) return end;
    if (doubled) end += 1;
  }
  return -1;
}

const pill = (kind, ...content) => el("span", { class: ["pill", kind] }, content);

function spoiler(inner) {
  return el("button", { class: "spoiler", type: "button", "data-act": "reveal", "aria-label": "Spoiler" }, el("span", {}, inner));
}

function person(id) {
  const user = id === store.overview.bot ? { id } : personOf(id);
  return pill("mention", `@${user ? nameOf(user) : "unknown"}`);
}

function role(id) {
  const found = roleOf(id);
  const node = pill("mention", `@${found ? found.name.replace(/^@/, "") : "unknown"}`);
  if (found?.color) node.style.setProperty("--role", hex(found.color));
  return node;
}

function place(id) {
  const channel = channelOf(id);
  if (!channel) return pill("mention", "#unknown");
  return jump(channel, null);
}

function jump(channel, message) {
  const act = { "data-act": "jump", "data-channel": channel.id, "data-target": message };
  const name = [icon(isThread(channel) ? "thread" : "hash"), channelName(channel)];
  return el("button", { class: "pill mention", type: "button", ...act }, name, message && [" › ", icon("message")]);
}

/** Only what leads to a web page is a link; a message of this server is a jump to it. */
export function link(text, label) {
  let url;
  try {
    url = new URL(text);
  } catch {
    return el("span", {}, label ?? text);
  }
  if (url.protocol !== "https:" && url.protocol !== "http:") return el("span", {}, label ?? text);
  const [, guild, channel, message] = JUMP.exec(url.href) ?? [];
  const there = guild === store.overview.guild || guild === "@me" ? channelOf(channel) : null;
  if (there && !label) return jump(there, message);
  if (there) return el("button", { class: "as-link", type: "button", "data-act": "jump", "data-channel": there.id, "data-target": message }, label);
  const title = label ? url.href : undefined;
  return el("a", { href: url.href, target: "_blank", rel: "noopener noreferrer nofollow", title }, label ?? text);
}
