#!/usr/bin/env python3
"""What a worker has accepted of each group: the numbers of nodes, and the calls of notifiers."""

import itertools
import unittest

from support import GROUP

from muster import Group, Kind, NodeId
from muster.messages import Delivery
from muster.positions import MOST_LIVES, MOST_NODES, SEEN_CALLS, Copy, Positions

OTHER = ("orders", "streams")
SEQS = itertools.count(1)
B, B_AGAIN, C = NodeId("b", 5), NodeId("b", 6), NodeId("c", 5)


def told(group_seq, node=B, life=0, call=0, repeated=0, group=GROUP):
    seq = next(SEQS)
    return Delivery(Kind.created, Group(*group), b"\xc0", node, "w2", seq, (1,), group_seq, life, call, repeated)


class Of(unittest.TestCase):
    def setUp(self):
        self.positions = Positions()

    def accept(self, *items):
        return [self.positions.accept(each) is Copy.FRESH for each in items]

    def of(self, group=GROUP):
        return dict(self.positions.of(Group(*group)))

    def test_the_highest_number_of_each_life_of_a_node_counts(self):
        self.accept(told(1), told(3), told(2), told(7, C), told(1, B_AGAIN), told(9, group=OTHER))
        self.assertEqual(self.of(), {B: 3, C: 7, B_AGAIN: 1})
        self.assertEqual(self.of(OTHER), {B: 9})

    def test_a_group_that_is_forgotten_begins_again(self):
        self.accept(told(3, life=8, call=5))
        self.positions.forget(Group(*GROUP))
        self.assertEqual(self.of(), {})
        self.assertEqual(self.accept(told(1, life=8, call=5, repeated=1)), [True])

    def test_notifications_without_a_number_are_noticed_until_the_group_is_joined_as_new(self):
        group = Group(*GROUP)
        self.assertTrue(self.positions.are_complete(group))
        self.accept(told(3), told(0))
        self.assertFalse(self.positions.are_complete(group))
        self.positions.begin(group)
        self.assertTrue(self.positions.are_complete(group))
        self.assertEqual(self.of(), {B: 3})

    def test_the_node_that_was_silent_for_longest_is_forgotten(self):
        for i in range(MOST_NODES):
            self.accept(told(1, NodeId("n", i)))
        self.accept(told(2, NodeId("n", 0)), told(1, C))
        self.assertEqual(len(self.of()), MOST_NODES)
        self.assertNotIn(NodeId("n", 1), self.of())
        self.assertEqual((self.of()[NodeId("n", 0)], self.of()[C]), (2, 1))

    def test_a_repeated_call_is_accepted_once_in_each_group(self):
        first = told(1, life=8, call=5)
        again = told(1, C, life=8, call=5, repeated=1)
        elsewhere = told(1, C, life=8, call=5, repeated=1, group=OTHER)
        other_life = told(2, C, life=9, call=5, repeated=1)
        later = told(3, C, life=8, call=6, repeated=1)
        older = told(1, C, life=8, call=4, repeated=1)
        self.assertEqual(
            self.accept(first, again, elsewhere, other_life, later, older), [True, False, True, True, True, False]
        )
        self.assertEqual(self.of()[C], 3, "what was dropped counts as accepted")

    def test_a_call_that_is_not_repeated_is_late_and_not_dropped(self):
        items = [told(1, life=8, call=5), told(2, life=8, call=4), told(3, repeated=1), told(4), told(5, life=8)]
        self.assertEqual(self.accept(*items), [True] * 5)
        self.assertEqual(self.accept(told(5, life=8, call=5, repeated=1)), [False], "the highest call stays")

    def test_a_copy_that_comes_after_later_calls_is_lost(self):
        for call, expected in ((3000, Copy.FRESH), (2999, Copy.LATE), (3000, Copy.HAD), (952, Copy.HAD)):
            self.assertIs(self.positions.accept(told(call, C, life=8, call=call, repeated=1)), expected)

    def test_the_original_of_a_copy_that_was_accepted_is_dropped(self):
        copies = [told(i, C, life=8, call=i, repeated=1) for i in (3, 4)] + [told(5, C, life=8, call=7)]
        originals = [told(i, life=8, call=i) for i in range(1, 6)]
        self.assertEqual(self.accept(*copies, *originals), [True] * 3 + [True, True, False, False, True])

    def test_a_notification_in_parts_is_one(self):
        for repeated in (0, 1):
            part = told(1, life=8, call=5 + repeated, repeated=repeated)
            self.assertEqual(self.accept(part, part, part), [True] * 3)

    def test_calls_far_apart_take_no_memory_and_older_ones_are_not_remembered(self):
        calls = [1, 2, SEEN_CALLS + 1, SEEN_CALLS + 1, 2, 1, (1 << 64) - 1, SEEN_CALLS + 1, (1 << 64) - 1]
        found = self.accept(*(told(1, life=8, call=call) for call in calls))
        self.assertEqual(found, [True, True, True, False, False, True, True, True, False])
        self.assertLess(self.positions._groups[Group(*GROUP)].calls[8].seen, 1 << SEEN_CALLS)

    def test_the_life_that_was_silent_for_longest_is_forgotten(self):
        for life in range(1, MOST_LIVES + 1):
            self.accept(told(1, life=life, call=1))
        self.accept(told(1, life=1, call=2), told(1, life=MOST_LIVES + 1, call=1))
        again = [told(1, life=life, call=1, repeated=1) for life in (1, 3, MOST_LIVES + 1, 2)]
        self.assertEqual(self.accept(*again), [False, False, False, True])


if __name__ == "__main__":
    unittest.main()
