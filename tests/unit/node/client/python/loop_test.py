#!/usr/bin/env python3
"""The worker's own thread: whatever raises on it is logged, every call ends, and the worker goes on where it can."""

import asyncio
import logging
import socket
import threading
import time
import unittest

import zmq
from fake_node import PATIENCE, FakeNode
from support import GROUP

import muster
from muster import Error, ErrorCode, Kind
from muster.handlers import Handlers
from muster.logs import later
from muster.loop import Loop
from muster.requests import Requests
from muster.session import Session


class Case(unittest.TestCase):
    def setUp(self):
        self.node = FakeNode()
        self.addCleanup(self.node.close)
        self.got = []
        self.worker = muster.Worker.connect([self.node.address], name="w1", timeout=PATIENCE)
        self.addCleanup(self.worker.close)
        self.worker.join(GROUP, lambda n: self.got.append(n.data), timeout=PATIENCE)

    def patch(self, where, name, function):
        """Calls function(original, …) instead of where.name(…), until the end of the test."""
        original = getattr(where, name)
        setattr(where, name, lambda *arguments: function(original, *arguments))
        self.addCleanup(setattr, where, name, original)

    def works(self):
        self.got.clear()
        end = time.monotonic() + PATIENCE
        while not self.got:  # what was sent while it had no session is lost
            self.assertLess(time.monotonic(), end)
            try:
                self.worker.notify_created(GROUP, 1)
            except Error as error:
                self.assertIn(error.code, (ErrorCode.unknown_session, ErrorCode.timeout))
            time.sleep(0.02)
        self.assertTrue(later.flush(PATIENCE))  # for those that look at the log


class Failing(Case):
    def test_one_failure_anywhere_in_the_session(self):
        for name in ("frame", "tick", "take_actions", "next_deadline", "handled", "ask", "_take_attached", "_flush"):
            with self.subTest(name), self.assertLogs("muster", "ERROR"):
                self.setUp()
                failures = []

                def once(original, *arguments):
                    if not failures:
                        failures.append(name)
                        raise RuntimeError("meant")
                    return original(*arguments)

                self.patch(Session, name, once)
                outcomes = []

                def call():
                    try:
                        outcomes.append(self.worker.members(GROUP, timeout=PATIENCE))
                    except Error as error:
                        outcomes.append(error)

                callers = [threading.Thread(target=call) for _ in range(3)]
                for caller in callers:
                    caller.start()
                for caller in callers:
                    caller.join(2 * PATIENCE)
                self.assertEqual(len(outcomes), 3, "a call hangs")
                self.works()
                self.assertEqual(failures, [name])

    def test_a_request_that_cannot_be_made_ends_its_call_alone(self):
        def encode(original, requests, now, make):
            def broken(number, request):
                if type(request).__name__ == "MembersRequest":
                    raise TypeError("meant")
                return make(number, request)

            return original(requests, now, broken)

        self.patch(Requests, "next_frame", encode)
        with self.assertLogs("muster", "ERROR"):
            with self.assertRaisesRegex(Error, "bad_request: .*meant"):
                self.worker.members(GROUP, timeout=PATIENCE)
            self.works()
        self.assertEqual(self.worker.counters["sessions"], 1)

    def test_when_every_turn_fails_all_calls_end(self):
        outcomes = []

        def call():
            try:
                self.worker.members(GROUP, timeout=PATIENCE)
            except Error as error:
                outcomes.append(error.code)

        with self.assertLogs("muster", "ERROR"):
            posted = [self.worker.post(Kind.created, GROUP, i, timeout=PATIENCE) for i in range(3)]
            callers = [threading.Thread(target=call) for _ in range(3)]

            def fail(original, *_):
                raise SystemExit("meant")

            self.patch(Session, "tick", fail)
            self.patch(Session, "frame", fail)
            for caller in callers:
                caller.start()
            for caller in callers:
                caller.join(PATIENCE)
            self.assertTrue(later.flush(PATIENCE))
        self.assertEqual(outcomes, [ErrorCode.closed] * 3)
        for report in posted:
            self.assertIsInstance(report.exception(PATIENCE), (Error, type(None)), "it may have been answered before")
        with self.assertRaises(Error) as caught:
            self.worker.join(GROUP)
        self.assertEqual(caught.exception.code, ErrorCode.closed)
        self.worker.close()


