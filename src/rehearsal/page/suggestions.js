// The list above the message box: commands, options, choices. The focus stays in the field; arrows move in the list.

import { el } from "./dom.js";

export class Suggestions {
  constructor() {
    this.items = [];
    this.active = -1;
    this.field = null;
    this.title = el("p", { class: "suggestions-title" });
    this.list = el("ul", { id: "suggestions", role: "listbox", "aria-label": "Suggestions" });
    this.node = el("div", { class: "suggestions", hidden: true }, this.title, this.list);
    // Before the field loses its focus.
    this.node.addEventListener("pointerdown", (event) => event.preventDefault());
    this.list.addEventListener("click", (event) => {
      const item = event.target.closest("[data-index]");
      if (item) this.items[item.dataset.index].pick?.();
    });
  }

  get open() {
    return !this.node.hidden;
  }

  /** Items are `{name, detail, mark, pick}`; one without `pick` only says something. */
  show(field, title, items, active = -1) {
    if (this.field !== field) this.hide();
    this.field = field;
    this.items = items;
    this.title.textContent = title;
    this.title.hidden = !title;
    this.list.replaceChildren(...items.map((item, index) => row(item, index)));
    this.node.hidden = items.length === 0 && !title;
    field.setAttribute("aria-expanded", String(this.open));
    this.highlight(Math.min(active, items.length - 1));
  }

  hide() {
    this.node.hidden = true;
    this.items = [];
    this.active = -1;
    this.field?.setAttribute("aria-expanded", "false");
    this.field?.removeAttribute("aria-activedescendant");
  }

  highlight(index) {
    if (index >= 0 && !this.items[index]?.pick) index = -1;
    this.active = index;
    [...this.list.children].forEach((node, each) => node.setAttribute("aria-selected", String(each === index)));
    if (index < 0) return this.field?.removeAttribute("aria-activedescendant");
    this.field?.setAttribute("aria-activedescendant", `suggestion-${index}`);
    this.list.children[index].scrollIntoView({ block: "nearest" });
  }

  /** Whether the key was for the list. */
  key(event) {
    if (!this.open || event.isComposing) return false;
    const last = this.items.length - 1;
    const step = { ArrowDown: this.active >= last ? 0 : this.active + 1, ArrowUp: this.active <= 0 ? last : this.active - 1 }[event.key];
    if (step !== undefined) this.highlight(step);
    else if (event.key === "Escape") this.hide();
    else if ((event.key === "Enter" || event.key === "Tab") && !event.shiftKey && this.active >= 0) this.items[this.active].pick();
    else return false;
    event.preventDefault();
    event.stopPropagation();
    return true;
  }
}

/** What makes a field work with the list, for screen readers. */
export const comboBox = { role: "combobox", "aria-autocomplete": "list", "aria-controls": "suggestions", "aria-expanded": "false", autocomplete: "off", autocapitalize: "off", spellcheck: "false" };

function row(item, index) {
  const props = { role: item.pick ? "option" : "presentation", id: `suggestion-${index}`, "data-index": index, class: item.pick ? "suggestion" : "suggestion note" };
  return el("li", props, el("span", { class: "suggestion-name" }, item.name, item.mark && el("span", { class: "suggestion-mark" }, item.mark)), item.detail && el("span", { class: "suggestion-detail" }, item.detail));
}
