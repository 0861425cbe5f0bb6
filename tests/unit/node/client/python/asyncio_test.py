#!/usr/bin/env python3
"""The asyncio worker: handlers that are cancelled or raise, event loops that end, calls in other event loops."""

import asyncio
import gc
import logging
import threading
import time
import unittest

from fake_node import PATIENCE, FakeNode, Program
from support import GROUP

import muster
from muster import Error, ErrorCode
from muster.logs import later

logging.getLogger("asyncio").setLevel(logging.CRITICAL)


class Case(unittest.TestCase):
    def setUp(self):
        self.node = FakeNode()
        self.addCleanup(self.node.close)
        self.got = []

    async def connect(self, **how):
        return await muster.aio.Worker.connect([self.node.address], timeout=PATIENCE, **how)

    async def in_a_handler(self):
        """A worker w1 with a handler that was called and does not return."""
        entered = asyncio.Event()

        async def handler(notification):
            entered.set()
            await asyncio.sleep(1000)

        worker = await self.connect(name="w1")
        await worker.join(GROUP, handler)
        await worker.notify_created(GROUP, 1)
        await asyncio.wait_for(entered.wait(), PATIENCE)
        return worker

    async def until(self, predicate, what=""):
        end = time.monotonic() + PATIENCE
        while not predicate():
            self.assertLess(time.monotonic(), end, what or "in time")
            await asyncio.sleep(0.01)

    def acknowledged(self, worker, number):
        self.assertTrue(self.node.wait(lambda: self.node.acknowledged.get(worker) == number), self.node.acknowledged)


class Handlers(Case):
    def deliver(self, odd):
        """Four notifications. The handler of the second does something odd. All are handled and acknowledged."""

        async def main():
            async def handler(notification):
                self.got.append(notification.data)
                if notification.data == 1:
                    await odd()

            worker = await self.connect(name="w1")
            await worker.join(GROUP, handler)
            for i in range(4):
                await worker.notify_created(GROUP, i)
            await self.until(lambda: self.got == [0, 1, 2, 3], self.got)
            await asyncio.to_thread(self.acknowledged, "w1", 4)
            await worker.close()

        with self.assertLogs("muster"):
            asyncio.run(main())
        self.assertEqual(self.got, [0, 1, 2, 3])
        self.assertTrue(self.node.wait(lambda: self.node.goodbyes == ["w1"]))

    def test_something_that_it_awaits_was_cancelled(self):
        async def odd():
            task = asyncio.create_task(asyncio.sleep(10))
            task.cancel()
            await task

        self.deliver(odd)

    def test_it_raises_anything(self):
        for error in (asyncio.CancelledError(), GeneratorExit(), BaseException("meant"), ValueError("meant")):
            with self.subTest(type(error)):

                async def odd():
                    raise error

                self.setUp()
                self.deliver(odd)

    def test_every_task_is_cancelled(self):
        async def odd():
            for task in asyncio.all_tasks():
                if task is not self.main and task is not asyncio.current_task():
                    task.cancel()
            asyncio.current_task().cancel()
            await asyncio.sleep(10)

        async def main_task():
            self.main = asyncio.current_task()

        self.main = None
        run = asyncio.run

        def with_main(main):
            async def wrapped():
                self.main = asyncio.current_task()
                await main

            run(wrapped())

        asyncio.run = with_main
        try:
            self.deliver(odd)
        finally:
            asyncio.run = run

    def test_tasks_are_cancelled_between_notifications(self):
        async def main():
            worker = await self.connect()
            await worker.join(GROUP, lambda n: self.got.append(n.data))
            for task in asyncio.all_tasks() - {asyncio.current_task()}:
                task.cancel()
            await asyncio.sleep(0.05)
            await worker.notify_created(GROUP, 1)
            await self.until(lambda: self.got == [1])
            await worker.close()

        asyncio.run(main())

    def test_system_exit_ends_the_program_as_it_does_in_any_task(self):
        async def main():
            def handler(notification):
                raise SystemExit(5)

            worker = await self.connect()
            await worker.join(GROUP, handler)
            await worker.notify_created(GROUP, 1)
            await asyncio.sleep(PATIENCE)

        with self.assertRaises(SystemExit) as caught:
            asyncio.run(main())
        self.assertEqual(caught.exception.code, 5)
        self.assertTrue(self.node.wait(lambda: self.node.goodbyes), "the worker is closed, because its loop has ended")

    def test_a_handler_that_never_returns_does_not_keep_close(self):
        async def main():
            worker = await self.in_a_handler()
            await asyncio.wait_for(worker.close(timeout=0.3), PATIENCE)
            self.assertTrue(self.node.wait(lambda: self.node.goodbyes == ["w1"]))

        with self.assertLogs("muster", "WARNING"):
            asyncio.run(main())

    def test_quick_handlers_do_not_starve_the_other_tasks(self):
        async def main():
            worker = await self.connect()
            turns = []

            async def other():
                while len(self.got) < 2000:
                    turns.append(len(self.got))
                    await asyncio.sleep(0)

            await worker.join(GROUP, lambda n: self.got.append(n.data))
            for i in range(2000):
                await worker.post(muster.Kind.created, GROUP, i)
            time.sleep(1)  # all of them wait
            await asyncio.wait_for(other(), PATIENCE)
            self.assertGreater(len(turns), (2000 - turns[0]) / 200)
            await worker.close()

        asyncio.run(main())

    def test_unwatch_and_close_in_a_handler(self):
        async def main():
            worker = await self.connect()
            done = asyncio.Event()
            watch = await worker.watch_all(print)

            async def handler(notification):
                self.got.append(await worker.unwatch(watch))
                await worker.close()
                done.set()

            await worker.join(GROUP, handler)
            await worker.notify_created(GROUP, 1)
            await asyncio.wait_for(done.wait(), PATIENCE)

        asyncio.run(main())
        self.assertEqual(self.got, [True])
        self.assertTrue(self.node.wait(lambda: len(self.node.goodbyes) == 1))


