"""What the worker has accepted of each group (PROTOCOL.md, "Handover" and "Calls that outlive a node")."""

from dataclasses import dataclass, field
from typing import TypeVar

from .messages import Delivery
from .types import Group, NodeId

K = TypeVar("K")
MOST_NODES = 1024  # of a group; a cluster has fewer that live
MOST_LIVES = 4096  # of notifiers of a group


@dataclass
class Accepted:
    """Of one group. The one that was silent for longest comes first."""

    positions: dict[NodeId, int] = field(default_factory=dict)  # the highest group_seq of each from_node
    calls: dict[int, int] = field(default_factory=dict)  # the highest call of each notifier's life
    is_complete: bool = True  # whether every notification had a group_seq


class Positions:
    """Of the groups in which the worker has members. They outlive sessions."""

    def __init__(self) -> None:
        self._groups: dict[Group, Accepted] = {}

    def accept(self, item: Delivery) -> bool:
        """Notes a notification for members. False: they had it before, from another node of its notifier."""
        accepted = self._groups.setdefault(item.group, Accepted())
        if item.group_seq:
            _raise(accepted.positions, item.from_node, item.group_seq, MOST_NODES)
        else:
            accepted.is_complete = False
        if not item.life or not item.call:
            return True
        is_new = not item.repeated or item.call > accepted.calls.get(item.life, 0)
        _raise(accepted.calls, item.life, item.call, MOST_LIVES)
        return is_new

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


def _raise(highest: dict[K, int], key: K, number: int, most: int) -> None:
    """Raises the number of the key, which is the latest now, and forgets the one that was silent for longest."""
    highest[key] = max(highest.pop(key, 0), number)
    if len(highest) > most:
        del highest[next(iter(highest))]
