// Formats numbers, times and changes.

import { el, groupName, theirs } from "./dom.js";

const whole = new Intl.NumberFormat("en");
const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });

export const count = (n) => whole.format(n);
export const many = (n, one, more = one + "s") => count(n) + " " + (n === 1 ? one : more);
export const time = (ms) => clock.format(new Date(ms));

export function rate(perSecond) {
  if (perSecond === 0) return "0";
  return perSecond < 10 ? perSecond.toFixed(1) : count(Math.round(perSecond));
}

export function duration(ms) {
  const s = Math.max(0, Math.round(ms / 1000));
  if (s < 60) return s + " s";
  if (s < 3600) return Math.floor(s / 60) + " min";
  if (s < 86400) return Math.floor(s / 3600) + " h " + Math.floor((s % 3600) / 60) + " min";
  return Math.floor(s / 86400) + " d";
}

const REASONS = {
  left: "they left",
  worker_down: "their worker was lost",
  node_down: "its node is down",
  node_left: "its node has left",
  moved: "they moved to another node",
};

const NODE_KINDS = {
  node_up: ["good", "is up"],
  node_heard: ["good", "is heard again"],
  node_suspect: ["doubt", "is suspected"],
  node_down: ["bad", "is down"],
  node_left: ["quiet", "has left"],
  self_accused: ["doubt", "was suspected by others"],
  table_taken: ["quiet", "’s table was replaced by a snapshot"],
  table_wrong: ["doubt", "’s table differed from its digest and is requested again"],
};

const WORKER_KINDS = {
  worker_up: ["quiet", "attached to this node"],
  worker_resumed: ["quiet", "came back"],
  worker_lost: ["doubt", "lost the connection"],
  worker_down: ["quiet", "ended"],
  overflow: ["bad", "were too slow and were disconnected"],
};

/** "nodes", "members" or "workers". */
export const sortOf = ({ kind }) => (kind in NODE_KINDS ? "nodes" : kind in WORKER_KINDS ? "workers" : "members");

function places(change) {
  const parts = [];
  change.groups.forEach((group, i) => parts.push(i ? ", " : "", groupName(group)));
  if (change.more) parts.push(" and others");
  return parts;
}

/** Describes a change: its level, its text and elements, and the reason. */
export function describe(change) {
  if (change.kind in NODE_KINDS) {
    const [level, verb] = NODE_KINDS[change.kind];
    const space = verb.startsWith("’") ? "" : " ";
    return { level, parts: [theirs(change.node), space + verb], why: change.text };
  }
  if (change.kind in WORKER_KINDS) {
    const [level, verb] = WORKER_KINDS[change.kind];
    const who = many(change.members, "worker");
    return { level, parts: [who + " " + verb], why: change.members > 1 ? "the latest: " + change.text : change.text };
  }
  const joined = change.kind === "joined";
  const amount = el("b", { class: joined ? "plus" : "minus" }, (joined ? "+" : "−") + count(change.members));
  const words = " " + (change.members === 1 ? "member" : "members") + " at ";
  const parts = [amount, words, theirs(change.node), joined ? " joined " : " left ", ...places(change)];
  const bad = change.reason === "node_down" || change.reason === "worker_down";
  return { level: joined ? "plus" : bad ? "minus-bad" : "minus", parts, why: joined ? (change.reason === "moved" ? "from another node" : "") : REASONS[change.reason] ?? "" };
}
