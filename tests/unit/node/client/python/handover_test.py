#!/usr/bin/env python3
"""A new session at a node that hands over: what was missed is asked for, and notifies are sent again."""

import unittest

from support import A, B, DELIVERIES, ERROR, GAP, GOODBYE, GROUP, HELLO, JOIN, JOINED, LEAVE, LEFT, LIFE
from support import NODE_HEARTBEAT, NODES_REPLY, NOTIFIED, NOTIFY, OWN_LIFE, REJOIN, WATCH, DONE
from support import Driver, frame, notification, welcome

from muster import Group, calls, kept, limits, restores
from muster.messages import NotifyRequest
from muster.options import Options
from muster.roster import Join
from muster.session import State

OTHER = ("orders", "streams")
REPORT = [1, 1, False, 0, []]


class Case(unittest.TestCase):
    HANDOVER = 30_000

    def setUp(self):
        self.seen = []
        self.driver = Driver([A, B]).attach(handover=self.HANDOVER)
        self.driver.wait(1, alive=True)
        self.driver.sent.clear()

    def handler(self, notification):
        self.seen.append(notification.data)

    def tell(self, first, *told):
        self.driver.hear(self.frame(DELIVERIES, list(told), seq=first))

    def frame(self, *fields, **how):
        """From the node of the session."""
        node = self.driver.session.node.id
        return frame(*fields, node=node.name, life=node.incarnation, **how)

    def new_session(self, node="b", handover=30_000, token=8):
        """The node is lost, and the next one does not know the session."""
        self.driver.wait(0.11, alive=True)
        self.driver.session.unsendable(self.driver.now)
        self.driver.act()
        if node != self.driver.session.node.id.name:
            self.driver.refuse_connection()
        self.driver.hear(welcome(token=token, node=node, handover=handover))

    def sent(self, kind):
        return [each for each in self.driver.sent if each.kind == kind]

    def answer_joins(self, first=100):
        for request in self.sent(REJOIN):
            self.driver.sent.remove(request)
            runs = []
            for count, _, _ in request.fields[2]:
                runs.append([first, count])
                first += count
            self.driver.hear(self.frame(JOINED, runs, 0, seq=request.seq))

    def notify(self, value, wait=False, timeout=5.0):
        return self.driver.ask(calls.NotifyCall(1, GROUP, value, wait, timeout))

    def notifies(self):
        """What was sent: (value, wait, call, repeated)."""
        return [
            (calls.wire.data_value(each.fields[2]), each.fields[3], *each.fields[5:7]) for each in self.sent(NOTIFY)
        ]

    def report(self, *numbers, settled=0):
        self.driver.hear(*(self.frame(NOTIFIED, REPORT, settled, seq=number) for number in numbers))

    def code(self, call):
        return call.future.exception(0).code.name


