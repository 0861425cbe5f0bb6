#!/usr/bin/env python3
"""`muster top`: on a terminal it is live, follows its size and leaves it as it was; elsewhere it prints one picture."""

import fcntl
import json
import os
import pathlib
import pty
import re
import select
import signal
import struct
import subprocess
import tempfile
import termios
import time
import unittest

from support import MUSTER, MUSTERD

import lab.node
from lab.processes import until

HOSTILE = "x\x1b[2J\x07\u009b31mü"  # would clear the screen, ring, and turn all red
PATIENCE = 30
ENTER, LEAVE = "\x1b[?1049h", "\x1b[?1049l"


class OnATerminal:
    """`muster top` with a terminal of its own; `text` is all that it has written."""

    def __init__(self, *arguments, rows=30):
        self.master, self.slave = pty.openpty()
        self.resize(rows, tell=False)
        self.before = termios.tcgetattr(self.slave)
        environment = {**os.environ, "TERM": "xterm"}
        environment.pop("NO_COLOR", None)
        self.process = subprocess.Popen([MUSTER, *arguments, "top", "--interval", "0.1"], stdin=self.slave,
                                        stdout=self.slave, stderr=subprocess.PIPE, text=True, env=environment)
        self.text = ""

    def resize(self, rows, tell=True):
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, 80, 0, 0))
        if tell:  # it is no session of its own, so the kernel tells nobody
            self.process.send_signal(signal.SIGWINCH)

    def read(self):
        while select.select([self.master], [], [], 0)[0]:
            self.text += os.read(self.master, 65536).decode("utf-8", "replace")

    def shows(self, wanted):
        """Whether a whole picture comes, from now on, for whose lines `wanted` holds."""
        self.read()
        begin, end = len(self.text), time.monotonic() + PATIENCE
        while time.monotonic() < end:
            select.select([self.master], [], [], 0.1)
            self.read()
            if any(wanted(picture) for picture in pictures(self.text[begin:])):
                return True
        return False

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()
        os.close(self.master)
        os.close(self.slave)


def pictures(text):
    """The lines of all that was drawn as a whole, without styles."""
    whole = re.findall(r"\x1b\[H(.*?)\x1b\[J", text, re.DOTALL)
    plain = (re.sub(r"\x1b\[[0-9;]*[mK]", "", picture) for picture in whole)
    return [re.split("\r+\n", picture) for picture in plain]  # the terminal adds its own


def has(text):
    return lambda lines: any(text in line for line in lines)


