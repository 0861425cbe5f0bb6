"""The task that calls the handlers of an asyncio worker."""

import asyncio
import inspect
import itertools
from collections import deque
from collections.abc import Awaitable, Callable, Generator
from typing import Any, TypeVar

from .actions import Entry, Recipient, Step
from .handlers import Running, end_child
from .logs import log
from .loop import Loop
from .outcome import Outcome

T = TypeVar("T")
STEPS_A_TURN = 64  # of the event loop


class Tasks:
    """Calls handlers one at a time and in order, in a task that exists while there is something to handle.

    A program may cancel all tasks of its event loop, and asyncio.run does so before it ends. Then the handler that runs
    is cancelled and the task ends, because asyncio.run waits for it. If the event loop goes on, so does delivery: in a
    new task.
    """

    def __init__(self, events: asyncio.AbstractEventLoop) -> None:
        self.events = events
        self._entries: deque[Entry] = deque()  # bounded by the session's inbox
        self._next = 0  # the step of the first entry that is called next
        self._running: Running | None = None
        self._is_over = False
        self._ended: Outcome[None] = Outcome()
        self._loop: Loop | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self, loop: Loop) -> None:
        self._loop = loop

    def put(self, entry: Entry) -> None:
        """Called on the session's thread."""
        self._entries.append(entry)
        at(self.events, self._go_on)

    def running(self, recipient: Recipient) -> Outcome[None] | None:
        """Is settled when the handler of `recipient` that runs returns. None: none runs, or it is the caller."""
        running = self._running
        return running.returned if running and running.recipient is recipient and not self._is_current() else None

    async def end(self, patience: float) -> bool:
        """No handler is called any more. Waits for the one that runs, at most `patience`, unless called by it.

        Returns whether none runs, or the caller is the one that does.
        """
        self._is_over = True
        if self._running is None or self._is_current() or self.events.is_closed():
            return True
        await asyncio.wait([settled(self._ended)], timeout=patience)
        return self._ended.done()

    def cancel(self) -> None:
        """The handler that runs is cancelled."""
        if self._task:
            at(self.events, self._task.cancel)

    def _is_current(self) -> bool:
        try:
            return self._task is not None and asyncio.current_task() is self._task
        except RuntimeError:
            return False  # no event loop runs on this thread

    def _go_on(self) -> None:
        if self._entries and self._task is None and not self._is_over:
            self._task = self.events.create_task(self._run())
            self._task.add_done_callback(self._has_ended)

    def _has_ended(self, task: asyncio.Task[None]) -> None:
        self._task = None
        error = None if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, (KeyboardInterrupt, SystemExit)):
            log.error("a handler failed", exc_info=error)
        self._go_on()

    async def _run(self) -> None:
        """Ends when nothing is left, or when the task was cancelled."""
        assert self._loop
        task = self._task = asyncio.current_task()  # an eager task runs before create_task() has returned
        for turn in itertools.count(1):
            if not self._entries or self._is_over or (task and task.cancelling()):
                return
            entry = self._entries[0]
            if self._next < len(entry.steps):
                self._next += 1
                await self._run_step(entry.steps[self._next - 1])
            if self._next >= len(entry.steps):
                self._entries.popleft()
                self._next = 0
                self._loop.handled(entry)
            if turn % STEPS_A_TURN == 0:
                await asyncio.sleep(0)  # handlers that never wait must not starve the other tasks

    async def _run_step(self, step: Step) -> None:
        assert self._loop
        self._running = Running(step.recipient)  # before `active` is read: see wait_for
        try:
            if step.recipient.active:
                await self._call(step)
        finally:
            end_child(self._loop)
            self._running.returned.set_result(None)
            self._running = None
            if self._is_over:
                self._ended.set_result(None)

    async def _call(self, step: Step) -> None:
        """Other exceptions end the task: asyncio passes KeyboardInterrupt and SystemExit on to its caller."""
        assert self._loop
        try:
            result = step.handler(*step.arguments)
            if inspect.isawaitable(result):
                await _Steps(self._loop, result)
        except Exception:
            log.exception("a handler failed")
        except asyncio.CancelledError:
            log.warning("a handler was cancelled: %r", step.handler)


class _Steps(Generator[Any, Any, object]):
    """Awaits, and ends a child that was forked meanwhile before its first wait.

    The child has the parent's event loop. Run there, it would take from a pipe what wakes the parent.
    """

    def __init__(self, loop: Loop, awaitable: Awaitable[object]) -> None:
        async def awaits() -> object:
            return await awaitable

        self._loop = loop
        self._steps = awaits()

    def __await__(self) -> Generator[Any, Any, object]:
        return self

    def send(self, value: Any) -> Any:
        waits_for = self._steps.send(value)
        end_child(self._loop)
        return waits_for

    def throw(self, *error: Any) -> Any:
        waits_for = self._steps.throw(*error)
        end_child(self._loop)
        return waits_for


def at(events: asyncio.AbstractEventLoop, what: Callable[[], object]) -> None:
    """Calls it in the event loop, from any thread. Not if the event loop has ended."""
    try:
        events.call_soon_threadsafe(what)
    except RuntimeError:
        pass


def settled(outcome: Outcome[T]) -> "asyncio.Future[T]":
    """A future of the event loop that runs, with the same result. If nobody awaits it, its error is not logged."""
    events = asyncio.get_running_loop()
    future: asyncio.Future[T] = events.create_future()
    outcome.then(lambda: at(events, lambda: _copy(outcome, future)))
    return future


def _copy(outcome: Outcome[T], future: "asyncio.Future[T]") -> None:
    if future.done():
        return
    error = outcome.error()
    if error:
        future.set_exception(error)
        future.exception()  # marks it as retrieved: asyncio must not log it if nobody awaits it
    else:
        future.set_result(outcome.result(0))
