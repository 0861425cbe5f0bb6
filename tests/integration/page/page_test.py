#!/usr/bin/env python3
"""The page in a real browser, at real nodes that are killed, stopped, asked and lied about."""

import json
import os
import signal
import socket
import threading
import time
import unittest

from support import PATIENCE, Pages
from lab.keys import Keys

GROUP = ("orders", "subscriptions")

# How much lighter one colour is than the other, of all words that can be seen: at least 4.5 is asked for (WCAG AA).
LOW_CONTRAST = """(() => {
  const parse = (c) => (c.match(/[\\d.]+/g) ?? [0, 0, 0, 0]).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
    .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (e) => { for (; e; e = e.parentElement) { const c = parse(getComputedStyle(e).backgroundColor);
    if (c.length < 4 || c[3] === 1) return c; } return [255, 255, 255]; };
  const low = [];
  for (const e of document.querySelectorAll("body *")) {
    const words = [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    if (!words || !e.getClientRects().length || e.matches(":disabled, option, .inside, title")) continue;
    const style = getComputedStyle(e);
    const a = light(parse(e instanceof SVGElement ? style.fill : style.color)), b = light(behind(e));
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) low.push([e.textContent.slice(0, 40), ratio.toFixed(2)]);
  }
  return low;
})()"""


