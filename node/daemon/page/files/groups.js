// The list of groups, which the node searches and pages, and the members of one group.

import { ask, by, el, groupName, keep, say, set, theirs } from "./dom.js";
import { count, many } from "./words.js";

const TYPING_MS = 200;
const REFRESH_MS = 4000;

export class Groups {
  constructor() {
    this.from = 0;
    this.number = 0; // of the newest request, so that older answers are ignored
    this.opened = null;
    by("search").addEventListener("submit", (event) => (event.preventDefault(), this.search()));
    by("words").addEventListener("input", () => {
      clearTimeout(this.typing);
      this.typing = setTimeout(() => this.search(), TYPING_MS);
    });
    by("order").addEventListener("change", () => this.search());
    setInterval(() => document.hidden || this.refresh(), REFRESH_MS);
    this.refresh();
  }

  search() {
    this.from = 0;
    return this.refresh();
  }

  async refresh() {
    const number = ++this.number;
    const question = { search: by("words").value, order: by("order").value, from: this.from };
    try {
      const answer = await ask("page/groups", question);
      if (number === this.number) this.show(answer, question);
    } catch (error) {
      if (number === this.number) say(by("found"), "Not available: " + error.message);
    }
    if (this.opened) this.refreshGroup();
  }

  show(answer, { search }) {
    if (answer.groups.length === 0 && answer.matched > 0 && this.from > 0) {
      this.from = Math.floor((answer.matched - 1) / answer.page) * answer.page;
      return void this.refresh();
    }
    const all = many(answer.total, "group");
    say(by("found"), search.trim() ? `${count(answer.matched)} of ${all}` : all);
    keep(
      by("group-list"),
      answer.groups,
      ({ group }) => JSON.stringify(group),
      ({ group }) => {
        const members = el("span", { class: "count" });
        const button = el("button", { type: "button", onclick: () => this.open(group) }, groupName(group), members);
        return Object.assign(el("li", {}, button), { button, members });
      },
      (item, { group, members }) => {
        say(item.members, count(members));
        set(item.members, "title", many(members, "member"));
        set(item.button, "aria-expanded", JSON.stringify(this.opened?.group) === JSON.stringify(group));
      },
    );
    pager(by("group-pager"), answer, answer.matched, (from) => {
      this.from = from;
      this.refresh();
    });
  }

  async open(group) {
    const same = JSON.stringify(this.opened?.group) === JSON.stringify(group);
    this.opened = same ? null : { group, from: 0 };
    by("group").hidden = same;
    by("group").replaceChildren();
    for (const item of by("group-list").children)
      set(item.button, "aria-expanded", !same && item.button === document.activeElement);
    if (same) return;
    await this.refreshGroup();
    by("group").focus({ preventScroll: true });
    by("group").scrollIntoView({ block: "nearest" });
  }

  async refreshGroup() {
    const opened = this.opened;
    try {
      const [store, feature] = opened.group;
      const answer = await ask("page/group", { store, feature, from: opened.from });
      if (opened === this.opened) this.showGroup(answer);
    } catch (error) {
      if (opened === this.opened) by("group").replaceChildren(el("p", { class: "hint" }, "Not available: " + error.message));
    }
  }

  showGroup(answer) {
    const text = JSON.stringify(answer);
    if (this.shownGroup === text && by("group").firstChild) return; // unchanged: keep the user's selection and scroll position
    this.shownGroup = text;
    const close = el("button", { type: "button", class: "plain", onclick: () => this.open(answer.group) }, "Close");
    const head = el("div", { class: "head" }, el("h3", { id: "group-name" }, groupName(answer.group)), close);
    const facts = el("p", { class: "hint" }, many(answer.total, "member") + " · key " + answer.key);
    const rows = runs(answer.members).map(({ member, count: several, last }) =>
      el("tr", {},
        el("th", { scope: "row" }, theirs(member.node),
          el("span", { class: "address" }, several > 1 ? `numbers ${member.number} – ${last}` : `number ${member.number}`)),
        el("td", { class: "number" }, count(several)),
        el("td", {}, member.worker ? theirs(member.worker) : el("span", { class: "faint" }, "the node itself")),
        el("td", { class: "meta" }, ...Object.entries(member.meta).map(([key, value]) =>
          el("span", { class: "pair" }, theirs(key, "key"), " ", theirs(value, "value"))))));
    const header = el("tr", {}, ...["At node", "Members", "Worker", "Metadata"].map((title, i) =>
      el("th", { scope: "col", class: i === 1 ? "number" : "" }, title)));
    const table = el("table", {}, el("thead", {}, header), el("tbody", {}, ...rows));
    const pages = el("div", { class: "pager" });
    pager(pages, answer, answer.total, (from) => {
      this.opened.from = from;
      this.refreshGroup();
    });
    const scroll = el("div", { class: "scroll", tabindex: 0, role: "region", "aria-labelledby": "group-name" }, table);
    by("group").replaceChildren(head, facts, answer.total ? scroll : el("p", {}, "No members."), pages);
  }
}

/** Merges consecutive members that differ only in their number. */
function runs(members) {
  const rows = [];
  for (const member of members) {
    const same = JSON.stringify([member.node, member.incarnation, member.worker, member.meta]);
    if (rows.at(-1)?.same === same) Object.assign(rows.at(-1), { count: rows.at(-1).count + 1, last: member.number });
    else rows.push({ same, member, count: 1, last: member.number });
  }
  return rows;
}

/** Buttons for the previous and next page. None if there is only one page. */
function pager(parent, { from, page }, total, go) {
  if (total <= page) return parent.replaceChildren();
  const known = parent.shown;
  const here = `${count(from + 1)} – ${count(Math.min(total, from + page))} of ${count(total)}`;
  if (known === here && parent.firstChild) return;
  parent.shown = here;
  const button = (text, to, isPossible) => el("button", { type: "button", disabled: !isPossible, onclick: () => go(to) }, text);
  parent.replaceChildren(
    button("Previous", Math.max(0, from - page), from > 0),
    el("span", {}, here),
    button("Next", from + page, from + page < total),
  );
}
