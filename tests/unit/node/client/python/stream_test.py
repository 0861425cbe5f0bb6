#!/usr/bin/env python3
"""The stream: in order, each item once, acknowledged when it was handled, never more than there is room for."""

import unittest

from support import A, DELIVERIES, ERROR, GAP, GROUP, HEARTBEAT, HELLO, JOIN, JOINED, LEAVE, LEFT, NEWS, WATCH
from support import DONE, OWN_LIFE, Driver, frame, member, notification, welcome

from muster import Event, Reason, calls, limits
from muster.session import State

OTHER = ("orders", "streams")


def deliveries(first, *values, members=(1,), **how):
    told = [notification(value, members, seq=first + i) for i, value in enumerate(values)]
    return frame(DELIVERIES, told, seq=first, **how)


class Case(unittest.TestCase):
    def setUp(self):
        self.seen = []
        self.missed = []
        self.driver = Driver([A], on_gap=self.missed.append).attach()
        self.driver.wait(1, alive=True)
        self.driver.joined(lambda n: self.seen.append(n.data))

    def acknowledged(self):
        """The last number that the node was told."""
        beats = [each.fields[0] for each in self.driver.sent if each.kind == HEARTBEAT]
        return beats[-1] if beats else 0

    def reconnected(self):
        """Whether the worker says hello with its token; it is welcomed then."""
        if self.driver.session.state is State.attached:
            return False
        received = self.driver.take(HELLO).fields[1]
        self.driver.hear(welcome(resumed=True))
        self.driver.wait(1, alive=True)
        return received


class Order(Case):
    def test_items_are_handled_in_order_and_repeats_are_ignored(self):
        self.driver.hear(deliveries(1, "a", "b"), deliveries(1, "a", "b"), deliveries(2, "b", "c"))
        self.driver.handle()
        self.assertEqual(self.seen, ["a", "b", "c"])
        self.assertEqual(self.acknowledged(), 3)
        self.assertEqual(self.driver.session.all_counters()["repeated"], 3)

    def test_a_hole_leads_to_a_hello_and_nothing_beyond_it_is_taken(self):
        self.driver.hear(deliveries(1, "a"), deliveries(3, "c"))
        self.driver.handle()
        self.assertEqual(self.seen, ["a"])
        self.assertEqual(self.reconnected(), 0)  # what was handled when it said so
        self.driver.hear(deliveries(1, "a"), deliveries(2, "b"), deliveries(3, "c"))
        self.driver.handle()
        self.assertEqual(self.seen, ["a", "b", "c"])

    def test_numbers_at_the_end_of_time_are_a_hole(self):
        self.driver.hear(frame(DELIVERIES, [notification("x"), notification("y")], seq=(1 << 64) - 1))
        self.assertEqual(self.reconnected(), 0)

    def test_number_zero_is_no_item(self):
        self.driver.hear(frame(GAP, 1, seq=0))
        self.driver.handle()
        self.assertEqual(self.missed, [])

    def test_gaps_stand_in_their_place(self):
        self.driver.joined(lambda n: self.seen.append(("other", n.data)), first=2, group=OTHER)
        self.driver.hear(deliveries(1, "a"), frame(GAP, 5, seq=2), deliveries(3, "b"))
        self.driver.handle(1)
        self.assertEqual((self.seen, self.missed), (["a"], []))
        self.driver.handle()
        self.assertEqual((self.seen, self.missed), (["a", "b"], [5]))

    def test_a_gap_is_a_number_and_says_whether_more_may_be_lost(self):
        self.driver.hear(frame(GAP, 5, seq=1), frame(GAP, 0, 1, seq=2))
        self.driver.handle()
        self.assertEqual(self.missed, [5, 0])
        self.assertEqual([gap.at_least for gap in self.missed], [False, True])
        self.assertEqual(f"{self.missed[0]} {sum(self.missed)}", "5 5")

    def test_a_notification_has_its_number_in_the_group(self):
        told = []
        self.driver.joined(told.append, first=2)
        self.driver.hear(frame(DELIVERIES, [notification("a", [2], group_seq=7), notification("b", [2])], seq=1))
        self.driver.handle()
        self.assertEqual([n.group_seq for n in told], [7, 0])


