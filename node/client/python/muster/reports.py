"""The futures of posts."""

import queue
import threading
from concurrent.futures import Future
from typing import Any

from .calls import Call
from .handlers import end_child
from .loop import Loop
from .outcome import guarded
from .types import NotifyReport


class Report(Future[NotifyReport]):
    """What post() returns."""

    _condition: threading.Condition
    _done_callbacks: list[Any]

    def settle(self, call: Call[NotifyReport]) -> None:
        error = call.future.error()
        if error:
            self.set_exception(error)
        else:
            self.set_result(call.future.result(0))

    def settle_now(self, call: Call[NotifyReport]) -> bool:
        """False, with nothing done, if that would wait for a lock, or run the callbacks of users."""
        if not self._condition.acquire(blocking=False):
            return False
        try:
            if self._done_callbacks:
                return False
            self.settle(call)
            return True
        finally:
            self._condition.release()


class Reports:
    """Settles reports for the thread of a session, which must not wait.

    A Future has a lock, which concurrent.futures.wait() holds on all of its futures while a signal handler may run, and
    callbacks, which are users' code. So where settling would not be immediate, a thread does it, which begins with the
    first such report. Without it (the system has no more threads, or the worker has ended), the caller does.
    """

    def __init__(self, loop: Loop, name: str) -> None:
        self._loop = loop
        self._name = name
        self._settling: queue.SimpleQueue[tuple[Report, Call[NotifyReport]] | None] = queue.SimpleQueue()
        self._is_running = False

    def settle(self, report: Report, call: Call[NotifyReport]) -> None:
        if report.settle_now(call):
            return
        if not self._is_running and not self._loop.is_elsewhere() and not self._loop.ended.done():
            self._begin()
        if self._is_running and not self._loop.is_elsewhere():
            self._settling.put((report, call))
        else:
            report.settle(call)

    def _begin(self) -> None:
        try:
            threading.Thread(target=self._run, name=f"muster {self._name} reports", daemon=True).start()
        except RuntimeError:
            return
        self._is_running = True
        self._loop.ended.then(lambda: self._settling.put(None))

    def _run(self) -> None:
        while (settling := self._settling.get()) is not None:
            report, call = settling
            guarded(report.settle, call)
            end_child(self._loop)  # a callback may have forked
