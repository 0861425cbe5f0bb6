#!/usr/bin/env python3
"""The C++ programs of README.md and USING.md, unchanged except for the addresses, at real nodes."""

import os
import unittest

from support import Case, Program, free_port


class Readme(Case):
    def setUp(self):
        super().setUp()
        places = {"7100": self.a.address, "7200": self.b.address, "7400": f"127.0.0.1:{free_port()}"}
        os.environ.update({f"README_{port}": address for port, address in places.items()})

    def program(self, name):
        return Program(self, [os.environ[name]])

    def end(self, program):
        """As somebody who presses Enter."""
        program.process.stdin.write("\n")
        program.process.stdin.flush()
        self.assertEqual(program.process.wait(20), 0)

    def test_the_worker(self):
        program = self.program("readme_0")
        # C's standard output into a pipe: all of it comes at the end.
        self.until(lambda: len(self.c.members(("orders", "subscriptions")) or []) == 1, "its member is seen elsewhere")
        answer = self.c.ask("notify", "deleted", "orders", "subscriptions", '{"order": 8}', "--wait")
        self.assertEqual((answer["matched"], answer["delivered"]), (1, 1))
        self.end(program)
        self.assertIn("notified 1 members", program.lines)
        self.assertIn('created {"order":7}', program.lines)
        self.assertIn('deleted {"order":8}', program.lines)

    def test_the_node_inside_a_process(self):
        program = self.program("readme_1")
        self.until(lambda: "billing-1" in self.c.alive(), "it is a node of the cluster")
        worker = self.b.muster("join", "orders", "subscriptions", "--count", "3", "--visible")
        self.assertIsNotNone(worker.wait_for(lambda line: line["event"] == "joined")[1])
        self.end(program)
        # It may have come to watch before or after the join.
        self.assertRegex("\n".join(program.lines), "(?m)^(join|snapshot) orders/subscriptions: 3$")
        self.until(lambda: self.c.states().get("billing-1") == "left", "it has said goodbye")


if __name__ == "__main__":
    unittest.main()
