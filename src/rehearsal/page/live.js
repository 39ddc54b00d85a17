// Keeps the store like the rehearsal: reads everything once, then follows the stream of events. A stream that was cut,
// or that lost something, is followed by reading everything again.

import { eventsOf, get, messagesOf } from "./api.js";
import { markRead, noticed } from "./sidebar.js";
import { newer, store, tell } from "./store.js";

let source = null;
let generation = 0;
/** Waits of the next attempts, in milliseconds. */
const AGAIN = [300, 1000, 2000, 4000];
/** So long may opening the stream and reading everything take: browsers may leave it hanging when the network changes. */
const PATIENCE = 8000;
/** The stream beats every 10 s while nothing happens; one that is silent for so long is dead, whatever the browser says. */
const SILENCE = 30000;
let attempts = 0;

/** Follows as the person that the store names. */
export async function follow() {
  const mine = ++generation;
  source?.close();
  const stream = new EventSource(eventsOf(store.person));
  source = stream;
  // What happens while everything is read is put on top of it afterwards.
  let waiting = [];
  let deaf = 0;
  const listen = () => {
    clearTimeout(deaf);
    deaf = setTimeout(() => mine === generation && lost(), waiting ? PATIENCE : SILENCE);
  };
  listen();
  const hear = (kind) => (event) => {
    if (mine !== generation) return;
    if (!waiting) listen();
    if (kind === "beat") return;
    const change = { kind, data: JSON.parse(event.data) };
    if (waiting) waiting.push(change);
    else apply(change);
  };
  for (const kind of ["create", "update", "delete", "state", "tool", "beat"]) stream.addEventListener(kind, hear(kind));
  stream.addEventListener("lost", () => mine === generation && follow());
  stream.addEventListener("error", () => mine === generation && lost());
  stream.addEventListener("open", async () => {
    try {
      await readAll(mine);
    } catch {
      if (mine === generation) lost();
      return;
    }
    if (mine !== generation) return;
    const missed = waiting;
    waiting = null;
    listen();
    missed.forEach(apply);
    attempts = 0;
    link(true);
  });
}

function lost() {
  const mine = ++generation;
  source?.close();
  link(false);
  const wait = AGAIN[Math.min(attempts++, AGAIN.length - 1)];
  setTimeout(() => mine === generation && follow(), wait);
}

function link(linked) {
  if (store.linked === linked) return;
  store.linked = linked;
  tell("link");
}

async function readAll(mine) {
  const overview = await get("state");
  if (mine !== generation) return;
  const all = new Map();
  await Promise.all(
    overview.channels.map(async (channel) => {
      const own = channel.type !== 1 || channel.recipients?.some((user) => user.username === store.person.toLowerCase());
      const list = own ? await messagesOf(channel.id, store.person) : [];
      all.set(channel.id, new Map(list.map((message) => [message.id, message])));
    }),
  );
  if (mine !== generation) return;
  store.overview = overview;
  store.messages = all;
  tell("overview");
  tell("messages");
}

function apply({ kind, data }) {
  if (kind === "state") {
    store.overview = data;
    tell("overview");
    return;
  }
  if (kind === "tool") {
    tell("tool", data);
    return;
  }
  const there = store.messages.get(data.channel_id) ?? new Map();
  store.messages.set(data.channel_id, there);
  if (kind === "delete") there.delete(data.id);
  else insert(there, data, kind);
  if (kind === "create") noticed(data);
  tell("message", { kind, message: data });
  if (data.channel_id === store.channel && kind === "create") markRead(store.channel);
}

function insert(there, message, kind) {
  const last = [...there.keys()].at(-1);
  const late = kind === "create" && last !== undefined && !there.has(message.id) && newer(message.id, last) < 0;
  there.set(message.id, message);
  if (!late) return;
  const sorted = [...there.entries()].sort(([a], [b]) => newer(a, b));
  there.clear();
  for (const [id, each] of sorted) there.set(id, each);
}
