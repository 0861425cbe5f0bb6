"""The types that users see. Names are those of the C++ Worker."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

from . import wire
from .errors import Word


class Kind(Word):
    """The kind of a notification."""

    created = 1
    updated = 2
    deleted = 3


class Event(Word):
    """The kind of a watch event."""

    snapshot = 1
    join = 2
    leave = 3


class Reason(Word):
    """Why a member has left."""

    left = 1
    worker_down = 2
    node_down = 3
    node_left = 4
    moved = 5


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


SUBSCRIPTIONS = "subscriptions"  # predefined features; any other text is allowed
STREAMS = "streams"
SNAPSHOTS = "snapshots"


class Group(NamedTuple):
    """The name of a group: two texts of 1 to 255 bytes of UTF-8. Calls accept any tuple ("store", "feature")."""

    store: str
    feature: str


class NodeId(NamedTuple):
    """One life of one node: a restart has a higher incarnation."""

    name: str
    incarnation: int  # microseconds since 1970 at which the node started


class MemberId(NamedTuple):
    """Unique in the cluster and over time. `str` returns "node/incarnation/number"."""

    node: NodeId
    number: int

    def __str__(self) -> str:
        return f"{self.node.name}/{self.node.incarnation}/{self.number}"


@dataclass(frozen=True)
class Member:
    id: MemberId
    worker: str  # the worker that owns it; empty: the node itself
    meta: Mapping[str, str]


@dataclass(frozen=True)
class Notification:
    kind: Kind
    group: Group
    msgpack: bytes  # the data: exactly one msgpack value
    from_node: NodeId  # the node of the notifier
    from_worker: str  # the notifier; empty: the node itself
    seq: int  # increases at from_node; (from_node, seq) is unique
    members: tuple[int, ...]  # the one member that the handler is called for, by its number at the node
    group_seq: int = 0  # 1, 2, 3, … in the group, by from_node; 0: from_node is older and does not count

    @cached_property
    def data(self) -> Any:
        """The data, decoded at the first access.

        Raises muster.Error (bad_request) for a value that Python cannot represent, such as a map with a map as a key.
        `msgpack` has the bytes of every value.
        """
        return wire.data_value(self.msgpack)


@dataclass(frozen=True)
class Missed:
    """Members at one node that did not handle a notification, for one reason."""

    node: str
    members: int
    reason: MissReason


@dataclass(frozen=True)
class NotifyReport:
    matched: int  # members of the group that the node of this worker knew
    nodes: int  # nodes that have at least one of them
    waited: bool  # whether `delivered` is known
    delivered: int  # members whose process has handled it
    missed: tuple[Missed, ...]  # without waiting: only what was refused immediately


@dataclass(frozen=True)
class GroupMembers:
    group: Group
    members: list[Member]


@dataclass(frozen=True)
class WatchEvent:
    """A snapshot comes first, then every join and leave in order. A later snapshot replaces all before it."""

    kind: Event
    reason: Reason  # for a leave; for a join, moved if the members were at another node before
    groups: list[GroupMembers]  # exactly one, unless it is a snapshot


@dataclass(frozen=True)
class NodeInfo:
    id: NodeId
    state: NodeState
    address: str  # "host:port" for workers
    workers: int = 0  # sessions, including those in their grace period; 0 if the node is older
    draining: bool = False  # it asks its workers to go to other nodes


@dataclass(frozen=True)
class GroupInfo:
    group: Group
    members: int


@dataclass(frozen=True)
class Status:
    node: NodeInfo
    scope: str
    ready: bool  # whether it has synchronised with the cluster
    seq: int  # position of the node's own log
    groups: int
    members: int
    workers: int  # sessions, including those in their grace period
    counters: Mapping[str, int] = field(default_factory=dict)

    @property
    def security(self) -> str:
        """Who can connect to the node: "curve" (only holders of keys that it trusts), "loopback" (no keys: any process
        on its machine) or "insecure" (no keys: anybody who reaches its address).
        """
        if self.counters.get("security_curve"):
            return "curve"
        return "insecure" if self.counters.get("security_insecure") else "loopback"


@dataclass(frozen=True)
class Joined:
    members: list[MemberId]
    unseen: int  # with `visible`: live nodes that did not confirm in time


class Gap(int):
    """How many deliveries to members were lost for good: an int, so that handlers may add it up.

    With `at_least`, perhaps more were lost: a node that knew the number has died. The number may be 0 then.
    """

    at_least: bool

    def __new__(cls, missed: int, at_least: bool = False) -> "Gap":
        gap = super().__new__(cls, missed)
        gap.at_least = at_least
        return gap


OnNotification = Callable[[Notification], object]
OnWatch = Callable[[WatchEvent], object]
OnGap = Callable[[Gap], object]
OnAttachment = Callable[[bool, str], object]
