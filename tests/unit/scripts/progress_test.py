#!/usr/bin/env python3
"""What long runs say of how far they are: rewritten on a terminal, else a line every so often."""

import io
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[3] / "scripts"))

from lab.progress import Progress, duration  # noqa: E402


class Terminal(io.StringIO):
    def isatty(self):
        return True


class Shown(unittest.TestCase):
    def progress(self, out):
        self.now = 100.0
        return Progress("soak", out, clock=lambda: self.now)

    def test_a_line_every_so_often(self):
        out = io.StringIO()
        progress = self.progress(out)
        for second in range(1, 46):
            self.now = 100.0 + second
            progress.show(second / 60, "3 faults")
        progress.clear()
        self.assertEqual(out.getvalue().splitlines(),
                         [f"soak: {part} %, {took} s, some {60 - took} s left; 3 faults"
                          for part, took in ((25, 15), (50, 30), (75, 45))])

    def test_at_once(self):
        out = io.StringIO()
        progress = self.progress(out)
        progress.show(0, "run 1 of 2", at_once=True)
        self.now += 1
        progress.show(2, "run 2 of 2", at_once=True)
        self.assertEqual(out.getvalue(), "soak: 0 %, 0 s; run 1 of 2\nsoak: 100 %, 1 s; run 2 of 2\n")

    def test_a_terminal_has_one_line_that_goes_again(self):
        out = Terminal()
        progress = self.progress(out)
        for _ in range(10):
            self.now += 0.125
            progress.show(0.5, "x" * 500)
        progress.clear()
        progress.clear()
        shown = out.getvalue().split("\r\x1b[K")
        self.assertEqual((len(shown), shown[0], shown[-1]), (5 + 2, "", ""))
        self.assertTrue(all(len(line) < 200 and "\n" not in line for line in shown))

    def test_durations(self):
        self.assertEqual([duration(s) for s in (0.4, 119, 121, 7199, 7300)], ["0 s", "119 s", "2 min", "2 h 0 min",
                                                                             "2 h 2 min"])


if __name__ == "__main__":
    unittest.main()