class Rejoining(Case):
    def test_one_request_for_each_group_has_the_positions_and_all_joins(self):
        self.driver.joined(self.handler, count=2)
        self.driver.wait(0.5, alive=True)
        self.driver.joined(self.handler, first=3, group=OTHER)
        self.driver.joined(self.handler, first=4)
        b, c = ("b", 5), ("c", 6)
        self.tell(1, notification(1, group_seq=1), notification(2, group_seq=2), notification(3, of=c, group_seq=9))
        self.driver.wait(0.5, alive=True)
        self.driver.sent.clear()
        self.new_session()
        requests = self.sent(REJOIN)
        self.assertEqual([(each.seq, each.fields[0]) for each in requests], [(1, list(GROUP)), (2, list(OTHER))])
        self.assertEqual(self.driver.kinds().count(JOIN), 0)
        fields = requests[0].fields
        self.assertEqual(fields[1], [[list(b), 2], [list(c), 9]])
        self.assertEqual([(count, meta) for count, meta, _ in fields[2]], [(2, {}), (1, {})])
        self.assertEqual(len(fields), 5)
        ages = [age for _, _, age in fields[2]]
        self.assertTrue(1000 <= ages[0] <= 1200 and 500 <= ages[1] <= 700, ages)
        self.assertEqual(fields[3], ["a", LIFE])
        self.assertLess(fields[4], 200)
        self.assertEqual(requests[1].fields[1], [])

    def test_away_ms_counts_from_the_last_sign_of_the_lost_node(self):
        self.driver.joined()
        self.driver.wait(3.0)  # silent for the ttl of 2 s, and then for the grace of 1 s
        self.driver.wait(1.0)
        self.driver.hear(welcome(token=8, node="b", handover=30_000))
        self.assertAlmostEqual(self.sent(REJOIN)[0].fields[4], 4000, delta=150)

    def test_the_answer_has_one_run_for_each_join(self):
        joined = self.driver.joined(count=2).members + self.driver.joined(first=3).members
        self.new_session()
        seq = self.sent(REJOIN)[0].seq
        for runs in ([[1, 3]], [[1, 1], [2, 2]], [[1, 2]], [[1, 2], [2, 1]]):
            self.driver.hear(self.frame(JOINED, runs, 0, seq=seq))
        self.assertEqual(self.driver.session.counters["malformed"], 4)
        self.driver.hear(self.frame(JOINED, [[7, 2], [5, 1]], 0, seq=seq))
        self.driver.ask(calls.LeaveCall(GROUP, [joined[2], joined[0]], 5.0))
        self.assertEqual(self.driver.take(LEAVE).fields[1], [5, 7])

    def test_other_requests_wait_until_the_joins_are_answered(self):
        self.driver.joined()
        nodes = self.driver.ask(calls.NodesCall(5.0))
        self.new_session()
        self.assertEqual(self.driver.kinds().count(54), 0)
        self.answer_joins()
        self.driver.hear(self.frame(NODES_REPLY, [], seq=self.driver.take(54).seq))
        self.assertEqual(nodes.future.result(0), [])

    def test_what_comes_before_the_answer_waits_for_it(self):
        self.driver.joined(self.handler)
        self.new_session()
        self.tell(1, notification("a", [100], group_seq=1), notification("b", [100], group_seq=2))
        self.driver.handle()
        self.assertEqual(self.seen, [])
        self.answer_joins()
        self.driver.handle()
        self.assertEqual(self.seen, ["a", "b"])

    def test_what_waits_for_the_answer_is_asked_for_again_if_that_session_is_lost_too(self):
        self.driver.joined(self.handler)
        self.tell(1, notification("a", group_seq=1))
        self.new_session()
        self.tell(1, notification("b", [100], group_seq=2))
        self.new_session(node="a", token=9)
        self.assertEqual(self.sent(REJOIN)[0].fields[1], [[["b", 5], 1]])
        self.answer_joins()
        self.tell(1, notification("b", [100], group_seq=2))
        self.driver.handle()
        self.assertEqual(self.seen, ["a", "b"])

    def test_what_was_accepted_in_the_old_session_is_handled_and_not_asked_for(self):
        self.driver.joined(self.handler)
        self.tell(1, notification("a", group_seq=1), notification("b", group_seq=2))
        self.new_session()
        self.assertEqual(self.sent(REJOIN)[0].fields[1], [[["b", 5], 2]])
        self.answer_joins()
        self.tell(1, notification("c", [100], group_seq=3))
        self.driver.handle()
        self.assertEqual(self.seen, ["a", "b", "c"])

    def test_what_the_inbox_had_no_room_for_is_asked_for(self):
        self.driver = Driver([A, B], inbox=1).attach(handover=30_000)
        self.driver.handle()
        self.driver.joined(self.handler)
        self.tell(1, notification("a", group_seq=1), notification("b", group_seq=2))
        self.new_session()
        self.assertEqual(self.sent(REJOIN)[0].fields[1], [[["b", 5], 1]])

    def test_members_that_left_meanwhile_are_not_joined_and_a_group_without_members_not_at_all(self):
        self.driver.joined(count=2)
        self.driver.joined(first=3, group=OTHER)
        self.driver.session.unsendable(self.driver.now)
        self.driver.act()
        for group in (GROUP, OTHER):
            self.driver.ask(calls.LeaveCall(group, 1, 5.0))
        self.driver.refuse_connection()
        self.driver.hear(welcome(token=8, node="b", handover=30_000))
        self.assertEqual([(each.fields[0], each.fields[2][0][0]) for each in self.sent(REJOIN)], [(list(GROUP), 1)])

    def test_a_join_that_is_undone_while_it_is_restored_leaves(self):
        call = self.driver.ask(calls.JoinCall(GROUP, None, 2, None, False, 5.0))
        self.driver.hear(self.frame(JOINED, [[1, 2]], 0, seq=self.driver.take(JOIN).seq))
        self.new_session()
        self.driver.session.abandon(self.driver.now, call)
        self.answer_joins()
        self.assertEqual([each.fields[1] for each in self.sent(LEAVE)], [[100, 101]])

    def test_a_join_in_flight_is_sent_again_as_one(self):
        self.driver.joined()
        call = self.driver.ask(calls.JoinCall(GROUP, None, 2, None, False, 5.0))
        self.new_session()
        self.assertEqual([len(each.fields[2]) for each in self.sent(REJOIN)], [1])
        self.answer_joins()
        request = self.driver.take(JOIN)
        self.driver.hear(self.frame(JOINED, [[7, 2]], 0, seq=request.seq))
        self.assertEqual(len(call.future.result(0).members), 2)

    def test_the_age_of_a_join_counts_from_its_first_request(self):
        call = self.driver.ask(calls.JoinCall(GROUP, None, 1, None, True, 60.0))
        self.driver.wait(2, alive=True)
        self.new_session()
        self.driver.hear(self.frame(JOINED, [[1, 1]], 0, seq=self.driver.take(JOIN).seq))
        self.assertTrue(call.future.done())
        self.new_session(node="a", token=9)
        self.assertAlmostEqual(self.sent(REJOIN)[0].fields[2][0][2], 2200, delta=100)

    def test_many_members_and_much_metadata_take_several_requests(self):
        most = limits.MEMBERS_A_CALL
        for first, count in ((1, most - 1), (most, 1), (most + 1, 2)):
            self.driver.joined(count=count, first=first)
        self.tell(1, notification(1, group_seq=4))
        self.new_session()
        requests = self.sent(REJOIN)
        self.assertEqual([[count for count, _, _ in each.fields[2]] for each in requests], [[most - 1, 1], [2]])
        self.assertEqual([each.fields[1] for each in requests], [[[["b", 5], 4]]] * 2)

    def test_as_many_joins_as_may_be_in_one_request_have_room_in_one(self):
        meta = {"": ""}
        joins = [Join(Group(*GROUP), meta, None) for _ in range(10_000)]
        for i, join in enumerate(joins):
            self.driver.session._parts.roster.add(join, self.driver.session.node.id, [1000 + i])
            join.asked_at = 0.0
        self.new_session()
        self.assertEqual([len(each.fields[2]) for each in self.sent(REJOIN)], [10_000])
        self.assertLessEqual(limits.MEMBERS_A_CALL * restores.JOIN_BYTES, restores.REJOIN_BYTES, "without metadata")

    def test_no_request_is_longer_than_a_frame(self):
        meta = {f"{i:03}" + "ü" * 126: "ü" * 127 for i in range(16)}
        for first in range(1, 201):
            call = self.driver.ask(calls.JoinCall(GROUP, None, 1, meta, False, 5.0))
            self.driver.hear(self.frame(JOINED, [[first, 1]], 0, seq=self.driver.take(JOIN).seq))
            self.assertTrue(call.future.done())
        self.new_session()
        requests = self.sent(REJOIN)
        self.assertEqual(sum(len(each.fields[2]) for each in requests), 200)
        self.assertLess(len(requests), 5)

    def test_a_node_that_does_not_take_the_members_is_left(self):
        self.driver.joined()
        self.new_session()
        self.driver.hear(self.frame(ERROR, 4, "no room", seq=self.driver.take(REJOIN).seq))
        self.assertIn(GOODBYE, self.driver.kinds())
        self.assertEqual(self.driver.session.state, State.pausing)

    def test_watches_are_restored_with_the_joins(self):
        self.driver.joined()
        self.driver.ask(calls.WatchCall(GROUP, lambda event: None, 5.0))
        self.driver.hear(self.frame(DONE, seq=self.driver.take(WATCH).seq))
        self.new_session()
        self.assertEqual(self.driver.kinds()[-2:], [REJOIN, WATCH])

    def test_a_gap_that_waits_behind_a_join_is_told(self):
        self.driver = Driver([A, B], on_gap=self.seen.append).attach(handover=30_000)
        self.driver.joined()
        self.new_session()
        self.tell(1, notification("a", [100], group_seq=1))
        self.driver.hear(self.frame(GAP, 0, 1, seq=2))
        self.new_session(node="a", token=9)
        self.driver.handle()
        self.assertEqual([(int(gap), gap.at_least) for gap in self.seen], [(0, True)])