class Loops(Case):
    def ended(self):
        """A worker whose event loop has ended without closing it."""

        async def main():
            worker = await self.connect(name="w1")
            await worker.join(GROUP, print)
            return worker

        return asyncio.run(main())

    def test_when_its_event_loop_has_ended_it_says_goodbye(self):
        with self.assertLogs("muster", "WARNING") as logs:
            worker = self.ended()
            self.assertTrue(self.node.wait(lambda: self.node.goodbyes == ["w1"]))
            self.assertEqual(self.node.members, {})
            self.assertTrue(later.flush(PATIENCE))
        self.assertIn("its event loop has ended", logs.output[0])
        for call in (worker.close(), worker.close(timeout=1)):
            asyncio.run(call)
        with self.assertRaises(Error) as caught:
            asyncio.run(worker.members(GROUP))
        self.assertEqual(caught.exception.code, ErrorCode.closed)

    def test_it_can_be_closed_in_another_event_loop(self):
        worker = self.ended()
        asyncio.run(asyncio.wait_for(worker.close(), PATIENCE))
        self.assertTrue(self.node.wait(lambda: self.node.goodbyes == ["w1"]))

    def test_the_last_reference(self):
        worker = self.ended()
        del worker
        gc.collect()
        self.assertTrue(self.node.wait(lambda: self.node.goodbyes == ["w1"]))

    def test_an_event_loop_that_only_pauses(self):
        events = asyncio.new_event_loop()
        worker = events.run_until_complete(self.connect(name="w1"))
        events.run_until_complete(worker.join(GROUP, lambda n: self.got.append(n.data)))
        time.sleep(1)
        events.run_until_complete(worker.notify_created(GROUP, 1))
        events.run_until_complete(self.until(lambda: self.got == [1]))
        self.assertEqual(self.node.goodbyes, [])
        events.run_until_complete(worker.close())
        events.close()

    def test_calls_in_another_event_loop(self):
        async def elsewhere(worker):
            watch = await worker.watch_all(print)
            await worker.join(GROUP, lambda n: self.got.append((n.data, threading.current_thread())))
            report = await (await worker.post(muster.Kind.created, GROUP, 7))
            return len(await worker.members(GROUP)), report.matched, await worker.unwatch(watch)

        async def main():
            worker = await self.connect()
            self.assertEqual(await asyncio.to_thread(lambda: asyncio.run(elsewhere(worker))), (1, 1, True))
            await self.until(lambda: self.got)
            self.assertEqual(self.got, [(7, threading.current_thread())], "handlers run in its own event loop")
            await worker.close()

        asyncio.run(main())

    def test_an_event_loop_closed_under_a_call(self):
        events = asyncio.new_event_loop()
        worker = events.run_until_complete(self.connect(name="w1"))
        task = events.create_task(worker.members(GROUP))
        events.run_until_complete(asyncio.sleep(0))
        with self.assertNoLogs("concurrent.futures"):
            task._log_destroy_pending = False
            events.close()
            self.assertTrue(self.node.wait(lambda: self.node.goodbyes == ["w1"]))

    def test_a_close_that_is_cancelled_has_closed_it(self):
        async def main():
            worker = await self.in_a_handler()
            closing = asyncio.create_task(worker.close())
            await asyncio.sleep(0.05)
            closing.cancel()
            await self.until(lambda: self.node.goodbyes == ["w1"])

        asyncio.run(main())

    def test_programs_that_end_with_an_open_worker_end(self):
        for handler in ("lambda n: None", "slow", "busy"):
            program = f"""
import asyncio
async def slow(n): await asyncio.sleep(1000)
async def busy(n): await worker.post(muster.Kind.created, GROUP, 1)
async def main():
    global worker
    worker = await muster.aio.Worker.connect([ADDRESS], name='open')
    await worker.join(GROUP, {handler})
    await worker.notify_created(GROUP, 1)
    await asyncio.sleep(0.05)
asyncio.run(main())
"""
            code, _, errors = Program(program, self.node.address).end()
            self.assertEqual(code, 0, errors)
            self.assertNotIn("Traceback", errors)
            self.assertTrue(self.node.wait(lambda: self.node.goodbyes == ["open"]))
            self.node.goodbyes.clear()


if __name__ == "__main__":
    unittest.main()
