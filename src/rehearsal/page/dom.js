// Nodes out of values. Text becomes text nodes and nothing else: no string is ever read as a document here.

/** An element: `props` are attributes; functions become listeners, `class` takes lists, `style` an object. */
export function el(name, props = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (typeof value === "function") node.addEventListener(key, value);
    else if (key === "style") for (const [rule, worth] of Object.entries(value)) node.style.setProperty(rule, worth);
    else if (key === "class") node.className = [value].flat().filter(Boolean).join(" ");
    else if (key === "value") node.value = value;
    else node.setAttribute(key, value === true ? "" : value);
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

/** Makes `old` look like `next` and keeps what is the same: focus, selection and loaded pictures survive. */
export function morph(old, next) {
  if (old.nodeType !== next.nodeType || old.nodeName !== next.nodeName || old.dataset?.key !== next.dataset?.key) {
    old.replaceWith(next);
    return next;
  }
  if (old.nodeType === Node.TEXT_NODE) {
    if (old.data !== next.data) old.data = next.data;
    return old;
  }
  // What says so never changes, but for what a person did to it.
  if (old.hasAttribute?.("data-still")) return old;
  attributes(old, next);
  children(old, next);
  return old;
}

function attributes(old, next) {
  for (const { name } of [...old.attributes]) {
    // What a person has opened stays open.
    if (name === "open" || name === "style") continue;
    if (!next.hasAttribute(name)) old.removeAttribute(name);
  }
  for (const { name, value } of next.attributes) {
    if (name !== "style" && old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  // By the object: the policy forbids style in attributes.
  if (old.style.cssText !== next.style.cssText) old.style.cssText = next.style.cssText;
}

function children(old, next) {
  const wanted = [...next.childNodes];
  wanted.forEach((child, index) => {
    const there = old.childNodes[index];
    if (there) morph(there, child);
    else old.append(child);
  });
  while (old.childNodes.length > wanted.length) old.lastChild.remove();
}

/** Replaces everything in `node`, as little as possible of it. */
export function show(node, ...content) {
  const next = node.cloneNode(false);
  next.append(...content.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  children(node, next);
}

export const byId = (id) => document.getElementById(id);
