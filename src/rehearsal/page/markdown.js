// Discord's markdown by lines: headings, subtext, quotes, lists, blocks of code. What is within a line: `inline.js`.

import { el } from "./dom.js";
import { inline } from "./inline.js";

const FENCE = /```(?:([\w+#.-]{1,20})\n)?([\s\S]+?)```/g;
const LIST = /^(\s*)([-*]|\d{1,9}\.)\s+(.+)$/;

/** A text as nodes; `small` leaves out headings, as names of fields do. */
export function markdown(text, { small = false } = {}) {
  const nodes = [];
  let at = 0;
  for (const found of text.matchAll(FENCE)) {
    nodes.push(...lines(trimEdge(text.slice(at, found.index)), small));
    nodes.push(el("pre", { tabindex: "0" }, el("code", { "data-language": found[1] }, found[2].replace(/^\n|\n$/g, ""))));
    at = found.index + found[0].length;
  }
  nodes.push(...lines(at ? trimEdge(text.slice(at)) : text, small));
  return nodes;
}

/** Text beside a block of code begins and ends without the line break that the block makes itself. */
const trimEdge = (text) => text.replace(/^\n/, "").replace(/\n$/, "");

function lines(text, small) {
  if (text === "") return [];
  const nodes = [];
  const all = text.split("\n");
  let paragraph = [];
  const end = () => {
    if (paragraph.length) nodes.push(el("p", { dir: "auto" }, paragraph.flatMap((line, i) => (i ? [el("br"), ...line] : line))));
    paragraph = [];
  };
  for (let i = 0; i < all.length; i++) {
    const line = all[i];
    const whole = /^>>> ([\s\S]+)$/.exec(all.slice(i).join("\n"));
    if (line.startsWith(">>> ") && whole) {
      end();
      nodes.push(el("blockquote", {}, lines(whole[1], small)));
      break;
    }
    if (line.startsWith("> ") || line === ">") {
      end();
      const quoted = [];
      while (i < all.length && (all[i].startsWith("> ") || all[i] === ">")) quoted.push(all[i++].slice(2));
      i--;
      // A quote within a quote is text, as in Discord.
      nodes.push(el("blockquote", {}, quoted.map((each) => el("p", { dir: "auto" }, inline(each)))));
      continue;
    }
    if (LIST.test(line)) {
      end();
      const items = [];
      for (; i < all.length && LIST.test(all[i]); i++) {
        const item = LIST.exec(all[i]);
        // Another kind is another list, unless it is nested.
        if (items.length && item[1].length < 2 && isOrdered(item) !== isOrdered(items[0])) break;
        items.push(item);
      }
      i--;
      nodes.push(list(items));
      continue;
    }
    const heading = small ? null : /^(#{1,3}) +(.+)$/.exec(line);
    const subtext = /^-# +(.+)$/.exec(line);
    if (heading || subtext) {
      end();
      // Not <h1>: a message does not change the outline of the page.
      const level = heading?.[1].length;
      const props = heading ? { class: `heading-${level}`, role: "heading", "aria-level": level + 3 } : { class: "subtext" };
      nodes.push(el("p", { dir: "auto", ...props }, inline((heading?.[2] ?? subtext[1]).trim())));
      continue;
    }
    paragraph.push(inline(line));
  }
  end();
  return nodes;
}

const isOrdered = ([, , mark]) => /\d/.test(mark);

/** One level of nesting by indentation; deeper ones are shown at the second. */
function list(items) {
  const ordered = isOrdered(items[0]);
  const node = el(ordered ? "ol" : "ul", { start: ordered && items[0][2] !== "1." ? parseInt(items[0][2], 10) : undefined });
  for (const [, indent, , text] of items) {
    const item = el("li", { dir: "auto" }, inline(text));
    const last = node.lastElementChild;
    if (indent.length < 2 || !last) {
      node.append(item);
      continue;
    }
    let nested = last.querySelector("ul");
    if (!nested) last.append((nested = el("ul")));
    nested.append(item);
  }
  return node;
}
