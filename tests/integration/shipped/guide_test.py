#!/usr/bin/env python3
"""The guide for operators knows every counter and every line of the log; deployment files use settings that exist."""

import json
import re
import tempfile
import unittest
import urllib.request

from support import MUSTER, MUSTERD, ROOT, help_of, options_of

import lab.node
from lab.processes import free_port, until

GUIDE = (ROOT / "node/OPERATING.md").read_text(encoding="utf-8")


class Guide(unittest.TestCase):
    def test_every_counter_that_a_node_shows_is_explained(self):
        """The checker of the tree holds those of the core, which appear once they are hit, against the sources."""
        http = f"127.0.0.1:{free_port()}"
        with tempfile.TemporaryDirectory() as folder:
            all_of = lab.node.Lab(MUSTERD, MUSTER, folder)
            node = lab.node.Node(all_of, "a", options=["--http", http])
            self.addCleanup(node.log.close)
            self.addCleanup(all_of.children.kill_all)
            node.start()
            self.assertTrue(until(node.has_listened, 30))
            self.assertTrue(until(lambda: answers(f"http://{http}/readyz"), 30))
            with urllib.request.urlopen(f"http://{http}/status", timeout=30) as answer:
                shown = set(json.load(answer)["counters"])
        self.assertGreater(len(shown), 15)
        self.assertEqual({name for name in shown if f"`{name}`" not in counters_part()}, set())
        cells = re.findall(r"^\| (`[^|]*`) \|", counters_part(), re.MULTILINE)
        explained = {name for cell in cells for name in re.findall(r"`(\w+)`", cell)}
        self.assertEqual(explained - shown - counted_in_core(), set())

    def test_lines_of_the_log(self):
        source = (ROOT / "node/notes.cpp").read_text(encoding="utf-8")
        wordings = re.findall(r'return \{\d, "(.*)", "(.*)"\};', source)
        self.assertGreater(len(wordings), 10)
        lines = GUIDE[GUIDE.index("\n## Every line of the log"):]
        for before, after in wordings:
            if before or after:
                text = f"{before}…{after}" if after or before.endswith(" ") else before
                short = text.removeprefix("worker ")  # those of workers share rows
                self.assertTrue(text in lines or f"`{short}`" in lines, text)


class Deployment(unittest.TestCase):
    def test_settings_exist(self):
        known = {option[2:].replace("-", "_").upper() for option in options_of(help_of(MUSTERD))}
        for name in ("Dockerfile", "compose.yaml", "kubernetes.yaml"):
            text = (ROOT / "scripts/deploy" / name).read_text(encoding="utf-8")
            used = set(re.findall(r"\bMUSTER_([A-Z_]+)\b", text))
            self.assertTrue(used and used <= known, f"{name}: {used - known}")


def counted_in_core():
    sources = (path.read_text(encoding="utf-8") for path in (ROOT / "cluster").rglob("*.cpp"))
    return {name for source in sources for name in re.findall(r'\bcount\("([a-z_]+)"', source)}


def counters_part():
    return GUIDE[GUIDE.index("\n## Every counter"):GUIDE.index("\n## Every line of the log")]


def answers(address):
    try:
        with urllib.request.urlopen(address, timeout=5) as answer:
            return answer.status == 200
    except OSError:
        return False


if __name__ == "__main__":
    unittest.main()
