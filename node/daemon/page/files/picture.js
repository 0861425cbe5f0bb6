// The picture of the cluster: this node in the middle, the others around it, and the notifications between them.

import { by, keep, say, set, svg } from "./dom.js";
import { byTrouble, lastHeard, stateWords } from "./nodes.js";
import { count, many, rate } from "./words.js";

const WIDTH = 760;
const SHOWN = 96; // more are only counted
const NAMED = 26; // with more nodes, only those in trouble have labels
const DOTS_AT_ONCE = 40;
const FLIGHT_MS = 900;

const still = matchMedia("(prefers-reduced-motion: reduce)");

function shorten(name, most) {
  return name.length <= most ? name : name.slice(0, most - 1) + "…";
}

export class Picture {
  constructor() {
    this.root = by("picture");
    this.edges = svg("g", { class: "edges" });
    this.dots = svg("g", { class: "dots" });
    this.circles = svg("g", { class: "circles" });
    this.root.append(this.edges, this.dots, this.circles);
    this.places = new Map();
    this.flying = 0;
  }

  show(state, now) {
    const self = state.nodes.get(state.self);
    if (!self) return;
    const others = [...state.nodes.values()].filter((node) => node !== self && node.state !== "left");
    others.sort(byTrouble);
    const shown = others.slice(0, SHOWN).sort((a, b) => (a.name < b.name ? -1 : 1));
    this.place(self, shown);
    this.size = shown.length > 48 ? 7 : shown.length > NAMED ? 9 : shown.length > 14 ? 15 : 21;
    this.named = shown.length <= NAMED;
    keep(this.edges, shown, (n) => n.name, () => this.makeEdge(), (e, n) => this.updateEdge(e, n, self));
    const onTop = (node) => (node.state === "alive" ? 0 : 1);
    const stacked = [...shown].sort((a, b) => onTop(a) - onTop(b));
    keep(this.circles, [...stacked, self], (n) => n.name, () => this.makeCircle(), (e, n) => this.updateCircle(e, n, state, now));
    const left = others.length - shown.length;
    const words = [many(1 + others.length, "node"), left ? many(left, "of them is", "of them are") + " not drawn" : ""];
    say(by("picture-words"), words.filter(Boolean).join(", ") + (others.some((n) => n.via) ? "; dashed: heard through another node" : ""));
  }

  place(self, shown) {
    // Few nodes need little space, which phones do not have.
    const height = shown.length <= 2 ? 230 : shown.length <= 5 ? 380 : 470;
    set(this.root, "viewBox", `0 0 ${WIDTH} ${height}`);
    this.middle = height / 2 - 12;
    this.places.clear();
    if (shown.length === 1) {
      this.places.set(shown[0].name, [WIDTH * 0.28, this.middle]);
      return void this.places.set(self.name, [WIDTH * 0.72, this.middle]);
    }
    this.places.set(self.name, [WIDTH / 2, this.middle]);
    const crowded = shown.length > NAMED;
    shown.forEach((node, i) => {
      // Two nodes are side by side. With more, none is directly below this node, because its label is there.
      const first = shown.length <= 2 ? Math.PI : -Math.PI / 2 + (shown.length % 2 ? 0 : Math.PI / shown.length);
      const turn = (i / shown.length) * 2 * Math.PI + first;
      const ring = crowded && i % 2 ? 0.8 : 1;
      this.places.set(node.name, [
        WIDTH / 2 + Math.cos(turn) * ring * (WIDTH / 2 - 74),
        this.middle + Math.sin(turn) * ring * (height / 2 - 66),
      ]);
    });
  }

  makeEdge() {
    return svg("g", {}, svg("path", { class: "edge" }), svg("text", { class: "edge-rate", "text-anchor": "middle" }));
  }

  updateEdge(element, node, self) {
    const [path, label] = element.children;
    const [x1, y1] = this.places.get(self.name);
    const [x2, y2] = this.places.get(node.name);
    const relay = node.via ? this.places.get(node.via) : undefined;
    const middle = relay ?? [(x1 + x2) / 2, (y1 + y2) / 2];
    set(path, "d", `M${x1} ${y1} Q${middle[0]} ${middle[1]} ${x2} ${y2}`);
    set(path, "class", `edge ${node.state}${node.via ? " relayed" : ""}`);
    const flow = (node.sentRate ?? 0) + (node.receivedRate ?? 0);
    set(element, "data-flows", flow > 0);
    set(label, "x", x1 + (x2 - x1) * 0.5);
    set(label, "y", y1 + (y2 - y1) * 0.5 - 6);
    say(label, this.named && flow > 0 ? rate(flow) + "/s" : "");
  }

