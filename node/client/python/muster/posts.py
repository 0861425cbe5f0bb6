"""Notifications whose reports are not waited for. A bounded number of them may be unanswered."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future

from . import limits
from .calls import NotifyCall
from .errors import Error, ErrorCode
from .types import Kind


class PostCall(NotifyCall):
    """A notify whose timeout runs from `now` on, also while it waits for a free slot."""

    def __init__(
        self, kind: Kind, group: tuple[str, str], data: object, wait: bool, timeout: float, now: float
    ) -> None:
        super().__init__(kind, group, data, wait, timeout)
        self.accepted: Future[bool] = Future()  # False: no slot became free in time
        self._until = now + self.timeout
        self.future.set_running_or_notify_cancel()  # a post cannot be cancelled

    def due(self, now: float) -> float:
        return self._until


class Posts:
    """Gives out the slots for posts, in the order of asking. Thread-safe. Does not wait: its callers do."""

    def __init__(self, send: Callable[[PostCall], object]) -> None:
        """`send` is called in order, on the thread that asks or on the thread that frees a slot."""
        self.refused = 0
        self._send = send
        self._lock = threading.RLock()  # reentrant: `send` may fail immediately, which frees the slot
        self._waiting: OrderedDict[PostCall, None] = OrderedDict()
        self._count = 0
        self._bytes = 0
        self._is_giving = False

    def ask(self, call: PostCall) -> None:
        """The call is sent as soon as it has a slot, and keeps the slot until its future is done."""
        with self._lock:
            self._waiting[call] = None
            if len(self._waiting) > limits.WAITING_CALLS:
                self.withdraw(call)
            else:
                self._give()

    def withdraw(self, call: PostCall) -> None:
        """The call fails, unless it has a slot."""
        with self._lock:
            if call not in self._waiting:
                return
            del self._waiting[call]
            self.refused += 1
            self._give()  # the next call may have less data
        text = "too many posts are unanswered: post less, or allow more time"
        call.fail(Error(ErrorCode.overloaded, text))
        call.accepted.set_result(False)

    def _give(self) -> None:
        if self._is_giving:
            return  # called by `send`: the loop below continues
        self._is_giving = True
        try:
            while self._waiting and self._has_room(next(iter(self._waiting))):
                self._accept(self._waiting.popitem(last=False)[0])
        finally:
            self._is_giving = False

    def _has_room(self, call: PostCall) -> bool:
        return self._count < limits.POSTS and self._bytes + len(call.data) <= limits.POSTED_BYTES

    def _accept(self, call: PostCall) -> None:
        self._count += 1
        self._bytes += len(call.data)
        self._send(call)
        call.accepted.set_result(True)
        call.future.add_done_callback(lambda _: self._free(call))

    def _free(self, call: PostCall) -> None:
        with self._lock:
            self._count -= 1
            self._bytes -= len(call.data)
            self._give()
