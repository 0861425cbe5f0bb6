#!/usr/bin/env python3
"""Calls: what becomes of each when the node answers, is late, says nonsense, or the session ends."""

import unittest
import weakref

from support import A, B, DONE, ERROR, GOODBYE, GROUP, GROUPS_REPLY, JOIN, JOINED, LEAVE, LEFT, MEMBERS, MEMBERS_REPLY
from support import NEWS, NODES_REPLY, NOTIFIED, NOTIFY, UNWATCH, WATCH, Driver, frame, member, welcome

from muster import Error, MemberId, NodeId, calls, limits
from muster.errors import ErrorCode
from muster.session import State

OTHER = ("orders", "streams")


def join(handler=None, count=1, group=GROUP, visible=False, timeout=5.0, meta=None):
    return calls.JoinCall(group, handler, count, meta, visible, timeout)


class Case(unittest.TestCase):
    def setUp(self):
        self.driver = Driver([A, B]).attach()
        self.driver.wait(1, alive=True)
        self.driver.sent.clear()

    def code(self, call):
        error = call.future.exception(0)
        self.assertIsInstance(error, Error)
        return error.code.name

    def new_session(self, token=8, node="a"):
        """The session is lost, and the worker welcomed to another."""
        self.driver.session.unsendable(self.driver.now)
        self.driver.act()
        if node != "a":
            self.driver.refuse_connection()
        self.driver.hear(welcome(token=token, node=node))