class Top(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.lab = lab.node.Lab(MUSTERD, MUSTER, folder.name)
        self.addCleanup(self.lab.children.kill_all)
        self.node = self.start("a")

    def start(self, name, **more):
        node = lab.node.Node(self.lab, name, **more)
        self.addCleanup(node.log.close)
        node.start()
        self.assertTrue(until(node.has_listened, PATIENCE))
        return node

    def join(self, store, feature, *options):
        joined = self.node.muster("join", store, feature, *options)
        joined.wait_for(lambda line: line["event"] == "joined")
        return joined

    def run_top(self, *options):
        return subprocess.run([MUSTER, "--node", self.node.address, *options], capture_output=True, timeout=120)

    def on_terminal(self, **more):
        top = OnATerminal("--node", self.node.address, **more)
        self.addCleanup(top.end)
        return top

    def test_without_a_terminal_it_prints_one_picture_and_ends(self):
        self.join("orders", "open", "--count", "3")
        self.join(HOSTILE, "f")
        for options in (["top", "--interval", "0.2"], ["top", "--interval", "0.2", "--once"]):
            done = self.run_top(*options)
            self.assertEqual((done.returncode, done.stderr), (0, b""))
            text = done.stdout.decode("utf-8")
            self.assertIn(f"node a at {self.node.address}, scope default, ready, loopback\n", text)
            self.assertRegex(text, "nodes 1 alive   groups 2   members 4   workers here 3\n")
            self.assertRegex(text, r"notify calls 0\.0 ")
            self.assertRegex(text, r"\na +alive +>\ds +\ds +\d +" + re.escape(self.node.address) + "\n")
            self.assertRegex(text, r"\norders +open +3\n")
            self.assertRegex(text, r"\nx\?\[2J\?\?31mü +f +1\n")
            self.assertFalse(re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f]", text), "control characters")

    def test_tells_programs_the_same(self):
        self.join("orders", "open", "--count", "3")
        done = self.run_top("--json", "top", "--interval", "0.2")
        [line] = done.stdout.decode("utf-8").splitlines()
        told = json.loads(line)
        self.assertEqual(told["node"]["name"], "a")
        self.assertEqual([node["state"] for node in told["nodes"]], ["alive"])
        [group] = told["groups"]
        self.assertEqual((group["store"], group["members"], group["change_per_second"]), ("orders", 3, 0))
        self.assertGreater(told["per_second"]["frames_received"], 0)
        self.assertNotIn("link_queue", told["per_second"])

    def test_is_live_and_leaves_the_terminal_as_it_was(self):
        for ending in (signal.SIGINT, signal.SIGTERM, "q"):
            top = self.on_terminal()
            self.assertTrue(top.shows(has("nodes 1 alive")))
            self.assertNotEqual(termios.tcgetattr(top.slave)[3], top.before[3])
            joined = self.join("orders", "open")
            self.assertTrue(top.shows(has("orders  open")))
            if ending == "q":
                os.write(top.master, b"q")
            else:
                top.process.send_signal(ending)
            self.assertEqual(top.process.wait(PATIENCE), 0)
            top.read()
            self.assertEqual(top.process.stderr.read(), "")
            self.assertEqual((top.text.count(ENTER), top.text.count(LEAVE)), (1, 1))
            self.assertTrue(top.text.endswith("\x1b[?7h\x1b[?25h" + LEAVE))
            self.assertEqual(termios.tcgetattr(top.slave), top.before)
            joined.end()

    def test_a_terminal_that_takes_no_output_does_not_keep_it_from_ending(self):
        started = [(number, self.on_terminal())
                   for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)]
        for number, top in started:
            self.assertTrue(top.shows(has("nodes 1 alive")))
            self.assertNotEqual(termios.tcgetattr(top.slave), top.before)
            termios.tcflow(top.slave, termios.TCOOFF)  # as Ctrl-S
            top.process.send_signal(number)
        for number, top in started:
            with self.subTest(number=number):
                self.assertEqual(top.process.wait(PATIENCE), 1)
                self.assertEqual(termios.tcgetattr(top.slave), top.before)

    def test_nor_does_one_that_nobody_reads(self):
        top = self.on_terminal()
        wchan = pathlib.Path(f"/proc/{top.process.pid}/wchan")
        self.assertTrue(until(lambda: wchan.read_text() == "wait_woken", PATIENCE, 0.02)[0])
        top.process.send_signal(signal.SIGTERM)
        self.assertEqual(top.process.wait(PATIENCE), 1)
        self.assertEqual(termios.tcgetattr(top.slave), top.before)

    def test_shows_who_is_gone_first(self):
        other = self.start("b", seeds=[self.node.address])
        self.assertTrue(until(lambda: len(self.node.ask("nodes")["nodes"]) == 2, PATIENCE))
        top = self.on_terminal()
        self.assertTrue(top.shows(has("nodes 2 alive")))
        other.kill()
        self.assertTrue(top.shows(has("1 down")))
        picture = pictures(top.text)[-1]
        [head] = [at for at, line in enumerate(picture) if line.startswith("NODE ")]
        self.assertRegex(picture[head + 1], r"^b +down +\d+s ")
        self.assertIn("\x1b[1;31mb ", top.text)

    def test_names_of_others_do_nothing_to_the_terminal(self):
        self.join(HOSTILE, HOSTILE)
        top = self.on_terminal()
        self.assertTrue(top.shows(has("x?[2J??31mü  x?[2J??31mü")))
        self.assertNotIn("\x1b[2J", top.text)
        self.assertNotIn("\x07", top.text)
        self.assertNotIn("\u009b", top.text)

    def test_follows_the_size_of_the_terminal(self):
        for i in range(40):
            self.join("orders", f"f{i:02}")
        top = self.on_terminal(rows=30)
        self.assertTrue(top.shows(lambda lines: len(lines) == 30 and lines[-1].startswith("and ")))
        for rows in (15, 8, 60):
            top.resize(rows)
            self.assertTrue(top.shows(lambda lines, rows=rows: len(lines) <= rows and (rows > 15 or len(lines) > 4)))
        self.assertTrue(top.shows(has("f39")))

    def test_goes_on_when_the_node_does_not_answer(self):
        top = self.on_terminal()
        self.assertTrue(top.shows(has("nodes 1 alive")))
        self.node.kill()
        self.assertTrue(top.shows(has("as of ")))
        self.node.start()
        self.assertTrue(top.shows(lambda lines: has("nodes 1 alive")(lines) and not has("as of ")(lines)))
        top.process.send_signal(signal.SIGINT)
        self.assertEqual(top.process.wait(PATIENCE), 0)


if __name__ == "__main__":
    unittest.main()
