"""The users' calls and the session's own: the request that each sends, and what its reply changes."""

import abc
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Generic, TypeVar

from . import limits, messages, wire
from .arguments import LONGEST, checked_count, checked_flag, checked_ids, checked_kind, checked_meta, checked_timeout
from .errors import Error, ErrorCode, bad_request
from .group import checked_group
from .kept import Kept
from .messages import DoneReply, ErrorReply, Outgoing, Reply
from .outcome import Outcome
from .roster import Join, Roster, Slot
from .types import GroupInfo, Joined, Kind, Member, MemberId, NodeId, NodeInfo, NotifyReport, OnNotification, OnWatch
from .types import Group, Status
from .watches import Watch, Watches
from .wire import Malformed

T = TypeVar("T")
EVERY_GROUP = ("", "")
ANSWER_TIME = 0.2  # seconds, but at most a tenth of the timeout: reserved for the way of the node's answer


@dataclass
class Parts:
    """The state that calls change."""

    roster: Roster
    watches: Watches
    kept: Kept
    node: NodeId  # members of the current session have its numbers
    handover: float = 0.0  # seconds for which the nodes remember notifications; 0: this node cannot hand over


class Call(abc.ABC, Generic[T]):
    """One call. It ends when `future` has its result or an Error. Used on the loop's thread only."""

    REPLY: ClassVar[type[Reply]] = DoneReply
    must_be_known: ClassVar[bool] = False  # its reply changes something even if nobody waits for it
    ends_with_session: ClassVar[bool] = False  # pointless in the next session
    restores: ClassVar[bool] = False  # repeats in a new session what the session before had
    ordinal = 0  # NotifyRequest.call; not 0: it was sent, and may be repeated in a new session

    def __init__(self, timeout: float) -> None:
        self.timeout = checked_timeout(timeout)
        self.deadline = 0.0
        self.number = 0  # of the request in this session; 0: not sent
        self.frame = b""
        self.future: Outcome[T] = Outcome()
        self.is_unwanted = False  # it succeeded after its caller had stopped waiting

    def due(self, now: float) -> float:
        """The deadline of a call that is made now."""
        return now + self.timeout

    def begin(self, parts: Parts) -> None:
        """The call is made. It may end here."""

    @abc.abstractmethod
    def request(self, parts: Parts, left: float) -> Outgoing | None:
        """The message to send, or None if none is needed. `left`: seconds until the deadline."""

    @abc.abstractmethod
    def answered(self, parts: Parts, reply: Reply) -> bool:
        """Takes a reply of type REPLY. True if it is complete. Raises Malformed."""

    def sent_again(self) -> None:
        """The request is sent again: parts of an earlier reply do not count."""

    def refused(self, parts: Parts, error: Error) -> None:
        """The reply is an error."""
        self.fail(error)

    def session_lost(self, parts: Parts) -> bool:
        """The session ended before the reply. True: send the request again in the next session."""
        return not self.future.done()

    def given_up(self, parts: Parts) -> None:
        """Nobody waits any more, and it was not sent in this session."""

    def let_go(self, parts: Parts) -> None:
        """Nobody waits any more. It was sent; its reply will be ignored."""

    def unwanted(self, parts: Parts) -> "Call[None] | None":
        """It succeeded, but nobody knows: the call that undoes it."""
        return None

    def sent_at(self, left: float) -> float:
        """The time now, in `request`."""
        return self.deadline - left

    def succeed(self, result: T) -> None:
        if not self.future.set_result(result):
            self.is_unwanted = True

    def fail(self, error: Error) -> None:
        self.future.set_exception(error)


class JoinCall(Call[Joined]):
    REPLY = messages.JoinReply
    must_be_known = True

    def __init__(
        self,
        group: tuple[str, str],
        handler: OnNotification | None,
        count: int,
        meta: Mapping[str, str] | None,
        visible: bool,
        timeout: float,
    ) -> None:
        super().__init__(timeout)
        self.join = Join(checked_group(group), checked_meta(meta), handler)
        self.count = checked_count(count)
        self.visible = checked_flag(visible, "visible")

    def request(self, parts: Parts, left: float) -> Outgoing:
        parts.roster.begin_join(self.join.group)
        if self.join.asked_at is None:
            self.join.asked_at = self.sent_at(left)
        wait = _node_ms(self, left)
        return messages.JoinRequest(self.join.group, self.count, self.join.meta, self.visible, wait)

    def answered(self, parts: Parts, reply: Reply) -> bool:
        assert isinstance(reply, messages.JoinReply)
        numbers = new_numbers(parts.roster, reply, self.count)
        parts.roster.end_join(self.join.group)
        self.succeed(Joined(parts.roster.add(self.join, parts.node, numbers), reply.unseen))
        return True

    def refused(self, parts: Parts, error: Error) -> None:
        parts.roster.end_join(self.join.group)
        self.fail(error)

    def unwanted(self, parts: Parts) -> Call[None]:
        return UndoJoin(self.join.group, self.join.slots, parts)


