#!/usr/bin/env python3
"""The soak's judge on made-up histories: what it must condemn, and what it must excuse."""

import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[3] / "scripts"))

from lab.faults import AFTERWARDS, HEALED, MIGHT_HURT, Fault, Timeline, link  # noqa: E402
from lab.judge import Batch, Facts, Judge  # noqa: E402
from lab.views import Leave, Lives, WatchView, differences, ids_in, owners_in  # noqa: E402

NODES = ["a", "b", "c"]
GROUP = ("s", "f")


def snapshot(*members):
    """A snapshot's line with members (id, worker) in one group."""
    members = [{"id": member, "worker": worker} for member, worker in members]
    return {"event": "snapshot", "groups": [{"store": "s", "feature": "f", "members": members}] if members else []}


def change(kind, *members, reason="left"):
    line = {"event": kind, "store": "s", "feature": "f", "members": list(members)}
    return {**line, "reason": reason} if kind == "leave" else line


class Case(unittest.TestCase):
    """Worker w1 has been at node a since time 1, w2 at node b; it is about time 100."""

    def setUp(self):
        self.timeline = Timeline(0.0)
        self.lives = Lives()
        self.facts = {}
        for worker, node in (("w1", "a"), ("w2", "b")):
            self.facts[worker] = Facts(worker, node, GROUP, 1, joined=1.0)
            self.lives.joined(1.0, f"{node}/1/1", GROUP, worker)
        self.judge = Judge(NODES, self.timeline, self.lives, self.facts)

    def fault(self, *touched, begin=100.0, end=105.0, harmless=0.0):
        return self.timeline.add(Fault("fault", touched, begin, end, harmless))