class Acknowledging(Case):
    def test_it_is_acknowledged_when_handlers_have_returned_and_not_on_arrival(self):
        self.driver.hear(deliveries(1, "a", "b", "c"))
        self.assertEqual(self.acknowledged(), 0)
        self.driver.handle(2)
        self.assertEqual(self.acknowledged(), 2)
        self.driver.handle(1)
        self.assertEqual(self.acknowledged(), 3)

    def test_each_member_is_called_once(self):
        self.driver.joined(lambda n: self.seen.append(n.members), count=3, first=2)
        self.driver.hear(deliveries(1, "x", members=[1, 2, 4, 2, 99]))
        self.driver.handle()
        self.assertEqual(self.seen, ["x", (2,), (4,)])

    def test_members_without_a_handler_and_those_of_other_groups_are_acknowledged_alone(self):
        self.driver.joined(None, first=2)
        told = [notification("x", [1, 2], group=OTHER)]
        self.driver.hear(deliveries(1, "a", members=[2]), frame(DELIVERIES, told, seq=2))
        self.driver.handle()
        self.assertEqual((self.seen, self.acknowledged()), ([], 2))

    def test_nothing_is_called_after_leave(self):
        self.driver.hear(deliveries(1, "a"), deliveries(2, "b"))
        self.driver.handle(1)
        call = self.driver.ask(calls.LeaveCall(GROUP, 1, 5.0))
        self.driver.hear(frame(LEFT, [1], seq=self.driver.take(LEAVE).seq))
        self.assertEqual(len(call.future.result(0)), 1)
        self.driver.handle()
        self.assertEqual((self.seen, self.acknowledged()), (["a"], 2))

    def test_items_of_an_ended_session_are_handled_and_acknowledge_nothing_in_the_next(self):
        self.driver.hear(deliveries(1, "a", "b"))
        self.driver.session.unsendable(self.driver.now)
        self.driver.act()
        self.driver.hear(welcome(token=8))
        again = self.driver.take(JOIN)
        self.driver.hear(frame(JOINED, [[11, 1]], 0, seq=again.seq))
        self.driver.hear(deliveries(1, "c", members=[11]))
        self.driver.handle(2)
        self.assertEqual((self.seen, self.acknowledged()), (["a", "b"], 0))
        self.driver.handle()
        self.assertEqual((self.seen, self.acknowledged()), (["a", "b", "c"], 1))


class BeforeTheReply(Case):
    """Members exist before their JoinReply, above all where it waits until they are visible."""

    def test_a_notification_for_members_that_are_being_joined_waits_for_their_numbers(self):
        call = self.driver.ask(calls.JoinCall(GROUP, lambda n: self.seen.append(("new", n.data)), 1, None, True, 5.0))
        self.driver.hear(deliveries(1, "a", members=[1]), deliveries(2, "b", members=[2]), deliveries(3, "c"))
        self.driver.handle()
        self.assertEqual((self.seen, self.acknowledged()), (["a"], 1))
        self.driver.hear(frame(JOINED, [[2, 1]], 0, seq=self.driver.take(JOIN).seq))
        self.driver.handle()
        self.assertEqual((self.seen, self.acknowledged()), (["a", ("new", "b"), "c"], 3))
        self.assertEqual(call.future.result(0).unseen, 0)

    def test_a_join_that_fails_holds_nothing_back(self):
        self.driver.ask(calls.JoinCall(GROUP, None, 1, None, True, 5.0))
        self.driver.hear(deliveries(1, "a", members=[2]))
        self.assertEqual(self.driver.entries, [])
        self.driver.hear(frame(69, 4, "slow down", seq=self.driver.take(JOIN).seq))
        self.driver.handle()
        self.assertEqual(self.acknowledged(), 1)

    def test_what_waits_when_the_session_ends_is_not_accepted_and_the_rest_is_handled(self):
        self.driver.joined(lambda n: self.seen.append(("other", n.data)), first=2, group=OTHER)
        self.driver.ask(calls.JoinCall(GROUP, lambda n: self.seen.append(("new", n.data)), 1, None, True, 5.0))
        told = [
            notification("a", [1], group_seq=1),
            notification("b", [1, 3], group_seq=2),  # waits for member 3
            notification("c", [1], group_seq=3),
            notification("d", [2], group=OTHER, group_seq=1),
        ]
        self.driver.hear(frame(DELIVERIES, told, seq=1), frame(GAP, 2, seq=5))
        self.driver.session.unsendable(self.driver.now)
        self.driver.act()
        self.driver.hear(welcome(token=8))
        self.driver.handle()
        self.assertEqual((self.seen, self.missed), (["a", ("other", "d")], [2]))
        self.assertEqual(self.driver.session.all_counters()["lost_with_session"], 2)
        positions = self.driver.session._parts.roster.positions
        self.assertEqual([positions.of(group) for group in (GROUP, OTHER)], [[(("b", 5), 1)]] * 2)

    def test_joins_of_other_groups_hold_nothing_back(self):
        self.driver.ask(calls.JoinCall(OTHER, None, 1, None, True, 5.0))
        self.driver.hear(deliveries(1, "a", members=[2]))
        self.driver.handle()
        self.assertEqual(self.acknowledged(), 1)


