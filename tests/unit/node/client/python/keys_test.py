#!/usr/bin/env python3
"""Addresses, key files, the order in which nodes are tried, and options."""

import os
import pathlib
import random
import socket
import tempfile
import unittest
from collections import Counter

import zmq
from support import A, B, HELLO, Driver, welcome

from muster import Error, Worker
from muster.address import parse_address
from muster.book import AddressBook, Target
from muster.keys import KeyRing, NodeKeys, load_nodes, load_pair
from muster.options import default_name
from muster.reader import is_name

C = "127.0.0.1:7300"


class Addresses(unittest.TestCase):
    def test_what_is_an_address(self):
        for text, host, port, name in (
            ("127.0.0.1:7100", "127.0.0.1", 7100, None),
            ("node-a.example.org:1", "node-a.example.org", 1, None),
            ("a@10.0.0.1:65535", "10.0.0.1", 65535, "a"),
            ("[::1]:7100", "[::1]", 7100, None),
            ("[fe80::1%eth0]:7100", "[fe80::1%eth0]", 7100, None),
        ):
            address = parse_address(text)
            self.assertEqual((address.host, address.port, address.name), (host, port, name))
        self.assertEqual(parse_address("[::1]:7100").bare_host, "::1")

    def test_what_is_none(self):
        bad = [
            "",
            "a",
            "a:",
            ":1",
            "a:0",
            "a:65536",
            "a:1x",
            "a:²",
            "a;b:1",
            "@a:1",
            "-@a:1",
            "a b:1",
            "*:1",
        ]
        for text in [*bad, "x" * 300 + ":1", "a@b@c:1"]:
            with self.subTest(text), self.assertRaises(Error) as caught:
                parse_address(text)
            self.assertEqual(caught.exception.code.name, "bad_request")