class Connecting(Case):
    def test_without_threads_or_descriptors_it_says_so_and_works_later(self):
        def fail(error):
            def failing(original, *arguments):
                left.pop()
                if not left:
                    raise error
                return original(*arguments)

            return failing

        for where, name, error, count in (
            (threading.Thread, "start", RuntimeError("can't start new thread"), 1),
            (threading.Thread, "start", RuntimeError("can't start new thread"), 2),
            (socket, "socketpair", OSError(24, "Too many open files"), 1),
            (zmq, "Context", zmq.ZMQError(24), 1),
        ):
            left = [None] * count
            original = getattr(where, name)
            self.patch(where, name, fail(error))
            with self.subTest(name, count=count), self.assertRaises(Error) as caught:
                muster.Worker.connect([self.node.address])
            setattr(where, name, original)
            self.assertEqual(caught.exception.code, ErrorCode.overloaded)
            muster.Worker.connect([self.node.address], timeout=PATIENCE).close()

    def test_an_exception_of_a_signal_handler_anywhere_leaves_nothing(self):
        class Interrupt(Exception):
            pass

        def interrupt(original, *arguments):
            original(*arguments)
            raise Interrupt

        before = threading.active_count()
        for where, name in ((Loop, "begin"), (Handlers, "start"), (muster.Worker, "__init__"), (Loop, "start")):
            original = getattr(where, name)
            self.patch(where, name, interrupt)
            with self.subTest(name), self.assertRaises(Interrupt):
                muster.Worker.connect([self.node.address], timeout=PATIENCE)
            setattr(where, name, original)
            end = time.monotonic() + PATIENCE
            while threading.active_count() > before and time.monotonic() < end:
                time.sleep(0.02)
            self.assertLessEqual(threading.active_count(), before, threading.enumerate())

    def test_without_a_thread_for_the_probe_it_connects(self):
        original = threading.Thread.start
        threads = []

        def start(thread):
            if thread.name == "muster probe":
                threads.append(thread)
                raise RuntimeError("can't start new thread")
            original(thread)

        self.patch(threading.Thread, "start", lambda _, thread: start(thread))
        with self.assertNoLogs("muster", "ERROR"):
            for _ in range(6):
                muster.Worker.connect([self.node.address], timeout=PATIENCE).close()
        self.assertEqual(len(threads), 6)


class WithALogThatBlocks(Case):
    def test_the_session_and_close_go_on(self):
        free, blocked = threading.Event(), threading.Event()
        self.addCleanup(free.set)
        handler = logging.Handler()
        handler.emit = lambda record: (blocked.set(), free.wait(PATIENCE))
        logger = logging.getLogger("muster")
        logger.addHandler(handler)
        self.addCleanup(logger.removeHandler, handler)
        self.addCleanup(setattr, logger, "propagate", logger.propagate)
        logger.propagate = False
        self.worker._loop._post(lambda now: 1 / 0)
        self.assertTrue(blocked.wait(PATIENCE))
        self.assertEqual(len(self.worker.members(GROUP)), 1)
        self.worker.close()
        self.assertTrue(self.node.wait(lambda: self.node.goodbyes == ["w1"]))
        self.assertFalse(free.is_set())
        free.set()
        self.assertTrue(later.flush(PATIENCE))


class Callbacks(Case):
    def test_a_callback_of_a_report_may_raise_anything(self):
        hold = threading.Event()
        self.patch(Session, "frame", lambda original, *a: (hold.wait(PATIENCE), original(*a)))
        for error in (SystemExit(1), KeyboardInterrupt(), asyncio.CancelledError(), GeneratorExit(), ValueError()):
            with self.assertLogs(level="ERROR"):

                def callback(_):
                    raise error

                hold.clear()
                report = self.worker.post(Kind.created, GROUP, 1)
                report.add_done_callback(callback)  # before the answer: it is called on a thread of the worker
                hold.set()
                self.assertEqual(report.result(PATIENCE).matched, 1)
                self.works()

    def test_calls_in_a_callback_work(self):
        said = []
        told = threading.Event()

        def callback(_):
            said.append(len(self.worker.members(GROUP)))
            said.append(self.worker.unwatch(watch))
            self.worker.post(Kind.created, GROUP, "from a callback")
            told.set()

        watch = self.worker.watch_all(print)
        hold = threading.Event()
        self.patch(Session, "frame", lambda original, *a: (hold.wait(PATIENCE), original(*a)))
        report = self.worker.post(Kind.created, GROUP, 1)
        report.add_done_callback(callback)  # before the answer: it is called on a thread of the worker
        hold.set()
        self.assertTrue(told.wait(PATIENCE))
        self.assertEqual(said, [1, True])
        self.works()

    def test_a_callback_that_blocks_holds_up_no_call(self):
        free = threading.Event()
        self.addCleanup(free.set)
        blocked = threading.Event()
        hold = threading.Event()
        self.patch(Session, "frame", lambda original, *a: (hold.wait(PATIENCE), original(*a)))
        report = self.worker.post(Kind.created, GROUP, 1)
        report.add_done_callback(lambda _: (blocked.set(), free.wait(PATIENCE)))
        hold.set()
        self.assertTrue(blocked.wait(PATIENCE))
        self.works()
        self.worker.close()
        self.assertTrue(self.node.wait(lambda: self.node.goodbyes == ["w1"]))

    def test_a_report_whose_lock_is_held_holds_up_no_call(self):
        """concurrent.futures.wait() holds the locks of all its futures, and a signal handler may call the worker."""
        hold = threading.Event()
        self.patch(Session, "frame", lambda original, *a: (hold.wait(PATIENCE), original(*a)))
        report = self.worker.post(Kind.created, GROUP, 1)
        with report._condition:
            hold.set()
            self.works()
            self.assertFalse(report.done())
        self.assertEqual(report.result(PATIENCE).matched, 1)

    def test_close_in_a_callback(self):
        told = threading.Event()
        report = self.worker.post(Kind.created, GROUP, 1)
        report.add_done_callback(lambda _: (self.worker.close(), told.set()))
        self.assertTrue(told.wait(PATIENCE))
        self.assertTrue(self.node.wait(lambda: self.node.goodbyes == ["w1"]))

    def test_a_handler_that_returns_a_coroutine_is_reported(self):
        async def main(_):
            pass

        self.worker.join(("other", "x"), lambda n: main(n))
        with self.assertLogs("muster", "ERROR") as logs:
            self.worker.notify_created(("other", "x"), 1)
            self.works()
        self.assertIn("muster.aio.Worker", logs.output[0])


if __name__ == "__main__":
    unittest.main()
