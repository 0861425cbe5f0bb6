"""Three real nodes, and the examples as USING.md starts them."""

import os
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile
import threading
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "scripts"))

from lab.node import Lab, Node, start_together  # noqa: E402
from lab.processes import free_port, until  # noqa: E402,F401

PATIENCE = 20.0  # seconds that anything may take on a loaded machine before a test calls it hung
GUIDE = (ROOT / "node/USING.md").read_text(encoding="utf-8")


class Program:
    """A child, with the lines that it prints."""

    def __init__(self, case, command):
        self.lines = []
        self._news = threading.Condition()
        self._ended = False
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, bufsize=1
        )
        case.addCleanup(self._end)
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self):
        for line in self.process.stdout:
            with self._news:
                self.lines.append(line.rstrip("\n"))
                self._news.notify_all()
        with self._news:
            self._ended = True
            self._news.notify_all()

    def _end(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._reader.join()
        self.process.stdin.close()
        self.process.stdout.close()

    def mark(self):
        """A place in what it prints: everything so far is before it."""
        with self._news:
            return len(self.lines)

    def wait(self, wanted, since=0, timeout=PATIENCE):
        """The first line from the mark on that matches; an error when none comes."""
        end = time.monotonic() + timeout
        with self._news:
            at = since
            while True:
                for line in self.lines[at:]:
                    if re.search(wanted, line):
                        return line
                at = len(self.lines)
                left = end - time.monotonic()
                if left <= 0 or (self._ended and at == len(self.lines)):
                    raise AssertionError(f"no line with '{wanted}' among {self.lines[since:]}")
                self._news.wait(left)

    def say(self, line):
        """Writes a line to it; the next line that it prints."""
        since = self.mark()
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.wait("", since)

    def signal(self, number):
        self.process.send_signal(number)


class Case(unittest.TestCase):
    OPTIONS = ()

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.lab = Lab(os.environ["MUSTERD"], os.environ["MUSTER"], folder.name)
        self.addCleanup(self.lab.children.kill_all)
        self.nodes = [Node(self.lab, name, options=self.OPTIONS) for name in "abc"]
        self.a, self.b, self.c = self.nodes
        for node in self.nodes:
            self.addCleanup(node.log.close)
        self.assertIsNone(start_together(self.nodes, PATIENCE), "it does not see all nodes")

    def until(self, predicate, what):
        self.assertTrue(until(predicate, PATIENCE, 0.05)[0], what)

    def start(self, words, places):
        """A command as it stands in a document, with other places in it: {word there: word here}."""
        missing = [word for word in places if word not in words]
        self.assertEqual(missing, [], f"the command {words} has changed")
        program, *arguments = (places.get(word, word) for word in words)
        path = self.lab.muster if program == "muster" else os.environ[program]
        return Program(self, [path, *arguments])

    def example(self, *begins, **places_of):
        """The first command of USING.md, "Examples", that begins with these words, at other places."""
        for words in commands(GUIDE[GUIDE.index("\n## Examples"):].split("\n##", 2)[1], r"^    "):
            if words[: len(begins)] == list(begins):
                return self.start(words, places_of["places"])
        raise AssertionError(f"USING.md shows no {' '.join(begins)}")

    def muster(self, node, *arguments):
        """What a command of the command line tool prints, which must succeed."""
        done = subprocess.run(
            [self.lab.muster, "--node", node.address, *arguments], capture_output=True, text=True, timeout=60
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout


def commands(text, margin):
    """The words of each line that begins with the margin, without its comment."""
    lines = re.findall(margin + r"(\S.*)$", text, re.MULTILINE)
    return [shlex.split(line, comments=True) for line in lines]


def header(example):
    """The commands in an example's first comment."""
    text = (ROOT / "node/examples" / f"{example}.cpp").read_text(encoding="utf-8")
    return commands(text[: text.index("#include")], r"^//     ")
