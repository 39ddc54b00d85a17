// The control API of the rehearsal: docs/rehearsal.md.

const ROOT = "/rehearsal/api/";

/** An answer that is no success; its message is for people. */
export class Refused extends Error {}

async function read(response) {
  const body = await response.json().catch(() => null);
  if (!response.ok) throw new Refused(body?.error ?? `The rehearsal answered with ${response.status}.`);
  return body;
}

/** Waits before each try, in milliseconds. */
const ONCE = [0];
const AGAIN = [0, 200, 600];
/** Done once however often they are asked with one nonce, or changing nothing. */
const REPEATABLE = ["command", "click", "submit", "autocomplete"];

/**
 * Browsers drop what is on its way whenever the machine's network changes, as it does when containers come and go. What
 * may be repeated is asked again then.
 */
async function reach(path, options, waits) {
  for (const wait of waits) {
    if (wait) await new Promise((done) => setTimeout(done, wait));
    try {
      return await fetch(ROOT + path, options);
    } catch {
      // The next try, or the error below.
    }
  }
  throw new Refused("The rehearsal does not answer. Is it still running?");
}

export const get = async (path) => read(await reach(path, {}, AGAIN));

export async function post(verb, body) {
  const again = REPEATABLE.includes(verb);
  const whole = again ? { ...body, nonce: `${Date.now()}-${Math.random()}` } : body;
  const options = { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(whole) };
  return read(await reach(verb, options, again ? AGAIN : ONCE));
}

export const messagesOf = (channel, person) =>
  get(`messages?channel=${encodeURIComponent(channel)}&person=${encodeURIComponent(person)}`);

export const eventsOf = (person) => `${ROOT}events?state=true&person=${encodeURIComponent(person)}`;
