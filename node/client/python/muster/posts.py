"""Notifications that are not waited for one by one: a bounded number of them has no answer yet."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future

from . import limits
from .calls import NotifyCall
from .errors import Error, ErrorCode
from .types import Kind


class PostCall(NotifyCall):
    """A notify whose time runs from `now` on, also while it waits for its place."""

    def __init__(
        self, kind: Kind, group: tuple[str, str], data: object, wait: bool, timeout: float, now: float
    ) -> None:
        super().__init__(kind, group, data, wait, timeout)
        self.placed: Future[bool] = Future()  # False: there was no place for it
        self._until = now + self.timeout
        self.future.set_running_or_notify_cancel()  # what was posted is not taken back

    def due(self, now: float) -> float:
        return self._until


class Posts:
    """Places, given in the order of asking. Thread-safe; waits for nothing and knows no time: its users do."""

    def __init__(self, send: Callable[[PostCall], object]) -> None:
        """`send` is called in the order of the places, on the thread that asks or on one that frees a place."""
        self.refused = 0
        self._send = send
        self._lock = threading.RLock()  # what is sent may fail, and free its place, at once
        self._waiting: OrderedDict[PostCall, None] = OrderedDict()
        self._count = 0
        self._bytes = 0
        self._is_giving = False

    def ask(self, call: PostCall) -> None:
        """It is sent as soon as it has its place, and keeps that until its future is done."""
        with self._lock:
            self._waiting[call] = None
            if len(self._waiting) > limits.WAITING_CALLS:
                self.withdraw(call)
            else:
                self._give()

    def withdraw(self, call: PostCall) -> None:
        """It fails, unless it has its place."""
        with self._lock:
            if call not in self._waiting:
                return
            del self._waiting[call]
            self.refused += 1
            self._give()  # those behind it may be smaller
        text = "too many posts wait for their answer: post less, or allow more time"
        call.fail(Error(ErrorCode.overloaded, text))
        call.placed.set_result(False)

    def _give(self) -> None:
        if self._is_giving:
            return  # called by what it sends: goes on there
        self._is_giving = True
        try:
            while self._waiting and self._has_room(next(iter(self._waiting))):
                self._place(self._waiting.popitem(last=False)[0])
        finally:
            self._is_giving = False

    def _has_room(self, call: PostCall) -> bool:
        return self._count < limits.POSTS and self._bytes + len(call.data) <= limits.POSTED_BYTES

    def _place(self, call: PostCall) -> None:
        self._count += 1
        self._bytes += len(call.data)
        self._send(call)
        call.placed.set_result(True)
        call.future.add_done_callback(lambda _: self._free(call))

    def _free(self, call: PostCall) -> None:
        with self._lock:
            self._count -= 1
            self._bytes -= len(call.data)
            self._give()
