// The list of recent changes, newest first.

import { by, el, keep, say, set } from "./dom.js";
import { describe, duration, sortOf, time } from "./words.js";

const SHOWN = 120;
const KEPT = 1100; // a little more than the node keeps

export class Changes {
  constructor() {
    this.all = new Map(); // by id
    this.which = "cluster"; // nodes and members, without the frequent changes of workers
    for (const button of document.querySelectorAll("[data-which]")) {
      button.addEventListener("click", () => {
        this.which = button.dataset.which;
        for (const other of document.querySelectorAll("[data-which]"))
          set(other, "aria-pressed", other === button);
        this.show(this.now);
      });
    }
  }

  begin(changes) {
    this.all.clear();
    this.take(changes);
  }

  take(changes) {
    for (const change of changes) this.all.set(change.id, change);
    while (this.all.size > KEPT) this.all.delete(this.all.keys().next().value);
  }

  /** The text of the newest change of this kind at this node. */
  why(node, kind) {
    let text = "";
    for (const change of this.all.values()) if (change.node === node && change.kind === kind) text = change.text;
    return text;
  }

  show(now) {
    this.now = now;
    const isWanted = (sort) => (this.which === "cluster" ? sort !== "workers" : sort === this.which);
    const wanted = [...this.all.values()].filter((change) => isWanted(sortOf(change)));
    wanted.sort((a, b) => b.id - a.id);
    by("changes-none").hidden = wanted.length > 0;
    by("changes").hidden = wanted.length === 0;
    keep(
      by("changes"),
      wanted.slice(0, SHOWN),
      (change) => change.id,
      () => el("li"),
      (item, change) => this.update(item, change),
    );
  }

  update(item, change) {
    const ago = duration(this.now - change.last) + " ago";
    if (item.change === change) return say(item.ago, ago);
    item.change = change;
    const { level, parts, why } = describe(change);
    set(item, "data-level", level);
    item.ago = el("span", { class: "ago" }, ago);
    const when = el("p", { class: "when" }, el("time", { datetime: new Date(change.at).toISOString() }, time(change.at)), item.ago);
    const what = el("p", { class: "what" }, ...parts);
    const because = why ? el("p", { class: "why" }, el("bdi", {}, why)) : null;
    item.replaceChildren(...[when, el("div", {}, what, because)]);
  }
}
