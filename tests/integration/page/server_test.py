#!/usr/bin/env python3
"""What the page's server lets in, to how many, and that everything else is answered all the same."""

import json
import socket
import time
import unittest

from support import PATIENCE, Case

VIEWERS = 16


class Stream:
    """A viewer."""

    def __init__(self, node):
        host, port = node.http.split(":")
        self.socket = socket.create_connection((host, int(port)), PATIENCE)
        self.socket.sendall(f"GET /events HTTP/1.1\r\nHost: {node.http}\r\n\r\n".encode())
        self.text = b""

    def read_until(self, wanted):
        deadline = time.monotonic() + PATIENCE
        while wanted not in self.text and time.monotonic() < deadline:
            data = self.socket.recv(65536)
            if not data:
                break
            self.text += data
        return wanted in self.text

    def close(self):
        self.socket.close()


class Server(Case):
    def setUp(self):
        super().setUp()
        (self.node,) = self.start("a")

    def counter(self, name):
        return json.loads(self.ask(self.node, "/status")[2])["counters"][name]

    def stream(self):
        stream = Stream(self.node)
        self.addCleanup(stream.close)
        return stream

    def test_every_answer_is_kept_from_other_sites(self):
        paths = ["/", "/page/app.js", "/page/style.css", "/page/icon.svg", "/page/state", "/page/groups",
                 "/page/compare", "/page/group?store=a&feature=b"]
        for path in paths:
            status, headers, _ = self.ask(self.node, path)
            self.assertEqual(status, 400 if path == "/page/compare" else 200, path)
            policy = headers["Content-Security-Policy"]
            self.assertIn("default-src 'none'", policy)
            self.assertNotIn("unsafe", policy)
            self.assertEqual(headers["X-Content-Type-Options"], "nosniff")
            self.assertEqual(headers["X-Frame-Options"], "DENY")
            self.assertEqual(headers["Cache-Control"], "no-store")
            self.assertEqual(headers["Cross-Origin-Resource-Policy"], "same-origin")
            self.assertNotIn("Access-Control-Allow-Origin", headers)
        index = self.ask(self.node, "/")[2]
        for forbidden in ("<style", "style=", "onclick", "http:", "https:", "//"):
            self.assertNotIn(forbidden, index.replace("<!doctype html>", ""))
        self.assertNotIn("://", self.ask(self.node, "/page/app.js")[2])

    def test_a_name_that_was_made_to_point_here_reads_nothing(self):
        port = self.node.http.split(":")[1]
        known = [self.node.http, f"localhost:{port}", f"a.localhost:{port}", f"[::1]:{port}", "10.1.2.3", "musterd-1"]
        strange = [f"evil.example:{port}", "evil.example", "127.0.0.1.evil.example", "localhost.evil.example",
                   "evil.example."]
        for path in ("/", "/events", "/page/state", "/page/groups", "/page/app.js"):
            for host in strange:
                self.assertEqual(self.ask(self.node, path, Host=host)[0], 421, (path, host))
        for host in known:
            self.assertEqual(self.ask(self.node, "/page/state", Host=host)[0], 200, host)
        self.assertEqual(self.counter("page_requests_refused"), 25)
        self.assertEqual(self.ask(self.node, "/healthz", Host="monitored.example")[0], 200)

    def test_another_sites_page_may_link_here_and_ask_nothing(self):
        for site in ("cross-site", "same-site"):
            for path in ("/events", "/page/state", "/page/groups", "/page/compare?with=b"):
                self.assertEqual(self.ask(self.node, path, Sec_Fetch_Site=site)[0], 403, path)
            self.assertEqual(self.ask(self.node, "/", Sec_Fetch_Site=site)[0], 200)
        self.assertEqual(self.ask(self.node, "/page/state", Sec_Fetch_Site="same-origin")[0], 200)

    def test_nothing_but_reading(self):
        for method in ("POST", "PUT", "DELETE"):
            self.assertGreaterEqual(self.ask(self.node, "/page/groups", method)[0], 400)
        self.assertEqual(self.ask(self.node, "/page/nothing")[0], 404)
        self.assertEqual(self.ask(self.node, "/page/../page/state")[0], 404)
        self.assertEqual(self.ask(self.node, "/page/group?store=&feature=b")[0], 400)
        self.assertEqual(self.ask(self.node, "/page/group?store=" + "x" * 256 + "&feature=b")[0], 400)
        self.assertEqual(self.ask(self.node, "/page/groups?from=99999999999999999999999")[0], 200)
        self.assertEqual(self.ask(self.node, "/page/compare?with=a")[0], 400)

    def test_viewers_are_bounded_and_hold_back_nobody_else(self):
        viewers = [self.stream() for _ in range(VIEWERS)]
        for viewer in viewers:
            self.assertTrue(viewer.read_until(b"event: state\n"))
        self.assertEqual(self.counter("page_viewers"), VIEWERS)
        self.assertEqual(self.ask(self.node, "/events")[0], 503)
        self.assertEqual(self.counter("page_viewers_refused"), 1)
        for path in ("/healthz", "/readyz", "/status", "/", "/page/groups", "/page/state"):
            self.assertEqual(self.ask(self.node, path)[0], 200, path)
        self.assertTrue(viewers[0].read_until(b"event: delta\n"))
        for viewer in viewers:
            viewer.close()
        self.until(lambda: self.counter("page_viewers") == 0, "places are given back")
        self.assertTrue(self.stream().read_until(b"event: state\n"))

    def test_a_node_ends_at_once_however_many_look(self):
        for _ in range(VIEWERS):
            self.assertTrue(self.stream().read_until(b"event: state\n"))
        begin = time.monotonic()
        self.node.terminate()
        self.assertEqual(self.node.process.wait(PATIENCE), 0)
        self.assertLess(time.monotonic() - begin, 5)


if __name__ == "__main__":
    unittest.main(verbosity=2)