class LeaveCall(Call[list[MemberId]]):
    REPLY = messages.LeaveReply
    must_be_known = True
    ends_with_session = True

    def __init__(self, group: tuple[str, str], what: int | Sequence[MemberId], timeout: float) -> None:
        super().__init__(timeout)
        self.group = checked_group(group)
        self.what: int | list[MemberId] = checked_count(what) if isinstance(what, int) else checked_ids(what)
        self.slots: list[Slot] = []

    def begin(self, parts: Parts) -> None:
        if isinstance(self.what, int):
            self.slots = parts.roster.latest(self.group, self.what)
        else:
            self.slots = parts.roster.named(self.group, self.what)
        if len(self.slots) > limits.MEMBERS_A_CALL:
            self.slots = []
            self.fail(bad_request(f"at most {limits.MEMBERS_A_CALL} members leave in one call: use several calls"))
        elif not self.slots:
            name = "/".join(self.group)
            self.fail(Error(ErrorCode.not_joined, f"this worker has no such member in {name}: join first"))
        for slot in self.slots:
            slot.leaving = True

    def request(self, parts: Parts, left: float) -> Outgoing:
        # All have a number: the session is current, and this call would have ended with the session before.
        numbers = [slot.current.number for slot in self.slots if slot.current]
        return messages.LeaveRequest(self.group, numbers, len(numbers))

    def answered(self, parts: Parts, reply: Reply) -> bool:
        self._left(parts)
        return True

    def refused(self, parts: Parts, error: Error) -> None:
        if error.code is ErrorCode.not_joined:  # the node has none of these members
            parts.roster.remove(self.slots)
        self.given_up(parts)
        self.fail(error)

    def session_lost(self, parts: Parts) -> bool:
        self._left(parts)  # the members leave with the session, and are not joined again
        return False

    def given_up(self, parts: Parts) -> None:
        for slot in self.slots:
            slot.leaving = False

    def _left(self, parts: Parts) -> None:
        parts.roster.remove(self.slots)
        self.succeed([slot.given for slot in self.slots])


class UndoJoin(Call[None]):
    """The members of a join whose caller did not wait for its answer leave."""

    REPLY = messages.LeaveReply
    must_be_known = True
    ends_with_session = True

    def __init__(self, group: Group, slots: Sequence[Slot], parts: Parts) -> None:
        super().__init__(LONGEST)
        self.group = group
        self.numbers = [slot.current.number for slot in slots if slot.current]
        parts.roster.remove(slots)

    def request(self, parts: Parts, left: float) -> Outgoing | None:
        if not self.numbers:
            return None  # they were absent
        return messages.LeaveRequest(self.group, self.numbers, len(self.numbers))

    def answered(self, parts: Parts, reply: Reply) -> bool:
        self.succeed(None)
        return True

    def session_lost(self, parts: Parts) -> bool:
        self.succeed(None)
        return False


class MembersCall(Call[list[Member]]):
    REPLY = messages.MembersReply

    def __init__(self, group: tuple[str, str], local: bool, timeout: float) -> None:
        super().__init__(timeout)
        self._request = messages.MembersRequest(checked_group(group), local)
        self._found: list[Member] = []

    def request(self, parts: Parts, left: float) -> Outgoing:
        self.sent_again()
        return self._request

    def sent_again(self) -> None:
        self._found = []

    def answered(self, parts: Parts, reply: Reply) -> bool:
        assert isinstance(reply, messages.MembersReply)
        self._found += reply.items
        return _all_parts(self, self._found, reply.last)


class GroupsCall(Call[list[GroupInfo]]):
    REPLY = messages.GroupsReply

    def __init__(self, timeout: float) -> None:
        super().__init__(timeout)
        self._found: list[GroupInfo] = []

    def request(self, parts: Parts, left: float) -> Outgoing:
        self.sent_again()
        return messages.GroupsRequest()

    def sent_again(self) -> None:
        self._found = []

    def answered(self, parts: Parts, reply: Reply) -> bool:
        assert isinstance(reply, messages.GroupsReply)
        self._found += reply.items
        if reply.last:
            self._found.sort(key=lambda each: each.group)
        return _all_parts(self, self._found, reply.last)


class NodesCall(Call[list[NodeInfo]]):
    REPLY = messages.NodesReply

    def request(self, parts: Parts, left: float) -> Outgoing:
        return messages.NodesRequest()

    def answered(self, parts: Parts, reply: Reply) -> bool:
        assert isinstance(reply, messages.NodesReply)
        self.succeed(reply.nodes)
        return True


