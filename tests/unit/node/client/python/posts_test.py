#!/usr/bin/env python3
"""Posts: many notifications under way, a bounded number without an answer, a report for each."""

import asyncio
import gc
import threading
import time
import unittest
from collections import deque

from support import (
    A,
    B,
    ERROR,
    GROUP,
    NODES_REPLY,
    NOTIFIED,
    NOTIFY,
    Driver,
    NoHandlers,
    NoTasks,
    OwnLoop,
    frame,
    welcome,
)

import muster
from muster import Error, ErrorCode, Kind, calls, limits
from muster.posts import PostCall, Posts

PATIENCE = 15.0  # seconds that anything may take on a loaded machine before a test calls it hung
REPORT = [1, 1, False, 0, []]


def code(future, timeout=PATIENCE):
    error = future.exception(timeout)
    assert isinstance(error, Error), error
    return error.code.name


class AtASession(unittest.TestCase):
    """The places, and a session on made-up time behind them."""

    def setUp(self):
        self.driver = Driver([A, B]).attach()
        self.driver.wait(1, alive=True)
        self.driver.sent.clear()
        self.queue = deque()  # as the loop has one: nothing is asked for while the session is at work
        self.posts = Posts(self.queue.append)

    def turn(self):
        while self.queue:
            self.driver.ask(self.queue.popleft())

    def post(self, data=None, wait=False, timeout=5.0):
        call = PostCall(Kind.created, GROUP, data, wait, timeout, self.driver.now)
        self.posts.ask(call)
        self.turn()
        return call

    def sent(self):
        return [each for each in self.driver.sent if each.kind == NOTIFY]

    def answer(self, *numbers):
        self.driver.hear(*(frame(NOTIFIED, REPORT, seq=number) for number in numbers))
        self.turn()

    def test_they_go_out_in_order_and_each_has_its_report(self):
        asked = [self.post(i) for i in range(2000)]
        answered = 0
        while answered < 2000:
            self.assertEqual(len(self.sent()), min(2000, answered + limits.POSTS))
            self.answer(*range(answered + 1, len(self.sent()) + 1))
            answered = min(2000, answered + limits.POSTS)
        self.assertEqual([each.fields[2] for each in self.sent()], [calls.wire.pack(i) for i in range(2000)])
        self.assertEqual({call.future.result(0).matched for call in asked}, {1})
        self.assertEqual(self.posts.refused, 0)

    def test_other_calls_have_room_beside_them(self):
        for i in range(limits.POSTS + 10):
            self.post(i)
        nodes = self.driver.ask(calls.NodesCall(5.0))
        self.driver.hear(frame(NODES_REPLY, [], seq=self.driver.sent[-1].seq))
        self.assertEqual(nodes.future.result(0), [])

    def test_each_answer_and_each_error_gives_a_place_to_the_one_that_waits_longest(self):
        asked = [self.post(i) for i in range(limits.POSTS + 3)]
        self.assertEqual([call.accepted.done() for call in asked[-3:]], [False] * 3)
        self.answer(7)
        self.driver.hear(frame(ERROR, 4, "slow down", seq=3))
        self.turn()
        self.assertEqual(code(asked[2].future), "overloaded")
        self.assertEqual([call.accepted.done() for call in asked[-3:]], [True, True, False])
        self.assertEqual(len(self.sent()), limits.POSTS + 2)

    def test_their_data_is_bounded_too(self):
        size = 500_000
        asked = [self.post(b"x" * size) for _ in range(100)]
        placed = sum(call.accepted.done() for call in asked)
        self.assertEqual(placed, limits.POSTED_BYTES // (size + 5))  # 5: the head of a bin
        small = self.post(1)
        self.assertFalse(small.accepted.done(), "those before it come first")
        self.answer(1)
        self.assertTrue(asked[placed].accepted.done(), "its bytes are free again")
        placed += 1
        for call in asked[placed:]:
            self.posts.withdraw(call)
        self.turn()
        self.assertTrue(small.accepted.result(0))

    def test_for_want_of_a_place_nothing_is_sent(self):
        for i in range(limits.POSTS):
            self.post(i)
        late = self.post("late")
        self.posts.withdraw(late)
        self.assertEqual((code(late.future), late.accepted.result(0)), ("overloaded", False))
        self.answer(*range(1, limits.POSTS + 1))
        self.assertEqual(len(self.sent()), limits.POSTS)
        self.assertEqual(self.posts.refused, 1)

    def test_one_that_has_its_place_is_not_withdrawn(self):
        call = self.post()
        self.posts.withdraw(call)
        self.answer(1)
        self.assertEqual(call.future.result(0).matched, 1)

    def test_too_many_that_wait_are_refused_at_once(self):
        before, limits.WAITING_CALLS = limits.WAITING_CALLS, 10
        try:
            asked = [self.post(i) for i in range(limits.POSTS + 11)]
        finally:
            limits.WAITING_CALLS = before
        self.assertEqual(code(asked[-1].future), "overloaded")
        self.assertFalse(asked[-2].future.done())

    def test_the_time_that_a_place_took_is_part_of_the_timeout(self):
        for wait in (False, True):
            self.setUp()
            for i in range(limits.POSTS):
                self.post(i, timeout=60.0)
            call = self.post("late", wait=wait, timeout=3.0)
            self.driver.wait(2, alive=True)
            self.answer(1)
            self.assertAlmostEqual(self.sent()[-1].fields[4], 800, delta=2)
            self.driver.wait(0.9, alive=True)
            self.assertFalse(call.future.done())
            self.driver.wait(0.2, alive=True)
            self.assertEqual(code(call.future), "timeout")

    def test_places_are_free_again_after_a_timeout_and_a_lost_session(self):
        asked = [self.post(i, timeout=1.0) for i in range(limits.POSTS)]
        asked += [self.post(i) for i in range(limits.POSTS)]
        self.driver.wait(1.1, alive=True)
        self.assertEqual({code(call.future) for call in asked[: limits.POSTS]}, {"timeout"})
        self.turn()
        last = self.post("last")
        self.driver.session.unsendable(self.driver.now)
        self.driver.act()
        self.driver.hear(welcome(token=8))
        self.turn()
        self.assertEqual({code(call.future) for call in asked[limits.POSTS :]}, {"unknown_session"})
        self.assertEqual([each.fields[2] for each in self.sent()], [calls.wire.pack("last")])
        self.answer(1)
        self.assertEqual(last.future.result(0).matched, 1)

    def test_a_resumed_session_sends_them_again_in_order(self):
        asked = [self.post(i) for i in range(10)]
        self.answer(1, 2, 3)
        self.driver.session.unsendable(self.driver.now)
        self.driver.act()
        self.driver.hear(welcome(resumed=True))
        self.assertEqual([each.seq for each in self.sent()], list(range(4, 11)))
        self.answer(*range(4, 11))
        self.assertTrue(all(call.future.result(0) for call in asked))

    def test_a_worker_that_closes_fails_all_and_those_that_wait(self):
        asked = [self.post(i) for i in range(3000)]  # more than the stack of one call would hold
        self.driver.session.close(self.driver.now)
        self.turn()
        self.assertEqual({code(call.future) for call in [*asked, self.post()]}, {"closed"})


class AtTheEnd(unittest.TestCase):
    def test_those_that_wait_fail_one_after_the_other(self):
        sent = []

        def send(call):
            sent.append(call)
            if len(sent) > limits.POSTS:  # nobody takes them any more
                call.fail(Error(ErrorCode.closed, "closed"))

        posts = Posts(send)
        asked = [PostCall(Kind.created, GROUP, i, False, 5.0, 0.0) for i in range(limits.POSTS + 3000)]
        for call in asked:
            posts.ask(call)
        asked[0].fail(Error(ErrorCode.closed, "closed"))
        self.assertEqual(sent, asked)
        self.assertEqual({code(call.future) for call in asked[limits.POSTS :]}, {"closed"})


class Loop(OwnLoop):
    """Takes calls, and answers none by itself."""

    def __init__(self):
        super().__init__()
        self.asked = []
        self.is_closed = False

    def ask(self, call):
        if self.is_closed:
            call.fail(Error(ErrorCode.closed, "closed"))
        self.asked.append(call)
        return call

    def close(self, patience=0):
        self.is_closed = True
        for call in list(self.asked):
            call.fail(Error(ErrorCode.closed, "closed"))
        super().close()


class WithThreads(unittest.TestCase):
    def setUp(self):
        self.loop = Loop()
        self.worker = muster.Worker(None, self.loop, NoHandlers())
        self.addCleanup(self.worker.close)

    def post(self, data=None, timeout=PATIENCE):
        return self.worker.post(Kind.updated, GROUP, data, timeout=timeout)

    def fill(self):
        return [self.post(i) for i in range(limits.POSTS)]

    def test_it_returns_at_once_and_waits_only_for_a_place(self):
        reports = self.fill()
        self.assertFalse(any(report.done() or report.cancel() for report in reports))
        late = []
        poster = threading.Thread(target=lambda: late.append(self.post("late")))
        poster.start()
        poster.join(0.2)
        self.assertEqual(late, [])
        self.loop.asked[9].succeed("a report")
        poster.join(PATIENCE)
        self.assertEqual(self.loop.asked[-1].data, calls.wire.pack("late"))
        self.loop.asked[-1].succeed("its own")
        self.assertEqual(late[0].result(0), "its own")

    def test_for_at_most_its_timeout(self):
        self.fill()
        begin = time.monotonic()
        late = self.post(timeout=0.1)
        self.assertGreaterEqual(time.monotonic() - begin, 0.1)
        self.assertEqual(code(late), "overloaded")
        self.assertEqual(len(self.loop.asked), limits.POSTS)

    def test_errors_are_in_the_future(self):
        for bad in (
            lambda: self.worker.post(Kind.created, ("", "f")),
            lambda: self.worker.post(Kind.created, GROUP, object()),
            lambda: self.worker.post(Kind.created, GROUP, timeout=0),
        ):
            self.assertEqual(code(bad()), "bad_request")
        waits = []
        self.fill()
        poster = threading.Thread(target=lambda: waits.append(self.post()))
        poster.start()
        poster.join(0.1)
        self.worker.close()
        poster.join(PATIENCE)
        self.assertEqual((code(waits[0]), code(self.post())), ("closed", "closed"))


class WithAsyncio(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self):
        asyncio.get_running_loop().set_debug(False)  # which tells of each step that took 0.1 s
        self.loop = Loop()
        self.worker = muster.aio.Worker(None, self.loop, NoTasks())
        self.addAsyncCleanup(self.worker.close)

    async def post(self, data=None, timeout=PATIENCE):
        return await self.worker.post(Kind.updated, GROUP, data, timeout=timeout)

    async def fill(self):
        return [await self.post(i) for i in range(limits.POSTS)]

    async def code(self, report):
        try:
            await asyncio.wait_for(report, PATIENCE)
        except Error as error:
            return error.code.name

    async def test_it_awaits_its_place_alone_and_tasks_have_theirs_in_order(self):
        reports = await self.fill()
        late = [asyncio.create_task(self.post(i)) for i in range(20)]
        await asyncio.sleep(0.05)
        self.assertFalse(any(task.done() for task in late))
        for call in self.loop.asked[: limits.POSTS]:
            threading.Thread(target=call.succeed, args=("a report",)).start()
        self.assertEqual(await asyncio.wait_for(asyncio.gather(*reports), PATIENCE), ["a report"] * limits.POSTS)
        await asyncio.wait_for(asyncio.gather(*late), PATIENCE)
        self.assertEqual([call.data for call in self.loop.asked[limits.POSTS :]], [bytes([i]) for i in range(20)])

    async def test_for_at_most_its_timeout(self):
        await self.fill()
        self.assertEqual(await self.code(await self.post(timeout=0.1)), "overloaded")
        self.assertEqual(len(self.loop.asked), limits.POSTS)

    async def test_errors_are_in_the_future_and_nobody_has_to_ask(self):
        said = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: said.append(context))
        self.assertEqual(await self.code(await self.worker.post(Kind.created, ("", "f"))), "bad_request")
        reports = await self.fill()
        waits = asyncio.create_task(self.post())
        await asyncio.sleep(0.05)
        await self.worker.close()
        self.assertEqual(await self.code(await waits), "closed")
        self.assertEqual(await self.code(reports.pop()), "closed")
        self.loop.asked.clear()
        del reports, waits
        for _ in range(2):  # what is to be told of those that nobody asked for is told when they are collected
            gc.collect()
            await asyncio.sleep(0)
        self.assertEqual(said, [])

    async def test_cancelled_before_it_has_its_place_it_is_not_sent(self):
        await self.fill()
        waits = asyncio.create_task(self.post("cancelled"))
        await asyncio.sleep(0.05)
        waits.cancel()
        with self.assertRaises(asyncio.CancelledError):
            await waits
        for call in list(self.loop.asked):
            call.succeed("a report")
        self.assertEqual(len(self.loop.asked), limits.POSTS)

    async def test_a_report_that_was_cancelled_keeps_its_place_until_the_answer_comes(self):
        reports = await self.fill()
        reports[0].cancel()
        self.assertEqual(await self.code(await self.post(timeout=0.1)), "overloaded")
        self.loop.asked[0].succeed("a report")
        await self.post(timeout=0.1)
        self.assertEqual(len(self.loop.asked), limits.POSTS + 1)


if __name__ == "__main__":
    unittest.main()