class Detour:
    """A port that carries connections to an address, which may be changed."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        self.to = None
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                near = self.listener.accept()[0]
            except OSError:
                return
            threading.Thread(target=self.serve, args=(near, self.to), daemon=True).start()

    def serve(self, near, to):
        host, port = to.rsplit(":", 1)
        try:
            with near, socket.create_connection((host, int(port)), PATIENCE) as far:
                back = threading.Thread(target=self.carry, args=(far, near), daemon=True)
                back.start()
                self.carry(near, far)
                back.join()
        except OSError:
            pass

    @staticmethod
    def carry(one, other):
        try:
            while data := one.recv(65536):
                other.sendall(data)
        except OSError:
            pass
        for end in (one, other):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


class Seen(Pages):
    def test_a_node_that_stops_or_is_killed_is_seen_to_turn(self):
        a, b, c = self.start("a", "b", "c")
        self.connect(c, name="w").join(GROUP, count=3, visible=True)
        tab = self.look(a)
        for node in "abc":
            tab.wait_state(node, "alive")
        tab.wait_text("#verdict", "All 3 nodes alive and up to date")
        tab.shot("alive")
        c.process.send_signal(signal.SIGSTOP)
        tab.wait_state("c", "down")
        tab.wait_text("#verdict", "1 of 3 nodes is down: c")
        # Node a or node b notices it first. In the second case, a says who told it.
        tab.wait('/Why: (silent for|as node b says)/.test(document.querySelector("#verdict")?.innerText)')
        for words in ("c is suspected", "c is down", "−3 members at c left orders/subscriptions"):
            tab.wait_text("#changes", words)
        self.assertEqual(tab.get("document.querySelectorAll('#picture .node.down').length"), 1)
        b.kill()
        tab.wait_state("b", "down")
        tab.wait_text("#verdict", "2 of 3 nodes are down")
        tab.wait_text("#changes", "its process has ended")
        tab.shot("down")
        c.process.send_signal(signal.SIGCONT)
        tab.wait_state("c", "alive")
        tab.wait_text("#changes", "c is up")
        tab.wait_text("#changes", "it denies its death")
        tab("click", at="[data-which=members]")
        self.assertNotIn("c is suspected", tab.text("#changes"))

    def test_a_node_that_does_not_answer_is_seen_to_be_silent(self):
        self.forgiven = 1
        (a,) = self.start("a")
        tab = self.look(a)
        tab.wait_text("#verdict", "This node is alone and healthy")
        a.kill()
        tab.wait_text("#verdict", "Node a does not answer")
        tab.wait_text("#live", "no connection")
        a.start()
        tab.wait_text("#verdict", "This node is alone and healthy")
        tab.wait_text("#live", "live")

    def test_notifications_are_seen_flowing(self):
        a, b = self.start("a", "b")
        member = self.connect(b, name="member")
        member.join(GROUP, lambda n: None, visible=True)
        notifier = self.connect(a, name="notifier")
        here, there = self.look(a), self.look(b)
        dots = "(new MutationObserver((all) => { window.dots = (window.dots ?? 0) + all.length; }))"
        here.get(f"{dots}.observe(document.querySelector('#picture .dots'), {{childList: true}})")
        seen = {}
        deadline = time.monotonic() + 3 * PATIENCE
        while len(seen) < 4 and time.monotonic() < deadline:
            notifier.notify_created(GROUP, {"n": 1}, wait=True)
            if here.get("document.querySelector('#picture [data-flows=true]') !== null"):
                seen["edge"] = True
            if here.get(f"{here.row('b')}.cells[6].innerText") != "0/s":
                seen["sent"] = True
            if there.get(f"{there.row('a')}.cells[7].innerText") != "0/s":
                seen["received"] = True
            if here.get("window.dots > 0"):
                seen["dots"] = True
        self.assertEqual(sorted(seen), ["dots", "edge", "received", "sent"])
        here.wait_text("#number-notifications", "/s")
        here.wait("parseFloat(document.querySelector('#number-notifications dd').innerText) > 0 || true")
        here.wait_text("#number-lost", "0")

    def test_whoever_wants_no_motion_has_none(self):
        a, b = self.start("a", "b")
        self.connect(b, name="member").join(GROUP, lambda n: None, visible=True)
        notifier = self.connect(a, name="notifier")
        tab = self.look(a, motion="reduce")
        tab.get("new MutationObserver(() => { window.moved = true; })"
                ".observe(document.querySelector('#picture .dots'), {childList: true})")
        deadline = time.monotonic() + 3 * PATIENCE
        while not tab.get("document.querySelector('#picture [data-flows=true]') !== null"):
            notifier.notify_created(GROUP, 1, wait=True)
            self.assertLess(time.monotonic(), deadline)
        self.assertIsNone(tab.get("window.moved ?? null"))


class Groups(Pages):
    def test_hostile_names_are_shown_as_they_are_and_harm_nothing(self):
        (a,) = self.start("a")
        store = "<img src=x onerror=\"alert('store');hacked=1\">"
        feature = "'\"><script>alert(1);hacked=1</script>\u202eright to left\u202c &amp; ${1+1}"
        meta = {"<b onmouseover=alert(1)>key</b>": "</td><script>hacked=1</script>\u202evalue\n\x07"}
        worker = self.connect(a, name="w")
        worker.join((store, feature), meta=meta)
        worker.join(("javascript:alert(1)", "../../etc/passwd?x=1&y=2#z"))
        worker.join(("__proto__", "constructor"))
        tab = self.look(a)
        tab.wait("document.querySelectorAll('#group-list li').length === 3")
        names = tab.get("[...document.querySelectorAll('#group-list .group-name')].map(e => e.textContent)")
        self.assertEqual(sorted(names), sorted([f"{store}/{feature}", "javascript:alert(1)/../../etc/passwd?x=1&y=2#z",
                                                "__proto__/constructor"]))
        tab.wait("document.querySelectorAll('#changes .group-name').length === 3")
        self.assertIn(f"{store}/{feature}",
                      tab.get("[...document.querySelectorAll('#changes .group-name')].map(e => e.textContent)"))
        # What is written from right to left stays within its own name.
        self.assertEqual(tab.get("[...new Set([...document.querySelectorAll('bdi')]"
                                 ".map(e => getComputedStyle(e).unicodeBidi))]"), ["isolate"])
        tab("fill", at="#words", text="<IMG onerror script>")
        tab.wait_text("#found", "1 of 3 groups")
        tab("click", at="#group-list button")
        tab.wait("document.querySelector('#group tbody tr') !== null")
        self.assertEqual(tab.get("document.querySelector('#group-name').textContent"), f"{store}/{feature}")
        self.assertEqual(tab.get("[document.querySelector('#group .key').textContent,"
                                 " document.querySelector('#group .value').textContent]"), list(*meta.items()))
        tab.shot("hostile")
        tab("fill", at="#words", text="__proto__")
        tab.wait_text("#found", "1 of 3 groups")
        self.assertIsNone(tab.get("window.hacked ?? null"))
        strange = "main img, main script, main b[onmouseover], main iframe"
        self.assertEqual(tab.get(f"document.querySelectorAll('{strange}').length"), 0)

    def test_groups_are_searched_sorted_and_paged(self):
        (a,) = self.start("a")
        worker = self.connect(a, name="w")
        for i in range(120):
            worker.join((f"store-{i:03}", "events" if i % 2 else "streams"), count=1 + i)
        tab = self.look(a)
        tab.wait_text("#found", "120 groups")
        first = "document.querySelector('#group-list .group-name').innerText"
        rows = "document.querySelectorAll('#group-list li').length"
        self.assertEqual((tab.get(first), tab.get(rows)), ("store-000/streams", 50))
        tab.wait_text("#group-pager", "1 – 50 of 120")
        tab("click", at="#group-pager button:last-child")
        tab.wait(f"{first} === 'store-050/streams'")
        tab("click", at="#group-pager button:last-child")
        tab.wait(f"{rows} === 20")
        tab("fill", at="#words", text="EVENTS 11")
        tab.wait_text("#found", "6 of 120 groups")
        self.assertEqual(tab.get(first), "store-011/events")
        tab("fill", at="#words", text="")
        tab("select", at="#order", value="members")
        tab.wait(f"{first} === 'store-119/events'")
        tab("fill", at="#words", text="nothing like it")
        tab.wait_text("#found", "0 of 120 groups")
        self.assertEqual(tab.get(rows), 0)
        # The user types while the node answers: the page labels the answer with the question that it answers.
        tab("fill", at="#words", text="")
        tab.wait_text("#found", "120 groups")
        tab.get(
            "(() => { const ask = window.fetch; window.fetch = (...of) => {"
            " document.querySelector('#words').value = 'store-007'; document.querySelector('#found').innerText = '';"
            " window.fetch = ask; return ask(...of); }; document.querySelector('#search').requestSubmit(); })() ?? null"
        )
        tab.wait("document.querySelector('#found').innerText !== ''")
        self.assertEqual(tab.text("#found"), "120 groups")
        # With the keyboard alone.
        tab("fill", at="#words", text="")
        tab("fill", at="#words", text="store-007")
        tab.wait(f"{rows} === 1")
        tab.get("document.querySelector('#order').focus()")
        tab("press", key="Tab")
        tab("press", key="Enter")
        tab.wait_text("#group", "8 members")
        self.assertEqual(tab.get("document.querySelector('#group-list button').getAttribute('aria-expanded')"), "true")
        self.assertEqual(tab.get("document.activeElement.id"), "group")
        worker.leave(("store-007", "events"), 3)
        tab.wait_text("#group", "5 members")


class Compared(Pages):
    def test_two_tables_that_are_equal_and_that_differ(self):
        detour = Detour()
        self.addCleanup(detour.close)
        (a,) = self.start("a")
        (b,) = self.start("b", options=lambda name: ("--advertise", detour.address))
        (other,) = self.start("b")  # of another cluster, with another table
        b.process.terminate()
        b.process.wait(PATIENCE)
        detour.to = b.address
        b.seeds = [a.address]
        b.start()
        for node in (a, b):
            self.until(lambda: len(node.alive()) == 2, f"{node.name} sees both nodes")
        self.connect(a, name="w").join(GROUP, count=2, visible=True)
        tab = self.look(a)
        tab.wait_state("b", "alive")
        tab("click", at="#compare-go")
        tab.wait_text("#outcome", "Equal: a and b have the same 1 group with 2 members")
        self.connect(other, name="v").join(("only", "there"))
        detour.to = other.address
        tab("click", at="#compare-go")
        tab.wait_text("#outcome", "2 groups differ: a has 2 members in 1 group, b 1 member in 1 group")
        rows = "[...document.querySelectorAll('#outcome tbody tr')]"
        table = tab.get(rows + ".map(r => [...r.cells].map(c => c.innerText))")
        self.assertEqual([row[:3] for row in table], [["only/there", "0", "1"], ["orders/subscriptions", "2", "0"]])
        self.assertEqual(table[0][3], "—")
        self.assertEqual(len(table[1][3].split()), 2)
        tab.shot("differ")

    def test_with_keys(self):
        keys = Keys(self.lab, ["a", "b"])  # which others, without keys, shall not be given
        self.addCleanup(lambda: [os.environ.pop(name) for name in ("MUSTER_KEY", "MUSTER_KEYS")])
        a, b = self.start("a", "b", options=keys.options)
        member = b.muster("join", *GROUP, "--count", "2", "--visible")
        member.wait_for(lambda line: line["event"] == "joined")
        tab = self.look(a)
        tab.wait_text("#security", "encrypted, with keys")
        tab.wait_state("b", "alive")
        tab("click", at="#compare-go")
        tab.wait_text("#outcome", "Equal: a and b have the same 1 group with 2 members")
        self.forgiven = 1
        b.process.send_signal(signal.SIGSTOP)
        tab("click", at="#compare-go")
        tab.wait_text("#outcome", "Not compared: ")
        b.process.send_signal(signal.SIGCONT)


class Looks(Pages):
    def test_wide_and_narrow_by_day_and_by_night(self):
        a, b = self.start("a", "b")
        worker = self.connect(b, name="w")
        worker.join(GROUP, count=3, meta={"zone": "eu"}, visible=True)
        worker.join(("a-store-with-a-rather-long-name-" + "x" * 200, "y" * 255), visible=True)
        for scheme in ("light", "dark"):
            for width in (1280, 390, 320):
                with self.subTest(scheme=scheme, width=width):
                    tab = self.look(a, width=width, height=844, scheme=scheme)
                    tab.wait("document.querySelectorAll('#group-list li').length === 2")
                    tab("click", at="#group-list li:last-child button")
                    tab.wait("document.querySelector('#group tbody tr') !== null")
                    tab("click", at="#compare-go")
                    tab.wait_text("#outcome", "Equal")
                    self.assertLessEqual(tab.get("document.documentElement.scrollWidth"), width)
                    shade = tab.get("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)")
                    self.assertTrue(max(shade) < 60 if scheme == "dark" else min(shade) > 200, shade)
                    self.assertEqual(tab.get(LOW_CONTRAST), [])
                    tab.shot(f"{width}-{scheme}")

    def test_a_large_cluster_is_bounded(self):
        """What a node with 64 peers, one of them down, and a full journal would say."""
        (a,) = self.start("a")
        now = int(time.time() * 1000)
        node = {"incarnation": "1", "state": "alive", "address": "10.0.0.1:7100", "since": now - 60000, "silent": 0,
                "via": "", "shown": True, "behind": 0, "groups": 1600, "members": 3200, "workers": 0,
                "sent": 0, "received": 0, "waiting": 0}
        nodes = [{**node, "name": f"node-{i:03}"} for i in range(64)]
        nodes[17].update(state="down", silent=9, shown=False)
        nodes[40].update(state="suspect", silent=2)
        nodes[7].update(silent_channels=["from the gossip port of node-007", "to the control port of node-007"])
        change = {"kind": "joined", "at": now, "last": now, "text": "", "reason": "", "members": 10, "more": True,
                  "groups": [["orders", f"feature-{i}"] for i in range(3)]}
        changes = [{**change, "id": i + 1, "node": f"node-{i % 64:03}"} for i in range(1024)]
        state = {"self": "node-000", "scope": "default", "security": "curve", "version": "0", "now": now, "ready": True,
                 "nodes": nodes, "totals": {"notifications": 0}, "changes": changes}
        moved = [{**each, "sent": 5, "received": 7} for each in nodes]
        deltas = "".join(f"event: delta\ndata: {json.dumps({'now': now + i, 'ready': True, 'nodes': moved})}\n\n"
                         for i in range(40))
        stream = f"event: state\ndata: {json.dumps(state)}\n\n{deltas}"
        for width, scheme in ((1280, "light"), (390, "dark")):
            tab = self.look(a, stream=stream, width=width, scheme=scheme)
            tab.wait("document.querySelectorAll('#nodes tr').length === 64")
            tab.wait_text("#verdict", "2 of 64 nodes are down or suspected: node-017, node-040")
            self.assertEqual(tab.get("document.querySelector('#nodes bdi').textContent"), "node-040")
            tab.wait_text("#nodes", "alive; nothing arrives from the gossip port of node-007; nor to the control")
            self.assertLessEqual(tab.get("document.querySelectorAll('#changes li').length"), 120)
            self.assertLessEqual(tab.get("document.querySelectorAll('#picture .dot').length"), 60)
            self.assertLessEqual(tab.get("document.documentElement.scrollWidth"), width)
            inside = ("[...document.querySelectorAll('#picture .node')].every(e => {"
                      " const b = e.getBoundingClientRect();"
                      " const p = document.querySelector('#picture').getBoundingClientRect();"
                      " return b.left >= p.left - 1 && b.right <= p.right + 1 && b.top >= p.top - 1"
                      " && b.bottom <= p.bottom + 1; })")
            self.assertTrue(tab.get(inside))
            tab.shot(f"64-nodes-{width}")


if __name__ == "__main__":
    unittest.main(verbosity=2)