class RepeatedCalls(Case):
    def tell(self, seq, value, call, repeated=0, group_seq=None, of=("b", 5)):
        told = notification(value, [1], seq, group_seq=group_seq or seq, call=(77, call), repeated=repeated, of=of)
        self.driver.hear(frame(DELIVERIES, [told], seq=seq))
        self.driver.handle()

    def test_what_another_node_had_sent_is_dropped_and_counts_as_handled(self):
        self.tell(1, "a", call=1)
        self.tell(2, "b", call=2)
        self.tell(3, "b", call=2, repeated=1, of=("c", 6), group_seq=1)
        self.tell(4, "c", call=3, repeated=1, of=("c", 6), group_seq=2)
        self.assertEqual((self.seen, self.acknowledged()), (["a", "b", "c"], 4))
        self.assertEqual(self.driver.session.all_counters()["repeated_calls"], 1)

    def test_what_another_node_repeats_after_later_calls_is_lost(self):
        self.tell(1, "b", call=2)
        self.tell(2, "a", call=1, repeated=1, of=("c", 6), group_seq=1)
        self.assertEqual((self.seen, self.acknowledged()), (["b"], 2))
        self.assertEqual(self.driver.session.all_counters()["missed"], 1)

    def test_a_group_that_was_left_remembers_no_call_and_no_position(self):
        self.tell(1, "a", call=1)
        self.driver.ask(calls.LeaveCall(GROUP, 1, 5.0))
        self.driver.hear(frame(LEFT, [1], seq=self.driver.take(LEAVE).seq))
        self.assertEqual(self.driver.session._parts.roster.positions.of(GROUP), [])
        self.tell(2, "b", call=2)
        self.assertEqual(self.driver.session._parts.roster.positions.of(GROUP), [], "nobody was there")
        self.driver.joined(lambda n: self.seen.append(n.data))
        self.tell(3, "a", call=1, repeated=1)
        self.assertEqual(self.seen, ["a", "a"])


class Falsy(list):
    """A callback that is false as long as it was not called."""

    def __call__(self, *arguments):
        self.append(arguments)


class FalsyCallbacks(unittest.TestCase):
    def test_they_are_called(self):
        gaps, attachments, notified, events = Falsy(), Falsy(), Falsy(), Falsy()
        driver = Driver([A], on_gap=gaps, on_attachment=attachments).attach()
        driver.joined(notified)
        driver.ask(calls.WatchCall(GROUP, events, 5.0))
        number = driver.take(WATCH).seq
        driver.hear(frame(DONE, seq=number), deliveries(1, "a"), frame(GAP, 3, seq=2))
        driver.hear(frame(NEWS, number, [1, 1, []], True, seq=3))
        driver.handle()
        self.assertEqual((gaps, len(attachments), len(notified), len(events)), ([(3,)], 1, 1, 1))


class Room(unittest.TestCase):
    def test_what_the_inbox_has_no_room_for_is_not_taken_and_asked_for_again(self):
        missed = []
        driver = Driver([A], inbox=4, on_gap=missed.append).attach()
        driver.wait(1, alive=True)
        driver.hear(*(frame(GAP, i, seq=i) for i in range(1, 11)))
        self.assertEqual(len(driver.entries), 4)
        self.assertEqual(driver.opened, [A])
        driver.handle(2)
        self.assertEqual(driver.opened, [A, A], "there is room again")
        self.assertEqual(driver.take(HELLO).fields, [7, 2, OWN_LIFE])
        driver.hear(welcome(resumed=True))
        driver.wait(1, alive=True)
        for first in range(3, 11):
            driver.hear(frame(GAP, first, seq=first))
            driver.handle()
        self.assertEqual(missed, list(range(1, 11)))

    def test_an_inbox_that_is_full_in_the_middle_of_a_frame_goes_on(self):
        for room in (1, 2, 3, 7, 10):
            with self.subTest(room):
                seen = []
                driver = Driver([A], inbox=room).attach()
                driver.wait(1, alive=True)
                driver.joined(lambda n: seen.append(n.data))
                driver.hear(deliveries(1, *range(1, 11)))
                self.assertEqual(len(driver.entries), room)
                driver.handle()
                while len(seen) < 10:
                    received = driver.take(HELLO).fields[1]
                    driver.hear(welcome(resumed=True))
                    driver.wait(1, alive=True)
                    driver.hear(deliveries(received + 1, *range(received + 1, 11)))
                    self.assertTrue(driver.entries)
                    driver.handle()
                self.assertEqual(seen, list(range(1, 11)))

    def test_an_inbox_that_is_full_of_what_waits_for_a_join_goes_on_when_that_is_answered(self):
        for answer, expected in (((JOINED, [[1, 1]], 0), ["a", "b"]), ((ERROR, 4, "slow down"), [])):
            seen = []
            driver = Driver([A], inbox=2).attach()
            driver.wait(1, alive=True)
            driver.ask(calls.JoinCall(GROUP, lambda n: seen.append(n.data), 1, None, True, 5.0))
            request = driver.take(JOIN)
            driver.hear(deliveries(1, "a", "b", "c"))
            self.assertEqual(driver.entries, [])
            driver.hear(frame(*answer, seq=request.seq))
            driver.handle()
            self.assertEqual(driver.opened, [A, A], "there is room again")
            self.assertEqual(seen, expected)

    def test_an_inbox_that_is_full_of_bytes_in_the_middle_of_a_frame_goes_on(self):
        self.addCleanup(setattr, limits, "INBOX_BYTES", limits.INBOX_BYTES)
        limits.INBOX_BYTES = 1000
        driver = Driver([A]).attach()
        driver.wait(1, alive=True)
        driver.joined(lambda n: None)
        driver.hear(deliveries(1, *(b"x" * 600 for _ in range(5))))
        self.assertEqual(len(driver.entries), 2)
        driver.handle()
        self.assertEqual(driver.opened, [A, A], "there is room again")

    def test_bytes_are_bounded_as_well(self):
        driver = Driver([A]).attach()
        driver.joined(lambda n: None)
        frames = limits.INBOX_BYTES // limits.DATA + 50
        for first in range(1, frames):
            driver.hear(deliveries(first, b"x" * (limits.DATA - 5)))
        self.assertLess(len(driver.entries), frames - 10)
        self.assertEqual(driver.session.state, State.attached)


