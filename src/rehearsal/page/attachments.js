// Files at a message: pictures are shown, texts previewed, the rest is there to take.

import { el } from "./dom.js";
import { icon } from "./icons.js";

const PREVIEW = 200_000;
const LINES = 12;
const TEXTS = /^(?:text\/|application\/(?:json|xml|toml|x-yaml|sql))|\.(?:txt|log|md|json|toml|ya?ml|csv|sql|diff|rs|sh)$/;
const texts = new Map();

/** The path of a file of this rehearsal, or nothing: what lies elsewhere is never loaded. */
export function own(url) {
  try {
    const { pathname, host } = new URL(url, location.href);
    const here = [location.host, location.host.replace("localhost", "127.0.0.1")].includes(host);
    return here && pathname.startsWith("/rehearsal/api/files/") ? pathname : null;
  } catch {
    return null;
  }
}

export function attachments(message) {
  const files = message.attachments ?? [];
  if (!files.length) return null;
  // What an embed shows is not shown again.
  const shown = new Set((message.embeds ?? []).flatMap((embed) => [embed.image?.url, embed.thumbnail?.url].map((url) => url && own(url))));
  return el("div", { class: "attachments" }, files.filter((file) => !shown.has(own(file.url))).map(attachment));
}

function attachment(file) {
  const path = own(file.url);
  if (path && file.content_type?.startsWith("image/")) return picture(path, file.description ?? file.filename);
  if (path && file.size <= PREVIEW && (TEXTS.test(file.content_type ?? "") || TEXTS.test(file.filename))) {
    return el("figure", { class: "text-file", "data-key": file.id, "data-still": true }, preview(path), card(file, path));
  }
  return card(file, path);
}

export function picture(path, alt, kind = "picture") {
  return el("a", { class: kind, href: path, target: "_blank", rel: "noopener noreferrer" }, el("img", { src: path, alt, loading: "lazy" }));
}

function card(file, path) {
  const name = path
    ? el("a", { href: path, download: file.filename, rel: "noopener noreferrer" }, file.filename)
    : el("span", {}, file.filename);
  const take = path && el("a", { class: "icon-button", href: path, download: file.filename, "aria-label": `Download ${file.filename}` }, icon("down"));
  return el("div", { class: "file" }, icon("file"), el("div", { class: "file-about" }, name, el("span", { class: "muted" }, size(file.size))), take);
}

function preview(path) {
  const code = el("code", {}, texts.get(path) ?? "Reading…");
  if (!texts.has(path)) {
    texts.set(path, "Reading…");
    fetch(path)
      .then((response) => (response.ok ? response.text() : Promise.reject(new Error(String(response.status)))))
      .catch(() => "The file could not be read.")
      .then((text) => {
        texts.set(path, text);
        for (const node of document.querySelectorAll(`[data-text="${CSS.escape(path)}"] code`)) node.textContent = text;
        fold(document);
      });
  }
  queueMicrotask(() => fold(document));
  return el("div", { class: "preview" }, el("pre", { tabindex: "0", "data-text": path }, code), el("button", { class: "unfold", type: "button", "data-act": "unfold", hidden: true }, "Show all"));
}

/** A long text shows its beginning, and a button for the rest. */
function fold(root) {
  for (const pre of root.querySelectorAll(".preview pre")) {
    const long = pre.textContent.split("\n").length > LINES;
    const button = pre.nextElementSibling;
    if (button) button.hidden = !long || pre.parentElement.classList.contains("whole");
  }
}

const size = (bytes) =>
  bytes < 1000 ? `${bytes} bytes` : bytes < 1e6 ? `${(bytes / 1e3).toFixed(1)} kB` : `${(bytes / 1e6).toFixed(2)} MB`;
