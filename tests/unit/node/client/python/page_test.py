#!/usr/bin/env python3
"""The package agrees with proto/PROTOCOL.md: bytes of the conversation, keys, limits, words, numbers of messages."""

import inspect
import re
import unittest

import msgpack
from support import GROUP, LIFE, ROOT

import muster
from muster import Event, Kind, MissReason, NodeId, NodeInfo, NodeState, NotifyReport, Reason, group_key
from muster import limits, messages
from muster.codec import Header, decode, encode
from muster.errors import ErrorCode

PAGE = (ROOT / "proto/PROTOCOL.md").read_text(encoding="utf-8")


def tables():
    """Each table's rows as lists of cells, the heading first."""
    for block in re.findall(r"(?:^\|.*\|\n)+", PAGE, re.MULTILINE):
        rows = [[cell.strip(" `") for cell in line.strip().strip("|").split("|")] for line in block.splitlines()]
        yield [rows[0], *rows[2:]]


def table(*heading):
    return next(rows[1:] for rows in tables() if tuple(rows[0][: len(heading)]) == heading)


def conversation():
    blocks = re.findall(r"^```hex (\w+)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    return {name: bytes.fromhex(re.sub(r"#.*", "", text)) for name, text in blocks}


def cut_as(frame, shown):
    """The frame with as many fields as the shown one: later fields are appended, and may be missing."""
    ours, page = (msgpack.unpackb(each, strict_map_key=False) for each in (frame, shown))
    return msgpack.packb([*ours[: len(page) - 1], ours[-1]], use_bin_type=True)


class Page(unittest.TestCase):
    def test_what_a_worker_writes_has_the_bytes_of_the_page(self):
        data = bytes.fromhex("81a2696407")
        said = {
            "hello": (0, 0, messages.WorkerHello(0, 0)),
            "join": (7, 1, messages.JoinRequest(GROUP, 2, {"zone": "eu"}, False, 5000)),
            "notify": (7, 2, messages.NotifyRequest(Kind.created, GROUP, data, True, 1000)),
            "heartbeat": (7, 0, messages.WorkerHeartbeat(1)),
            "goodbye": (7, 0, messages.WorkerGoodbye()),
        }
        for name, (token, seq, message) in said.items():
            with self.subTest(name):
                shown = conversation()[name]
                ours = encode(Header("default", "w1", token, seq), message)
                self.assertEqual(cut_as(ours, shown).hex(), shown.hex())

    def test_what_a_worker_reads_is_what_the_page_says(self):
        node = NodeId("a", LIFE)
        told = messages.Delivery(Kind.created, GROUP, bytes.fromhex("81a2696407"), node, "w1", 1, (1, 2), 1)
        info = NodeInfo(node, NodeState.alive, "127.0.0.1:7100")
        heard = {
            "welcome": (0, messages.WorkerWelcome(7, False, 500, 2000, 1000, info, ("127.0.0.1:7200",), 30000)),
            "joined": (1, messages.JoinReply((range(1, 3),), 0)),
            "delivery": (1, messages.Deliveries([told])),
            "notified": (2, messages.NotifyReply(NotifyReport(2, 1, True, 2, ()))),
        }
        for name, (seq, message) in heard.items():
            with self.subTest(name):
                self.assertEqual(decode(conversation()[name]), (Header("default", "a", LIFE, seq), message))
        self.assertEqual(len(conversation()), 9, "each block of the page is in one of these tests")

    def test_group_keys(self):
        rows = table("store", "feature", "hashed bytes")
        self.assertGreaterEqual(len(rows), 6)
        for store, feature, _, key in rows:
            self.assertEqual(str(group_key((store, feature))), key)

    def test_predefined_features(self):
        text = re.search(r"The features (.+) are predefined", PAGE).group(1)
        self.assertEqual(re.findall(r"`(\w+)`", text), [muster.SUBSCRIPTIONS, muster.STREAMS, muster.SNAPSHOTS])

    def test_limits(self):
        page = {row[0]: int(row[1]) for row in table("limit", "at most")}
        ours = {
            "frame": limits.FRAME,
            "group part": limits.GROUP_PART,
            "name": limits.NAME,
            "scope": limits.SCOPE,
            "address": limits.ADDRESS,
            "text": limits.TEXT,
            "metadata pairs": limits.META_PAIRS,
            "metadata text": limits.META_TEXT,
            "data": limits.DATA,
            "data nesting": limits.DATA_NESTING,
            "list": limits.LIST,
            "members a call": limits.MEMBERS_A_CALL,
        }
        del page["nesting"]  # follows from the messages' own form
        del page["members a frame"]  # between nodes
        del page["messages a bundle"], page["lines"]  # each worker has a connection of its own
        self.assertEqual(ours, page)

    def test_words(self):
        words = {
            "kind": Kind,
            "event": Event,
            "reason": Reason,
            "missed because": MissReason,
            "state": NodeState,
            "error": ErrorCode,
        }
        for heading, ours in words.items():
            page = {row[0]: int(row[1]) for row in table(heading, "number")}
            self.assertEqual({word.name: int(word) for word in ours}, page, heading)

    def test_numbers_of_messages(self):
        section = PAGE[PAGE.index("\n## 8.") : PAGE.index("\n## 9.")]
        page = {int(number): name for number, name in re.findall(r"^### (\d+) (\w+)", section, re.MULTILINE)}
        ours = {number: reader.__name__ for number, reader in messages.READERS.items()}
        for _, message in inspect.getmembers(messages, inspect.isclass):
            if issubclass(message, messages.Outgoing) and message.TYPE:
                ours[message.TYPE] = message.__name__
        ours |= {59: "ForgetRequest", 81: "DrainRequest", 82: "MoveRequest"}  # which only the command line sends
        self.assertEqual(ours, page)


if __name__ == "__main__":
    unittest.main()
