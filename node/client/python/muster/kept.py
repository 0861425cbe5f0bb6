"""Notifies that would be lost with the node that answered them (PROTOCOL.md, "Calls that outlive a node")."""

import dataclasses
import heapq

from .messages import NotifyRequest

MOST_CALLS = 1024
MOST_BYTES = 64 << 20  # of data


class Kept:
    """Numbers the notifies of a worker, and keeps those for which nobody waits until a node says that they are settled.

    Those that are unanswered stay with the requests.
    """

    def __init__(self) -> None:
        self._last = 0
        self._calls: dict[int, tuple[NotifyRequest, float]] = {}  # with the time at which it was first sent
        self._numbers: list[int] = []  # a heap of those
        self._bytes = 0

    def next_number(self) -> int:
        self._last += 1
        return self._last

    def keep(self, request: NotifyRequest, first_sent: float) -> None:
        """The oldest ones are given up if there are too many."""
        if request.call in self._calls:
            return
        again = dataclasses.replace(request, wait=False, repeated=1)
        self._calls[request.call] = again, first_sent
        heapq.heappush(self._numbers, request.call)
        self._bytes += len(request.data)
        while len(self._calls) > MOST_CALLS or self._bytes > MOST_BYTES:
            self._forget_first()

    def settle(self, last: int) -> None:
        """Up to this call nothing can be lost."""
        while self._numbers and self._numbers[0] <= last:
            self._forget_first()

    def has(self, number: int) -> bool:
        return number in self._calls

    def since(self, oldest: float) -> list[NotifyRequest]:
        """What to repeat in a new session. Those that were sent earlier are given up."""
        for number in [number for number, (_, first_sent) in self._calls.items() if first_sent < oldest]:
            self._bytes -= len(self._calls.pop(number)[0].data)
        self._numbers = sorted(self._calls)
        return [self._calls[number][0] for number in self._numbers]

    def clear(self) -> None:
        self._calls.clear()
        self._numbers.clear()
        self._bytes = 0

    def _forget_first(self) -> None:
        self._bytes -= len(self._calls.pop(heapq.heappop(self._numbers))[0].data)
