#!/usr/bin/env python3
"""Frames of strangers: what is no message is refused, what is of a later version is understood."""

import random
import unittest

import msgpack
from support import (
    DELIVERIES,
    GAP,
    GROUP,
    JOINED,
    LIFE,
    MEMBERS_REPLY,
    NODE_HEARTBEAT,
    NODES_REPLY,
    frame,
    member,
    notification,
    welcome,
)

from muster import Error, Group, group_key, limits, messages, wire
from muster.codec import OtherMajor, decode
from muster.wire import Malformed

GOOD = {
    "welcome": welcome(others=["10.0.0.1:7100"]),
    "welcome with handover": welcome(handover=30_000),
    "heartbeat": frame(NODE_HEARTBEAT, 9),
    "joined": frame(JOINED, [[1, 2]], 0, seq=1),
    "deliveries": frame(DELIVERIES, [notification({"a": [1, None, 2.5]})], seq=1),
    "numbered": frame(DELIVERIES, [notification(7, group_seq=4, call=(5, 6), repeated=1)], seq=1),
    "gap": frame(GAP, 3, seq=1),
    "gap at least": frame(GAP, 3, 1, seq=1),
    "members": frame(MEMBERS_REPLY, [member(1), member(2, meta={"k": "v"})], True, seq=1),
    "nodes": frame(NODES_REPLY, [[["a", LIFE], 1, "h:1"]], seq=1),
    "status": frame(65, [[["a", LIFE], 1, "h:1"], "default", True, 1, 2, 3, 4, {"links_up": 2}], seq=1),
    "report": frame(66, [2, 1, True, 1, [["b", 1, 4]]], seq=1),
    "settled report": frame(66, [2, 1, True, 1, [["b", 1, 4]]], 8, seq=1),
    "news": frame(72, 1, [1, 1, [[list(GROUP), [member(1)]]]], True, seq=1),
}


