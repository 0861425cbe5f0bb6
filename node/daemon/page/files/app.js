// Receives the node's stream of events and shows the state.

import { Changes } from "./changes.js";
import { Compare } from "./compare.js";
import { ask, by, el, say, set, svg } from "./dom.js";
import { Groups } from "./groups.js";
import { showNodes } from "./nodes.js";
import { Picture } from "./picture.js";
import { count, duration, many, rate, time } from "./words.js";

const SILENT_MS = 5000; // the stream sends two events per second
const POLL_MS = 5000; // if the node refuses the stream because it has too many viewers
const AGAIN_MS = 15000; // until the stream is tried again
const WINDOW_MS = 3000; // rates are averages over this time
const HISTORY_MS = 120000;

const state = { self: "", nodes: new Map(), totals: {}, ready: false, now: 0 };
const picture = new Picture();
const changes = new Changes();
const compare = new Compare();
new Groups();

let heardAt = 0; // by this page's clock
let skew = 0; // the node's clock minus this page's
let source = null;
let polling = false;
const history = []; // {at, totals}

// ---- events of the node ------------------------------------------------------------

function takeNodes(nodes) {
  for (const node of nodes) {
    const before = state.nodes.get(node.name);
    const sameLife = before?.incarnation === node.incarnation;
    node.flows = sameLife ? before.flows : [];
    if (sameLife) {
      const sent = Math.max(0, node.sent - before.sent);
      const received = Math.max(0, node.received - before.received);
      if (sent || received) node.flows.push({ at: state.now, sent, received });
      if (sent || received) picture.flow(state.self, node.name, sent, received);
    }
    state.nodes.set(node.name, node);
  }
}

function takeRates() {
  for (const node of state.nodes.values()) {
    while (node.flows.length && node.flows[0].at <= state.now - WINDOW_MS) node.flows.shift();
    const sum = (what) => (node.flows.reduce((all, flow) => all + flow[what], 0) * 1000) / WINDOW_MS;
    node.sentRate = sum("sent");
    node.receivedRate = sum("received");
  }
}

function takeTotals(totals) {
  if (totals) {
    if (totals.notifications > (state.totals.notifications ?? Infinity)) picture.pulse(state.self);
    state.totals = totals;
  }
  history.push({ at: state.now, totals: state.totals });
  while (history.length && history[0].at < state.now - HISTORY_MS) history.shift();
}

function begin(whole) {
  const again = state.self === whole.self && state.totals.notifications <= whole.totals.notifications;
  if (!again) history.length = 0;
  Object.assign(state, { self: whole.self, scope: whole.scope, security: whole.security, version: whole.version });
  const gone = new Set(state.nodes.keys());
  for (const node of whole.nodes) gone.delete(node.name);
  for (const name of gone) state.nodes.delete(name);
  heard(whole);
  changes.begin(whole.changes);
  draw();
}

function heard(update) {
  heardAt = Date.now();
  skew = update.now - heardAt;
  state.now = update.now;
  state.ready = update.ready;
  takeNodes(update.nodes ?? []);
  for (const name of update.gone ?? []) state.nodes.delete(name);
  takeTotals(update.totals);
  takeRates();
}

function delta(update) {
  heard(update);
  changes.take(update.changes ?? []);
  draw();
}

// ---- the stream --------------------------------------------------------------------

function connect() {
  source = new EventSource("events");
  source.addEventListener("state", (event) => begin(JSON.parse(event.data)));
  source.addEventListener("delta", (event) => delta(JSON.parse(event.data)));
  source.addEventListener("open", () => (polling = false));
  source.addEventListener("error", () => {
    draw();
    if (source.readyState !== EventSource.CLOSED) return; // EventSource reconnects by itself
    polling = true;
    setTimeout(connect, AGAIN_MS);
  });
}

async function poll() {
  if (!polling || document.hidden) return;
  try {
    begin(await ask("page/state"));
  } catch {
    draw();
  }
}

// ---- display -----------------------------------------------------------------------

const isStale = () => Date.now() - heardAt > (polling ? 3 * POLL_MS : SILENT_MS);

function verdict() {
  const nodes = [...state.nodes.values()];
  const present = nodes.filter((node) => node.state !== "left");
  const bad = present.filter((node) => node.state !== "alive");
  if (heardAt === 0) return ["wait", "Waiting for the node…", ""];
  if (isStale()) return ["bad", `Node ${state.self} does not answer`, `This is the state at ${time(state.now)}. The page reconnects automatically.`];
  if (bad.length) {
    const names = bad.slice(0, 4).map((node) => node.name).join(", ") + (bad.length > 4 ? ", …" : "");
    const down = bad.filter((node) => node.state === "down");
    const words = down.length ? (bad.length === 1 ? "is down" : "are down or suspected") : bad.length === 1 ? "is suspected" : "are suspected";
    const first = (down[0] ?? bad[0]);
    const why = changes.why(first.name, first.state === "down" ? "node_down" : "node_suspect");
    const since = `${first.name}: since ${time(first.since)}, ${duration(state.now - first.since)} ago`;
    const text = `${bad.length} of ${many(present.length, "node")} ${words}: ${names}`;
    return [down.length ? "bad" : "doubt", text, why ? `${since}. Why: ${why}` : since];
  }
  if (!state.ready) return ["doubt", `Node ${state.self} is still syncing`, "It does not serve workers yet."];
  const behind = present.filter((node) => node.behind > 0 || !node.shown);
  if (behind.length) return ["doubt", `All ${many(present.length, "node")} alive; ${many(behind.length, "table")} not up to date yet`, behind[0].name];
  return ["good", present.length === 1 ? "This node is alone and healthy" : (present.length === 2 ? "Both nodes" : `All ${many(present.length, "node")}`) + " alive and up to date", ""];
}