class AtOtherNodes(Case):
    def test_a_node_without_handover_gets_joins(self):
        self.driver.joined(count=2)
        self.new_session(handover=0)
        self.assertEqual((len(self.sent(REJOIN)), self.driver.take(JOIN).fields[1]), (0, 2))

    def test_a_resumed_session_joins_nothing(self):
        self.driver.joined()
        self.driver.session.unsendable(self.driver.now)
        self.driver.act()
        self.driver.hear(welcome(resumed=True, handover=30_000))
        self.assertEqual(self.driver.kinds(), [HELLO])

    def test_a_group_whose_notifications_had_no_number_is_joined_as_a_new_one(self):
        self.driver.joined(self.handler)
        self.driver.joined(self.handler, first=2, group=OTHER)
        self.tell(1, notification("a"), notification("b", [2], group=OTHER, group_seq=1))
        self.new_session()
        self.assertEqual([each.fields[0] for each in self.sent(REJOIN)], [list(OTHER)])
        self.assertEqual(self.driver.take(JOIN).fields[0], list(GROUP))

    def test_and_its_age_counts_from_then_on(self):
        self.driver.joined(self.handler)
        self.tell(1, notification("a"))
        self.driver.wait(5, alive=True)
        self.new_session()
        self.driver.hear(self.frame(JOINED, [[1, 1]], 0, seq=self.driver.take(JOIN).seq))
        self.driver.wait(1, alive=True)
        self.new_session(node="a", token=9)
        self.assertAlmostEqual(self.sent(REJOIN)[0].fields[2][0][2], 1000, delta=150)