class Leaves(Case):
    def verdict(self, reason, at=101.0, observer="b", member="a/1/1"):
        found = self.judge.leave(Leave(at, observer, GROUP, member, reason))
        return found and found[1]

    def test_nobody_untouched_is_down(self):
        self.assertIn("no fault had touched", self.verdict("node_down"))
        self.assertIn("no fault had touched", self.verdict("worker_down"))
        for reason in ("node_left", "moved"):
            self.assertIn("the node was not stopped", self.verdict(reason))
        self.assertIn("the worker was not stopped", self.verdict("left"))

    def test_a_fault_of_the_node_or_of_the_observer_is_an_excuse(self):
        for touched in NODES:
            with self.subTest(touched):
                self.timeline.faults = []
                self.fault(touched)
                self.assertEqual(self.verdict("node_down") is None, touched in ("a", "b"))

    def test_a_watcher_whose_node_was_down_may_tell_what_another_node_believes(self):
        self.fault(link("a", "b"), link("a", "c"), begin=100.0, end=104.0)
        self.assertIsNotNone(self.verdict("node_down", at=103.0, observer="a"))
        self.fault("a", begin=10.0, end=12.0)
        self.assertIsNone(self.verdict("node_down", at=103.0, observer="a"))
        self.assertIsNotNone(self.verdict("node_down", at=99.0, observer="a"))

    def test_a_node_that_is_stopped_sends_its_workers_on(self):
        self.fault("b")
        self.assertIsNotNone(self.verdict("moved"))
        self.fault("a")
        self.assertIsNone(self.verdict("moved"))

    def test_a_fault_of_the_worker_is_none_for_its_node(self):
        self.fault("w1")
        self.assertIsNone(self.verdict("worker_down"))
        self.assertIsNotNone(self.verdict("node_down"))

    def test_a_fault_excuses_for_its_time_only(self):
        self.fault("a", end=105.0)
        self.assertIsNotNone(self.verdict("node_down", at=99.9))
        self.assertIsNone(self.verdict("node_down", at=105.0 + AFTERWARDS))
        self.assertIsNotNone(self.verdict("node_down", at=105.1 + AFTERWARDS))

    def test_a_fault_that_has_not_ended_excuses(self):
        self.fault("a", end=None)
        self.assertIsNone(self.verdict("node_down", at=1000.0))

    def test_who_was_cut_off_hears_late_of_what_an_older_fault_did(self):
        self.fault("a", begin=80.0, end=85.0)
        late = 85.0 + AFTERWARDS + 3.0
        self.assertIsNotNone(self.verdict("worker_down", at=late))
        self.fault(link("a", "c"), begin=84.0, end=late - 0.5)
        self.assertIsNotNone(self.verdict("worker_down", at=late))  # b was not cut off
        self.fault("b", begin=88.0, end=93.0)
        self.fault(link("a", "b"), begin=92.0, end=late - 0.5)
        self.assertIsNone(self.verdict("worker_down", at=late))
        self.assertIsNotNone(self.verdict("worker_down", at=late + HEALED))

    def test_a_short_cut_may_take_the_goodbye_and_a_short_pause_may_not(self):
        self.facts["w1"].host = "b"
        self.facts["w1"].told_to_leave = self.facts["w1"].ended = 100.2
        for touched, excused in ((link("a", "b"), True), ("a", False), ("w1", False), (link("b", "c"), False)):
            with self.subTest(touched):
                self.timeline.faults = []
                self.fault(touched, begin=100.0, end=100.5, harmless=MIGHT_HURT)
                self.assertEqual(self.verdict("worker_down", at=101.2) is None, excused)
        self.timeline.faults = []
        self.fault(link("a", "b"), begin=99.0, end=99.5, harmless=MIGHT_HURT)
        self.assertIsNotNone(self.verdict("worker_down", at=101.2))

    def test_short_pauses_and_cuts_excuse_nothing(self):
        self.fault("a", link("a", "b"), end=99.9 + MIGHT_HURT, harmless=MIGHT_HURT)
        self.assertIsNotNone(self.verdict("node_down"))
        self.assertIsNotNone(self.verdict("worker_down"))
        self.fault("a", end=100.1 + MIGHT_HURT, harmless=MIGHT_HURT)
        self.assertIsNone(self.verdict("node_down"))

    def test_load_excuses_nothing(self):
        self.fault()
        self.assertIsNotNone(self.verdict("node_down"))

    def test_the_drivers_own_lateness_is_allowed_for(self):
        self.fault("a", end=105.0)
        self.timeline.lateness = 3.0
        self.assertIsNone(self.verdict("node_down", at=108.0 + AFTERWARDS))

    def test_a_cut_link_is_no_excuse_while_another_node_could_speak_for_it(self):
        self.fault(link("a", "b"))
        self.assertIsNotNone(self.verdict("node_down"))
        self.fault(link("b", "c"))
        self.assertIsNone(self.verdict("node_down"))

    def test_a_cut_to_the_host_of_a_worker_that_went_elsewhere_excuses_its_session(self):
        self.lives.joined(50.0, "b/1/9", GROUP, "w1")
        self.assertIsNotNone(self.verdict("worker_down", member="b/1/9"))
        self.fault(link("a", "b"))
        self.assertIsNone(self.verdict("worker_down", member="b/1/9"))

    def test_whoever_was_told_to_leave_has_left(self):
        self.facts["w1"].told_to_leave = 100.0
        self.assertIsNone(self.verdict("left"))
        self.assertIsNotNone(self.verdict("left", at=99.0))

    def test_a_join_that_failed_takes_back_what_it_made(self):
        self.facts["w1"].joined = None
        self.assertIsNone(self.verdict("left"))

    def test_members_of_whom_nobody_knew_are_counted(self):
        self.assertIsNone(self.verdict("worker_down", member="a/1/77"))
        self.assertEqual(self.judge.tally.unknown, 1)