function shownRate(name) {
  const first = history.find((each) => each.at > state.now - WINDOW_MS) ?? history[0];
  const last = history.at(-1);
  if (!first || last.at <= first.at) return 0;
  return (Math.max(0, (last.totals[name] ?? 0) - (first.totals[name] ?? 0)) * 1000) / (last.at - first.at);
}

/** Points of a line: the counter's increase over the last two minutes. */
function sparkline(name) {
  const width = 120;
  const height = 26;
  const buckets = new Array(40).fill(0);
  for (let i = 1; i < history.length; ++i) {
    const at = Math.floor((1 - (state.now - history[i].at) / HISTORY_MS) * (buckets.length - 1));
    const more = (history[i].totals[name] ?? 0) - (history[i - 1].totals[name] ?? 0);
    if (at >= 0 && more > 0) buckets[at] += more;
  }
  const most = Math.max(1, ...buckets);
  const points = buckets.map((n, i) => `${((i / (buckets.length - 1)) * width).toFixed(1)},${(height - 2 - (n / most) * (height - 4)).toFixed(1)}`);
  return points.join(" ");
}

const NUMBERS = [
  ["members", "Members", () => count([...state.nodes.values()].reduce((all, n) => all + (n.shown ? n.members : 0), 0))],
  ["notifications", "Notified here", () => rate(shownRate("notifications")) + "/s", "notifications"],
  ["delivered", "Delivered here", () => rate(shownRate("notifications_delivered")) + "/s", "notifications_delivered"],
  ["lost", "Not delivered", () => count(lost())],
  ["queue", "Waiting for nodes", () => count(state.totals.link_queue ?? 0)],
];

function lost() {
  const t = state.totals;
  return (t.notifications_dropped ?? 0) + (t.notifications_lost_on_links ?? 0) + (t.notifications_lost_with_workers ?? 0);
}

function showNumbers() {
  const list = by("numbers");
  if (!list.firstChild) {
    for (const [id, title, , line] of NUMBERS) {
      const graph = line ? svg("svg", { viewBox: "0 0 120 26", class: "spark", preserveAspectRatio: "none", "aria-hidden": "true" }, svg("polyline")) : null;
      list.append(el("div", { id: "number-" + id }, el("dt", {}, title), el("dd", {}, el("span"), graph)));
    }
  }
  NUMBERS.forEach(([id, , value, line]) => {
    const item = by("number-" + id).lastChild;
    say(item.firstChild, value());
    if (line) set(item.querySelector("polyline"), "points", sparkline(line));
  });
  set(by("number-lost"), "data-level", lost() > 0 ? "doubt" : "quiet");
}

const SECURITY = { curve: "encrypted, with keys", loopback: "no keys, loopback only", insecure: "no keys: open to anyone" };

function showNow() {
  const stale = isStale();
  const [level, text, why] = verdict();
  set(by("verdict"), "data-level", level);
  say(by("verdict-text"), text);
  say(by("verdict-why"), why);
  document.title = `${level === "bad" ? "✕ " : level === "doubt" ? "? " : ""}${text} — muster`;
  set(by("live"), "data-state", stale ? "lost" : polling ? "poll" : "live");
  say(by("live-text"), heardAt === 0 ? "connecting" : stale ? "no connection" : polling ? "every 5 s: too many live viewers" : "live");
  set(document.body, "data-stale", stale);
  say(by("self"), state.self || "…");
  say(by("scope"), state.scope ? "scope " + state.scope : "");
  say(by("security"), SECURITY[state.security] ?? "");
  set(by("security"), "data-security", state.security ?? "");
  say(by("version"), state.version ? "muster " + state.version : "");
  const now = Date.now() + skew;
  picture.show(state, now);
  showNodes(state, now);
  showNumbers();
  changes.show(now);
  compare.offer(state);
}

let drawing = false;
function draw() {
  if (drawing) return;
  drawing = true;
  requestAnimationFrame(() => {
    drawing = false;
    showNow();
  });
}

connect();
setInterval(poll, POLL_MS);
setInterval(() => document.hidden || (takeRates(), draw()), 1000);
