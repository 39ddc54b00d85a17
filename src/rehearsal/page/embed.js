// An embed: a coloured bar, title, text, fields in columns, footer.

import { el } from "./dom.js";
import { inline, link } from "./inline.js";
import { hex } from "./store.js";
import { markdown } from "./markdown.js";
import { own, picture } from "./attachments.js";
import { stamp } from "./time.js";

export function embeds(message) {
  const all = message.embeds ?? [];
  // 1 << 2: the author took them away.
  if (!all.length || message.flags & 4) return null;
  return el("div", { class: "embeds" }, all.map(embed));
}

function embed(shown) {
  const style = shown.color ? { "--bar": hex(shown.color) } : {};
  const title = shown.title && el("p", { class: "embed-title", dir: "auto" }, shown.url ? link(shown.url, [shown.title]) : inline(shown.title));
  return el(
    "article",
    { class: ["embed", shown.thumbnail && "with-thumbnail"], style },
    shown.author?.name && el("p", { class: "embed-author" }, shown.author.url ? link(shown.author.url, [shown.author.name]) : shown.author.name),
    title,
    shown.description && el("div", { class: "embed-text prose" }, markdown(shown.description)),
    fields(shown.fields ?? []),
    media(shown.image, "embed-image"),
    media(shown.thumbnail, "embed-thumbnail"),
    footer(shown),
  );
}

/** Fields beside each other share a row of three; one that is not inline has its own. */
function fields(all) {
  if (!all.length) return null;
  return el("dl", { class: "fields" }, all.map((field, index) => {
    let start = index;
    while (all[start - 1]?.inline) start--;
    let end = index;
    while (all[end + 1]?.inline) end++;
    const row = Math.min(all.length, end + 1 - start - 3 * Math.floor((index - start) / 3));
    const width = field.inline ? `columns-${Math.min(3, Math.max(row, 1))}` : "columns-1";
    return el("div", { class: ["field", width] }, el("dt", { dir: "auto" }, inline(field.name)), el("dd", { class: "prose" }, markdown(field.value, { small: true })));
  }));
}

function media(shown, kind) {
  const path = shown?.url && own(shown.url);
  return path ? picture(path, shown.description ?? "", kind) : null;
}

function footer(shown) {
  const parts = [shown.footer?.text, shown.timestamp && stamp(shown.timestamp)].filter(Boolean);
  if (!parts.length) return null;
  return el("p", { class: "embed-footer", dir: "auto" }, parts.join(" • "));
}
