#!/usr/bin/env python3
"""Calls in a signal handler: whichever line of the package it interrupts, they work or raise at once."""

import linecache
import sys
import threading
import time
import unittest

from fake_node import PATIENCE, FakeNode
from support import GROUP, ROOT

import muster
from muster import Error, ErrorCode, Kind

PACKAGE = str(ROOT / "node/client/python/muster")
AT_ONCE = 2.5  # seconds; a call that waits for what it interrupted takes its timeout, 5 s


class Interrupt:
    """Calls `handler` before the nth line that this thread runs in the package, as a signal would."""

    def __init__(self, number, handler):
        self.left = number
        self.handler = handler
        self.took = None  # seconds; None: there were fewer lines

    def __enter__(self):
        sys.settrace(self._call)
        return self

    def __exit__(self, *_):
        sys.settrace(None)

    def _call(self, frame, event, _):
        return self._line if frame.f_code.co_filename.startswith(PACKAGE) else None

    def _line(self, frame, event, _):
        # Python looks for signals at calls and jumps, so none interrupts a line that is only `try:`.
        is_try = linecache.getline(frame.f_code.co_filename, frame.f_lineno).strip().startswith("try:")
        if event == "line" and self.took is None and not is_try:
            self.left -= 1
            if self.left < 0:
                sys.settrace(None)
                begun = time.monotonic()
                self.handler()
                self.took = time.monotonic() - begun
        return self._line


class Interrupted(unittest.TestCase):
    def setUp(self):
        self.node = FakeNode()
        self.addCleanup(self.node.close)

    def connect(self):
        worker = muster.Worker.connect([self.node.address], timeout=PATIENCE)
        self.addCleanup(worker.close)
        worker.join(GROUP, lambda n: None, timeout=PATIENCE)
        return worker

    def at_every_line(self, outer, handler):
        """Interrupts `outer` once at each of its lines."""
        for number in range(2000):
            interrupt = Interrupt(number, handler)
            with interrupt:
                outer()
            if interrupt.took is None:
                return number
            self.assertLess(interrupt.took, AT_ONCE, f"at line {number}")
        raise AssertionError("it does not end")

    def test_calls_interrupted_by_calls(self):
        worker = self.connect()
        reports = []

        def post():
            reports.append(worker.post(Kind.created, GROUP, 1))

        def every_call():
            self.assertEqual(len(worker.members(GROUP)), 1)
            post()
            worker.unwatch(worker.watch_all(print))

        for outer in (post, lambda: worker.members(GROUP), lambda: worker.unwatch(worker.watch_all(print))):
            self.assertGreater(self.at_every_line(outer, every_call), 20)
        self.assertEqual({report.result(PATIENCE).matched for report in reports}, {1})

    def test_calls_interrupted_by_close(self):
        for call in ("post", "members", "close"):
            for number in range(2000):
                worker = self.connect()
                interrupt = Interrupt(number, worker.close)
                try:
                    with interrupt:
                        if call == "post":
                            worker.post(Kind.created, GROUP, 1).result(PATIENCE)
                        elif call == "members":
                            worker.members(GROUP)
                        else:
                            worker.close()
                except Error as error:
                    self.assertIn(error.code, (ErrorCode.closed,))
                if interrupt.took is None:
                    break
                self.assertLess(interrupt.took, AT_ONCE, f"{call} at line {number}")
            self.assertGreater(number, 20, call)

    def test_a_handler_that_raises_leaves_a_worker_that_works(self):
        """As Ctrl-C does, at every line of a call."""

        class Raised(BaseException):
            pass

        def fail():
            raise Raised

        def post_elsewhere():
            reports = []
            thread = threading.Thread(target=lambda: reports.append(worker.post(Kind.created, GROUP, 1)))
            thread.start()
            thread.join()
            return reports[0].result(PATIENCE)

        worker = self.connect()
        for call in (
            lambda: worker.members(GROUP),
            lambda: worker.post(Kind.created, GROUP, 1),
            lambda: worker.join(("other", "x")),
            lambda: worker.unwatch(worker.watch_all(print)),
        ):
            for number in range(2000):
                interrupt = Interrupt(number, fail)
                try:
                    with interrupt:
                        call()
                    break
                except Raised:
                    self.assertEqual(post_elsewhere().matched, 1, f"at line {number}")
                    self.assertEqual(len(worker.members(GROUP)), 1)
            self.assertGreater(number, 20)

    def test_calls_interrupted_while_another_thread_posts(self):
        worker = self.connect()
        over = threading.Event()
        failed = []

        def posts():
            while not over.is_set():
                try:
                    worker.post(Kind.created, GROUP, 1).result(PATIENCE)
                except Exception as error:
                    failed.append(error)

        other = threading.Thread(target=posts)
        other.start()
        post = lambda: worker.post(Kind.created, GROUP, 2)  # noqa: E731
        try:
            self.assertGreater(self.at_every_line(post, lambda: post().result(PATIENCE)), 20)
        finally:
            over.set()
            other.join()
        self.assertEqual(failed, [])


if __name__ == "__main__":
    unittest.main()
