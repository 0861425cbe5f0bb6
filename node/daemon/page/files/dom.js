// Elements. Names from the cluster become text nodes and nothing else: there is no markup in strings anywhere here.

const SVG = "http://www.w3.org/2000/svg";

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, String(value));
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

export const el = (tag, attributes = {}, ...children) => fill(document.createElement(tag), attributes, children);
export const svg = (tag, attributes = {}, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);
export const by = (id) => document.getElementById(id);

/** Sets the text, and leaves the element alone when it has it: assistive technology then hears of changes only. */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export function set(element, name, value) {
  if (element.getAttribute(name) !== String(value)) element.setAttribute(name, String(value));
}

/** A name that somebody else chose: kept apart from what stands around it, whichever way it is written. */
export const theirs = (text, className = "name") => el("bdi", { class: className }, text);

/** [store, feature] */
export const groupName = ([store, feature]) =>
  el("span", { class: "group-name" }, theirs(store, "store"), el("span", { class: "slash" }, "/"), theirs(feature, "feature"));

/** Makes `parent`'s children those of `items`, each made once by make(item) under key(item) and then brought up to date. */
export function keep(parent, items, key, make, update) {
  const known = (parent.kept ??= new Map());
  const wanted = new Map(items.map((item) => [key(item), item]));
  for (const [name, element] of known) {
    if (wanted.has(name)) continue;
    element.remove();
    known.delete(name);
  }
  let at = parent.firstChild;
  for (const [name, item] of wanted) {
    let element = known.get(name);
    if (!element) known.set(name, (element = make(item)));
    update(element, item);
    if (element === at) at = at.nextSibling;
    else parent.insertBefore(element, at);
  }
}

/** JSON from this node, or an Error with the line that it says. */
export async function ask(path, parameters = {}) {
  const url = path + "?" + new URLSearchParams(parameters);
  const response = await fetch(url, { cache: "no-store", credentials: "omit" });
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(answer.error ?? "the node answered " + response.status);
  return answer;
}