  makeCircle() {
    return svg("g", {}, svg("title"), svg("circle", { class: "halo" }), svg("circle", { class: "body" }),
      svg("path", { class: "mark" }), svg("text", { class: "inside", "text-anchor": "middle", dy: "0.350em" }),
      svg("text", { class: "label", "text-anchor": "middle" }), svg("text", { class: "sub", "text-anchor": "middle" }));
  }

  updateCircle(element, node, state, now) {
    const [title, halo, body, mark, inside, label, sub] = element.children;
    const isSelf = node.name === state.self;
    const size = isSelf ? Math.max(26, this.size + 7) : this.size;
    const [x, y] = this.places.get(node.name);
    const trouble = node.state !== "alive" || !node.shown || node.behind > 0;
    set(element, "transform", `translate(${x} ${y})`);
    set(element, "class", `node ${node.state}${isSelf ? " self" : ""}${node.state === "alive" && trouble ? " behind" : ""}`);
    set(halo, "r", size + 6);
    set(body, "r", size);
    const s = size * 0.42;
    set(mark, "d", node.state === "down" ? `M${-s} ${-s}L${s} ${s}M${s} ${-s}L${-s} ${s}` : "");
    const roomy = this.named && this.size > 15;
    const text = node.state === "down" ? "" : node.state === "suspect" ? "?" : roomy || isSelf ? compact(node.members) : "";
    say(inside, text);
    const named = this.named || isSelf || trouble;
    say(label, named ? shorten(node.name, this.named ? 20 : 12) : "");
    // Labels are on the outer side, away from the edges.
    const above = !isSelf && y < this.middle - 20;
    set(label, "y", above ? -size : size);
    set(label, "dy", above ? "-0.6em" : "1.3em");
    // Near the sides, labels extend inwards.
    const side = x < 120 ? "start" : x > WIDTH - 120 ? "end" : "middle";
    for (const text of [label, sub]) {
      set(text, "text-anchor", side);
      set(text, "x", side === "middle" ? 0 : side === "start" ? -size - 6 : size + 6);
    }
    const words = trouble ? stateWords(node, now) : this.named ? many(node.members, "member") : "";
    say(sub, words);
    set(sub, "y", above ? -size : size);
    set(sub, "dy", above ? "-2em" : "2.85em");
    say(title, `${node.name} ${node.address}\n${stateWords(node, now)}; last heard: ${lastHeard(node, state.self)}\n` +
      `${many(node.groups, "group")}, ${many(node.members, "member")}`);
  }

  /** Animates notifications that this node sent to, or received from, another node. */
  flow(self, node, sent, received) {
    if (still.matches || document.hidden) return;
    const here = this.places.get(self);
    const there = this.places.get(node);
    if (!here || !there) return;
    for (let i = 0; i < Math.min(3, sent); ++i) this.fly(here, there, i);
    for (let i = 0; i < Math.min(3, received); ++i) this.fly(there, here, i);
  }

  fly([x1, y1], [x2, y2], turn) {
    if (this.flying >= DOTS_AT_ONCE) return;
    ++this.flying;
    const dot = svg("circle", { class: "dot", r: 4 });
    this.dots.append(dot);
    const at = (x, y, opacity) => ({ transform: `translate(${x}px, ${y}px)`, opacity });
    const flight = dot.animate([at(x1, y1, 0), at(x1 + (x2 - x1) * 0.15, y1 + (y2 - y1) * 0.15, 1),
      at(x1 + (x2 - x1) * 0.85, y1 + (y2 - y1) * 0.85, 1), at(x2, y2, 0)],
    { duration: FLIGHT_MS, delay: turn * 140, easing: "ease-in-out", fill: "both" });
    flight.onfinish = flight.oncancel = () => {
      --this.flying;
      dot.remove();
    };
  }

  /** Animates notify calls at this node. */
  pulse(self) {
    const element = this.circles.kept?.get(self);
    if (!element || still.matches || document.hidden) return;
    element.children[1].animate([{ opacity: 0.9, strokeWidth: 5 }, { opacity: 0.2, strokeWidth: 1 }], { duration: 700 });
  }
}

/** A number that fits into a circle. */
function compact(n) {
  if (n < 10000) return count(n);
  return n < 1e6 ? Math.round(n / 1000) + "k" : (n / 1e6).toFixed(1) + "M";
}
