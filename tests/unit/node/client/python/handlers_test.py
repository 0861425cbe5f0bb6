#!/usr/bin/env python3
"""How a worker ends while a handler runs: what that handles is told before the goodbye, and nothing more is handled."""

import asyncio
import logging
import sys
import threading
import time
import unittest

from support import OwnLoop

import muster
from muster import actions, aio
from muster.actions import Entry, Recipient, Step
from muster.handlers import Handlers
from muster.logs import MOST_LINES, Later, Log
from muster.outcome import Outcome
from muster.tasks import Tasks
from muster.threads import Serving
from muster.worker import _end

PATIENCE = 15.0  # seconds that anything may take on a loaded machine before a test calls it hung


class Loop(OwnLoop):
    def __init__(self):
        super().__init__()
        self.said = []
        self.goodbye = threading.Event()

    def ask(self, call):
        raise AssertionError("nothing is asked for here")

    def handled(self, entry):
        self.said.append(entry.number)

    def close(self, patience=0):
        if "goodbye" not in self.said:
            self.said.append("goodbye")
        self.goodbye.set()
        super().close()


class Ending(unittest.TestCase):
    def setUp(self):
        self.loop = Loop()
        self.addCleanup(setattr, actions, "LAST_HANDLER", actions.LAST_HANDLER)

    def entries(self, first):
        """Two of two handlers each, of which the first one takes its time."""
        handlers = [[first, self.called], [self.called, self.called]]
        return [Entry(1, n + 1, tuple(Step(Recipient(), each, (n,)) for each in handlers[n])) for n in range(2)]

    def called(self, number):
        self.loop.said.append(f"called for {number + 1}")

    def with_threads(self):
        actions.LAST_HANDLER = PATIENCE
        entered, free = threading.Event(), threading.Event()
        handlers = Handlers("w")
        ended = muster.Worker(None, self.loop, handlers)
        handlers.start(self.loop)
        for entry in self.entries(lambda number: (entered.set(), free.wait(PATIENCE))):
            handlers.put(entry)
        self.assertTrue(entered.wait(PATIENCE))
        closing = threading.Thread(target=ended.close)
        closing.start()
        closing.join(0.2)
        said = list(self.loop.said)
        free.set()
        closing.join(PATIENCE)
        return said, self.loop.said

    async def with_asyncio(self):
        actions.LAST_HANDLER = PATIENCE
        entered, free = asyncio.Event(), asyncio.Event()

        async def first(number):
            entered.set()
            await free.wait()

        handlers = Tasks(asyncio.get_running_loop())
        ended = aio.Worker(None, self.loop, handlers)
        handlers.start(self.loop)
        for entry in self.entries(first):
            handlers.put(entry)
        await asyncio.wait_for(entered.wait(), PATIENCE)
        closing = asyncio.create_task(ended.close())
        await asyncio.sleep(0.2)
        said = list(self.loop.said)
        free.set()
        await asyncio.wait_for(closing, PATIENCE)
        return said, self.loop.said

    def run_with_asyncio(self):
        return asyncio.run(self.with_asyncio())

    def test_the_goodbye_waits_for_the_handler_that_runs(self):
        for run in (self.with_threads, self.run_with_asyncio):
            self.loop.said.clear()
            self.assertEqual(run(), ([], ["goodbye"]), "the second handler was not called: not delivered")

    def test_what_the_last_handler_of_an_item_has_handled_is_told_before_it(self):
        self.called = lambda number: None
        whole = self.entries
        self.entries = lambda first: [Entry(each.epoch, each.number, each.steps[:1]) for each in whole(first)]
        for run in (self.with_threads, self.run_with_asyncio):
            self.loop.said.clear()
            self.assertEqual(run(), ([], [1, "goodbye"]))

    def test_but_not_for_long(self):
        actions.LAST_HANDLER = 0.01
        handlers = Handlers("w")
        ended = muster.Worker(None, self.loop, handlers)
        handlers.start(self.loop)
        entered, in_time = threading.Event(), []
        step = Step(Recipient(), lambda: (entered.set(), in_time.append(self.loop.goodbye.wait(PATIENCE))), ())
        handlers.put(Entry(1, 1, (step,)))
        self.assertTrue(entered.wait(PATIENCE))
        ended.close()
        self.assertEqual((in_time, self.loop.said), ([True], ["goodbye", 1]))

    def blocked(self, workers):
        """So many workers, each with a handler that runs until the end of the test: {loop: handlers}."""
        free = threading.Event()
        self.addCleanup(free.set)
        made = {}
        for _ in range(workers):
            loop, handlers, entered = Loop(), Handlers("w"), threading.Event()
            handlers.start(loop)
            step = Step(Recipient(), lambda: (entered.set(), free.wait(PATIENCE)), ())
            handlers.put(Entry(1, 1, (step,)))
            self.assertTrue(entered.wait(PATIENCE))
            made[loop] = handlers
        return made

    def test_many_that_end_with_the_process_wait_together(self):
        began = time.monotonic()
        with self.assertLogs("muster", "WARNING"):
            _end(self.blocked(20), 1.0)
        self.assertLess(time.monotonic() - began, 8.0, "one after the other takes 24 s")

    def test_what_the_garbage_collector_closes_on_the_thread_of_a_session_is_not_waited_for(self):
        took = []

        def collect():
            began = time.monotonic()
            _end(self.blocked(1), PATIENCE)
            took.append(time.monotonic() - began)

        thread = Serving(collect, "test")
        thread.start()
        thread.join(PATIENCE)
        self.assertLess(took[0], PATIENCE / 3)


