"""The result of a call, which one thread sets and others wait for, without a lock."""

import _thread
from collections import deque
from collections.abc import Callable
from typing import Any, Generic, TypeVar, cast

from .logs import later as log

T = TypeVar("T")


class Cancelled(Exception):
    """Nobody waits for the result any more."""


class Outcome(Generic[T]):
    """Is settled once, with a result or an exception. Thread-safe.

    It takes no lock that a signal handler could find taken by the code that it interrupted. So the thread that settles
    it never waits, and a call in a signal handler works whatever was interrupted. concurrent.futures.Future, Event and
    Condition hold a lock while the main thread runs byte code, between two of which signal handlers are called.
    """

    def __init__(self) -> None:
        self._settled: dict[str, tuple[T | None, BaseException | None]] = {}  # setdefault is atomic
        self._then: deque[Callable[[], object]] = deque()

    def done(self) -> bool:
        return bool(self._settled)

    def cancelled(self) -> bool:
        return isinstance(self.error(), Cancelled)

    def set_result(self, result: T) -> bool:
        """False if it was settled before."""
        return self._settle((result, None))

    def set_exception(self, error: BaseException) -> bool:
        """False if it was settled before."""
        return self._settle((None, error))

    def cancel(self) -> bool:
        """False if it was settled before."""
        return self.set_exception(Cancelled())

    def then(self, callback: Callable[[], object]) -> None:
        """`callback` is called once: on the thread that settles it, or now if it is settled."""
        self._then.append(callback)
        if self._settled:
            self._call_all()

    def wait(self, timeout: float | None = None) -> bool:
        """Whether it is settled, at the latest after `timeout` seconds."""
        if self._settled:
            return True
        settled = _thread.allocate_lock()
        settled.acquire()
        self.then(settled.release)
        return settled.acquire(timeout=-1 if timeout is None else max(0.0, timeout))

    def result(self, timeout: float | None = None) -> T:
        """Raises the exception that it was settled with, or TimeoutError."""
        error = self.exception(timeout)
        if error:
            raise error
        return cast(T, self._settled["outcome"][0])

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """The exception that it was settled with. Raises TimeoutError."""
        if not self.wait(timeout):
            raise TimeoutError()
        return self.error()

    def error(self) -> BaseException | None:
        """The exception that it was settled with; None if it has a result, or is not settled."""
        return self._settled["outcome"][1] if self._settled else None

    def _settle(self, outcome: tuple[T | None, BaseException | None]) -> bool:
        if self._settled.setdefault("outcome", outcome) is not outcome:
            return False
        self._call_all()
        return True

    def _call_all(self) -> None:
        while True:
            try:
                callback = self._then.popleft()
            except IndexError:
                return
            guarded(callback)


def guarded(what: Callable[..., Any], *arguments: object) -> None:
    """Calls it, and logs whatever it raises: SystemExit and CancelledError, too, must not end the worker's thread."""
    try:
        what(*arguments)
    except BaseException:
        log.exception("the worker failed in a callback, and goes on")
