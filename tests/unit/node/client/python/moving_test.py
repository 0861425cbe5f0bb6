#!/usr/bin/env python3
"""Going to another node because the present one asks for it."""

import time
import unittest

from fake_node import PATIENCE, FakeNode
from support import A, B, DELIVERIES, ERROR, GOODBYE, GROUP, HEARTBEAT, HELLO, JOINED, MOVE, NODE_HEARTBEAT, NODES_REPLY
from support import NOTIFIED, NOTIFY, REJOIN, REFUSE, Driver, frame, notification, welcome

import muster
from muster import calls
from muster.session import State

C = "127.0.0.1:7300"


class Case(unittest.TestCase):
    NODES = [A, B]

    def setUp(self):
        self.seen, self.told = [], []
        on_attachment = lambda attached, text: self.told.append((attached, text))  # noqa: E731
        self.driver = Driver(self.NODES, on_attachment=on_attachment).attach(handover=30_000)
        self.driver.wait(1, alive=True)
        self.driver.handle()
        self.driver.joined(lambda n: self.seen.append(n.data))
        self.driver.sent.clear()

    def move(self):
        self.driver.hear(frame(MOVE))

    def arrive(self, node="b", token=8):
        self.driver.hear(welcome(token=token, node=node, handover=30_000))

    def rejoined(self, first=100, node="b"):
        self.driver.hear(frame(JOINED, [[first, 1]], 0, seq=self.driver.take(REJOIN).seq, node=node))

    def said_aside(self, sent):
        return [(each.kind, each.token, each.fields) for each in sent if each.kind in (HEARTBEAT, GOODBYE)]


class Moving(Case):
    def test_it_goes_elsewhere_and_says_goodbye_when_its_members_are_there(self):
        self.move()
        self.assertEqual(self.driver.opened, [A, B])
        self.assertEqual(self.driver.take(HELLO).fields[:2], [0, 0])
        self.assertIsNotNone(self.driver.aside)
        self.arrive()
        self.assertIsNotNone(self.driver.aside, "the members are not there yet")
        self.rejoined()
        self.assertIsNone(self.driver.aside)
        self.assertEqual(self.said_aside(self.driver.left)[-1], (GOODBYE, 7, [1]))
        self.assertEqual({each.token for each in self.driver.left}, {7})
        self.driver.handle()
        self.assertEqual([attached for attached, _ in self.told], [True, False, True])
        self.assertIn("leaves a", self.told[1][1])
        self.driver.wait(6, alive=True)
        self.assertEqual((self.driver.session.state, self.driver.opened), (State.attached, [A, B]))
        self.assertEqual(self.driver.session.counters["moves"], 1)

    def test_the_request_to_join_names_the_node_that_it_left(self):
        self.move()
        self.driver.wait(0.9)
        self.driver.hear(welcome(token=8, node="b", handover=30_000))
        fields = self.driver.take(REJOIN).fields
        self.assertEqual(fields[3][0], "a")
        self.assertAlmostEqual(fields[4], 900, delta=100)

    def test_nothing_of_the_old_node_is_accepted(self):
        self.move()
        self.driver.hear(frame(DELIVERIES, [notification("a", group_seq=1)], seq=1), frame(NODE_HEARTBEAT))
        self.arrive()
        self.driver.hear(frame(DELIVERIES, [notification("a", group_seq=1)], seq=1))
        self.assertEqual(self.driver.take(REJOIN).fields[1], [])
        self.driver.handle()
        self.assertEqual(self.seen, [])

    def test_what_was_taken_before_is_handled_and_acknowledged_to_the_old_node(self):
        self.driver.hear(frame(DELIVERIES, [notification("a", group_seq=1), notification("b", group_seq=2)], seq=1))
        self.move()
        self.driver.handle(1)
        self.arrive()
        self.driver.handle()
        self.rejoined()
        self.assertEqual(self.seen, ["a", "b"])
        self.assertEqual(self.said_aside(self.driver.left)[-2:], [(HEARTBEAT, 7, [2]), (GOODBYE, 7, [1])])

    def test_its_old_session_stays_alive_meanwhile(self):
        self.move()
        self.driver.wait(2)
        beats = [each for each in self.driver.aside if each.kind == HEARTBEAT]
        self.assertGreaterEqual(len(beats), 7)

    def test_calls_wait_and_those_in_flight_are_repeated(self):
        sent = self.driver.ask(calls.NotifyCall(1, GROUP, 1, False, 5.0))
        self.move()
        waiting = self.driver.ask(calls.NotifyCall(1, GROUP, 2, False, 5.0))
        self.arrive()
        self.rejoined()
        requests = [each for each in self.driver.sent if each.kind == NOTIFY]
        self.assertEqual([each.fields[5:] for each in requests], [[1, 1], [2, 0]])
        self.driver.hear(*(frame(NOTIFIED, [1, 1, False, 0, []], seq=each.seq, node="b") for each in requests))
        self.assertTrue(sent.future.result(0) and waiting.future.result(0))

    def test_without_members_it_says_goodbye_at_once(self):
        self.driver = Driver([A, B]).attach()
        self.move()
        self.arrive()
        self.assertIsNone(self.driver.aside)
        self.assertEqual(self.driver.left[-1].kind, GOODBYE)

    def test_closing_says_goodbye_to_the_old_node_too(self):
        self.move()
        self.driver.session.close(self.driver.now)
        self.driver.act()
        self.assertEqual(self.driver.left[-1].kind, GOODBYE)
        self.assertFalse(self.driver.is_open)


