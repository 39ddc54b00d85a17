// Who one is: shown at the lower left, changed there.

import { byId, el } from "./dom.js";
import { icon } from "./icons.js";
import { follow } from "./live.js";
import { avatar } from "./message.js";
import { me, on, store, tell } from "./store.js";
import { remember } from "./theme.js";
import { drawer } from "./sidebar.js";

const KEY = "rehearsal-person";

export const keptPerson = () => remember.get(KEY);

export function startPeople() {
  const host = byId("me");
  const menu = el("div", { class: "people", id: "people", role: "menu", "aria-label": "Who you are", hidden: true });
  const button = el("button", { class: "me-button", type: "button", id: "me-button", "aria-haspopup": "menu", "aria-expanded": "false", "aria-controls": "people" });
  host.append(menu, button);
  button.addEventListener("click", () => toggle(menu.hidden));
  menu.addEventListener("click", (event) => {
    const item = event.target.closest("[data-person]");
    if (item) become(item.dataset.person);
  });
  host.addEventListener("keydown", keys);
  document.addEventListener("pointerdown", (event) => !host.contains(event.target) && toggle(false, false));

  function toggle(open, back = true) {
    if (menu.hidden === !open) return;
    menu.hidden = !open;
    button.setAttribute("aria-expanded", String(open));
    if (open) menu.querySelector("[aria-checked=true]")?.focus();
    else if (back) button.focus();
  }
  function keys(event) {
    if (menu.hidden) return;
    const items = [...menu.querySelectorAll("[data-person]")];
    const at = items.indexOf(document.activeElement);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: items.length - 1 }[event.key];
    if (to !== undefined) items.at(to % items.length)?.focus();
    else if (event.key === "Escape") toggle(false);
    else if (event.key === "Tab") return toggle(false, false);
    else return;
    event.preventDefault();
  }
  function become(name) {
    toggle(false);
    drawer(false);
    if (name === store.person) return;
    store.person = name;
    remember.set(KEY, name);
    follow();
    tell("person");
    byId("spoken").textContent = `You are ${name} now.`;
  }
  function draw() {
    const mine = me();
    button.replaceChildren(...face(mine), el("span", { class: "me-hint" }, icon("swap"), "Switch"));
    button.setAttribute("aria-label", `You are ${mine.name}, ${roles(mine)}. Switch to somebody else`);
    menu.replaceChildren(
      el("p", { class: "group" }, "Act as"),
      ...store.overview.people.map((person) =>
        el("button", { class: "person", type: "button", role: "menuitemradio", "aria-checked": String(person.name === store.person), "data-person": person.name, tabindex: "-1" }, face(person), person.name === store.person && icon("check"))));
  }
  on("person", draw);
  let drawn = "";
  on("overview", () => {
    const now = JSON.stringify(store.overview.people);
    if (now !== drawn) draw();
    drawn = now;
  });
}

const roles = (person) => (person.roles.length ? person.roles.join(", ") : "no role");

function face(person) {
  return [avatar(person), el("span", { class: "me-about" }, el("strong", {}, person.name), el("span", { class: "muted" }, roles(person)))];
}