class Unlike:
    """What has a class of its own idea, as a proxy does whose object is gone."""

    @property
    def __class__(self):
        raise RuntimeError("there is no object")


class FalsyError(BaseException):
    def __bool__(self):
        return False


class OddResults(unittest.TestCase):
    """Whatever a handler returns or raises, the next one is called."""

    def setUp(self):
        self.loop = Loop()

    def raises(self):
        raise FalsyError()

    def entries(self, odd, last):
        return [Entry(1, number, (Step(Recipient(), call, ()),)) for number, call in ((1, odd), (2, last))]

    def test_on_a_thread(self):
        for odd in (Unlike, self.raises):
            handlers, reached = Handlers("w"), threading.Event()
            handlers.start(self.loop)
            with self.assertLogs("muster", "ERROR"):
                for entry in self.entries(odd, reached.set):
                    handlers.put(entry)
                self.assertTrue(reached.wait(PATIENCE))
            self.assertTrue(handlers.end(PATIENCE))

    def test_with_asyncio(self):
        async def main():
            for odd in (Unlike, self.raises):
                handlers, reached = Tasks(asyncio.get_running_loop()), asyncio.Event()
                handlers.start(self.loop)
                with self.assertLogs("muster", "ERROR"):
                    for entry in self.entries(odd, reached.set):
                        handlers.put(entry)
                    await asyncio.wait_for(reached.wait(), PATIENCE)

        asyncio.run(main())


class Unloggable(logging.Handler):
    def emit(self, record):
        raise RuntimeError("this line cannot be written")


class WithALogThatRaises(unittest.TestCase):
    """A program's logging handler raises: the line is lost, and the worker goes on."""

    def setUp(self):
        self.loop = Loop()
        logger, handler = logging.getLogger("muster"), Unloggable()
        logger.addHandler(handler)
        self.addCleanup(logger.removeHandler, handler)
        self.addCleanup(setattr, logger, "propagate", logger.propagate)
        logger.propagate = False

    def handled(self):
        return [number for number in self.loop.said if number != "goodbye"]

    def entries(self, last):
        def raises():
            raise ValueError("a handler that fails")

        return [Entry(1, number, (Step(Recipient(), call, ()),)) for number, call in ((1, raises), (2, last))]

    def test_on_a_thread(self):
        handlers, reached = Handlers("w"), threading.Event()
        handlers.start(self.loop)
        for entry in self.entries(reached.set):
            handlers.put(entry)
        self.assertTrue(reached.wait(PATIENCE))
        self.assertTrue(handlers.end(PATIENCE))
        self.assertEqual(self.handled()[0], 1)

    def test_with_asyncio(self):
        async def main():
            handlers, reached = Tasks(asyncio.get_running_loop()), asyncio.Event()
            handlers.start(self.loop)
            for entry in self.entries(reached.set):
                handlers.put(entry)
            await asyncio.wait_for(reached.wait(), PATIENCE)

        asyncio.run(main())
        self.assertEqual(self.handled()[0], 1)

    def test_in_a_callback_of_an_outcome(self):
        outcome, called = Outcome(), []
        outcome.then(lambda: 1 / 0)
        outcome.then(lambda: called.append(1))
        outcome.set_result(None)
        self.assertEqual(called, [1])


class WithALogThatBlocks(unittest.TestCase):
    """A program's logging handler that waits, as for the reader of a pipe, keeps no thread of a session."""

    def setUp(self):
        self.later = Later(logging.Logger("blocked"))
        self.entered, self.free, self.lines = threading.Event(), threading.Event(), []
        handler = logging.Handler()
        handler.emit = self.emit
        self.later.logger.addHandler(handler)
        self.addCleanup(self.free.set)

    def emit(self, record):
        self.lines.append(logging.Formatter().format(record))
        self.entered.set()
        self.free.wait(PATIENCE)

    def test_lines_wait_up_to_a_limit_and_the_lost_ones_are_counted(self):
        self.later.start()
        try:
            raise ValueError("meant")
        except ValueError:
            self.later.exception("the first")
        self.assertTrue(self.entered.wait(PATIENCE))
        for i in range(MOST_LINES + 5):
            self.later.info("line %d", i)
        self.assertFalse(self.later.flush(0.01))
        self.free.set()
        self.assertTrue(self.later.flush(PATIENCE))
        self.assertIn("ValueError: meant", self.lines.pop(0))
        self.assertTrue(self.lines.pop(0).startswith("5 lines before this one"))
        self.assertEqual(self.lines, [f"line {i}" for i in range(MOST_LINES)])

    def test_a_logging_handler_that_ends_the_program_ends_no_thread_of_the_worker(self):
        self.later.start()
        self.free.set()
        self.later.logger.handlers[0].emit = lambda record: sys.exit(1)
        self.later.info("not written")
        self.assertTrue(self.later.flush(PATIENCE))
        self.later.logger.handlers[0].emit = self.emit
        self.later.info("written")
        self.assertTrue(self.later.flush(PATIENCE))
        self.assertEqual(self.lines, ["written"])
        with self.assertRaises(SystemExit):  # on the main thread it may
            self.later.logger.handlers[0].emit = lambda record: sys.exit(1)
            Log(self.later.logger, {}).info("not written")

    def test_without_its_thread_lines_are_written_at_once(self):
        self.free.set()
        self.later.info("at once")
        self.assertTrue(self.later.flush(0))
        self.assertEqual(self.lines, ["at once"])


if __name__ == "__main__":
    unittest.main()
