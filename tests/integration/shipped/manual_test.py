#!/usr/bin/env python3
"""The manual pages name the options and commands that the programs have, with the same defaults, and no others."""

import re
import shutil
import subprocess
import unittest

from support import MUSTER, MUSTERD, ROOT, commands_of, help_of, options_of


def page(name):
    """Its text without the escapes that stand for themselves."""
    text = (ROOT / "scripts/man" / name).read_text(encoding="utf-8")
    return text.replace("\\-", "-").replace("\\fI", "").replace("\\fP", "").replace("\\fR", "").replace("\\fB", "")


def options_in(text):
    return set(re.findall(r"--[a-z][a-z-]*", text))


class Musterd(unittest.TestCase):
    def test_options(self):
        self.assertEqual(options_in(page("musterd.8")), set(options_of(help_of(MUSTERD))))

    def test_defaults(self):
        entries = {}
        for entry in page("musterd.8").split("\n.TP\n"):
            for option in options_in(entry.partition("\n")[0]):
                entries[option] = entry
        compared = 0
        for option, text in options_of(help_of(MUSTERD)).items():
            default = re.search(r"\(default (\"?)([^ ;:)\"]+(?::\d+)?)\1", text)
            if default:
                self.assertIn(f"Default: {default.group(2)}", entries[option], option)
                compared += 1
        self.assertGreater(compared, 10)


class Muster(unittest.TestCase):
    def test_commands_and_their_options(self):
        text = page("muster.1")
        general = help_of(MUSTER)
        commands = commands_of(general)
        before, _, described = text.partition("\n.SH COMMANDS\n")
        described, _, _ = described.partition("\n.SH ")
        self.assertEqual(options_in(before), set(options_of(general)))
        starts = list(re.finditer(rf"^\.BI? ({'|'.join(commands)})\b", described, re.MULTILINE))
        self.assertEqual([start.group(1) for start in starts], commands_sorted_as(starts, commands))
        ends = [start.start() for start in starts[1:]] + [len(described)]
        for start, end in zip(starts, ends):
            command = start.group(1)
            options = set(options_of(help_of(MUSTER, command))) - {"--help"}
            self.assertEqual(options_in(described[start.start():end]), options, command)


def commands_sorted_as(starts, commands):
    """All commands once, in the order in which the page has them."""
    order = [start.group(1) for start in starts]
    return sorted(commands, key=lambda command: order.index(command) if command in order else len(order))


@unittest.skipUnless(shutil.which("groff"), "there is no groff here")
class Form(unittest.TestCase):
    def test_groff_takes_them_without_a_warning(self):
        for path in sorted((ROOT / "scripts/man").iterdir()):
            done = subprocess.run(["groff", "-man", "-Tutf8", "-wall", "-z", path], capture_output=True, text=True)
            self.assertEqual((done.returncode, done.stderr), (0, ""), path)


if __name__ == "__main__":
    unittest.main()