class Calls(Case):
    def test_the_hello_has_the_life_and_each_notify_its_number(self):
        self.assertEqual(Driver([A]).start().take(HELLO).fields, [0, 0, OWN_LIFE])
        for value in "abc":
            self.notify(value)
        self.assertEqual(self.notifies(), [("a", False, 1, 0), ("b", False, 2, 0), ("c", False, 3, 0)])

    def test_each_worker_has_a_life_of_its_own(self):
        options = Options([A], "w1", "default", 9, None, None, None, None, 5.0, False, False)
        lives = {options.session(coroutines=False)[0].identity.life for _ in range(100)}
        self.assertEqual(len(lives), 100)
        self.assertTrue(all(0 < life < 1 << 63 for life in lives))

    def test_unanswered_ones_are_sent_again_with_the_time_that_is_left(self):
        call = self.notify("a", wait=True)
        self.driver.wait(2, alive=True)
        self.new_session()
        self.assertEqual(self.notifies(), [("a", True, 1, 1)])
        request = self.sent(NOTIFY)[0]
        self.assertAlmostEqual(request.fields[4], 2700, delta=50)
        self.report(request.seq)
        self.assertEqual(call.future.result(0).matched, 1)

    def test_answered_ones_are_sent_again_until_they_are_settled_in_order_and_before_others(self):
        self.driver.joined()
        asked = [self.notify(value, wait=value in "bd") for value in "abcd"]
        first = self.sent(NOTIFY)[0].seq
        self.report(first, settled=1)
        self.report(first + 2, first + 3, settled=1)
        self.driver.session.unsendable(self.driver.now)
        self.driver.act()
        later = self.notify("e")
        self.driver.refuse_connection()
        self.driver.hear(welcome(token=8, node="b", handover=30_000))
        self.assertEqual(self.notifies(), [], "the joins come first")
        self.answer_joins()
        self.assertEqual(
            self.notifies(), [("b", True, 2, 1), ("c", False, 3, 1), ("d", False, 4, 1), ("e", False, 5, 0)]
        )
        self.report(*(each.seq for each in self.sent(NOTIFY)))
        self.assertTrue(all(call.future.result(0) for call in [*asked, later]))

    def test_a_heartbeat_settles_too(self):
        for value in "abc":
            self.notify(value)
        self.report(1, 2, 3)
        self.driver.hear(self.frame(NODE_HEARTBEAT, 2))
        self.new_session()
        self.assertEqual(self.notifies(), [("c", False, 3, 1)])

    def test_a_reply_may_settle_its_own_call(self):
        self.notify("a")
        self.report(1, settled=1)
        self.new_session()
        self.assertEqual(self.notifies(), [])

    def test_the_reply_to_what_nobody_waits_for_means_nothing(self):
        self.notify("a")
        self.report(1)
        for node, token in (("b", 8), ("a", 9)):
            self.new_session(node=node, token=token)
            self.assertEqual(self.notifies(), [("a", False, 1, 1)])
            self.driver.hear(self.frame(ERROR, 4, "slow down", seq=1))
        self.driver.hear(self.frame(NODE_HEARTBEAT, 1))
        self.new_session(token=10)
        self.assertEqual(self.notifies(), [])

    def test_one_that_is_settled_before_it_was_sent_again_is_not(self):
        self.driver.joined()
        self.notify("a")
        self.report(self.sent(NOTIFY)[0].seq)
        self.new_session()
        self.driver.hear(self.frame(NODE_HEARTBEAT, 1))
        self.answer_joins()
        self.assertEqual(self.notifies(), [])

    def test_one_that_timed_out_is_sent_again_because_it_may_be_carried_out_in_part(self):
        call = self.notify("a", timeout=0.5)
        self.driver.wait(0.6, alive=True)
        self.assertEqual(self.code(call), "timeout")
        self.new_session()
        self.assertEqual(self.notifies(), [("a", False, 1, 1)])

    def test_one_that_times_out_between_sessions_may_be_carried_out(self):
        call = self.notify("a", timeout=1.0)
        self.driver.session.unsendable(self.driver.now)
        self.driver.act()
        self.driver.refuse_connection()
        self.driver.wait(1.1)
        self.assertEqual(self.code(call), "timeout")
        self.driver.hear(welcome(token=8, node="b", handover=30_000))
        self.assertEqual(self.notifies(), [("a", False, 1, 1)])

    def test_one_that_was_refused_is_not_sent_again(self):
        refused, executed = self.notify("a"), self.notify("b")
        self.driver.hear(self.frame(ERROR, 4, "slow down", seq=1), self.frame(ERROR, 7, "executed", seq=2))
        self.assertEqual([self.code(call) for call in (refused, executed)], ["overloaded", "refused"])
        self.new_session()
        self.assertEqual(self.notifies(), [("b", False, 2, 1)])

    def test_after_the_window_those_for_which_nobody_waits_are_given_up(self):
        self.notify("a")
        self.report(1)
        self.driver.wait(20, alive=True)
        self.notify("b")
        waiting = self.notify("c", wait=True, timeout=60.0)
        self.report(2)
        self.driver.wait(15, alive=True)
        self.new_session()
        self.assertEqual(self.notifies(), [("b", False, 2, 1), ("c", True, 3, 1)])
        self.assertFalse(waiting.future.done())

    def test_sessions_that_end_early_change_no_order(self):
        self.driver.joined()
        asked = [self.notify(value) for value in "abc"]
        self.report(self.sent(NOTIFY)[1].seq)
        for node, token in (("b", 8), ("a", 9), ("b", 10)):
            self.new_session(node=node, token=token)  # lost before the joins were answered
        self.answer_joins()
        self.assertEqual(self.notifies(), [("a", False, 1, 1), ("b", False, 2, 1), ("c", False, 3, 1)])
        self.report(*(each.seq for each in self.sent(NOTIFY)))
        self.assertTrue(all(call.future.result(0) for call in asked))

    def test_a_join_in_flight_goes_before_them(self):
        self.driver.ask(calls.JoinCall(GROUP, None, 1, None, False, 5.0))
        self.notify("a")
        self.new_session()
        self.assertEqual([each for each in self.driver.kinds() if each in (JOIN, NOTIFY)], [JOIN, NOTIFY])

    def test_a_resumed_session_sends_the_same_again(self):
        self.notify("a")
        self.new_session()
        self.driver.session.unsendable(self.driver.now)
        self.driver.act()
        self.driver.hear(welcome(token=8, node="b", resumed=True, handover=30_000))
        self.assertEqual(self.notifies(), [("a", False, 1, 1)])


