"""Calls without an answer: those that wait to be sent, and those in flight."""

import heapq
import itertools
import weakref
from collections import deque
from collections.abc import Callable
from typing import Any

from . import limits
from .calls import Call, NotifyCall, Parts
from .errors import Error, ErrorCode, bad_request, shown
from .logs import later as log
from .messages import ErrorReply, Outgoing, Reply

AnyCall = Call[Any]

FEW = 1024  # deadlines that are kept whether or not their calls have ended
SEARCH = 0.1  # seconds between two searches of all waiting calls


def has_ended(call: AnyCall | None) -> bool:
    return call is None or call.future.done()


class Requests:
    """Numbers requests, keeps those in flight, and ends each call at its deadline at the latest."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._restoring: deque[AnyCall] = deque()  # sent before what users ask for
        self._waiting: deque[AnyCall] = deque()
        self._in_flight: dict[int, AnyCall] = {}
        self._in_flight_bytes = 0
        self._restoring_in_flight = 0
        self._number = 0
        # The ticket is for calls of one deadline. A call that has ended must not be kept until its deadline.
        self._deadlines: list[tuple[float, int, weakref.ref[AnyCall]]] = []
        self._most_deadlines = FEW  # then those of calls that have ended are left out
        self._searched = float("-inf")  # when those that had ended were left out of `waiting`
        self._ticket = itertools.count()

    def ask(self, now: float, call: AnyCall) -> None:
        """The call waits to be sent, unless it ends immediately."""
        call.deadline = call.due(now)
        if len(self._waiting) >= limits.WAITING_CALLS and now >= self._searched + SEARCH:
            self._searched = now
            self._waiting = deque(one for one in self._waiting if not one.future.done())
        if len(self._waiting) >= limits.WAITING_CALLS:
            text = f"{limits.WAITING_CALLS} calls wait to be sent: make fewer calls at once"
            return call.fail(Error(ErrorCode.overloaded, text))
        call.begin(self._parts)
        if not call.future.done():
            self._waiting.append(call)
            if len(self._deadlines) >= self._most_deadlines:
                self._deadlines = [entry for entry in self._deadlines if not has_ended(entry[2]())]
                heapq.heapify(self._deadlines)
                self._most_deadlines = max(FEW, 2 * len(self._deadlines))
            heapq.heappush(self._deadlines, (call.deadline, next(self._ticket), weakref.ref(call)))

    def next_frame(self, now: float, encode: Callable[[int, Outgoing], bytes]) -> bytes | None:
        """The next request, with its number. None: nothing may be sent now."""
        while True:
            if len(self._in_flight) >= limits.IN_FLIGHT or self._in_flight_bytes >= limits.IN_FLIGHT_BYTES:
                return None
            if not self._restoring and self._restoring_in_flight:
                return None
            queue = self._restoring or self._waiting
            if not queue:
                return None
            call = queue.popleft()
            if call.future.done():
                continue
            call.number = self._number + 1
            try:
                request = call.request(self._parts, call.deadline - now)
                if request is None:
                    continue
                call.frame = encode(call.number, request)
            except Exception as error:
                log.exception("a request cannot be made")
                call.number = 0
                call.refused(self._parts, bad_request(f"the request cannot be made: {shown(error)}"))
                continue
            self._number += 1
            self._in_flight[call.number] = call
            self._in_flight_bytes += len(call.frame)
            self._restoring_in_flight += call.restores
            return call.frame

    def in_flight(self) -> list[bytes]:
        """The frames to send again, in order, when the session was resumed."""
        for call in self._in_flight.values():
            call.sent_again()
        return [call.frame for call in self._in_flight.values()]

    def find(self, number: int) -> AnyCall | None:
        return self._in_flight.get(number)

    def answer(self, now: float, call: AnyCall, reply: Reply) -> Error | None:
        """Takes a reply. Returns an Error if a member or watch could not be restored. Raises Malformed."""
        error = None
        if isinstance(reply, ErrorReply):
            error = Error(reply.code, reply.text)
            call.refused(self._parts, error)
        elif not call.answered(self._parts, reply):
            return None
        self._forget(call)
        if call.is_unwanted and (undo := call.unwanted(self._parts)):
            self.ask(now, undo)
        return error if call.restores else None

    def abandon(self, now: float, call: AnyCall) -> None:
        """Its caller was interrupted: it does not wait any more, and has not seen an answer that may have come."""
        future = call.future
        if not future.done() or future.cancelled():
            future.cancel()
            self._give_up(call)
        elif future.exception() is None and (undo := call.unwanted(self._parts)):
            self.ask(now, undo)

    def _give_up(self, call: AnyCall) -> None:
        if not call.number:
            call.given_up(self._parts)
        elif not call.must_be_known and call.number in self._in_flight:
            call.let_go(self._parts)
            self._forget(call)

    def expire(self, now: float, problem: Error | None) -> None:
        """Ends calls whose deadline has passed. `problem`: why the worker is not attached; None: it is."""
        while self._deadlines and self._deadlines[0][0] <= now:
            call = heapq.heappop(self._deadlines)[2]()
            if call is None or call.future.done():
                continue
            if call.number or call.ordinal or problem is None:
                text = "no answer came in time: the call may still be carried out; allow more time"
                call.fail(Error(ErrorCode.timeout, text))
            else:
                call.fail(problem)
            self._give_up(call)

    def next_deadline(self) -> float:
        while self._deadlines and has_ended(self._deadlines[0][2]()):
            heapq.heappop(self._deadlines)
        return self._deadlines[0][0] if self._deadlines else float("inf")

    def end_session(self) -> None:
        """Numbers begin at 1 again. Calls in flight wait to be sent again, succeed, or fail (Call.session_lost)."""
        again = []
        for call in self._in_flight.values():
            if not call.restores and call.session_lost(self._parts):
                call.number = 0
                again.append(call)
        staying = [call for call in self._waiting if self._stays(call)]
        self._waiting = deque(again + staying)
        self._restoring.clear()
        self._in_flight.clear()
        self._in_flight_bytes = self._restoring_in_flight = self._number = 0

    def begin_session(self, now: float, restoring: list[AnyCall], repeats: list[AnyCall]) -> None:
        """`restoring` is sent before anything else. Then notifies of earlier sessions, and `repeats`, in order."""
        for call in [*restoring, *repeats]:
            call.deadline = call.due(now)
        self._restoring.extend(restoring)
        sent = sorted([call for call in self._waiting if call.ordinal] + repeats, key=lambda call: call.ordinal)
        others = [call for call in self._waiting if not call.ordinal]
        first = list(itertools.takewhile(lambda call: not isinstance(call, NotifyCall), others))
        self._waiting = deque(first + sent + others[len(first) :])

    def is_restoring(self) -> bool:
        """Whether what must come first in this session is not answered yet."""
        return bool(self._restoring or self._restoring_in_flight)

    def _stays(self, call: AnyCall) -> bool:
        """Whether a call that waits is sent in the next session."""
        if call.ends_with_session or call.ordinal:
            return call.session_lost(self._parts)
        return True

    def fail_all(self, error: Error) -> None:
        for call in [*self._in_flight.values(), *self._waiting, *(entry[2]() for entry in self._deadlines)]:
            if call:
                call.fail(error)
        self._in_flight.clear()
        self._waiting.clear()
        self._deadlines.clear()

    def _forget(self, call: AnyCall) -> None:
        del self._in_flight[call.number]
        self._in_flight_bytes -= len(call.frame)
        self._restoring_in_flight -= call.restores