class Watching(Case):
    def setUp(self):
        super().setUp()
        self.events = []
        self.call = self.driver.ask(calls.WatchCall(GROUP, self.events.append, 5.0))
        self.number = self.driver.take(WATCH).seq

    def news(self, seq, event, *members, reason=1, last=True, group=GROUP):
        groups = [[list(group), [member(number) for number in members]]] if members else []
        return frame(NEWS, self.number, [event, reason, groups], last, seq=seq)

    def test_a_snapshot_is_put_together_before_it_counts(self):
        self.driver.hear(frame(DONE, seq=self.number))
        self.driver.hear(self.news(1, 1, 1, 2, last=False), self.news(2, 1, 3, last=False))
        self.driver.handle()
        self.assertEqual((self.events, self.acknowledged()), ([], 2))
        self.driver.hear(self.news(3, 1, 4, group=OTHER))
        self.driver.handle()
        event = self.events.pop()
        self.assertEqual([(each.group, [m.id.number for m in each.members]) for each in event.groups],
                         [(GROUP, [1, 2, 3]), (OTHER, [4])])  # fmt: skip
        self.driver.hear(self.news(4, 2, 5), self.news(5, 3, 1, reason=2))
        self.driver.handle()
        self.assertEqual([each.kind for each in self.events], [Event.join, Event.leave])
        self.assertEqual(self.events[1].reason, Reason.worker_down)

    def test_a_change_in_parts_is_one_event(self):
        self.driver.hear(frame(DONE, seq=self.number), self.news(1, 1))
        self.driver.hear(self.news(2, 2, 1, 2, last=False), self.news(3, 2, 3), self.news(4, 2, 4))
        self.driver.handle()
        found = [[m.id.number for m in event.groups[0].members] for event in self.events[1:]]
        self.assertEqual(found, [[1, 2, 3], [4]])

    def test_news_may_come_before_the_reply(self):
        self.driver.hear(self.news(1, 1), frame(DONE, seq=self.number))
        self.driver.handle()
        self.assertEqual(len(self.events), 1)
        self.assertTrue(self.call.future.done())

    def test_news_of_an_ended_watch_are_acknowledged_and_not_handled(self):
        self.driver.hear(frame(DONE, seq=self.number), self.news(1, 1))
        watch = self.call.future.result(0)
        told = self.driver.session.unwatch(self.driver.now, watch)
        self.driver.act()
        self.driver.handle()
        self.assertEqual(self.events, [])
        request = self.driver.take(58)
        self.assertEqual(request.fields, [self.number])
        self.driver.hear(self.news(2, 2, 1), frame(DONE, seq=request.seq))
        self.driver.handle()
        self.assertEqual((self.events, self.acknowledged()), ([], 2))
        self.assertTrue(told.future.done())
        self.assertIsNone(self.driver.session.unwatch(self.driver.now, watch), "it had ended")

    def test_a_snapshot_without_an_end_ends_the_session(self):
        self.driver.hear(frame(DONE, seq=self.number))
        before, limits.ANSWER_MEMBERS = limits.ANSWER_MEMBERS, 5
        try:
            self.driver.hear(self.news(1, 1, 1, 2, 3, last=False), self.news(2, 1, 4, 5, last=False))
        finally:
            limits.ANSWER_MEMBERS = before
        self.assertEqual(self.driver.session.state, State.pausing)


if __name__ == "__main__":
    unittest.main()
