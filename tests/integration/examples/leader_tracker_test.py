#!/usr/bin/env python3
"""Three processes of a store at three nodes: the leader alone emits, and when it is killed the next one goes on."""

import json
import re
import signal
import subprocess
import unittest

from support import Case, header

EVENT = re.compile(r"^created orders/s1 (\{.*\}) from ")


class LeaderTracker(Case):
    def setUp(self):
        super().setUp()
        self.verbs = {words[2]: words for words in header("leader_tracker") if words[:2] == ["muster", "notify"]}
        self.join = next(words for words in header("leader_tracker") if words[:2] == ["muster", "join"])

    def tracker(self, name, first, second):
        return self.example(
            "leader_tracker",
            places={"t1": name, "127.0.0.1:7100": first.address, "127.0.0.1:7200": second.address},
        )

    def notify(self, verb, subscription=None, version=None):
        """As in the example's comment, or of another subscription or version."""
        program, *arguments, data = self.verbs[verb]
        data = json.loads(data)
        data["id"] = subscription or data["id"]
        data["version"] = version or data["version"]
        self.muster(self.c, *arguments, json.dumps(data))

    def events(self, listener, since=0):
        return [json.loads(EVENT.match(line)[1]) for line in listener.lines[since:] if EVENT.match(line)]

    def emitted(self, listener, since=0, **wanted):
        """Waits for an event of which all this is true."""
        self.until(
            lambda: any(wanted.items() <= event.items() for event in self.events(listener, since)),
            f"an event with {wanted}",
        )

    def test_story(self):
        t1 = self.tracker("t1", self.a, self.b)
        t1.wait("^leads$")
        t2, t3 = self.tracker("t2", self.b, self.c), self.tracker("t3", self.c, self.a)
        self.until(lambda: len(self.a.members(("orders", "subscriptions"))) == 3, "all three are members")
        listener = self.start(["muster", "--node", self.b.address, *self.join[1:]], {})

        self.notify("created")
        t1.wait("^starts s1 invoices$")
        self.emitted(listener, by="t1", stream="invoices")
        self.notify("created", subscription="s0")
        t1.wait("^starts s0 invoices$")
        self.notify("updated")
        t1.wait("^changes s1 payments$")
        self.emitted(listener, by="t1", stream="payments")
        self.notify("deleted", subscription="s0")
        t1.wait("^stops s0")

        killed = listener.mark()
        t1.signal(signal.SIGKILL)
        t2.wait("^leads$")
        t2.wait("^starts s1 payments$")
        self.emitted(listener, killed, by="t2", stream="payments")
        self.assertEqual({event["by"] for event in self.events(listener)}, {"t1", "t2"})
        self.assertNotIn("starts s0 invoices", t2.lines)

        # Back again, with nothing in its memory, and first in the order: it is told, and leads.
        t1 = self.tracker("t1", self.a, self.b)
        t1.wait("^starts s1 payments$")
        t2.wait("^stops s1 payments$")
        self.notify("created", subscription="s0")  # late news, of what has been deleted since
        self.notify("created", subscription="s2")
        t1.wait("^starts s2 invoices$")
        self.assertNotIn("starts s0 invoices", t1.lines)
        self.emitted(listener, listener.mark(), by="t1", stream="payments")
        self.assertEqual([line for line in t3.lines if line == "leads"], [])

        # The leader's host dies altogether.
        since = t2.mark()
        lost = listener.mark()
        self.a.kill()
        t1.signal(signal.SIGKILL)
        t2.wait("^starts s2 invoices$", since)
        self.emitted(listener, lost, by="t2", stream="payments")

    def test_a_leader_that_loses_its_node_does_not_lead(self):
        t1 = self.tracker("t1", self.a, self.b)
        t1.wait("^leads$")
        t2 = self.tracker("t2", self.b, self.c)
        self.until(lambda: len(self.b.members(("orders", "subscriptions"))) == 2, "both are members")
        self.notify("created")
        t1.wait("^starts s1 invoices$")
        self.a.kill()
        t1.wait("^follows$")
        t1.wait("^stops s1 invoices$")
        t2.wait("^starts s1 invoices$")
        # At another node it is a member again, behind the one that was there before.
        self.until(lambda: len(self.b.members(("orders", "subscriptions"))) == 2, "both are members again")
        self.notify("updated")
        t2.wait("^changes s1 payments$")
        self.assertNotIn("changes s1 payments", t1.lines)

    def test_nonsense_harms_nobody(self):
        t1 = self.tracker("t1", self.a, self.b)
        t1.wait("^leads$")
        for data in ("7", '{"id": 7}', "[]", '{"id": "s9", "version": "new"}', '{"id": "s9", "version": 1}'):
            since = t1.mark()
            self.muster(self.a, "notify", "created", "orders", "subscriptions", data)
            t1.wait("^not a subscription: ", since)
        self.notify("created")
        t1.wait("^starts s1 invoices$")
        self.assertNotIn("s9", "".join(t1.lines).replace("not a subscription", ""))

    def test_usage(self):
        program = self.example("leader_tracker", places={}).process.args[0]
        done = subprocess.run([program], capture_output=True, text=True, timeout=60)
        self.assertEqual((done.returncode, done.stderr), (2, "usage: leader_tracker STORE NAME NODE...\n"))


if __name__ == "__main__":
    unittest.main()