class Batches(Case):
    def verdict(self, prints, status=0, count=1, report=None, node="a"):
        batch = Batch(1, GROUP, count, node, 100.0, 101.0, status, report, report is not None)
        batch.prints = {worker: [(100.5, f"{node}/n", seq) for seq in seqs] for worker, seqs in prints.items()}
        return [text for _, text in self.judge.batch(batch)]

    def test_once_each_and_in_order_is_right(self):
        report = {"matched": 4, "nodes": 2, "delivered": 4, "missed": []}
        self.assertEqual(self.verdict({"w1": [1, 2], "w2": [1, 2]}, count=2, report=report), [])
        self.assertEqual(self.judge.tally.owed, 4)

    def test_twice_is_wrong(self):
        self.assertIn("2 times", self.verdict({"w1": [1, 1], "w2": [1]})[0])

    def test_a_worker_with_two_members_prints_twice(self):
        self.facts["w1"].count = 2
        self.lives.joined(1.0, "a/1/2", GROUP, "w1")
        self.assertEqual(self.verdict({"w1": [1, 1], "w2": [1]}), [])
        self.assertNotEqual(self.verdict({"w1": [1], "w2": [1]}), [])

    def test_a_member_of_a_new_session_may_get_it_again(self):
        self.lives.joined(100.2, "b/1/9", GROUP, "w1")
        self.assertEqual(self.verdict({"w1": [1, 1], "w2": [1]}), [])

    def test_a_new_session_of_another_worker_is_no_excuse(self):
        self.lives.joined(100.2, "b/1/9", GROUP, "w2")
        self.assertNotEqual(self.verdict({"w1": [1, 1], "w2": [1]}), [])

    def test_out_of_order_is_wrong(self):
        self.assertIn("2 of batch 1 after 3", self.verdict({"w1": [1, 3, 2], "w2": [1, 2, 3]}, count=3)[0])

    def test_a_node_that_starts_again_numbers_anew(self):
        self.fault("b")
        self.assertNotEqual(self.verdict({"w1": [1, 3, 2], "w2": [1, 2, 3]}, count=3), [])
        self.fault("a")
        self.assertEqual(self.verdict({"w1": [1, 3, 2], "w2": [1, 2, 3]}, count=3), [])

    def test_whoever_was_there_is_owed_it(self):
        self.assertIn("w2 on the host of b, with members at b, printed 0 of the 1", self.verdict({"w1": [1]})[0])

    def test_a_gap_that_was_told_is_no_loss_unsaid(self):
        self.facts["w2"].missed = 1
        self.assertEqual(self.verdict({"w1": [1]}), [])

    def test_faults_and_newcomers_are_not_owed_it(self):
        for touched in ("w2", "b", link("a", "b")):
            with self.subTest(touched):
                self.timeline.faults = []
                self.fault(touched, begin=99.0, end=101.0)
                self.assertEqual(self.verdict({"w1": [1]}), [])
        self.timeline.faults = []
        self.fault(link("b", "c"), begin=99.0, end=101.0)
        self.assertNotEqual(self.verdict({"w1": [1]}), [])
        self.facts["w2"].joined = 99.9
        self.assertEqual(self.verdict({"w1": [1]}), [])

    def test_short_cuts_lose_nothing(self):
        self.fault(link("a", "b"), begin=100.0, end=100.5, harmless=MIGHT_HURT)
        self.assertNotEqual(self.verdict({"w1": [1]}), [])

    def test_who_left_or_died_meanwhile_is_not_owed_it(self):
        self.facts["w2"].ended = 100.5
        self.assertEqual(self.verdict({"w1": [1]}), [])

    def test_a_worker_whose_session_ended_meanwhile_is_not_owed_it(self):
        self.lives.left(100.5, "b/1/1")
        self.assertEqual(self.verdict({"w1": [1]}), [])

    def test_what_was_reported_delivered_was_printed(self):
        report = {"matched": 2, "nodes": 2, "delivered": 2, "missed": []}
        self.fault("w2")
        self.assertIn("reported 2 delivered, but 1 were printed", self.verdict({"w1": [1]}, report=report)[0])

    def test_a_report_accounts_for_all_that_matched(self):
        report = {"matched": 3, "nodes": 2, "delivered": 2, "missed": []}
        self.assertIn("accounts for 2 of 3", self.verdict({"w1": [1], "w2": [1]}, report=report)[0])

    def test_a_report_calls_nobody_down_who_was_not_touched(self):
        report = {"matched": 2, "nodes": 2, "delivered": 1,
                  "missed": [{"node": "b", "members": 1, "reason": "node_down"}]}
        found = self.verdict({"w1": [1], "w2": [1]}, report=report)
        self.assertIn("missed 1 at b as node_down", found[0])
        self.fault("b")
        self.assertEqual(self.verdict({"w1": [1], "w2": [1]}, report=report), [])

    def test_notify_fails_only_at_nodes_that_were_touched(self):
        self.assertIn("ended with status 1", self.verdict({}, status=1)[0])
        self.fault("a")
        self.assertEqual(self.verdict({}, status=1), [])


