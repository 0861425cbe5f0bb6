// Compares this node's table with that of another node, which is asked directly.

import { ask, by, el, groupName, keep, theirs } from "./dom.js";
import { count, many, time } from "./words.js";

export class Compare {
  constructor() {
    by("compare").addEventListener("submit", (event) => {
      event.preventDefault();
      this.run(by("other").value);
    });
  }

  /** Updates the list of nodes to choose from. */
  offer(state) {
    const others = [...state.nodes.values()].filter((node) => node.name !== state.self && node.state === "alive");
    others.sort((a, b) => (a.name < b.name ? -1 : 1));
    keep(by("other"), others, (n) => n.name, (n) => el("option", { value: n.name }, n.name), () => {});
    by("compare-go").disabled = others.length === 0 || this.running === true;
    by("other").disabled = others.length === 0;
    this.self = state.self;
  }

  async run(other) {
    if (!other || this.running) return;
    this.running = by("compare-go").disabled = true;
    by("outcome").replaceChildren(el("p", { class: "hint" }, "Asking ", theirs(other), "…"));
    try {
      this.show(await ask("page/compare", { with: other }));
    } catch (error) {
      by("outcome").replaceChildren(el("p", { class: "outcome", "data-level": "doubt" }, "Not compared: " + error.message));
    }
    this.running = by("compare-go").disabled = false;
  }

  show({ with: other, here, there, differ, differences }) {
    const at = " · " + time(Date.now());
    if (differ === 0) {
      const what = `${many(here.groups, "group")} with ${many(here.members, "member")}`;
      return by("outcome").replaceChildren(
        el("p", { class: "outcome", "data-level": "good" }, el("b", {}, "Equal"), ": ", theirs(this.self), " and ", theirs(other), ` have the same ${what}${at}`));
    }
    const title = el("p", { class: "outcome", "data-level": "bad" }, el("b", {}, many(differ, "group differs", "groups differ")),
      ": ", theirs(this.self), ` has ${many(here.members, "member")} in ${many(here.groups, "group")}, `,
      theirs(other), ` ${many(there.members, "member")} in ${many(there.groups, "group")}${at}`);
    const ids = (list) => el("td", {}, ...list.map((id) => el("code", { class: "id" }, id)), list.length ? null : "—");
    const rows = differences.map((d) => el("tr", {}, el("th", { scope: "row" }, groupName(d.group)),
      el("td", { class: "number" }, count(d.here)), el("td", { class: "number" }, count(d.there)), ids(d.only_here), ids(d.only_there)));
    const column = (className, ...title) => el("th", { scope: "col", class: className }, ...title);
    const header = el("tr", {}, column("", "Group"), column("number", "at ", theirs(this.self)), column("number", "at ", theirs(other)),
      column("", "only at ", theirs(this.self)), column("", "only at ", theirs(other)));
    const table = el("table", {}, el("thead", {}, header), el("tbody", {}, ...rows));
    const more = differ > differences.length ? el("p", { class: "hint" }, "and " + many(differ - differences.length, "more group")) : null;
    const scroll = el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "What differs" }, table);
    by("outcome").replaceChildren(...[title, scroll, more].filter(Boolean));
  }
}
