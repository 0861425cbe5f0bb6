// Makes and updates elements. Names from the cluster are untrusted: they only become text nodes. No string is parsed as
// markup.

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

/** Sets the text if it differs. Assistive technology then announces real changes only. */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export function set(element, name, value) {
  if (element.getAttribute(name) !== String(value)) element.setAttribute(name, String(value));
}

/** An untrusted name. <bdi> keeps right-to-left text in it from reordering the text around it. */
export const theirs = (text, className = "name") => el("bdi", { class: className }, text);

/** [store, feature] */
export const groupName = ([store, feature]) =>
  el("span", { class: "group-name" }, theirs(store, "store"), el("span", { class: "slash" }, "/"), theirs(feature, "feature"));

/** Keeps one child of `parent` per item, in order: make(item) creates it once per key(item), update(child, item) updates it. */
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

/** Requests JSON from this node. Throws an Error with the node's message. */
export async function ask(path, parameters = {}) {
  const url = path + "?" + new URLSearchParams(parameters);
  const response = await fetch(url, { cache: "no-store", credentials: "omit" });
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(answer.error ?? "the node answered " + response.status);
  return answer;
}