class Views(unittest.TestCase):
    def setUp(self):
        self.lives = Lives()
        self.view = WatchView("a", self.lives)

    def take(self, *lines):
        for at, line in enumerate(lines):
            self.view.take(float(at), line)
        return [text for _, text in self.view.take_contradictions()]

    def test_a_snapshot_and_events_make_the_table(self):
        found = self.take(snapshot(("a/1/1", "w")), change("join", "b/1/1", "b/1/2"), change("leave", "b/1/1"))
        self.assertEqual(found, [])
        self.assertEqual(self.view.groups, {GROUP: {"a/1/1", "b/1/2"}})
        self.assertEqual([leave.member for leave in self.view.take_leaves()], ["b/1/1"])
        self.assertEqual(self.view.take_leaves(), [])

    def test_an_empty_group_does_not_exist(self):
        self.take(snapshot(("a/1/1", "w")), change("leave", "a/1/1"))
        self.assertEqual(self.view.groups, {})

    def test_a_later_snapshot_replaces_everything(self):
        self.assertEqual(self.take(snapshot(("a/1/1", "w")), snapshot(("b/1/1", "v"))), [])
        self.assertEqual(self.view.groups, {GROUP: {"b/1/1"}})
        self.assertEqual(self.view.take_leaves(), [])

    def test_what_a_later_snapshot_lacks_has_left(self):
        self.view.take(1.0, snapshot(("a/1/1", "w1")))
        self.view.take(5.0, snapshot())
        self.assertEqual(self.lives.steady_node("w1", 1, 2.0, 4.0), "a")
        self.assertIsNone(self.lives.steady_node("w1", 1, 2.0, 6.0))

    def test_contradictions(self):
        self.assertIn("present", self.take(snapshot(("a/1/1", "w")), change("join", "a/1/1"))[0])
        self.assertIn("absent", self.take(change("leave", "a/1/7"))[0])
        self.assertIn("none", self.take({"event": "unreadable", "text": "x"})[0])

    def test_an_event_before_any_snapshot(self):
        self.assertIn("before any snapshot", self.take(change("join", "a/1/1"))[0])

    def test_differences_from_the_truth(self):
        truth = {GROUP: {"w": 2, "v": 1}}
        table = owners_in(snapshot(("a/1/1", "w"), ("a/1/2", "w"), ("b/1/1", "v")))
        self.assertEqual(differences(truth, table), [])
        self.assertEqual(differences(truth, owners_in(snapshot(("a/1/1", "w"), ("b/1/1", "v")))),
                         ["s/f: w has 1 members, should have 2"])
        self.assertEqual(differences({}, owners_in(snapshot(("a/1/1", "w")))),
                         ["s/f: w has 1 members, should have 0"])
        self.assertEqual(ids_in(snapshot(("a/1/1", "w"))), {GROUP: {"a/1/1"}})

    def test_a_steady_node_has_all_members_of_the_worker(self):
        self.lives.joined(1.0, "a/1/1", GROUP, "w")
        self.assertIsNone(self.lives.steady_node("w", 2, 2.0, 9.0))
        self.lives.joined(1.0, "a/1/2", GROUP, "w")
        self.assertEqual(self.lives.steady_node("w", 2, 2.0, 9.0), "a")
        self.assertIsNone(self.lives.steady_node("w", 2, 0.5, 9.0))
        self.lives.left(9.0, "a/1/2")
        self.assertIsNone(self.lives.steady_node("w", 2, 2.0, 9.0))
        self.assertEqual(self.lives.steady_node("w", 2, 2.0, 8.0), "a")


if __name__ == "__main__":
    unittest.main()
