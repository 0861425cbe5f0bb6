#!/usr/bin/env python3
"""What bash offers when the Tab key is pressed, from the installed completion files and real programs."""

import os
import pathlib
import re
import shlex
import subprocess
import tempfile
import unittest

from support import MUSTER, MUSTERD, ROOT, commands_of, help_of, options_of

from lab.node import Lab, Node
from lab.processes import until

# As readline does it: words are split at these as well, and the function is called with no arguments that we use.
DRIVER = """
source "$1"
COMP_LINE=$2
eval "COMP_WORDS=($3)"
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
$4
printf '%s\\n' "${COMPREPLY[@]}"
"""


def offered(program, line, folder=None):
    """The words that are offered for the last one of `line`, which may be empty."""
    name = pathlib.Path(program).name
    words = [program, *[word for typed in line.split(" ") for word in split(typed)]]
    command = ["bash", "-c", DRIVER, "bash", str(ROOT / "scripts/completion" / name), line,
               " ".join(shlex.quote(word) for word in words), f"_{name}"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=folder, timeout=60)
    assert not done.stderr, done.stderr
    return [word for word in done.stdout.split("\n") if word]


def split(word):
    """At the characters that readline takes for words of their own."""
    return [part for part in re.split("([:=])", word) if part] or [""]


class Musterd(unittest.TestCase):
    def test_offers_the_options_that_it_has(self):
        self.assertEqual(set(offered(MUSTERD, "--")), set(options_of(help_of(MUSTERD))))
        self.assertEqual(offered(MUSTERD, "--name a --link-r"), ["--link-retention"])

    def test_offers_values(self):
        self.assertEqual(offered(MUSTERD, "--link-policy "), ["drop_oldest", "refuse_newest"])
        self.assertEqual(offered(MUSTERD, "--log-format j"), ["json"])
        self.assertEqual(offered(MUSTERD, "--session-grace "), [])
        with tempfile.TemporaryDirectory() as folder:
            (pathlib.Path(folder) / "a.toml").touch()
            (pathlib.Path(folder) / "keys").mkdir()
            self.assertEqual(offered(MUSTERD, "--config a", folder), ["a.toml"])
            self.assertEqual(offered(MUSTERD, "--keys ", folder), ["keys"])


class Muster(unittest.TestCase):
    def test_offers_commands_and_their_options(self):
        general = help_of(MUSTER)
        self.assertEqual(set(offered(MUSTER, "")), set(commands_of(general)))
        self.assertEqual(offered(MUSTER, "--json --node 127.0.0.1:7100 no"), ["nodes", "notify"])
        for command in commands_of(general):
            expected = set(options_of(general)) | set(options_of(help_of(MUSTER, command)))
            self.assertEqual(set(offered(MUSTER, f"{command} --")), expected, command)
        self.assertEqual(offered(MUSTER, "notify "), ["created", "deleted", "updated"])

    def test_offers_what_the_node_knows_and_runs_none_of_it(self):
        with tempfile.TemporaryDirectory() as folder:
            lab = Lab(MUSTERD, MUSTER, folder)
            node = Node(lab, "a")
            self.addCleanup(node.log.close)
            self.addCleanup(lab.children.kill_all)
            node.start()
            self.assertTrue(until(node.has_listened, 30))
            hostile = [f"$(touch {folder}/run)", f"`touch {folder}/run`", f";touch${{IFS}}{folder}/run", "a'b"]
            for store, feature in [("orders", "open"), ("orders", "closed"), ("users", "new")] + [
                (name, "x") for name in hostile
            ]:
                node.muster("join", store, feature).wait_for(lambda line: line["event"] == "joined")
            at = f"--node {node.address}"
            self.assertEqual(offered(MUSTER, f"{at} members "), ["orders", "users"])
            self.assertEqual(offered(MUSTER, f"{at} members o"), ["orders"])
            self.assertEqual(offered(MUSTER, f"members orders {at} "), ["closed", "open"])
            self.assertEqual(offered(MUSTER, f"{at} notify created users "), ["new"])
            self.assertEqual(offered(MUSTER, f"{at} diff "), ["a"])
            self.assertEqual(offered(MUSTER, f"--node={node.address} members o"), ["orders"])
            self.assertFalse(os.path.exists(f"{folder}/run"))

    def test_offers_nothing_where_no_node_answers(self):
        self.assertEqual(offered(MUSTER, "--node 127.0.0.1:1 members "), [])


if __name__ == "__main__":
    unittest.main()
