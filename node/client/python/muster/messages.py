"""The messages that a worker sends, and those that it receives (PROTOCOL.md, section 8)."""

import dataclasses
from dataclasses import dataclass
from typing import ClassVar

from . import limits
from .errors import ErrorCode
from .reader import Reader
from .types import Event, Group, GroupInfo, GroupMembers, Kind, Member, Missed, MissReason, NodeId, NodeInfo
from .types import NotifyReport, Reason, Status
from .wire import Malformed


@dataclass(frozen=True)
class Outgoing:
    TYPE: ClassVar[int] = 0

    def fields(self) -> list[object]:
        return [getattr(self, field.name) for field in dataclasses.fields(self)]


@dataclass(frozen=True)
class WorkerHello(Outgoing):
    TYPE = 40
    token: int
    received: int
    life: int = 0


@dataclass(frozen=True)
class WorkerHeartbeat(Outgoing):
    TYPE = 41
    received: int


@dataclass(frozen=True)
class WorkerGoodbye(Outgoing):
    TYPE = 42
    moved: int = 0  # 1: its members have joined at another node


@dataclass(frozen=True)
class JoinRequest(Outgoing):
    TYPE = 50
    group: Group
    count: int
    meta: dict[str, str]
    visible: bool
    timeout_ms: int


@dataclass(frozen=True)
class RejoinRequest(Outgoing):
    TYPE = 80
    group: Group
    positions: list[tuple[NodeId, int]]  # the highest group_seq accepted of each node
    joins: list[tuple[int, dict[str, str], int]]  # count, metadata, age in ms
    node: NodeId  # of the last session
    away_ms: int


@dataclass(frozen=True)
class LeaveRequest(Outgoing):
    TYPE = 51
    group: Group
    members: list[int]
    count: int


@dataclass(frozen=True)
class MembersRequest(Outgoing):
    TYPE = 52
    group: Group
    local: bool


@dataclass(frozen=True)
class GroupsRequest(Outgoing):
    TYPE = 53


@dataclass(frozen=True)
class NodesRequest(Outgoing):
    TYPE = 54


@dataclass(frozen=True)
class StatusRequest(Outgoing):
    TYPE = 55


@dataclass(frozen=True)
class NotifyRequest(Outgoing):
    TYPE = 56
    kind: Kind
    group: Group
    data: bytes
    wait: bool
    timeout_ms: int
    call: int = 0  # its number in the worker's life
    repeated: int = 0  # 1: another node may have sent it


@dataclass(frozen=True)
class WatchRequest(Outgoing):
    TYPE = 57
    group: tuple[str, str]  # ("", ""): every group


@dataclass(frozen=True)
class UnwatchRequest(Outgoing):
    TYPE = 58
    watch: int


@dataclass(frozen=True)
class Refuse:
    code: ErrorCode
    text: str

    @classmethod
    def read(cls, fields: Reader) -> "Refuse":
        return cls(fields.word(ErrorCode), fields.text(limits.TEXT))


@dataclass(frozen=True)
class WorkerWelcome:
    token: int
    resumed: bool
    heartbeat_ms: int
    ttl_ms: int
    grace_ms: int
    node: NodeInfo
    nodes: tuple[str, ...]
    handover_ms: int = 0  # 0: the node takes no RejoinRequest

    @classmethod
    def read(cls, fields: Reader) -> "WorkerWelcome":
        token, resumed = fields.uint(1), fields.flag()
        times = fields.uint(), fields.uint(), fields.uint()
        node, array = fields.node_info(), fields.array(limits.WELCOME_NODES)
        addresses = Reader(array)
        nodes = tuple(addresses.address() for _ in array)
        return cls(token, resumed, *times, node, nodes, fields.appended_uint())


@dataclass(frozen=True)
class NodeHeartbeat:
    settled: int = 0  # up to this call of the worker, the death of this node loses nothing

    @classmethod
    def read(cls, fields: Reader) -> "NodeHeartbeat":
        return cls(fields.appended_uint())


@dataclass(frozen=True)
class Move:
    to: str = ""  # an address to try first, if the worker knows it

    @classmethod
    def read(cls, fields: Reader) -> "Move":
        return cls(fields.appended_address())


@dataclass(frozen=True)
class JoinReply:
    members: tuple[range, ...]  # numbers
    unseen: int

    @classmethod
    def read(cls, fields: Reader) -> "JoinReply":
        runs = Reader(array := fields.array())
        members = tuple(runs.run() for _ in array)
        if sum(map(len, members)) > limits.MEMBERS_A_CALL:
            raise Malformed("more members than one call can join")
        return cls(members, fields.uint())


@dataclass(frozen=True)
class LeaveReply:
    members: tuple[int, ...]  # numbers

    @classmethod
    def read(cls, fields: Reader) -> "LeaveReply":
        return cls(fields.uints(1))