class CallsWithoutHandover(Case):
    def test_at_a_node_without_it_the_caller_is_told(self):
        call = self.notify("a")
        answered = self.notify("b")
        self.report(2)
        self.new_session(handover=0)
        self.assertEqual((self.code(call), answered.future.result(0).matched), ("unknown_session", 1))
        self.new_session(node="a", token=9)
        self.assertEqual(self.notifies(), [])

    def test_one_that_was_sent_to_a_node_without_it_could_be_doubled(self):
        self.driver = Driver([A, B]).attach()
        self.driver.wait(1, alive=True)
        call, answered = self.notify("a"), self.notify("b")
        self.report(2)
        self.new_session()
        self.assertEqual(self.code(call), "unknown_session")
        self.assertEqual((self.notifies(), answered.future.result(0).matched), ([], 1))


class Keeping(unittest.TestCase):
    def request(self, number, data=b"x"):
        return NotifyRequest(1, GROUP, data, True, 5000, number)

    def numbers(self, found):
        return [each.call for each in found.since(0.0)]

    def test_the_oldest_are_given_up(self):
        found = kept.Kept()
        for number in [2, 1, *range(3, kept.MOST_CALLS + 4)]:
            found.keep(self.request(number), 1.0)
        self.assertEqual(self.numbers(found), list(range(4, kept.MOST_CALLS + 4)))

    def test_bytes_are_bounded_too(self):
        found = kept.Kept()
        data = b"x" * (1 << 19)
        for number in range(1, 200):
            found.keep(self.request(number, data), 1.0)
        self.assertEqual(self.numbers(found), list(range(200 - (kept.MOST_BYTES >> 19), 200)))
        found.settle(198)
        self.assertEqual(self.numbers(found), [199])
        for number in range(200, 400):
            found.keep(self.request(number, data), 1.0)
        self.assertEqual(len(self.numbers(found)), kept.MOST_BYTES >> 19)

    def test_one_is_kept_once(self):
        found = kept.Kept()
        for _ in range(3):
            found.keep(self.request(1), 1.0)
        found.settle(1)
        self.assertEqual(self.numbers(found), [])


if __name__ == "__main__":
    unittest.main()