class NoOtherNode(Case):
    def test_after_five_seconds_the_old_session_is_resumed(self):
        call = self.driver.ask(calls.NodesCall(10.0))
        self.move()
        self.driver.refuse_connection()
        self.driver.wait(4.8)
        self.assertEqual(set(self.driver.opened[1:]), {B})
        self.driver.wait(0.4)
        self.assertEqual(self.driver.opened[-1], A)
        self.assertEqual(self.driver.take(HELLO).token, 7)
        self.assertIsNone(self.driver.aside)
        self.assertNotIn(GOODBYE, [each.kind for each in self.driver.left])
        self.driver.hear(welcome(resumed=True, handover=30_000))
        self.driver.hear(frame(NODES_REPLY, [], seq=self.driver.take(54).seq))
        self.assertEqual(call.future.result(0), [])
        self.driver.hear(frame(DELIVERIES, [notification("a", group_seq=1)], seq=1))
        self.driver.handle()
        self.assertEqual(self.seen, ["a"])
        self.assertEqual([attached for attached, _ in self.told], [True, False, True])

    def test_a_worker_that_knows_no_other_stays(self):
        self.driver = Driver([A]).attach()
        self.move()
        self.assertEqual((self.driver.session.state, self.driver.opened), (State.attached, [A]))
        self.assertEqual(self.driver.session.counters["moves_ignored"], 1)

    def test_it_goes_to_nodes_that_it_has_learned(self):
        self.driver = Driver([A]).attach(others=["b@" + B])
        self.move()
        self.assertEqual(self.driver.opened, [A, B])


class Interrupted(Case):
    NODES = [A, B, C]

    def test_a_node_that_refuses_is_passed_over(self):
        self.move()
        self.driver.hear(frame(REFUSE, 4, "full", node="b"))
        self.assertEqual(self.driver.opened, [A, B, C])
        self.arrive(node="c")
        self.rejoined(node="c")
        self.assertEqual(self.driver.left[-1].kind, GOODBYE)

    def test_a_node_that_does_not_take_the_members_is_left_and_the_old_session_stays_until_one_does(self):
        self.move()
        self.arrive()
        self.driver.hear(frame(ERROR, 4, "full", seq=self.driver.take(REJOIN).seq, node="b"))
        self.assertIsNotNone(self.driver.aside)
        self.driver.wait(0.5)
        self.assertEqual(self.driver.opened[-1], C)
        self.arrive(node="c", token=9)
        self.rejoined(node="c")
        self.assertEqual(self.said_aside(self.driver.left)[-1], (GOODBYE, 7, [1]))

    def test_the_next_node_may_be_lost_and_resumed_before_the_move_has_ended(self):
        self.move()
        self.arrive()
        self.driver.wait(0.2, alive=True)
        self.driver.session.unsendable(self.driver.now)
        self.driver.act()
        self.assertEqual(self.driver.opened[-1], B)
        self.assertEqual(self.driver.take(HELLO).token, 8)
        self.driver.hear(welcome(token=8, node="b", resumed=True, handover=30_000))
        self.rejoined()
        self.assertIsNone(self.driver.aside)

    def test_the_next_node_may_ask_for_a_move_before_the_first_has_ended(self):
        self.move()
        self.arrive()
        self.driver.hear(frame(MOVE, node="b"))
        self.assertEqual(self.said_aside(self.driver.left)[-1], (GOODBYE, 7, [1]))
        self.assertIsNotNone(self.driver.aside)
        self.arrive(node="c", token=9)
        self.rejoined(node="c")
        self.assertEqual(self.said_aside(self.driver.left)[-1], (GOODBYE, 8, [1]))


class WithSockets(unittest.TestCase):
    def setUp(self):
        self.old, self.new = FakeNode(), FakeNode()
        for node in (self.old, self.new):
            self.addCleanup(node.close)

    def connect(self, *nodes):
        addresses = [node.address for node in nodes]
        worker = muster.Worker.connect(addresses, name="w1", in_order=True, timeout=PATIENCE)
        self.addCleanup(worker.close)
        return worker

    def test_the_old_node_hears_goodbye_over_its_own_connection_when_the_new_one_has_the_members(self):
        seen = []
        worker = self.connect(self.old, self.new)
        worker.join(GROUP, lambda n: seen.append(n.data))
        self.old.ask_to_move("w1")
        self.assertTrue(self.old.wait(lambda: self.old.goodbyes == ["w1"]))
        self.assertEqual((self.old.workers(), self.new.workers()), ([], ["w1"]))
        worker.notify_created(GROUP, "there")
        self.assertTrue(self.new.wait(lambda: self.new.acknowledged.get("w1") == 1))
        self.assertEqual(seen, ["there"])

    def test_a_worker_that_closes_while_it_moves_says_goodbye_and_ends(self):
        self.new.close()
        worker = self.connect(self.old, self.new)
        worker.join(GROUP)
        self.old.ask_to_move("w1")
        end = time.monotonic() + PATIENCE
        while not worker.counters.get("moves") and time.monotonic() < end:
            time.sleep(0.01)
        worker.close()
        self.assertTrue(self.old.wait(lambda: self.old.goodbyes == ["w1"]))


if __name__ == "__main__":
    unittest.main()
