// What the page knows: the overview, the messages, who one is and where. Others are told of each change by its name.
//
// Names: `overview`, `person`, `channel`, `messages` (all may be new), `message` (one came, changed or went), `unread`,
// `link` (whether the rehearsal is heard).

const listeners = new Map();

export const store = {
  overview: null,
  person: null,
  channel: null,
  /** channel id -> Map of message id -> message, oldest first */
  messages: new Map(),
  linked: false,
};

export function on(name, listener) {
  const names = [name].flat();
  for (const each of names) listeners.set(each, [...(listeners.get(each) ?? []), listener]);
}

export function tell(name, detail) {
  for (const listener of listeners.get(name) ?? []) listener(detail);
}

/** Ids are numbers too great for a number: longer is greater, then by letters. */
export const newer = (a, b) => a.length - b.length || (a < b ? -1 : a > b ? 1 : 0);

export const me = () => store.overview.people.find((person) => person.name === store.person);
export const channelOf = (id) => store.overview.channels.find((channel) => channel.id === id);
export const personOf = (id) => store.overview.people.find((person) => person.id === id);
export const roleOf = (id) => store.overview.roles.find((role) => role.id === id);
export const isThread = (channel) => channel?.type === 11 || channel?.type === 12;
export const isDirect = (channel) => channel?.type === 1;

/** The name of a person, of whatever kind. */
export function nameOf(user) {
  if (!user) return "Somebody";
  return user.id === store.overview.bot ? store.overview.bot_name : (user.global_name ?? user.username ?? user.name);
}

/** The colour of somebody's highest role, as text, or nothing. */
export function colourOf(user) {
  const person = personOf(user?.id);
  const held = store.overview.roles.filter((role) => person?.roles.includes(role.name) && role.color);
  const role = held.at(-1);
  return role ? hex(role.color) : undefined;
}

export const hex = (colour) => `#${Number(colour).toString(16).padStart(6, "0")}`;

export function channelName(channel) {
  if (isDirect(channel)) return nameOf(channel.recipients?.[0]);
  return channel?.name ?? "unknown";
}

/** Channels that the person sees: direct messages are between two. */
export function visibleChannels() {
  return store.overview.channels.filter(
    (channel) => !isDirect(channel) || channel.recipients?.some((user) => user.id === me().id),
  );
}

export const messagesIn = (channel) => store.messages.get(channel) ?? new Map();

/** Whether a message calls the person at the page. */
export function callsMe(message) {
  const roles = store.overview.roles.filter((role) => me().roles.includes(role.name)).map((role) => role.id);
  return (
    message.mention_everyone ||
    (message.mentions ?? []).some((user) => user.id === me().id) ||
    (message.mention_roles ?? []).some((role) => roles.includes(role))
  );
}
