"""The stream of a session (PROTOCOL.md, "The stream"): taken strictly in order, acknowledged when handled."""

import enum
from collections import Counter, deque
from collections.abc import Sequence

from . import limits
from .actions import Entry, Recipient, Step
from .messages import Deliveries, Delivery, Gap, StreamItem, WatchNews
from .positions import Copy
from .roster import Roster
from .types import Gap as ToldGap
from .types import Group, Notification, OnGap
from .watches import Watches

WORKER = Recipient()  # of callbacks of the worker itself, which is always active


class Verdict(enum.Enum):
    taken = enum.auto()
    hole = enum.auto()  # an item is missing: resume the session
    full = enum.auto()  # the inbox is full: resume the session when there is room


class Stream:
    """Up to which item the stream was taken and handled, in one session after the other."""

    def __init__(self, roster: Roster, watches: Watches, room: int, on_gap: OnGap | None) -> None:
        self._roster = roster
        self._watches = watches
        self._room = room
        self._on_gap = on_gap
        self.epoch = 0
        self.taken = 0
        self.handled = 0
        self._held: deque[tuple[int, StreamItem]] = deque()  # items that wait for the reply to a join
        self._with_handlers = 0  # entries given out and not handled, of any epoch
        self._bytes = 0  # data taken and not handled
        self.counters: Counter[str] = Counter()

    @property
    def waiting(self) -> int:
        """Items taken and not handled."""
        return self._with_handlers + len(self._held)

    def has_room(self) -> bool:
        """Whether half of the inbox is free, so that it is worth resuming the session for what was not taken."""
        return self.waiting <= self._room // 2 and self._bytes <= limits.INBOX_BYTES // 2

    def begin_session(self, out: list[Entry]) -> None:
        """Appends what was taken in the session before to `out`, except what waits for the reply to a join.

        The next node repeats that, with all behind it of the same group, because it does not count as accepted. Watches
        begin with a new snapshot.
        """
        waiting: set[Group] = set()
        for _, item in self._held:
            if isinstance(item, Delivery) and (item.group in waiting or self._must_wait(item)):
                waiting.add(item.group)
                self.counters["lost_with_session"] += 1
                self._bytes -= _size(item)
            elif not isinstance(item, WatchNews):
                out.append(self._entry(0, item))  # it stands behind what waits, so it cannot be acknowledged
        self._held.clear()
        self.epoch += 1
        self.taken = self.handled = 0

    def take(self, first: int, message: Deliveries | Gap | WatchNews, out: list[Entry]) -> Verdict:
        """Takes the items, numbered from `first` on. Appends what need not wait to `out`. Raises Malformed."""
        verdict = self._hold(first, message.notifications if isinstance(message, Deliveries) else (message,))
        self.release(out)  # whatever the verdict: only what is handled makes room
        return verdict

    def release(self, out: list[Entry]) -> None:
        """Appends what need not wait any more to `out`. Call it when a join was answered. Raises Malformed."""
        while self._held and not self._must_wait(self._held[0][1]):
            out.append(self._entry(*self._held.popleft()))

    def give(self, step: Step) -> Entry:
        """An entry for a callback of the worker, in order with the others."""
        self._with_handlers += 1
        return Entry(self.epoch, 0, (step,))

    def done(self, entry: Entry) -> None:
        self._with_handlers -= 1
        self._bytes -= entry.size
        if entry.number and entry.epoch == self.epoch:
            self.handled = entry.number

    def _hold(self, first: int, items: Sequence[StreamItem]) -> Verdict:
        for number, item in enumerate(items, first):
            if number <= self.taken:
                self.counters["repeated"] += 1
                continue
            if number != self.taken + 1:
                self.counters["holes"] += 1
                return Verdict.hole
            if self.waiting >= self._room or self._bytes >= limits.INBOX_BYTES:
                self.counters["refused_for_want_of_room"] += 1
                return Verdict.full
            self.taken = number
            self._bytes += _size(item)
            self._held.append((number, item))
        return Verdict.taken

    def _entry(self, number: int, item: StreamItem) -> Entry:
        entry = Entry(self.epoch, number, self._steps(item), _size(item))
        self._with_handlers += 1
        return entry

    def _must_wait(self, item: StreamItem) -> bool:
        """A notification can come before the JoinReply that has its member's number, and waits for that reply."""
        if not isinstance(item, Delivery) or not self._roster.is_joining(item.group):
            return False
        return any(self._roster.find(number) is None for number in item.members)

    def _steps(self, item: StreamItem) -> tuple[Step, ...]:
        if isinstance(item, Delivery):
            return self._calls(item)
        if isinstance(item, Gap):
            return self._lose(item.missed, bool(item.at_least))
        watch = self._watches.find(item.watch)
        event = watch.take(item) if watch else None
        return (Step(watch, watch.handler, (event,)),) if watch and event else ()

    def _lose(self, missed: int, at_least: bool) -> tuple[Step, ...]:
        self.counters["missed"] += missed
        return (Step(WORKER, self._on_gap, (ToldGap(missed, at_least),)),) if self._on_gap is not None else ()

    def _calls(self, item: Delivery) -> tuple[Step, ...]:
        copy = self._roster.positions.accept(item) if self._roster.has(item.group) else Copy.FRESH
        if copy is Copy.HAD:
            self.counters["repeated_calls"] += 1
            return ()
        if copy is Copy.LATE:
            return self._lose(len(item.members), False)
        steps = []
        for number in dict.fromkeys(item.members):
            slot = self._roster.find(number)
            if slot is None or slot.join.handler is None or slot.join.group != item.group:
                continue  # the member has left, or has no handler
            fields = item.kind, item.group, item.data, item.from_node, item.from_worker, item.seq, (number,)
            steps.append(Step(slot, slot.join.handler, (Notification(*fields, item.group_seq),)))
        return tuple(steps)


def _size(item: StreamItem) -> int:
    """Bytes that count towards limits.INBOX_BYTES."""
    return len(item.data) if isinstance(item, Delivery) else 0
