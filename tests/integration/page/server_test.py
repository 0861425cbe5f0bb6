#!/usr/bin/env python3
"""What the page's server lets in, to how many, and that everything else is answered all the same."""

import http.client
import json
import socket
import subprocess
import sys
import threading
import time
import unittest

from support import PATIENCE, Case

VIEWERS = 16
# Prints how long each of 100 answers of /healthz took; all must be 200.
HEALTH = """
import http.client, json, sys, time
times = []
for _ in range(100):
    begin = time.monotonic()
    connection = http.client.HTTPConnection(sys.argv[1], int(sys.argv[2]), timeout=20)
    connection.request("GET", "/healthz")
    assert connection.getresponse().status == 200
    connection.close()
    times.append(time.monotonic() - begin)
print(json.dumps(times))
"""


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
        paths = ["/", "/status", "/metrics", "/page/app.js", "/page/style.css", "/page/icon.svg", "/page/state",
                 "/page/groups", "/page/compare", "/page/group?store=a&feature=b"]
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
        known = [self.node.http, f"localhost:{port}", f"a.localhost:{port}", f"[::1]:{port}", "10.1.2.3", "musterd-1",
                 socket.gethostname()]
        strange = [f"evil.example:{port}", "evil.example", "127.0.0.1.evil.example", "localhost.evil.example",
                   "evil.example."]
        for path in ("/", "/status", "/metrics", "/events", "/page/state", "/page/groups", "/page/app.js"):
            for host in strange:
                self.assertEqual(self.ask(self.node, path, Host=host)[0], 421, (path, host))
        for host in known:
            for path in ("/page/state", "/status", "/metrics"):
                self.assertEqual(self.ask(self.node, path, Host=host)[0], 200, host)
        self.assertEqual(self.counter("page_requests_refused"), 35)
        self.assertEqual(self.ask(self.node, "/healthz", Host="monitored.example")[0], 200)

    def test_another_sites_page_may_link_here_and_ask_nothing(self):
        for site in ("cross-site", "same-site"):
            for path in ("/events", "/page/state", "/page/groups", "/page/compare?with=b"):
                self.assertEqual(self.ask(self.node, path, Sec_Fetch_Site=site)[0], 403, path)
            for path in ("/", "/status", "/metrics"):
                self.assertEqual(self.ask(self.node, path, Sec_Fetch_Site=site)[0], 200)
        self.assertEqual(self.ask(self.node, "/page/state", Sec_Fetch_Site="same-origin")[0], 200)

    def test_nothing_but_reading(self):
        for method in ("POST", "PUT", "DELETE", "OPTIONS", "TRACE"):
            for path in ("/page/groups", "/status", "/metrics", "/healthz"):
                status, headers, _ = self.ask(self.node, path, method)
                self.assertEqual((status, headers["Allow"]), (405, "GET, HEAD"), (method, path))
        for path in ("/", "/status", "/metrics", "/healthz", "/readyz", "/page/state", "/events"):
            self.assertEqual(self.ask(self.node, path, "HEAD")[::2], (200, ""), path)
        self.assertEqual(self.ask(self.node, "/page/nothing")[0], 404)
        self.assertEqual(self.ask(self.node, "/page/../page/state")[0], 404)
        self.assertEqual(self.ask(self.node, "/page/group?store=&feature=b")[0], 400)
        self.assertEqual(self.ask(self.node, "/page/group?store=" + "x" * 256 + "&feature=b")[0], 400)
        self.assertEqual(self.ask(self.node, "/page/groups?from=99999999999999999999999")[0], 200)
        self.assertEqual(self.ask(self.node, "/page/compare?with=a")[0], 400)

    def test_ranges_multiply_nothing(self):
        ranges = "bytes=" + ",".join(["0-"] * 2700)
        for path in ("/", "/status", "/metrics", "/page/app.js"):
            plain, (status, headers, text) = self.ask(self.node, path), self.ask(self.node, path, Range=ranges)
            self.assertEqual(status, 200, path)
            self.assertNotIn("Content-Range", headers)
            self.assertLess(len(text), 2 * len(plain[2]), path)

    def test_health_is_answered_whatever_others_do(self):
        ended = threading.Event()
        host, port = self.node.http.split(":")

        def poll(path):
            while not ended.is_set():
                try:
                    self.ask(self.node, path)
                except (OSError, http.client.HTTPException):
                    pass  # refused

        def idle():
            while not ended.is_set():
                silent = [socket.create_connection((host, int(port)), PATIENCE) for _ in range(200)]
                for one in silent:
                    one.sendall(b"GET /healthz HTTP/1.1\r\n")
                ended.wait(0.5)
                for one in silent:
                    one.close()

        polls = ["/metrics"] * 16 + ["/status"] * 4 + ["/page/state"] * 4
        threads = [threading.Thread(target=poll, args=(path,)) for path in polls] + [threading.Thread(target=idle)]
        for thread in threads:
            thread.start()
        self.addCleanup(lambda: [ended.set()] + [thread.join() for thread in threads])
        self.until(lambda: self.counter("http_connections_displaced") > 0, "the connections are full")
        # Asked by another process: the threads of this one wait for each other.
        asked = subprocess.run([sys.executable, "-c", HEALTH, host, port], capture_output=True, text=True, check=True)
        times = sorted(json.loads(asked.stdout))
        self.assertEqual(len(times), 100)
        self.assertLess(times[80], 0.1, times)  # the rest is left to a loaded machine

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
