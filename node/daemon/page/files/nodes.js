// The table of nodes. Nodes in trouble come first.

import { by, el, keep, say, set, theirs } from "./dom.js";
import { count, duration, many, rate } from "./words.js";

const SHOWN = 200;
const ORDER = { suspect: 0, down: 1, alive: 2, left: 3 };

export const byTrouble = (a, b) => ORDER[a.state] - ORDER[b.state] || (a.name < b.name ? -1 : 1);

/** When the node was last heard: "just now", "3 s ago, through b". */
export function lastHeard(node, self) {
  if (node.name === self) return "this node";
  if (node.state === "left") return "—";
  const age = node.silent === 0 ? "just now" : duration(node.silent * 1000) + " ago";
  return node.via && node.silent === 0 ? age + ", through " + node.via : age;
}

export function stateWords(node, now) {
  const since = duration(now - node.since);
  if (node.state === "alive") {
    if (node.behind > 0) return "alive, " + many(node.behind, "change") + " behind";
    if (!node.shown) return "alive, table not received yet";
    if (node.draining) return "alive, draining";
    return node.silent_channels?.length ? "alive; nothing arrives " + node.silent_channels.join("; nor ") : "alive";
  }
  return node.state + " for " + since;
}

export function showNodes(state, now) {
  const sorted = [...state.nodes.values()].sort(byTrouble);
  keep(
    by("nodes"),
    sorted.slice(0, SHOWN),
    (node) => node.name,
    (node) => {
      const cell = (className = "number") => el("td", { class: className });
      const row = el("tr", {}, el("th", { scope: "row" }, theirs(node.name), el("span", { class: "address" }, node.address)));
      row.cells_ = [cell("state"), cell("heard"), cell(), cell(), cell("number wide"), cell("number wide"), cell("number wide"), cell("number wide")];
      row.append(...row.cells_);
      return row;
    },
    (row, node) => {
      const self = node.name === state.self;
      const shown = node.shown ? "" : " kept";
      set(row, "data-state", node.state);
      set(row, "data-behind", node.behind > 0 || (node.state === "alive" && !node.shown));
      const [stateCell, heardCell, groups, members, workers, sent, received, waiting] = row.cells_;
      say(stateCell, stateWords(node, now));
      say(heardCell, lastHeard(node, state.self));
      say(groups, count(node.groups));
      say(members, count(node.members) + shown);
      say(workers, count(node.workers));
      say(sent, self ? "—" : rate(node.sentRate ?? 0) + "/s");
      say(received, self ? "—" : rate(node.receivedRate ?? 0) + "/s");
      say(waiting, self ? "—" : count(node.waiting));
    },
  );
  by("nodes-more").hidden = sorted.length <= SHOWN;
  say(by("nodes-more"), "and " + many(sorted.length - SHOWN, "more node"));
}
