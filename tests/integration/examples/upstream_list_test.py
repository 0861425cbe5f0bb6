#!/usr/bin/env python3
"""A load balancer's list of servers: always whole, never empty, written once for changes that come together."""

import re
import signal
import sys
import threading
import time
import unittest

from support import ROOT, Case

sys.path.insert(0, str(ROOT / "node/client/python"))

import muster  # noqa: E402

LIST = re.compile(r"upstream web_backends \{\n(    server [0-9.:]+;\n)+\}\n")


class Reader(threading.Thread):
    """Reads the file all the time, as a load balancer might at any moment."""

    def __init__(self, file):
        super().__init__()
        self.file, self.bad, self.good, self._ends = file, [], 0, threading.Event()
        self.start()

    def run(self):
        while not self._ends.wait(0.002):
            try:
                text = self.file.read_text(encoding="utf-8")
            except FileNotFoundError:
                if self.good:
                    self.bad.append("it is gone")
                continue
            if LIST.fullmatch(text):
                self.good += 1
            else:
                self.bad.append(text)

    def end(self):
        self._ends.set()
        self.join()


class UpstreamList(Case):
    def setUp(self):
        super().setUp()
        self.file, self.reloads = self.folder / "web.conf", self.folder / "reloads"
        self.reader = Reader(self.file)
        self.addCleanup(self.reader.end)

    def watcher(self, node):
        return self.example(
            "upstream_list",
            places={"web.conf": str(self.file), "nginx -s reload": f"echo >>{self.reloads}",
                    "127.0.0.1:7100": node.address},
        )

    def server(self, node, address):
        server = node.muster("join", "web", "backends", "--meta", f"address={address}")
        self.assertIsNotNone(server.wait_for(lambda line: line["event"] == "joined")[1])
        return server

    def servers(self):
        text = self.file.read_text(encoding="utf-8") if self.file.exists() else ""
        return re.findall(r"server (\S+);", text)

    def has(self, *servers):
        self.until(lambda: self.servers() == sorted(servers), f"the list has {servers}")

    def tearDown(self):
        self.reader.end()
        self.assertEqual(self.reader.bad, [])
        super().tearDown()

    def test_servers_come_and_go(self):
        watcher = self.watcher(self.a)
        first = self.server(self.b, "10.0.0.1:8080")
        self.has("10.0.0.1:8080")
        second = self.server(self.c, "10.0.0.2:8080")
        self.has("10.0.0.1:8080", "10.0.0.2:8080")
        self.server(self.c, "10.0.0.9:80; } evil {")
        watcher.wait("has no valid address")
        first.signal(signal.SIGKILL)
        self.has("10.0.0.2:8080")
        second.end()
        watcher.wait("^no servers: the list is not changed$")
        self.has("10.0.0.2:8080")
        watcher.signal(signal.SIGTERM)
        self.assertEqual(watcher.process.wait(20), 0)
        written = sum(line.startswith("wrote ") for line in watcher.lines)
        self.assertEqual(self.reloads.read_text(encoding="utf-8").count("\n"), written)

    def test_changes_that_come_together_are_written_together(self):
        watcher = self.watcher(self.a)
        self.server(self.b, "10.0.0.1:8080")
        self.has("10.0.0.1:8080")
        since = watcher.mark()
        addresses = [f"10.0.1.{number}:80" for number in range(1, 101)]
        with muster.Worker.connect([self.c.address]) as worker:
            for address in addresses:
                worker.join(("web", "backends"), meta={"address": address})
            self.has("10.0.0.1:8080", *addresses)
        wrote = [line for line in watcher.lines[since:] if line.startswith("wrote ")]
        self.assertLessEqual(len(wrote), 10, wrote)

    def test_a_blind_node_empties_nothing(self):
        watcher = self.watcher(self.a)
        first = self.server(self.b, "10.0.0.1:8080")
        second = self.server(self.c, "10.0.0.2:8080")
        self.has("10.0.0.1:8080", "10.0.0.2:8080")
        since = watcher.mark()
        # Its node starts again and knows nobody yet: it serves no watcher before it has synced.
        self.a.kill()
        self.a.process.wait()
        self.a.start()
        self.until(lambda: (self.a.ask("status") or {}).get("ready"), "it is ready")
        self.until(lambda: self.a.ask("status")["workers"] >= 2, "the watcher is back")  # and who asks
        third = self.server(self.b, "10.0.0.3:8080")
        self.has("10.0.0.1:8080", "10.0.0.2:8080", "10.0.0.3:8080")
        # One host dies after the other, each with its servers; those of a node that dies alone go to another.
        self.b.kill()
        self.has("10.0.0.1:8080", "10.0.0.2:8080", "10.0.0.3:8080")
        for server in (first, third):
            server.signal(signal.SIGKILL)
        self.has("10.0.0.2:8080")
        self.c.kill()
        second.signal(signal.SIGKILL)
        watcher.wait("^no servers: the list is not changed$", since)
        time.sleep(0.5)  # would it be written all the same
        self.has("10.0.0.2:8080")


if __name__ == "__main__":
    unittest.main()