class KeyFiles(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        (self.folder / "nodes").mkdir()
        self.public, self.secret = zmq.curve_keypair()

    def write(self, name, text, mode=0o600):
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        path.chmod(mode)
        return path

    def pair_text(self):
        return f'public-key = "{self.public.decode()}"\nsecret-key = "{self.secret.decode()}"\n'

    def wrong(self, load, *arguments):
        with self.assertRaises(Error) as caught:
            load(*arguments)
        self.assertEqual(caught.exception.code.name, "bad_request")
        self.assertNotIn("\n", caught.exception.text)
        self.assertNotIn(self.secret.decode(), caught.exception.text)
        return caught.exception.text

    def test_a_pair(self):
        pair = load_pair(self.write("w.key", self.pair_text()))
        self.assertEqual((pair.public, pair.secret), (self.public, self.secret))
        self.assertNotIn(self.secret.decode(), repr(pair))

    def test_a_secret_that_others_may_read_is_refused(self):
        for mode in (0o640, 0o604, 0o666):
            self.assertIn("chmod 600", self.wrong(load_pair, self.write("w.key", self.pair_text(), mode)))

    def test_what_is_no_pair(self):
        self.wrong(load_pair, self.folder / "none.key")
        self.wrong(load_pair, self.folder)
        key = self.public.decode()
        for text in (
            "",
            "x",
            f'public-key = "{key}"\n',
            f'public-key = "{key}"\nsecret-key = "{key[:-1]}"\n',
            f'public-key = "{key}"\nsecret-key = "{key[:-1]}~"\n',
            f'public-key = "{key}"\nsecret-key = "{"#" * 40}"\n',  # digits of Z85, but beyond 2^32
            f'public-key = "{key}"\nsecret-key = 5\n',
            f'public-key = "{key}"\nsecret-key = "{"ö" * 40}"\n',
            "#" * 20_000,
        ):
            with self.subTest(text[:60]):
                self.wrong(load_pair, self.write("w.key", text))

    def not_regular(self):
        """Paths of files from which a read could wait for ever, or read no key."""
        fifo, socket_path = self.folder / "fifo", self.folder / "socket"
        os.mkfifo(fifo, 0o600)
        listener = socket.socket(socket.AF_UNIX)
        self.addCleanup(listener.close)
        listener.bind(str(socket_path))
        return [fifo, self.folder, pathlib.Path("/dev/zero"), pathlib.Path("/dev/null"), socket_path]

    def test_what_is_no_regular_file_is_refused_and_not_waited_for(self):
        for path in self.not_regular():
            with self.subTest(path.name):
                why = "No such device" if path.name == "socket" else "is not a regular file"
                self.assertIn(why, self.wrong(load_pair, path))
                (self.folder / "nodes/a.pub").unlink(missing_ok=True)
                (self.folder / "nodes/a.pub").symlink_to(path)
                self.assertIn(why, self.wrong(load_nodes, self.folder))

    def test_a_key_that_becomes_a_fifo_is_not_waited_for_either(self):
        self.write("w.key", self.pair_text())
        self.write("nodes/a.pub", f'public-key = "{self.public.decode()}"\n')
        ring = KeyRing(self.folder / "w.key", self.folder)
        before = ring.nodes()
        for name in ("nodes/b.pub", "w.key"):
            (self.folder / name).unlink(missing_ok=True)
            os.mkfifo(self.folder / name, 0o600)
            with self.assertLogs("muster", "WARNING") as logged:
                self.assertIs(ring.nodes(), before)
            self.assertIn("is not a regular file", logged.output[0])
            (self.folder / name).unlink()

    def test_keys_of_nodes_by_their_names(self):
        old = zmq.curve_keypair()[0]
        self.write("nodes/a.pub", f'public-key = "{self.public.decode()}"\nsign-key = "whatever"\n', 0o644)
        text = f'public-key = "{self.public.decode()}"\nold-public-key = "{old.decode()}"\n'
        self.write("nodes/b.pub", text, 0o644)
        self.write("nodes/notes.txt", "nothing")
        self.write("nodes/.b.pub", "what an editor keeps")
        keys = load_nodes(self.folder)
        self.assertEqual(keys.by_name, {"a": (self.public,), "b": (self.public, old)})
        self.assertEqual(keys.candidates("b"), [("b", self.public), ("b", old)])
        self.assertEqual(len(keys.candidates(None)), 3)
        self.assertEqual(keys.candidates("c"), [])

    def test_a_folder_without_keys_or_with_wrong_ones(self):
        self.assertIn("NAME.pub", self.wrong(load_nodes, self.folder))
        self.write("nodes/a.pub", "public-key = 1\n")
        self.assertIn("a.pub", self.wrong(load_nodes, self.folder))
        os.rename(self.folder / "nodes/a.pub", self.folder / "nodes/-.pub")
        self.assertIn("-.pub", self.wrong(load_nodes, self.folder))
        os.rename(self.folder / "nodes/-.pub", self.folder / "nodes/a.pub")
        self.write("nodes/a.pub", self.pair_text())
        self.assertIn("secret", self.wrong(load_nodes, self.folder))

    def test_files_that_change_are_read_again_and_wrong_ones_change_nothing(self):
        self.write("w.key", self.pair_text())
        self.write("nodes/a.pub", f'public-key = "{self.public.decode()}"\n')
        ring = KeyRing(self.folder / "w.key", self.folder)
        self.assertIs(ring.nodes(), ring.nodes(), "nothing has changed")
        other = zmq.curve_keypair()
        self.write("nodes/b.pub", f'public-key = "{other[0].decode()}"\n')
        self.assertEqual(ring.nodes().by_name, {"a": (self.public,), "b": (other[0],)})
        self.write("w.key", f'public-key = "{other[0].decode()}"\nsecret-key = "{other[1].decode()}"\n')
        ring.nodes()
        self.assertEqual(ring.pair.secret, other[1])
        for name in ("w.key", "nodes/a.pub"):
            before = ring.nodes()
            path = self.write(name, "half a ke")
            with self.assertLogs("muster", "WARNING") as logs:
                self.assertIs(ring.nodes(), before)
                self.assertIs(ring.nodes(), before)
            self.assertEqual((len(logs.output), name in logs.output[0]), (1, True))
            path.write_text(self.pair_text().splitlines()[0] if name == "nodes/a.pub" else self.pair_text())
            self.assertIsNot(ring.nodes(), before)
        (self.folder / "w.key").unlink()
        with self.assertLogs("muster", "WARNING"):
            ring.nodes()
        self.assertEqual((ring.pair.secret, len(ring.nodes().by_name)), (self.secret, 2))


class Guessing(unittest.TestCase):
    """With keys, the node that answers must be the one whose key was used."""

    KEYS = NodeKeys({"a": (b"A" * 40,), "b": (b"B" * 40, b"C" * 40)})

    def test_a_name_says_whose_keys_are_tried(self):
        driver = Driver(["b@" + A, "a@" + B], self.KEYS).start()
        driver.wait(0.35)
        self.assertEqual([(t.node, t.key[:1]) for t in driver.targets], [("b", b"B"), ("b", b"C")])
        driver.wait(0.5)
        self.assertEqual((driver.targets[-1].node, str(driver.targets[-1])), ("a", B))

    def test_without_a_name_all_are_tried_and_the_right_one_is_remembered(self):
        driver = Driver([A], self.KEYS).start()
        driver.wait(0.7)
        self.assertEqual([(t.node, t.key[:1]) for t in driver.targets], [("a", b"A"), ("b", b"B"), ("b", b"C")])
        driver.attach(node="b")
        driver.wait(1, alive=True)
        driver.session.unsendable(driver.now)
        driver.act()
        driver.refuse_connection()
        driver.wait(0.2)
        self.assertEqual({t.key[:1] for t in driver.targets[3:]}, {b"C"})

    def test_names_that_a_welcome_tells_say_whose_keys_are_tried(self):
        driver = Driver(["b@" + A], self.KEYS).start()
        driver.attach(node="b", others=["a@" + B, "z@" + C])
        driver.wait(1, alive=True)
        driver.session.unsendable(driver.now)
        driver.act()
        driver.refuse_connection()
        self.assertEqual(driver.targets[-1], Target(parse_address("a@" + B), "a", b"A" * 40))
        driver.attach(node="a", token=8)
        self.assertNotIn(C, driver.opened, "no key of z is trusted")

    def test_a_key_that_has_changed_is_tried_where_the_session_is_kept(self):
        now = NodeKeys({"a": (b"A" * 40,), "b": (b"B" * 40,)})
        driver = Driver([A])
        driver.book._keys = lambda: now
        driver.start()
        driver.attach(node="a")
        driver.wait(1, alive=True)
        now = NodeKeys({"a": (b"C" * 40, b"A" * 40), "b": (b"B" * 40,)})
        driver.session.unsendable(driver.now)
        driver.act()
        driver.wait(0.6)
        self.assertEqual([(t.node, t.key[:1]) for t in driver.targets[1:]], [("a", b"A"), ("a", b"C")])
        self.assertEqual(driver.take(HELLO).fields[:2], [7, 0])
        driver.hear(welcome(resumed=True))
        now = NodeKeys({"b": (b"B" * 40,)})
        driver.wait(1, alive=True)
        driver.session.unsendable(driver.now)
        driver.act()
        self.assertEqual(driver.targets[-1].node, "b", "a is not trusted any more")
        self.assertEqual(driver.take(HELLO).fields[:2], [0, 0])

    def test_another_name_than_the_keys_is_refused(self):
        driver = Driver(["b@" + A], self.KEYS).start()
        driver.hear(welcome(node="a"))
        self.assertEqual(driver.session.state.name, "greeting")
        self.assertEqual(driver.targets[-1].key, b"C" * 40, "the next key is tried")

    def test_patience_grows_with_each_round(self):
        driver = Driver([A], self.KEYS).start()
        begin = driver.now
        while len(driver.opened) < 10:
            driver.wait(0.05)
        self.assertTrue(4.5 < driver.now - begin < 7, driver.now - begin)

    def test_a_name_without_a_key(self):
        with self.assertRaises(Error) as caught:
            Driver(["z@" + A], self.KEYS)
        self.assertIn("z.pub", caught.exception.text)


class Order(unittest.TestCase):
    def test_after_a_loss_the_next_node_comes_first_and_the_lost_one_last(self):
        book = AddressBook([A, B, C], None, random.Random(1), in_order=True)
        first = book.next()
        second = book.next()
        book.welcomed(second)
        book.lost(second)
        self.assertEqual([str(book.next()) for _ in range(3)], [C, A, B])
        self.assertIsNone(book.next())
        self.assertEqual(str(first), A)

    def test_without_an_order_workers_spread_at_first_and_after_a_loss(self):
        first, after = Counter(), Counter()
        for seed in range(300):
            book = AddressBook([A, B, C], None, random.Random(seed))
            book.learn(["10.0.0.1:1", "10.0.0.2:1"])
            targets = [str(book.next()) for _ in range(5)]
            self.assertEqual((set(targets[:3]), set(targets[3:])), ({A, B, C}, {"10.0.0.1:1", "10.0.0.2:1"}))
            first[targets[0]] += 1
            self.assertIsNone(book.next(), "the round is over")
            while str(target := book.next()) != A:
                pass
            book.welcomed(target)
            book.lost(target)
            after[str(book.next())] += 1
        self.assertGreater(min(first[address] for address in (A, B, C)), 60, first)
        self.assertGreater(len(after), 2, after)
        self.assertEqual(after[A], 0, "the lost node comes last")

    def test_one_that_refused_for_good_is_left_out_until_nobody_else_is_left(self):
        book = AddressBook([A, B], None, random.Random(1), in_order=True)
        target = book.next()
        book.refused(target, Error(9, "no"))
        self.assertEqual([str(book.next()), book.next(), str(book.next())], [B, None, B])

    def test_nothing_is_learned_if_the_list_is_all(self):
        book = AddressBook([A], None, random.Random(1), listed_only=True)
        book.learn([B])
        self.assertEqual((str(book.next()), book.next()), (A, None))

    def test_what_is_learned_is_bounded_and_replaced(self):
        book = AddressBook([A], None, random.Random(1), in_order=True)
        book.learn([f"10.0.0.1:{port}" for port in range(1, 200)])
        book.learn([f"10.0.0.2:{port}" for port in range(1, 200)])
        targets = []
        while (target := book.next()) is not None:
            targets.append(str(target))
        self.assertEqual((len(targets), targets[0], targets[1]), (65, A, "10.0.0.2:1"))


class Options(unittest.TestCase):
    def test_wrong_ones_are_told_before_anything_is_opened(self):
        for options in (
            {"nodes": []},
            {"nodes": "127.0.0.1:7100"},
            {"nodes": [A], "name": "no name"},
            {"nodes": [A], "scope": "x" * 65},
            {"nodes": [A], "inbox": 0},
            {"nodes": [A], "key": "w.key"},
            {"nodes": [A], "keys": "/nowhere"},
            {"nodes": [A], "key": "/nowhere/w.key", "keys": "/nowhere"},
        ):
            with self.subTest(options), self.assertRaises(Error) as caught:
                Worker.connect(**options)
            self.assertEqual(caught.exception.code.name, "bad_request")

    def test_default_names_differ_within_a_process(self):
        names = {default_name(None) for _ in range(3)}
        self.assertEqual(len(names), 3)
        self.assertTrue(all(is_name(name) and str(os.getpid()) in name for name in names))

    def test_a_default_name_begins_with_that_of_the_key(self):
        for own in ("w", "w.1", "w" * 40):
            with self.subTest(own):
                name = default_name(f"/keys/{own}.key")
                self.assertTrue(is_name(name) and name.startswith(f"{own}.") and str(os.getpid()) in name, name)
        self.assertEqual(default_name("w" * 62 + ".key"), "w" * 62)
        self.assertFalse(default_name("/keys/no name.key").startswith("no"))


if __name__ == "__main__":
    unittest.main()
