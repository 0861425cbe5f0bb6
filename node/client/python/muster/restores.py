"""What a worker repeats in a new session: its members, its watches, and notifies that may be lost."""

from collections.abc import Iterable

from . import limits, messages
from .arguments import LONGEST
from .calls import Call, Parts, UndoJoin, new_numbers
from .errors import Error
from .messages import Outgoing, Reply
from .roster import Join, Slot
from .types import Group, NodeId
from .watches import Watch
from .wire import Malformed

REJOIN_BYTES = limits.FRAME - (1 << 17)  # of the joins in one request; the positions have room in the rest
PAIR_BYTES = 4  # of a pair of metadata beside its texts
JOIN_BYTES = 14  # of a join beside its pairs, at most


class Rejoin(Call[None]):
    """Repeats a join as a new one, for those of its members that have not left."""

    REPLY = messages.JoinReply
    restores = True

    def __init__(self, join: Join) -> None:
        super().__init__(LONGEST)
        self.join = join
        self._slots: list[Slot] = []

    def request(self, parts: Parts, left: float) -> Outgoing | None:
        self._slots = list(self.join.slots)
        if not self._slots:
            return None  # all members have left
        self.join.asked_at = self.sent_at(left)
        parts.roster.positions.begin(self.join.group)
        parts.roster.begin_join(self.join.group)
        return messages.JoinRequest(self.join.group, len(self._slots), self.join.meta, False, 0)

    def answered(self, parts: Parts, reply: Reply) -> bool:
        assert isinstance(reply, messages.JoinReply)
        numbers = new_numbers(parts.roster, reply, len(self._slots))
        parts.roster.end_join(self.join.group)
        parts.roster.rejoined(self._slots, parts.node, numbers)
        self.is_unwanted = not all(slot.active for slot in self._slots)
        return True

    def unwanted(self, parts: Parts) -> Call[None]:
        return UndoJoin(self.join.group, [slot for slot in self._slots if not slot.active], parts)


class Handover(Call[None]):
    """Repeats joins of one group at a node that sends what they have missed (PROTOCOL.md, "Handover")."""

    REPLY = messages.JoinReply
    restores = True

    def __init__(self, joins: list[Join], node: NodeId, lost_at: float) -> None:
        """`node`: that of the last session, which was lost at that time."""
        super().__init__(LONGEST)
        self.group = joins[0].group
        self._joins = joins
        self._node = node
        self._lost_at = lost_at
        self._slots: list[list[Slot]] = []  # of each join

    def request(self, parts: Parts, left: float) -> Outgoing | None:
        joins = [join for join in self._joins if join.slots]
        if not joins:
            return None  # all members have left
        self._slots = [list(join.slots) for join in joins]
        now = self.sent_at(left)
        parts.roster.begin_join(self.group)
        return messages.RejoinRequest(
            self.group,
            parts.roster.positions.of(self.group),
            [(len(join.slots), join.meta, _ms(now - (join.asked_at or 0.0))) for join in joins],
            self._node,
            _ms(now - self._lost_at),
        )

    def answered(self, parts: Parts, reply: Reply) -> bool:
        assert isinstance(reply, messages.JoinReply)
        if [len(run) for run in reply.members] != [len(slots) for slots in self._slots]:
            raise Malformed("the reply does not have one run of members for each join")
        numbers = new_numbers(parts.roster, reply, sum(map(len, self._slots)))
        parts.roster.end_join(self.group)
        parts.roster.rejoined(self._all(), parts.node, numbers)
        self.is_unwanted = not all(slot.active for slot in self._all())
        return True

    def unwanted(self, parts: Parts) -> Call[None]:
        return UndoJoin(self.group, [slot for slot in self._all() if not slot.active], parts)

    def _all(self) -> list[Slot]:
        return [slot for slots in self._slots for slot in slots]


class Rewatch(Call[None]):
    """Repeats a watch."""

    restores = True

    def __init__(self, watch: Watch) -> None:
        super().__init__(LONGEST)
        self.watch = watch

    def request(self, parts: Parts, left: float) -> Outgoing | None:
        if not self.watch.active:
            return None  # the watch has ended
        parts.watches.begin(self.watch, self.number)
        return messages.WatchRequest(self.watch.group)

    def answered(self, parts: Parts, reply: Reply) -> bool:
        return True


class Repeat(Call[None]):
    """Repeats a notify for which nobody waits. Its reply means nothing."""

    REPLY = messages.NotifyReply
    ends_with_session = True  # the next one repeats what is kept then

    def __init__(self, again: messages.NotifyRequest) -> None:
        super().__init__(LONGEST)
        self.ordinal = again.call
        self._again = again

    def request(self, parts: Parts, left: float) -> Outgoing | None:
        return self._again if parts.kept.has(self.ordinal) else None

    def answered(self, parts: Parts, reply: Reply) -> bool:
        return True

    def refused(self, parts: Parts, error: Error) -> None:
        pass

    def session_lost(self, parts: Parts) -> bool:
        return False


def joins_again(parts: Parts, joins: Iterable[Join], node: NodeId, lost_at: float) -> list[Call[None]]:
    """The calls that restore these joins. A group of which the positions are not known is joined as a new one."""
    by_group: dict[Group, list[Join]] = {}
    for join in joins:
        by_group.setdefault(join.group, []).append(join)
    calls: list[Call[None]] = []
    for group, found in by_group.items():
        if parts.handover > 0 and parts.roster.positions.are_complete(group):
            calls += [Handover(some, node, lost_at) for some in _split(found)]
        else:
            calls += map(Rejoin, found)
    return calls


def _split(joins: list[Join]) -> list[list[Join]]:
    """As few requests as have room for them."""
    parts: list[list[Join]] = [[]]
    members = size = 0
    for join in joins:
        its_size = JOIN_BYTES + sum(PAIR_BYTES + len(f"{key}{text}".encode()) for key, text in join.meta.items())
        if parts[-1] and (members + len(join.slots) > limits.MEMBERS_A_CALL or size + its_size > REJOIN_BYTES):
            parts.append([])
            members = size = 0
        parts[-1].append(join)
        members += len(join.slots)
        size += its_size
    return parts


def _ms(seconds: float) -> int:
    return max(0, round(seconds * 1000))
