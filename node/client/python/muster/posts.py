"""Notifications whose reports are not waited for. A bounded number of them may be unanswered."""

import threading
from collections import OrderedDict, deque
from collections.abc import Callable

from . import limits
from .calls import NotifyCall
from .errors import Error, ErrorCode
from .outcome import Outcome
from .types import Kind


class PostCall(NotifyCall):
    """A notify whose timeout runs from `now` on, also while it waits for a free slot."""

    def __init__(
        self, kind: Kind, group: tuple[str, str], data: object, wait: bool, timeout: float, now: float
    ) -> None:
        super().__init__(kind, group, data, wait, timeout)
        self.accepted: Outcome[bool] = Outcome()  # False: no slot became free in time
        self._until = now + self.timeout

    def due(self, now: float) -> float:
        return self._until


class Posts:
    """Gives out the slots for posts, in the order of asking. Thread-safe. Does not wait: its callers do.

    What is to be done is queued, and the thread that gets the lock does it for all. So no thread waits for another one,
    and a signal handler that interrupts the holder only adds to the queue.
    """

    def __init__(self, send: Callable[[PostCall], object], is_elsewhere: Callable[[], bool] = lambda: False) -> None:
        """`send` is called in order, on the thread that asks or on the thread that frees a slot."""
        self.refused = 0
        self._send = send
        self._is_elsewhere = is_elsewhere  # in a fork, where `send` refuses all
        self._todo: deque[tuple[Callable[[PostCall], None], PostCall]] = deque()
        self._doing: dict[str, tuple[int]] = {}  # a lock that knows its thread; setdefault is atomic
        self._waiting: OrderedDict[PostCall, None] = OrderedDict()
        self._count = 0
        self._bytes = 0

    def ask(self, call: PostCall) -> None:
        """The call is sent as soon as it has a slot, and keeps the slot until its future is done.

        The post of a signal handler that has interrupted this object on its thread is sent without a slot: to wait for
        the interrupted code would be to wait for itself. So is a post in a forked child, where nobody frees a slot, and
        where the lock may be that of a thread of the parent.
        """
        if self._is_elsewhere() or self._doing.get("by") == (threading.get_ident(),):
            call.accepted.set_result(True)
            self._send(call)
        else:
            self._do(self._ask, call)

    def withdraw(self, call: PostCall) -> None:
        """The call fails, unless it has a slot."""
        if not call.accepted.done():
            self._do(self._withdraw, call)

    def _do(self, what: Callable[[PostCall], None], call: PostCall) -> None:
        self._todo.append((what, call))
        mine = (threading.get_ident(),)
        while self._todo:  # also what came after the holder looked for the last time
            try:  # a signal handler may raise anywhere
                if self._doing.setdefault("by", mine) is not mine:
                    return
                while self._todo:
                    next_one, its_call = self._todo.popleft()
                    next_one(its_call)
            finally:
                try:
                    self._release(mine)
                finally:  # also if it raises just here
                    self._release(mine)

    def _release(self, mine: tuple[int]) -> None:
        if self._doing.get("by") is mine:
            self._doing.clear()

    def _ask(self, call: PostCall) -> None:
        self._waiting[call] = None
        if len(self._waiting) > limits.WAITING_CALLS:
            self._withdraw(call)
        else:
            self._give()

    def _withdraw(self, call: PostCall) -> None:
        if call not in self._waiting:
            return
        del self._waiting[call]
        self.refused += 1
        self._give()  # the next call may have less data
        text = "too many posts are unanswered: post less, or allow more time"
        call.fail(Error(ErrorCode.overloaded, text))
        call.accepted.set_result(False)

    def _give(self) -> None:
        while self._waiting and self._has_room(next(iter(self._waiting))):
            self._accept(self._waiting.popitem(last=False)[0])

    def _has_room(self, call: PostCall) -> bool:
        return self._count < limits.POSTS and self._bytes + len(call.data) <= limits.POSTED_BYTES

    def _accept(self, call: PostCall) -> None:
        self._count += 1
        self._bytes += len(call.data)
        self._send(call)
        call.accepted.set_result(True)
        call.future.then(lambda: self._do(self._free, call))

    def _free(self, call: PostCall) -> None:
        self._count -= 1
        self._bytes -= len(call.data)
        self._give()
