// Puts the parts together: reads who is there, chooses person and channel, and follows.

import { get } from "./api.js";
import { startComposer, focusComposer } from "./composer.js";
import { startConversation } from "./conversation.js";
import { byId, el } from "./dom.js";
import { startFaults } from "./faults.js";
import { startGuide } from "./guide.js";
import { follow } from "./live.js";
import { openPanel, startPanels } from "./panels.js";
import { keptPerson, startPeople } from "./people.js";
import { go, markRead, seeAll, startSidebar } from "./sidebar.js";
import { channelOf, on, store, tell } from "./store.js";
import { startTheme } from "./theme.js";
import { startClock } from "./time.js";
import { startTools } from "./tools.js";

/** While nobody answers, it is tried again so often, in milliseconds. */
const AGAIN = 1000;

startTheme();

async function first() {
  try {
    store.overview = await get("state");
  } catch (error) {
    byId("wait").textContent = error.message;
    setTimeout(first, AGAIN);
    return;
  }
  const { people, channels } = store.overview;
  store.person = people.find((person) => person.name === keptPerson())?.name ?? people[0].name;
  document.body.append(el("p", { class: "spoken", id: "spoken", role: "status" }));
  startSidebar();
  startPeople();
  startPanels();
  startConversation();
  startComposer();
  startTools();
  startFaults();
  startGuide(openPanel, () => tell("overview"));
  startClock();
  on("messages", once(() => {
    seeAll();
    byId("wait").hidden = true;
    byId("app").hidden = false;
    go(channelOf(location.hash.slice(1))?.id ?? channels[0].id);
    focusComposer();
  }));
  // A channel that is gone cannot stay open.
  on("overview", () => store.channel && !channelOf(store.channel) && go(store.overview.channels[0].id));
  document.addEventListener("visibilitychange", () => !document.hidden && markRead(store.channel));
  follow();
}

function once(act) {
  let done = false;
  return () => {
    if (done) return;
    done = true;
    act();
  };
}

first();