@dataclass(frozen=True)
class MembersReply:
    items: list[Member]
    last: bool

    @classmethod
    def read(cls, fields: Reader) -> "MembersReply":
        return cls([record.member() for record in fields.records()], fields.flag())


@dataclass(frozen=True)
class GroupsReply:
    items: list[GroupInfo]
    last: bool

    @classmethod
    def read(cls, fields: Reader) -> "GroupsReply":
        return cls([GroupInfo(record.group(), record.uint()) for record in fields.records()], fields.flag())


@dataclass(frozen=True)
class NodesReply:
    nodes: list[NodeInfo]

    @classmethod
    def read(cls, fields: Reader) -> "NodesReply":
        nodes = Reader(array := fields.array())
        return cls([nodes.node_info() for _ in array])


@dataclass(frozen=True)
class StatusReply:
    status: Status

    @classmethod
    def read(cls, fields: Reader) -> "StatusReply":
        record = fields.record()
        node, scope, ready = record.node_info(), record.text(limits.SCOPE), record.flag()
        numbers = record.uint(), record.uint(), record.uint(), record.uint()
        return cls(Status(node, scope, ready, *numbers, record.counts()))


@dataclass(frozen=True)
class NotifyReply:
    report: NotifyReport
    settled: int = 0  # as in NodeHeartbeat

    @classmethod
    def read(cls, fields: Reader) -> "NotifyReply":
        record = fields.record()
        matched, nodes, waited, delivered = record.uint(), record.uint(), record.flag(), record.uint()
        missed = tuple(Missed(one.name(), one.uint(), one.word(MissReason)) for one in record.records())
        return cls(NotifyReport(matched, nodes, waited, delivered, missed), fields.appended_uint())


@dataclass(frozen=True)
class DoneReply:
    @classmethod
    def read(cls, fields: Reader) -> "DoneReply":
        return cls()


@dataclass(frozen=True)
class ErrorReply:
    code: ErrorCode
    text: str

    @classmethod
    def read(cls, fields: Reader) -> "ErrorReply":
        return cls(fields.word(ErrorCode), fields.text(limits.TEXT))


@dataclass(frozen=True)
class Delivery:
    """One notification. `members`: numbers of members of this session."""

    kind: Kind
    group: Group
    data: bytes
    from_node: NodeId
    from_worker: str
    seq: int
    members: tuple[int, ...]
    group_seq: int = 0  # its number in the group, by from_node; 0: from_node is older
    life: int = 0  # of the notifying worker; 0: unknown
    call: int = 0  # of that life; 0: unknown
    repeated: int = 0  # not 0: another node may have sent this call before


@dataclass(frozen=True)
class Deliveries:
    notifications: list[Delivery]

    @classmethod
    def read(cls, fields: Reader) -> "Deliveries":
        found = []
        for one in fields.records():
            what = one.word(Kind), one.group(), one.data(), one.node_id(), one.owner(), one.uint(), one.uints(1)
            group_seq, life, call, repeated = (one.appended_uint() for _ in range(4))
            found.append(Delivery(*what, group_seq, life, call, repeated))
        if not found:
            raise Malformed("a Deliveries without a notification")
        return cls(found)


@dataclass(frozen=True)
class Gap:
    missed: int
    at_least: int = 0  # not 0: perhaps more

    @classmethod
    def read(cls, fields: Reader) -> "Gap":
        return cls(fields.uint(), fields.appended_uint())


@dataclass(frozen=True)
class WatchNews:
    watch: int
    event: Event
    reason: Reason
    groups: list[GroupMembers]
    last: bool

    @classmethod
    def read(cls, fields: Reader) -> "WatchNews":
        watch, record = fields.uint(1), fields.record()
        event, reason = record.word(Event), record.word(Reason)
        groups = [GroupMembers(one.group(), [each.member() for each in one.records()]) for one in record.records()]
        if event is not Event.snapshot and len(groups) != 1:
            raise Malformed("an event of one group was expected")
        if record.appended_uint() and reason is Reason.left:  # older nodes and workers know it as left
            reason = Reason.moved
        return cls(watch, event, reason, groups, fields.flag())


StreamItem = Delivery | Gap | WatchNews
Reply = (
    JoinReply
    | LeaveReply
    | MembersReply
    | GroupsReply
    | NodesReply
    | StatusReply
    | NotifyReply
    | DoneReply
    | ErrorReply
)
Incoming = Refuse | WorkerWelcome | NodeHeartbeat | Move | Deliveries | Gap | WatchNews | Reply

READERS: dict[int, type[Incoming]] = {
    3: Refuse,
    43: WorkerWelcome,
    44: NodeHeartbeat,
    45: Move,
    60: JoinReply,
    61: LeaveReply,
    62: MembersReply,
    63: GroupsReply,
    64: NodesReply,
    65: StatusReply,
    66: NotifyReply,
    67: DoneReply,
    69: ErrorReply,
    70: Deliveries,
    71: Gap,
    72: WatchNews,
}
