// The panel with the tools of the scene: what each does, a button, and what the one that runs prints.

import { get, post } from "./api.js";
import { el, show } from "./dom.js";
import { inline } from "./inline.js";
import { on, store } from "./store.js";

/** What the page knows of the run: its id, and lines by their number. */
let run = { id: null, lines: new Map() };
let place = null;

export function startTools() {
  on("tool", (line) => {
    if (line.run !== run.id) run = { id: line.run, lines: new Map() };
    run.lines.set(line.number, line.line);
    print();
  });
  let last = "";
  on("overview", () => {
    const now = JSON.stringify([store.overview.scene, store.overview.tool]);
    if (now !== last) draw();
    last = now;
  });
  // After a pause of the stream lines may be missing.
  on("messages", catchUp);
}

async function catchUp() {
  const whole = await get("tool").catch(() => null);
  if (!whole) return;
  if (whole.run !== run.id) run = { id: whole.run, lines: new Map() };
  whole.lines.forEach((line, index) => run.lines.set(whole.first + index, line));
  print();
}

export function drawTools(body) {
  const problem = el("p", { class: "problem", role: "alert" });
  const list = el("div", { class: "cards" });
  const state = el("p", { class: "run-state", role: "status" });
  const output = el("pre", { class: "run-output", tabindex: "0", "aria-label": "What the tool prints" });
  const about = el("p", { class: "panel-about" }, inline(store.overview.scene.tools_about));
  body.append(el("div", { class: "panel-list" }, about, list, problem), el("section", { class: "run", hidden: true }, state, output));
  list.addEventListener("click", async (event) => {
    const name = event.target.closest("[data-tool]")?.dataset.tool;
    if (!name) return;
    problem.textContent = "";
    try {
      await post("tool", { name });
    } catch (error) {
      problem.textContent = error.message;
    }
  });
  place = { body, list, state, output };
  draw();
  print();
}

function draw() {
  if (!place?.body.isConnected) return;
  const { scene, tool } = store.overview;
  const busy = tool?.running;
  show(place.list, scene.tools.map((each) => {
    const mine = tool?.name === each.name && busy;
    return el("div", { class: ["card", mine && "busy"], "data-key": each.name },
      el("div", { class: "card-text" }, el("h3", {}, each.title), el("p", {}, each.description)),
      el("button", { class: ["button", each.dangerous ? "danger" : "secondary"], type: "button", "data-tool": each.name, disabled: busy, "aria-label": `${each.title}: ${each.dangerous ? "break" : "run"}` }, mine ? "Running…" : each.dangerous ? "Break" : "Run"));
  }));
  place.body.querySelector(".run").hidden = !tool;
  if (!tool) return;
  const title = scene.tools.find((each) => each.name === tool.name)?.title ?? tool.name;
  const ended = tool.running ? "running…" : tool.error ? tool.error : tool.exit === 0 ? "done" : `failed with exit code ${tool.exit}`;
  place.state.textContent = `${title}: ${ended}`;
  place.state.className = `run-state ${tool.running ? "" : tool.exit === 0 ? "good" : "bad"}`;
}

function print() {
  if (!place?.body.isConnected) return;
  const { output } = place;
  const ended = output.scrollHeight - output.scrollTop - output.clientHeight < 30;
  const lines = [...run.lines].sort(([a], [b]) => a - b).slice(-500);
  output.textContent = lines.map(([, line]) => line).join("\n");
  if (ended) output.scrollTop = output.scrollHeight;
}