class StatusCall(Call[Status]):
    REPLY = messages.StatusReply

    def request(self, parts: Parts, left: float) -> Outgoing:
        return messages.StatusRequest()

    def answered(self, parts: Parts, reply: Reply) -> bool:
        assert isinstance(reply, messages.StatusReply)
        self.succeed(reply.status)
        return True


class NotifyCall(Call[NotifyReport]):
    REPLY = messages.NotifyReply

    def __init__(self, kind: Kind, group: tuple[str, str], data: object, wait: bool, timeout: float) -> None:
        super().__init__(timeout)
        self.kind, self.group = checked_kind(kind), checked_group(group)
        self.data, self.wait = wire.data_bytes(data), checked_flag(wait, "wait")
        self._sent: messages.NotifyRequest | None = None
        self._first_sent = 0.0
        self._outlives = False  # whether the node that it was sent to hands its call number on
        self._repeated = 0

    def request(self, parts: Parts, left: float) -> Outgoing:
        if not self.ordinal:
            self.ordinal = parts.kept.next_number()
            self._first_sent = self.sent_at(left)
        self._outlives = parts.handover > 0
        fields = self.kind, self.group, self.data, self.wait, _node_ms(self, left)
        self._sent = messages.NotifyRequest(*fields, self.ordinal, self._repeated)
        return self._sent

    def answered(self, parts: Parts, reply: Reply) -> bool:
        assert isinstance(reply, messages.NotifyReply)
        self.let_go(parts)
        self.succeed(reply.report)
        return True

    def refused(self, parts: Parts, error: Error) -> None:
        if error.code is ErrorCode.refused:  # it was executed, and the report is not kept any more
            self.let_go(parts)
        self.fail(error)

    def given_up(self, parts: Parts) -> None:
        self.let_go(parts)

    def let_go(self, parts: Parts) -> None:
        if self._sent and self._outlives:
            parts.kept.keep(self._sent, self._first_sent)

    def session_lost(self, parts: Parts) -> bool:
        if self.future.done():
            return False
        if self._outlives and parts.handover > 0:
            self._repeated = 1
            return True
        text = "the session ended before the answer came: the notification may or may not have been sent"
        self.fail(Error(ErrorCode.unknown_session, text))
        return False


class WatchCall(Call[Watch]):
    must_be_known = True

    def __init__(self, group: tuple[str, str], handler: OnWatch, timeout: float) -> None:
        """`group`: EVERY_GROUP, or one."""
        super().__init__(timeout)
        self.watch = Watch(group if group is EVERY_GROUP else checked_group(group), handler)

    def request(self, parts: Parts, left: float) -> Outgoing:
        parts.watches.begin(self.watch, self.number)
        return messages.WatchRequest(self.watch.group)

    def answered(self, parts: Parts, reply: Reply) -> bool:
        self.watch.confirmed = True
        self.succeed(self.watch)
        return True

    def refused(self, parts: Parts, error: Error) -> None:
        parts.watches.remove(self.watch)
        self.fail(error)

    def session_lost(self, parts: Parts) -> bool:
        if self.future.done():
            parts.watches.remove(self.watch)
        return not self.future.done()

    def unwanted(self, parts: Parts) -> Call[None]:
        number = self.watch.number
        parts.watches.remove(self.watch)
        return EndWatch(number)


class EndWatch(Call[None]):
    """Ends a watch at the node."""

    must_be_known = True
    ends_with_session = True

    def __init__(self, number: int) -> None:
        super().__init__(LONGEST)
        self.watch = number

    def request(self, parts: Parts, left: float) -> Outgoing:
        return messages.UnwatchRequest(self.watch)

    def answered(self, parts: Parts, reply: Reply) -> bool:
        self.succeed(None)
        return True

    def refused(self, parts: Parts, error: Error) -> None:
        self.succeed(None)  # the node has no such watch

    def session_lost(self, parts: Parts) -> bool:
        self.succeed(None)
        return False


def unexpected(call: Call[T], reply: Reply) -> bool:
    """Whether a correct node cannot send this reply to that request."""
    return not isinstance(reply, (call.REPLY, ErrorReply))


def _node_ms(call: Call[T], left: float) -> int:
    """How long the node may wait, in ms, so that its answer still comes in time."""
    return max(1, round((left - min(call.timeout / 10, ANSWER_TIME)) * 1000))


def new_numbers(roster: Roster, reply: messages.JoinReply, count: int) -> list[int]:
    if sum(map(len, reply.members)) != count:
        raise Malformed("the reply to a join has another number of members")
    numbers = [number for run in reply.members for number in run]
    if not roster.is_new(numbers):
        raise Malformed("the reply to a join has numbers of other members")
    return numbers


def _all_parts(call: Call[list[T]], found: list[T], last: bool) -> bool:
    if len(found) > limits.ANSWER_MEMBERS:
        raise Malformed("an answer without an end")
    if last:
        call.succeed(found)
    return last