class Asking(Case):
    def test_requests_have_the_numbers_1_2_3(self):
        for seq in (1, 2, 3):
            self.driver.ask(calls.NodesCall(5.0))
            self.assertEqual((self.driver.sent[-1].seq, self.driver.sent[-1].token), (seq, 7))

    def test_replies_may_come_in_any_order_and_in_parts(self):
        members = self.driver.ask(calls.MembersCall(GROUP, False, 5.0))
        groups = self.driver.ask(calls.GroupsCall(5.0))
        self.driver.hear(
            frame(MEMBERS_REPLY, [member(1), member(2)], False, seq=1),
            frame(GROUPS_REPLY, [[list(GROUP), 3]], True, seq=2),
            frame(MEMBERS_REPLY, [member(3)], True, seq=1),
        )
        self.assertEqual([each.id.number for each in members.future.result(0)], [1, 2, 3])
        self.assertEqual(groups.future.result(0)[0].members, 3)

    def test_parts_begin_anew_when_the_request_is_repeated(self):
        call = self.driver.ask(calls.MembersCall(GROUP, True, 5.0))
        self.driver.hear(frame(MEMBERS_REPLY, [member(1)], False, seq=1))
        self.driver.session.unsendable(self.driver.now)
        self.driver.act()
        self.driver.hear(welcome(resumed=True))
        self.assertEqual(self.driver.take(MEMBERS).seq, 1)
        for last in (False, True):
            self.driver.hear(frame(MEMBERS_REPLY, [member(1 + last)], last, seq=1))
        self.assertEqual([each.id.number for each in call.future.result(0)], [1, 2])

    def test_replies_of_another_kind_or_number_are_ignored(self):
        call = self.driver.ask(calls.NodesCall(5.0))
        self.driver.hear(
            frame(DONE, seq=1), frame(NODES_REPLY, [], seq=2), frame(NOTIFIED, [1, 1, False, 0, []], seq=1)
        )
        self.assertFalse(call.future.done())
        self.driver.hear(frame(NODES_REPLY, [], seq=1), frame(NODES_REPLY, [], seq=1))
        self.assertEqual(call.future.result(0), [])
        self.assertEqual(self.driver.session.counters["unexpected_replies"], 4)

    def test_an_answer_without_an_end_is_refused(self):
        call = self.driver.ask(calls.MembersCall(GROUP, False, 5.0))
        before, limits.ANSWER_MEMBERS = limits.ANSWER_MEMBERS, 3
        try:
            for _ in range(4):
                self.driver.hear(frame(MEMBERS_REPLY, [member(1)], False, seq=1))
        finally:
            limits.ANSWER_MEMBERS = before
        self.assertEqual(self.driver.session.counters["malformed"], 1)
        self.assertFalse(call.future.done())

    def test_too_many_calls_wait_and_more_are_refused(self):
        before, limits.WAITING_CALLS = limits.WAITING_CALLS, 10
        try:
            asked = [self.driver.ask(calls.NodesCall(5.0)) for _ in range(limits.IN_FLIGHT + 11)]
        finally:
            limits.WAITING_CALLS = before
        self.assertEqual(len(self.driver.sent), limits.IN_FLIGHT)
        self.assertEqual(self.code(asked[-1]), "overloaded")
        self.driver.hear(frame(NODES_REPLY, [], seq=5))
        self.assertEqual(len(self.driver.sent), limits.IN_FLIGHT + 1)

    def test_a_call_that_ended_is_not_kept_until_its_deadline(self):
        """Which may be far away, and behind that of a call that is still unanswered."""
        self.driver.ask(calls.NodesCall(5.0))
        alive = []
        for number in range(2, 10_000):
            call = self.driver.ask(calls.NodesCall(3600.0))
            self.driver.hear(frame(NODES_REPLY, [], seq=number))
            self.assertTrue(call.future.done())
            alive.append(weakref.ref(call))
        del call
        self.driver.sent.clear()
        self.assertLess(sum(one() is not None for one in alive), 3000)

    def test_many_that_are_refused_are_not_searched_each(self):
        before, limits.WAITING_CALLS = limits.WAITING_CALLS, 10
        try:
            asked = [self.driver.ask(calls.NodesCall(5.0)) for _ in range(limits.IN_FLIGHT + 10)]
            self.assertEqual(self.code(self.driver.ask(calls.NodesCall(5.0))), "overloaded")
            asked[-1].future.cancel()
            self.assertEqual(self.code(self.driver.ask(calls.NodesCall(5.0))), "overloaded", "not searched again now")
            self.driver.wait(0.15)
            self.assertFalse(self.driver.ask(calls.NodesCall(5.0)).future.done(), "there is room")
        finally:
            limits.WAITING_CALLS = before

    def test_bytes_in_flight_are_bounded(self):
        for _ in range(200):
            self.driver.ask(calls.NotifyCall(1, GROUP, b"x" * 500_000, False, 5.0))
        self.assertEqual(len(self.driver.sent), 1 + limits.IN_FLIGHT_BYTES // 500_000)

    def test_a_call_ends_with_its_time(self):
        call = self.driver.ask(calls.NodesCall(1.5))
        self.driver.wait(1.4, alive=True)
        self.assertFalse(call.future.done())
        self.driver.wait(0.2, alive=True)
        self.assertEqual(self.code(call), "timeout")
        self.driver.hear(frame(NODES_REPLY, [], seq=1))  # too late

    def test_a_call_that_was_never_sent_is_not_sent_after_its_time(self):
        self.driver.session.unsendable(self.driver.now)
        self.driver.act()
        call = self.driver.ask(calls.NotifyCall(1, GROUP, 1, False, 0.2))
        self.driver.wait(0.3)
        self.assertEqual(self.code(call), "unreachable")
        self.driver.hear(welcome(resumed=True))
        self.assertNotIn(NOTIFY, self.driver.kinds())

    def test_bad_arguments_never_reach_the_node(self):
        bad = [
            lambda: join(group=("", "f")),
            lambda: join(group=("s", "f" * 256)),
            lambda: join(group="orders/subscriptions"),
            lambda: join(group=("s", "\ud800")),
            lambda: join(count=0),
            lambda: join(count=65_537),
            lambda: join(meta={str(i): "" for i in range(17)}),
            lambda: join(meta={"k": "v" * 256}),
            lambda: join(meta={"k": 1}),
            lambda: join(timeout=0),
            lambda: join(timeout=float("nan")),
            lambda: calls.NotifyCall(1, GROUP, object(), False, 5.0),
        ]
        for make in bad:
            with self.assertRaises(Error) as caught:
                make()
            self.assertEqual(caught.exception.code, ErrorCode.bad_request)


class Joining(Case):
    def test_what_is_sent_and_what_comes_of_it(self):
        call = self.driver.ask(join(count=3, meta={"zone": "eu"}, visible=True, timeout=2.0))
        self.assertEqual(self.driver.take(JOIN).fields[1:4], [3, {"zone": "eu"}, True])
        self.driver.hear(frame(JOINED, [[4, 2], [9, 1]], 1, seq=1))
        joined = call.future.result(0)
        self.assertEqual([each.number for each in joined.members], [4, 5, 9])
        self.assertEqual(str(joined.members[0]), f"a/{self.driver.session.node.id.incarnation}/4")
        self.assertEqual(joined.unseen, 1)

    def test_an_answer_with_other_members_than_asked_for_is_none(self):
        self.driver.joined(first=1)
        call = self.driver.ask(join(count=2))
        seq = self.driver.take(JOIN).seq
        for runs in ([], [[2, 1]], [[2, 3]], [[1, 2]], [[2, 1], [2, 1]]):
            self.driver.hear(frame(JOINED, runs, 0, seq=seq))
            self.assertFalse(call.future.done(), runs)
        self.assertEqual(self.driver.session.counters["malformed"], 5)

    def test_a_join_that_is_answered_too_late_is_undone(self):
        call = self.driver.ask(join(count=2, timeout=1.0))
        seq = self.driver.take(JOIN).seq
        self.driver.wait(1.1, alive=True)
        self.assertEqual(self.code(call), "timeout")
        self.driver.hear(frame(JOINED, [[1, 2]], 0, seq=seq))
        self.assertEqual(self.driver.take(LEAVE).fields[1], [1, 2])
        self.assertEqual(self.code(self.driver.ask(calls.LeaveCall(GROUP, 1, 5.0))), "not_joined")

    def test_a_join_that_was_cancelled_is_undone(self):
        call = self.driver.ask(join())
        call.future.cancel()
        self.driver.session.abandon(self.driver.now, call)
        self.driver.hear(frame(JOINED, [[1, 1]], 0, seq=1))
        self.assertEqual(self.driver.take(LEAVE).fields[1], [1])

    def test_a_join_whose_answer_crossed_with_its_cancellation_is_undone(self):
        call = self.driver.ask(join())
        self.driver.hear(frame(JOINED, [[1, 1]], 0, seq=1))
        self.driver.session.abandon(self.driver.now, call)
        self.driver.act()
        self.assertEqual(self.driver.take(LEAVE).fields[1], [1])

    def test_a_join_that_was_cancelled_before_it_was_sent_is_not_sent(self):
        self.driver.session.unsendable(self.driver.now)
        self.driver.act()
        call = self.driver.ask(join())
        self.driver.session.abandon(self.driver.now, call)
        self.driver.hear(welcome(resumed=True))
        self.assertNotIn(JOIN, self.driver.kinds())

    def test_a_join_that_was_given_up_is_not_repeated_in_a_new_session(self):
        self.driver.ask(join(timeout=0.5))
        self.driver.wait(0.6, alive=True)
        self.new_session()
        self.assertNotIn(JOIN, self.driver.kinds())

    def test_the_node_has_a_moment_less_than_the_caller_for_its_answer_to_come(self):
        for timeout, node in ((1.0, 900), (10.0, 9800)):
            call = self.driver.ask(join(visible=True, timeout=timeout))
            self.assertEqual(self.driver.take(JOIN).fields[4], node)
            self.driver.wait(timeout - 0.05, alive=True)
            self.assertFalse(call.future.done())
            self.driver.wait(0.1, alive=True)
            self.assertEqual(self.code(call), "timeout")


class Leaving(Case):
    def leave(self, what=1):
        call = self.driver.ask(calls.LeaveCall(GROUP, what, 5.0))
        if call.future.done():
            return call.future.result(0)
        request = self.driver.take(LEAVE)
        self.driver.hear(frame(LEFT, request.fields[1], seq=request.seq))
        return call.future.result(0)

    def test_the_latest_leave_first_and_fewer_when_there_are_fewer(self):
        joined = self.driver.joined(count=3).members + self.driver.joined(count=1, first=4).members
        self.assertEqual(self.leave(2), joined[2:])
        self.assertEqual(self.leave(9), joined[:2])
        with self.assertRaises(Error) as caught:
            self.leave()
        self.assertEqual(caught.exception.code, ErrorCode.not_joined)

    def test_named_ones_leave_and_others_are_passed_over(self):
        joined = self.driver.joined(count=3).members
        elsewhere = self.driver.joined(first=7, group=OTHER).members
        stranger = MemberId(NodeId("b", 1), 2)
        self.assertEqual(self.leave([joined[1], stranger, elsewhere[0], joined[1]]), [joined[1]])
        with self.assertRaises(Error):
            self.leave([joined[1], stranger])

    def test_members_that_are_leaving_are_not_picked_again(self):
        joined = self.driver.joined(count=2).members
        first = self.driver.ask(calls.LeaveCall(GROUP, 1, 5.0))
        second = self.driver.ask(calls.LeaveCall(GROUP, 5, 5.0))
        third = self.driver.ask(calls.LeaveCall(GROUP, 1, 5.0))
        self.assertEqual(self.code(third), "not_joined")
        self.assertEqual([each.fields[1] for each in self.driver.sent if each.kind == LEAVE], [[2], [1]])
        for request in [each for each in self.driver.sent if each.kind == LEAVE]:
            self.driver.hear(frame(LEFT, request.fields[1], seq=request.seq))
        self.assertEqual(first.future.result(0) + second.future.result(0), [joined[1], joined[0]])

    def test_a_leave_that_the_node_refuses_changes_nothing(self):
        joined = self.driver.joined(count=1).members
        call = self.driver.ask(calls.LeaveCall(GROUP, 1, 5.0))
        self.driver.hear(frame(ERROR, 4, "slow down", seq=self.driver.take(LEAVE).seq))
        self.assertEqual(self.code(call), "overloaded")
        self.assertEqual(self.leave(), joined)

    def test_a_leave_that_was_never_sent_changes_nothing(self):
        joined = self.driver.joined(count=1).members
        self.driver.session.unsendable(self.driver.now)
        self.driver.act()
        call = self.driver.ask(calls.LeaveCall(GROUP, 1, 0.2))
        self.driver.wait(0.3)
        self.assertEqual(self.code(call), "unreachable")
        self.driver.hear(welcome(resumed=True))
        self.assertEqual(self.leave(), joined)


class NewSession(Case):
    def test_members_are_joined_again_before_anything_else_is_asked(self):
        self.driver.joined(count=2)
        self.driver.joined(first=3, group=OTHER)
        nodes = self.driver.ask(calls.NodesCall(5.0))
        self.new_session(node="b")
        again = [each for each in self.driver.sent if each.kind == JOIN]
        self.assertEqual([(each.seq, each.fields[0], each.fields[1]) for each in again],
                         [(1, list(GROUP), 2), (2, list(OTHER), 1)])  # fmt: skip
        self.assertEqual(self.driver.kinds().count(54), 0)
        self.driver.hear(frame(JOINED, [[1, 2]], 0, seq=1, node="b"), frame(JOINED, [[3, 1]], 0, seq=2, node="b"))
        self.assertEqual(self.driver.take(54).seq, 3)
        self.driver.hear(frame(NODES_REPLY, [], seq=3, node="b"))
        self.assertEqual(nodes.future.result(0), [])

    def test_ids_given_earlier_still_name_members_and_so_do_those_of_now(self):
        joined = self.driver.joined(count=2).members
        self.new_session(node="b")
        self.driver.hear(frame(JOINED, [[8, 2]], 0, seq=self.driver.take(JOIN).seq, node="b"))
        now = [MemberId(self.driver.session.node.id, number) for number in (8, 9)]
        for what, number in ((joined[0], 8), (now[1], 9)):
            call = self.driver.ask(calls.LeaveCall(GROUP, [what], 5.0))
            request = self.driver.take(LEAVE)
            self.assertEqual(request.fields[1], [number])
            self.driver.hear(frame(LEFT, [number], seq=request.seq, node="b"))
            self.assertEqual(call.future.result(0), [joined[number - 8]])

    def test_those_that_left_are_not_joined_again(self):
        self.driver.joined(count=3)
        done = self.driver.ask(calls.LeaveCall(GROUP, 1, 5.0))
        self.driver.hear(frame(LEFT, [3], seq=self.driver.take(LEAVE).seq))
        sent = self.driver.ask(calls.LeaveCall(GROUP, 1, 5.0))
        self.new_session()
        self.assertEqual(self.driver.take(JOIN).fields[1], 1)
        self.assertEqual([len(call.future.result(0)) for call in (done, sent)], [1, 1])

    def test_a_leave_that_waited_for_a_session_is_done_by_the_end_of_the_old_one(self):
        self.driver.joined(count=2)
        self.driver.session.unsendable(self.driver.now)
        self.driver.act()
        call = self.driver.ask(calls.LeaveCall(GROUP, 2, 5.0))
        self.driver.hear(welcome(token=8))
        self.assertEqual(len(call.future.result(0)), 2)
        self.assertEqual([each for each in self.driver.kinds() if each in (JOIN, LEAVE)], [])

    def test_of_what_was_in_flight_a_notify_fails_and_the_rest_is_asked_again(self):
        told = self.driver.ask(calls.NotifyCall(1, GROUP, 1, True, 5.0))
        members = self.driver.ask(calls.MembersCall(GROUP, False, 5.0))
        joining = self.driver.ask(join(count=2))
        watching = self.driver.ask(calls.WatchCall(GROUP, lambda event: None, 5.0))
        self.new_session()
        self.assertEqual(self.code(told), "unknown_session")
        self.assertEqual(
            [(each.kind, each.seq) for each in self.driver.sent[1:]], [(MEMBERS, 1), (JOIN, 2), (WATCH, 3)]
        )
        self.driver.hear(frame(MEMBERS_REPLY, [], True, seq=1), frame(JOINED, [[1, 2]], 0, seq=2), frame(DONE, seq=3))
        self.assertTrue(all(call.future.done() for call in (members, joining, watching)))

    def test_watches_are_asked_for_again_with_a_fresh_snapshot(self):
        events = []
        call = self.driver.ask(calls.WatchCall(calls.EVERY_GROUP, events.append, 5.0))
        half = frame(NEWS, 1, [1, 1, [[list(OTHER), [member(1)]]]], False, seq=1)
        self.driver.hear(frame(DONE, seq=1), half)
        self.new_session()
        request = self.driver.take(WATCH)
        self.assertEqual(request.fields, [["", ""]])
        self.driver.hear(frame(DONE, seq=request.seq))
        self.driver.hear(frame(NEWS, request.seq, [1, 1, [[list(GROUP), [member(5)]]]], True, seq=1))
        self.driver.handle()
        self.assertEqual([[each.group for each in event.groups] for event in events], [[GROUP]])
        self.driver.session.unwatch(self.driver.now, call.future.result(0))
        self.driver.act()
        self.assertEqual(self.driver.take(UNWATCH).fields, [request.seq])

    def test_a_watch_that_ended_meanwhile_is_not_asked_for_again(self):
        call = self.driver.ask(calls.WatchCall(GROUP, lambda event: None, 5.0))
        self.driver.hear(frame(DONE, seq=1))
        self.driver.session.unsendable(self.driver.now)
        self.driver.act()
        told = self.driver.session.unwatch(self.driver.now, call.future.result(0))
        self.driver.hear(welcome(token=8))
        self.assertEqual([each for each in self.driver.kinds() if each in (WATCH, UNWATCH)], [])
        self.assertTrue(told.future.done())

    def test_a_watch_that_is_answered_too_late_is_ended(self):
        call = self.driver.ask(calls.WatchCall(GROUP, lambda event: None, 0.5))
        self.driver.wait(0.6, alive=True)
        self.assertEqual(self.code(call), "timeout")
        self.driver.hear(frame(DONE, seq=1))
        self.assertEqual(self.driver.take(UNWATCH).fields, [1])

    def test_a_node_that_does_not_take_the_members_is_left(self):
        self.driver.joined(count=1)
        self.new_session(node="b")
        self.driver.hear(frame(ERROR, 4, "no room", seq=self.driver.take(JOIN).seq, node="b"))
        self.assertIn(GOODBYE, self.driver.kinds())
        self.assertEqual(self.driver.session.state, State.pausing)
        self.driver.wait(0.5)
        self.assertEqual(self.driver.opened[-1], A)

    def test_a_thousand_joins_are_restored_within_the_window(self):
        for first in range(1, 1001):
            self.driver.joined(first=first)
        self.new_session()
        answered = 0
        while requests := [each for each in self.driver.sent if each.kind == JOIN]:
            self.assertLessEqual(len(requests), limits.IN_FLIGHT)
            self.driver.sent.clear()
            for request in requests:
                answered += 1
                self.driver.hear(frame(JOINED, [[answered, 1]], 0, seq=request.seq))
        self.assertEqual(answered, 1000)


if __name__ == "__main__":
    unittest.main()