class Hostile(unittest.TestCase):
    def refused(self, data):
        with self.assertRaises(Malformed):
            decode(data)

    def test_the_samples_are_good(self):
        for name, data in GOOD.items():
            with self.subTest(name):
                self.assertIsNotNone(decode(data)[1])

    def test_every_cut_is_refused(self):
        for data in GOOD.values():
            for size in range(len(data)):
                self.refused(data[:size])
            self.refused(data + b"\x00")

    def test_any_byte_changed_is_refused_or_read_but_never_worse(self):
        rng = random.Random(5)
        for data in GOOD.values():
            for _ in range(3000):
                changed = bytearray(data)
                for _ in range(rng.randint(1, 3)):
                    changed[rng.randrange(len(changed))] = rng.randrange(256)
                try:
                    decode(bytes(changed))
                except Malformed:
                    pass

    def test_any_element_of_another_type_is_refused(self):
        strange = (None, 1.5, -1, "x" * 2000, b"", [], {}, [[]], {1: 2}, 1 << 63, True, msgpack.ExtType(1, b"x"))
        for name, data in GOOD.items():
            array = msgpack.unpackb(data, strict_map_key=False)
            for i in range(6, len(array) - 1):
                for value in strange:
                    changed = [*array[:i], value, *array[i + 1 :]]
                    with self.subTest(name=name, field=i - 6, value=repr(value)[:20]):
                        try:
                            message = decode(msgpack.packb(changed, use_bin_type=True))[1]
                        except Malformed:
                            continue
                        self.assertIs(type(value), type(array[i]), message)

    def test_claimed_sizes_take_no_memory(self):
        head = msgpack.packb([1, DELIVERIES, "default", "a", LIFE, 1])[1:]
        for claim in (
            b"\xdd\xff\xff\xff\xff",
            b"\xdf\xff\xff\xff\xff",
            b"\xdb\xff\xff\xff\xff",
            b"\xc6\xff\xff\xff\xff",
        ):
            self.refused(b"\x98" + head + claim + b"\x80")
        self.refused(b"\xdd\xff\xff\xff\xff")
        self.refused(b"\x91" * 500_000)
        self.refused(b"\x00" * (limits.FRAME + 1))

    def test_bounds(self):
        self.refused(frame(JOINED, [[1, 65_536], [70_000, 1]], 0))  # more than a call can join
        self.refused(frame(JOINED, [[(1 << 64) - 2, 2]], 0))  # beyond the last number
        self.refused(frame(JOINED, [[0, 1]], 0))
        self.refused(frame(JOINED, [[1, 0]], 0))
        self.refused(welcome(token=0))
        self.refused(welcome(others=["h:1"] * 65))
        self.refused(welcome(node="-a"))
        self.refused(frame(DELIVERIES, [notification(group=("", "f"))]))
        self.refused(frame(DELIVERIES, [notification(group=("s" * 256, "f"))]))
        self.refused(frame(DELIVERIES, [notification(kind=4)]))
        self.refused(frame(DELIVERIES, []))
        self.refused(frame(72, 1, [2, 1, []], True))  # a join of no group
        pairs = {str(i): "" for i in range(17)}
        self.refused(frame(MEMBERS_REPLY, [member(1, meta=pairs)], True))
        self.refused(frame(MEMBERS_REPLY, [member(1, meta={"k": "v" * 256})], True))
        self.refused(frame(MEMBERS_REPLY, [member(1, meta={1: "v"})], True))

    def test_a_key_twice_and_text_that_is_none(self):
        good = frame(MEMBERS_REPLY, [member(1, meta={"k": "v", "l": "v"})], True)
        self.assertIsNotNone(decode(good))
        self.refused(good.replace(b"\xa1l", b"\xa1k"))
        for bad in (b"\xc0\xaf", b"\xed\xa0", b"\xff\xfe"):  # not the shortest form, a surrogate's half, no UTF-8
            self.refused(frame(GAP, 1, scope="ab").replace(b"\xa2ab", b"\xa2" + bad))

    def test_another_major_is_told_apart(self):
        for fields in ([], [None], [1, 2, 3]):
            with self.assertRaises(OtherMajor):
                decode(msgpack.packb([2, *fields]))


class Evolution(unittest.TestCase):
    def test_fields_of_later_versions_are_skipped(self):
        later = frame(GAP, 3, 1, "new", [1, {"x": b"y"}], seq=1, trailing={1: "x", 900: [2]})
        self.assertEqual(decode(later)[1], messages.Gap(3, 1))
        record = [*notification(1, group_seq=4), "new"]
        found = decode(frame(DELIVERIES, [record], seq=1))[1]
        self.assertEqual(found.notifications[0].group, Group(*GROUP))
        self.assertEqual(decode(frame(JOINED, [[1, 2, "new"]], 0))[1].members, (range(1, 3),))

    def test_fields_that_older_versions_omit_are_0(self):
        self.assertEqual(decode(frame(GAP, 3, seq=1))[1].at_least, 0)
        self.assertEqual(decode(frame(NODE_HEARTBEAT))[1].settled, 0)
        self.assertEqual(decode(welcome())[1].handover_ms, 0)
        self.assertEqual(decode(frame(66, [2, 1, True, 2, []], seq=1))[1].settled, 0)
        told = decode(frame(DELIVERIES, [notification(1)], seq=1))[1].notifications[0]
        self.assertEqual((told.group_seq, told.life, told.call, told.repeated), (0, 0, 0, 0))

    def test_and_are_read_where_they_are(self):
        self.assertEqual(decode(frame(NODE_HEARTBEAT, 9))[1].settled, 9)
        self.assertEqual(decode(welcome(handover=30_000))[1].handover_ms, 30_000)
        self.assertEqual(decode(frame(66, [2, 1, True, 2, []], 7, seq=1))[1].settled, 7)
        told = decode(frame(DELIVERIES, [notification(1, group_seq=4, call=(5, 6), repeated=1)], seq=1))[1]
        told = told.notifications[0]
        self.assertEqual((told.group_seq, told.life, told.call, told.repeated), (4, 5, 6, 1))

    def test_a_message_of_an_unknown_type_is_no_error(self):
        self.assertIsNone(decode(frame(199, "anything"))[1])

    def test_the_trailing_map_is_no_field(self):
        with self.assertRaises(Malformed):
            decode(frame(GAP))
        with self.assertRaises(Malformed):
            decode(msgpack.packb([1, GAP, "default", "a", LIFE, 1, 3]))
        with self.assertRaises(Malformed):
            decode(msgpack.packb([1, NODE_HEARTBEAT, "default", "a", LIFE, 0]))


