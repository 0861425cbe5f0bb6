"""What the worker has accepted of each group (PROTOCOL.md, "Handover" and "Calls that outlive a node")."""

from dataclasses import dataclass, field
from enum import Enum
from typing import TypeVar

from .messages import Delivery
from .types import Group, NodeId

K = TypeVar("K")
V = TypeVar("V")
MOST_NODES = 1024  # of a group; a cluster has fewer that live
MOST_LIVES = 4096  # of notifiers of a group
SEEN_CALLS = 2048  # the last ones of a life; more than a worker keeps to send again


class Copy(Enum):
    """What a notification is to the worker."""

    FRESH = 1
    HAD = 2
    LATE = 3  # repeated, and the worker has not had it, but later calls: it is lost, because it would break their order


@dataclass
class Calls:
    """Of one notifier's life, in one group."""

    highest: int = 0
    seen: int = 0  # bit i: whether the call `highest - i` was accepted
    latest: tuple[NodeId, int] | None = None  # from_node and seq of the last one

    def accept(self, item: Delivery) -> Copy:
        copy = item.from_node, item.seq
        if copy == self.latest:  # a notification for many members comes in parts
            return Copy.FRESH
        behind = self.highest - item.call
        if behind >= 0 and self.seen >> behind & 1:
            return Copy.HAD
        if behind >= 0 and item.repeated:
            return Copy.LATE if behind < SEEN_CALLS else Copy.HAD
        if behind < 0:
            self.seen = (self.seen << -behind | 1) & ((1 << SEEN_CALLS) - 1) if -behind < SEEN_CALLS else 1
            self.highest = item.call
        elif behind < SEEN_CALLS:
            self.seen |= 1 << behind
        self.latest = copy
        return Copy.FRESH


@dataclass
class Accepted:
    """Of one group. The one that was silent for longest comes first."""

    positions: dict[NodeId, int] = field(default_factory=dict)  # the highest group_seq of each from_node
    calls: dict[int, Calls] = field(default_factory=dict)  # of each notifier's life
    is_complete: bool = True  # whether every notification had a group_seq


class Positions:
    """Of the groups in which the worker has members. They outlive sessions."""

    def __init__(self) -> None:
        self._groups: dict[Group, Accepted] = {}

    def accept(self, item: Delivery) -> Copy:
        """Notes a notification for members."""
        accepted = self._groups.setdefault(item.group, Accepted())
        if item.group_seq:
            highest = max(accepted.positions.get(item.from_node, 0), item.group_seq)
            _put(accepted.positions, item.from_node, highest, MOST_NODES)
        else:
            accepted.is_complete = False
        if not item.life or not item.call:
            return Copy.FRESH
        calls = accepted.calls.get(item.life) or Calls()
        _put(accepted.calls, item.life, calls, MOST_LIVES)
        return calls.accept(item)

    def of(self, group: Group) -> list[tuple[NodeId, int]]:
        """For RejoinRequest."""
        return list(self._groups[group].positions.items()) if group in self._groups else []

    def are_complete(self, group: Group) -> bool:
        """False: older nodes sent notifications without a number. What a node repeats could come twice."""
        return group not in self._groups or self._groups[group].is_complete

    def begin(self, group: Group) -> None:
        """The group is joined as a new one: what came before without a number does not matter any more."""
        if group in self._groups:
            self._groups[group].is_complete = True

    def forget(self, group: Group) -> None:
        """The last member has left."""
        self._groups.pop(group, None)


def _put(latest: dict[K, V], key: K, value: V, most: int) -> None:
    """The key is the latest one now. The one that was silent for longest is forgotten if there are too many."""
    if key in latest:
        del latest[key]
    latest[key] = value
    if len(latest) > most:
        del latest[next(iter(latest))]
