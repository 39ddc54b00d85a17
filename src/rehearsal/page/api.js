// The control API of the rehearsal: docs/rehearsal.md.

const ROOT = "/rehearsal/api/";

/** An answer that is no success; its message is for people. */
export class Refused extends Error {}

async function read(response) {
  const body = await response.json().catch(() => null);
  if (!response.ok) throw new Refused(body?.error ?? `The rehearsal answered with ${response.status}.`);
  return body;
}

async function reach(path, options) {
  try {
    return await fetch(ROOT + path, options);
  } catch {
    throw new Refused("The rehearsal does not answer. Is it still running?");
  }
}

export const get = async (path) => read(await reach(path));

export const post = async (verb, body) =>
  read(await reach(verb, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) }));

export const messagesOf = (channel, person) =>
  get(`messages?channel=${encodeURIComponent(channel)}&person=${encodeURIComponent(person)}`);

export const eventsOf = (person) => `${ROOT}events?state=true&person=${encodeURIComponent(person)}`;