class Data(unittest.TestCase):
    def test_any_value_comes_back(self):
        for value in (None, 0, -5, (1 << 64) - 1, 2.5, "größe", b"\x00\xff", [1, [2]], {"a": {"b": [None]}}, {1: 2}):
            self.assertEqual(wire.data_value(wire.data_bytes(value)), value)

    def test_what_cannot_be_sent_says_so(self):
        deep = []
        for _ in range(32):
            deep = [deep]
        for value in (object(), {1, 2}, 1 << 64, "\ud800", b"x" * limits.DATA, deep):
            with self.assertRaises(Error) as caught:
                wire.data_bytes(value)
            self.assertEqual(caught.exception.code.name, "bad_request")
        wire.data_bytes(deep[0])  # 32 are allowed
        with self.assertRaises(Error):
            wire.data_bytes({"a": [1, deep]})

    def test_a_value_that_refers_to_itself_or_often_to_one_part_is_refused_after_bounded_work(self):
        walked = 0

        class Counted(list):
            def __iter__(self):
                nonlocal walked
                for each in super().__iter__():
                    walked += 1
                    if walked > 2 * limits.DATA:
                        raise AssertionError("the walk has no bound")
                    yield each

        root = Counted()
        root.extend({"parent": root} for _ in range(6))
        shared = Counted()
        for _ in range(31):
            shared = Counted([shared, shared])
        text, binary = "x" * 1000, b"x" * 1000
        for value, why in (
            (root, "refers to itself"),
            (shared, "more than 524288 bytes"),
            (Counted([text] * 600), "more than 524288 bytes"),
            (Counted([{binary: memoryview(binary).cast("Q")}] * 300), "more than 524288 bytes"),
        ):
            walked = 0
            with self.assertRaises(Error) as caught:
                wire.data_bytes(value)
            self.assertEqual(caught.exception.code.name, "bad_request")
            self.assertIn(why, caught.exception.text)

    def test_so_is_the_text_that_shows_such_a_value(self):
        shown = 0

        class Counted:
            def __repr__(self):
                nonlocal shown
                shown += 1
                return "x"

        shared = [Counted()]
        for _ in range(16):
            shared = [shared, {1: shared}, (shared,)]
        with self.assertRaises(Error) as caught:
            group_key(shared)
        self.assertIn("is not a group", caught.exception.text)
        self.assertLess(shown, 1000)

    def test_what_is_just_small_enough_is_sent(self):
        for value in (
            [0] * (limits.DATA - 5),
            "x" * (limits.DATA - 5),
            [[b""] * 1000] * 250,
            {i: "" for i in range(9)},
        ):
            self.assertEqual(wire.data_value(wire.data_bytes(value)), value)

    def test_a_value_for_which_python_has_no_room_is_an_error_only_when_it_is_asked_for(self):
        for data in (b"\x81\x80\x01", b"\xc1", b"\x01\x02", b"\xd9\x05ab", b"\xdd\xff\xff\xff\xff", b"\x91" * 5000):
            with self.assertRaises(Error):
                wire.data_value(data)


if __name__ == "__main__":
    unittest.main()
