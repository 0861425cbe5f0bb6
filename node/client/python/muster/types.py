"""What users see of groups, members and notifications; the names are those of the C++ Worker."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

from . import wire
from .errors import Word


class Kind(Word):
    """Of a notification."""

    created = 1
    updated = 2
    deleted = 3


class Event(Word):
    """Of a watch."""

    snapshot = 1
    join = 2
    leave = 3


class Reason(Word):
    """Why a member is gone."""

    left = 1
    worker_down = 2
    node_down = 3
    node_left = 4


class MissReason(Word):
    """Why a member did not get a notification."""

    node_down = 1
    worker_down = 2
    left = 3
    overflow = 4
    timeout = 5


class NodeState(Word):
    alive = 1
    suspect = 2
    down = 3
    left = 4


SUBSCRIPTIONS = "subscriptions"  # the predefined features; any other text is allowed
STREAMS = "streams"
SNAPSHOTS = "snapshots"


class Group(NamedTuple):
    """The identity of a group; where one is asked for, ("store", "feature") does as well."""

    store: str
    feature: str


class NodeId(NamedTuple):
    """One life of one node."""

    name: str
    incarnation: int


class MemberId(NamedTuple):
    """One join of one group by one owner, unique in the cluster and over time. `str` gives node/incarnation/number."""

    node: NodeId
    number: int

    def __str__(self) -> str:
        return f"{self.node.name}/{self.node.incarnation}/{self.number}"


@dataclass(frozen=True)
class Member:
    id: MemberId
    worker: str  # empty: a handler inside the node itself
    meta: Mapping[str, str]


@dataclass(frozen=True)
class Notification:
    kind: Kind
    group: Group
    msgpack: bytes  # the data as it came: exactly one msgpack value
    from_node: NodeId  # where it entered the cluster
    from_worker: str  # empty: the node itself
    seq: int  # grows at from_node; (from_node, seq) is unique
    members: tuple[int, ...]  # the member that the handler is called for, by its number at the node

    @cached_property
    def data(self) -> Any:
        """The value, decoded when it is first asked for.

        Raises muster.Error (bad_request) for a value that Python has no room for, such as a map with a map as its key;
        `msgpack` has the bytes of any value.
        """
        return wire.data_value(self.msgpack)


@dataclass(frozen=True)
class Missed:
    node: str
    members: int
    reason: MissReason


@dataclass(frozen=True)
class NotifyReport:
    matched: int  # members in the table of the node that this worker is attached to
    nodes: int  # nodes that have one or more of them
    waited: bool  # whether `delivered` is known
    delivered: int  # members whose process has handled it
    missed: tuple[Missed, ...]  # without waiting: only what was refused at once


@dataclass(frozen=True)
class GroupMembers:
    group: Group
    members: list[Member]


@dataclass(frozen=True)
class WatchEvent:
    """First one snapshot, then every change in order; a later snapshot replaces everything before it."""

    kind: Event
    reason: Reason  # of a leave
    groups: list[GroupMembers]  # a join or leave has exactly one


@dataclass(frozen=True)
class NodeInfo:
    id: NodeId
    state: NodeState
    address: str  # "host:port" that workers use


@dataclass(frozen=True)
class GroupInfo:
    group: Group
    members: int


@dataclass(frozen=True)
class Status:
    node: NodeInfo
    scope: str
    ready: bool
    seq: int  # of the node's own log
    groups: int
    members: int
    workers: int  # sessions, those in their grace included
    counters: Mapping[str, int] = field(default_factory=dict)

    @property
    def security(self) -> str:
        """As its counters say: "curve" (only those whose keys the node trusts can speak to it), "loopback" (no keys:
        whoever is on its machine) or "insecure" (no keys: whoever reaches it).
        """
        if self.counters.get("security_curve"):
            return "curve"
        return "insecure" if self.counters.get("security_insecure") else "loopback"


@dataclass(frozen=True)
class Joined:
    members: list[MemberId]
    unseen: int  # with `visible`: live nodes that had not confirmed in time


OnNotification = Callable[[Notification], object]
OnWatch = Callable[[WatchEvent], object]
OnGap = Callable[[int], object]
OnAttachment = Callable[[bool, str], object]
