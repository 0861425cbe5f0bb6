"""The worker's session with its node (PROTOCOL.md, "The worker session"), without a socket, a clock or a thread.

The driver (loop.py) calls a method for each event, with the time in seconds of a clock that never goes back. Then it
performs what `take_actions` returns. It calls `tick` at `next_deadline`. All calls are made on one thread.
"""

import enum
from collections import Counter
from dataclasses import dataclass

from .actions import Action, Close, CloseAside, Entry, Log, LookUp, Open, Probe, Send, SendAside, SetAside, Step
from .address import Address
from .book import LONGEST_PAUSE, AddressBook, Target
from .calls import Call, EndWatch, Parts, T, unexpected
from .codec import Header, OtherMajor, decode, encode
from .errors import Error, ErrorCode, closed
from .kept import Kept
from .messages import Deliveries, Gap, Incoming, Move, NodeHeartbeat, NotifyReply, Outgoing, Refuse, WatchNews
from .messages import WorkerGoodbye, WorkerHeartbeat, WorkerHello, WorkerWelcome
from .moving import LONGEST_MOVE, Moving
from .requests import Requests
from .restores import Repeat, Rewatch, joins_again
from .roster import Roster
from .stream import WORKER, Stream, Verdict
from .types import NodeId, NodeInfo, NodeState, OnAttachment, OnGap
from .watches import Watch, Watches
from .wire import Malformed

LOOK_UP = 0.5  # seconds of a round that are spent on waiting for names; then an address is skipped until it is known
HELLO = 1.0  # seconds to wait for the answer to a hello
HELLO_AGAIN = 0.5  # the same while a session may still be resumed
LONGEST_RESUME = 5.0  # seconds in which only the node that has the session is tried
NOT_READY = 0.1  # seconds until a node that is not ready is asked again
STOPPED = 1.0  # seconds between two ticks that show that this process did not run; longer than any of its timers
QUIET = 0.3  # seconds of silence after which a heartbeat is sent, because writing shows a broken connection
SHORTEST, LONGEST = 0.02, 60.0  # bounds in seconds for the timers that a node states
LONG_SESSION = 5.0  # seconds; a session that is given up sooner makes the pause before the next one longer

FOR_GOOD = {ErrorCode.wrong_scope, ErrorCode.wrong_version, ErrorCode.bad_request}


class State(enum.Enum):
    idle = enum.auto()  # before start
    pausing = enum.auto()  # waits until the next hello
    looking_up = enum.auto()  # waits for the endpoints of an address
    greeting = enum.auto()  # a hello was sent
    attached = enum.auto()
    closed = enum.auto()


@dataclass(frozen=True)
class Identity:
    name: str
    scope: str
    life: int  # names this worker among all processes that had its name; not 0


class Connecting(Call[None]):
    """The first attachment. It is not a request: the session itself ends it."""

    def request(self, parts: Parts, left: float) -> None:
        raise AssertionError("not a request")

    def answered(self, parts: Parts, reply: object) -> bool:
        raise AssertionError("not a request")


class Session:
    def __init__(
        self,
        identity: Identity,
        book: AddressBook,
        inbox: int = 65_536,
        on_gap: OnGap | None = None,
        on_attachment: OnAttachment | None = None,
    ) -> None:
        self.identity = identity
        self.state = State.idle
        self.node = NodeInfo(NodeId("", 0), NodeState.down, "")  # the node that it is attached to, or was last
        self.counters: Counter[str] = Counter()  # dropped frames by reason, sessions, attempts
        self._book = book
        self._on_attachment = on_attachment
        self._parts = Parts(Roster(), Watches(), Kept(), self.node.id)
        self._requests = Requests(self._parts)
        self._stream = Stream(self._parts.roster, self._parts.watches, inbox, on_gap)
        self._actions: list[Action] = []
        self._connecting: Connecting | None = None
        self._refusal: Error | None = None  # the latest since the worker was attached

        self._attempt = 0
        self._target: Target | None = None
        self._until = 0.0  # while pausing, looking up or greeting: when that ends
        self._round_began = 0.0
        self._old_endpoints: list[Address] = []  # while looking up: those of the last good answer
        self._unresolved: set[Address] = set()  # names that were skipped, or have no address
        self._token = 0
        self._home: Target | None = None  # where the session can be resumed
        self._resume_until = 0.0  # until then only the home is tried
        self._resumes = 0  # hellos to the home since the connection was lost
        self._moving: Moving | None = None  # out of a session that still exists
        self._wants_room = False  # items were not taken because the inbox is full: resume when there is room
        self._attached_at = 0.0
        self._short_sessions = 0  # in a row
        self._is_announced = False  # whether the last on_attachment had True
        self._ticked = 0.0

        self._heartbeat = self._ttl = self._grace = 1.0
        self._last_heard = 0.0
        self._last_heartbeat = 0.0  # when it was sent
        self._acknowledged = 0  # the item up to which it acknowledged

    # The driver: actions and time

    def take_actions(self) -> list[Action]:
        actions, self._actions = self._actions, []
        return actions

    def next_deadline(self) -> float:
        """When `tick` is due; infinity if it need not be called."""
        if self.state is State.attached:
            own = min(self._last_heard + self._ttl, self._last_heartbeat + self._heartbeat / 2)
            own = min(own, max(self._last_heard, self._last_heartbeat) + QUIET)
        else:
            own = self._until if self.state in (State.pausing, State.looking_up, State.greeting) else float("inf")
        if self._connecting:
            own = min(own, self._connecting.deadline)
        if self._moving:
            own = min(own, self._moving.next_deadline())
        return min(own, self._requests.next_deadline())

    def tick(self, now: float) -> None:
        """Call it after every frame that has come was given to `frame`: otherwise the node would seem silent."""
        if now - self._ticked > STOPPED:  # this process did not run, so it could not hear the node
            self._last_heard = max(self._last_heard, now - QUIET)
        self._ticked = now
        self._requests.expire(now, None if self.state is State.attached else self._problem())
        if self._connecting and now >= self._connecting.deadline:
            self._connecting_failed(self._problem())
        if self._moving:
            self._tick_moving(now, self._moving)
        if self.state is State.attached:
            self._tick_attached(now)
        elif self.state is State.looking_up and now >= self._until:
            self._skip_look_up(now)
        elif self.state is State.greeting and now >= self._until:
            self.counters["unanswered_hellos"] += 1
            self._next(now)
        elif self.state is State.pausing and now >= self._until:
            self._next(now)
        self._flush(now)

    def all_counters(self) -> dict[str, int]:
        """Frames dropped by reason, sessions, hellos, items repeated or refused. Thread-safe."""
        return dict(self.counters.copy() + self._stream.counters.copy())

    # Calls of users

    def start(self, now: float, connecting: Connecting) -> None:
        connecting.deadline = now + connecting.timeout
        self._connecting = connecting
        self._round_began = now
        self._next(now)

    def ask(self, now: float, call: Call[T]) -> None:
        if self.state is State.closed:
            return call.fail(closed())
        self._requests.ask(now, call)
        self._flush(now)

    def abandon(self, now: float, call: Call[T]) -> None:
        """Its caller was interrupted: it does not wait any more, and has not seen an answer."""
        if self.state is not State.closed:
            self._requests.abandon(now, call)
            self._flush(now)

    def unwatch(self, now: float, watch: Watch) -> EndWatch | None:
        """Ends a watch: no more events are handled. Returns the call that tells the node; None: it had ended."""
        if not self._parts.watches.has(watch):
            return None
        call = EndWatch(watch.number)
        self._parts.watches.remove(watch)
        if watch.number:
            self.ask(now, call)
        else:
            call.succeed(None)  # the watch is absent: no node has to be told
        return call

    def close(self, now: float) -> None:
        """Says goodbye. Idempotent."""
        if self.state is State.closed:
            return
        at_home = self._target and self._is_home(self._target)
        if self._token and at_home and self.state in (State.attached, State.greeting):
            self._send(WorkerHeartbeat(self._stream.handled))
            self._send(WorkerGoodbye())
        self._say_farewell(moved=False)
        self._end_connection()
        self.abort()

    def abort(self) -> None:
        """Every call ends, even if `close` failed."""
        self.state = State.closed
        self._connecting_failed(closed())
        self._requests.fail_all(closed())

    # Events

    def failed(self, now: float) -> None:
        """The code of this worker raised. What that left half done ends with the session."""
        self.counters["internal_errors"] += 1
        self._wants_room = False
        if self.state is State.attached:
            self._give_up_session(now, "the worker failed, see its log")
        elif self.state is State.greeting:
            self._pause(now, LONGEST_PAUSE)

    def handled(self, now: float, entry: Entry) -> None:
        """The handlers of that entry have returned."""
        self._stream.done(entry)
        if self._moving and entry.number and entry.epoch == self._moving.epoch:
            self._moving.handled = entry.number
        if self._wants_room and self._stream.has_room():
            self._wants_room = False
            if self.state is State.attached:
                self._resume(now, "what the inbox had no room for is asked for again", at_once=True)
        # The tick that ends the driver's turn sends the acknowledgement.

    def unsendable(self, now: float) -> None:
        """The connection cannot send any more."""
        if self.state is State.attached:
            self._lost(now, "the connection was lost")

    def resolved(self, now: float, address: Address, endpoints: list[Address], is_fresh: bool) -> None:
        """The result of LookUp. Empty: the name does not resolve. Not fresh: used if no other result comes in time."""
        is_awaited = self.state is State.looking_up and self._target is not None and self._target.address == address
        if is_awaited and not is_fresh:
            self._old_endpoints = endpoints
        elif is_awaited and not endpoints:
            self.counters["unresolved"] += 1
            self._unresolved.add(address)
            self._next(now)
        elif is_awaited or (endpoints and is_fresh and address in self._unresolved and self._is_searching()):
            self._unresolved.discard(address)
            self._book.resolved(address, endpoints)
            if is_awaited or self.state is State.pausing:
                self._next(now)

    def _is_searching(self) -> bool:
        return self.state in (State.pausing, State.looking_up, State.greeting)

    def _skip_look_up(self, now: float) -> None:
        assert self._target
        if self._old_endpoints:
            self._book.resolved(self._target.address, self._old_endpoints)
        else:
            self._unresolved.add(self._target.address)
        self._next(now)

    def refused_connection(self, now: float, attempt: int) -> None:
        """The Probe of that attempt found that nothing listens there."""
        if attempt == self._attempt and self.state is State.greeting:
            self.counters["refused_connections"] += 1
            self._resume_until = now
            if self._target:
                self._book.skip(self._target)
            self._next(now)

    def unanswered_connect(self, now: float, attempt: int) -> None:
        """The Probe of that attempt got no answer from the host. Others that are left of this round must not wait for
        it, so that a few dead hosts do not use up the time that a user waits for a node.
        """
        if attempt != self._attempt or self.state is not State.greeting or now < self._resume_until:
            return
        assert self._target
        if not self._book.is_last(self._target):
            self.counters["unanswered_hellos"] += 1
            self._book.skip(self._target)
            self._next(now)

    def frame(self, now: float, frame: bytes) -> None:
        """A frame has come."""
        if self.state not in (State.greeting, State.attached):
            return
        try:
            header, message = decode(frame)
            self._take(now, header, message)
        except OtherMajor:
            self.counters["other_major"] += 1
            if self.state is State.greeting:
                self._refused(now, Refuse(ErrorCode.wrong_version, "the node speaks another version of the protocol"))
        except Malformed:
            self.counters["malformed"] += 1
        self._flush(now)

    def _take(self, now: float, header: Header, message: Incoming | None) -> None:
        if isinstance(message, Refuse):
            self._refused(now, message)
        elif self.state is State.greeting:
            if isinstance(message, WorkerWelcome) and header.scope == self.identity.scope:
                self._welcomed(now, header, message)
        elif header.scope == self.identity.scope and NodeId(header.origin, header.incarnation) == self.node.id:
            self._last_heard = now
            self._take_attached(now, header.seq, message)
        else:
            self.counters["of_another_node"] += 1

    def _take_attached(self, now: float, seq: int, message: Incoming | None) -> None:
        if message is None:
            self.counters["unknown_type"] += 1
        elif isinstance(message, (Deliveries, Gap, WatchNews)):
            self._take_items(now, seq, message)
        elif isinstance(message, NodeHeartbeat):
            self._parts.kept.settle(message.settled)
        elif isinstance(message, Move):
            self._move(now, message.to)
        elif not isinstance(message, (WorkerWelcome, Refuse)):
            call = self._requests.find(seq)
            if call is None or unexpected(call, message):
                self.counters["unexpected_replies"] += 1
                return
            error = self._requests.answer(now, call, message)
            if isinstance(message, NotifyReply):
                self._parts.kept.settle(message.settled)
            self._release()
            if error:  # the worker must not stay at a node where members or watches of it are missing
                self._give_up_session(now, f"members and watches could not be restored: {error}")

    def _take_items(self, now: float, seq: int, message: Deliveries | Gap | WatchNews) -> None:
        if self._wants_room:
            return
        entries: list[Entry] = []
        try:
            verdict = self._stream.take(seq, message, entries)
        except Malformed as error:  # this item cannot be taken, and so nothing behind it
            self._actions += entries
            self.counters["malformed"] += 1
            return self._give_up_session(now, str(error))
        self._actions += entries
        if verdict is Verdict.hole:
            self._resume(now, "a stream item was lost")
        elif verdict is Verdict.full:
            self._wants_room = True

    def _release(self) -> None:
        entries: list[Entry] = []
        self._stream.release(entries)
        self._actions += entries

    # Attaching

    def _next(self, now: float) -> None:
        """Says hello to the next target: the home while the session may be resumed, else along the list."""
        if self._home and now < self._resume_until and (targets := self._book.targets_of(self._home)):
            self._resumes += 1
            return self._greet(now, targets[(self._resumes - 1) % len(targets)])
        target = self._book.next()
        if self._moving and not self._moving.has_arrived:
            while target and self._is_home(target):  # the node that asks for the move
                target = self._book.next()
        if target is None:
            return self._pause(now, self._book.pause())
        if target.endpoint is None:
            return self._look_up(now, target)
        self._greet(now, target)

    def _look_up(self, now: float, target: Target) -> None:
        self._end_connection()
        self._target = target
        self.state = State.looking_up
        self._until = max(now, self._round_began + LOOK_UP)
        self._old_endpoints = []
        self._actions.append(LookUp(target.address))

    def _pause(self, now: float, seconds: float) -> None:
        self._end_connection()
        self.state = State.pausing
        self._until = self._round_began = now + seconds

    def _greet(self, now: float, target: Target) -> None:
        at_home = self._is_home(target)
        self._attempt += 1
        self.counters["hellos"] += 1
        self._target = target
        self.state = State.greeting
        patience = HELLO_AGAIN if now < self._resume_until else HELLO
        self._until = now + (self._book.patience(patience) if target.is_guess else patience)
        token = self._token if at_home else 0
        hello = WorkerHello(token, self._stream.handled if token else 0, self.identity.life)
        self._actions += [Open(self._attempt, target), Send(encode(self._header(token), hello))]
        self._actions.append(Probe(self._attempt, target, self._book.connect_patience(HELLO)))
        self._acknowledged = hello.received

    def _is_home(self, target: Target) -> bool:
        """Whether the session can be resumed there."""
        return self._home is not None and (target.address, target.node) == (self._home.address, self._home.node)

    def _welcomed(self, now: float, header: Header, welcome: WorkerWelcome) -> None:
        target = self._target
        node = welcome.node.id
        if target is None or node != NodeId(header.origin, header.incarnation):
            raise Malformed("a welcome of another node than its sender")
        if target.node is not None and target.node != node.name:
            return self._refused(
                now,
                Refuse(
                    ErrorCode.refused,
                    f"{node.name} answered instead of {target.node}: correct the address, or the name before its @",
                ),
            )
        at_home = self._is_home(target)
        same = at_home and welcome.token == self._token and node == self.node.id
        if welcome.resumed and not same:
            raise Malformed("a welcome to another session than the one to resume")
        self.state = State.attached
        former, self.node = self.node.id.name, welcome.node
        self._token, self._home = welcome.token, target
        self._heartbeat = _bounded(welcome.heartbeat_ms)
        self._ttl = _bounded(welcome.ttl_ms)
        self._grace = welcome.grace_ms / 1000
        self._parts.handover = welcome.handover_ms / 1000
        lost_at = self._last_heard
        self._last_heard = self._last_heartbeat = self._attached_at = now
        self._wants_room = False
        self._resume_until = 0.0
        self._refusal = None
        self._book.welcomed(target)
        self._book.learn(welcome.nodes)
        self._unresolved.clear()
        if self._moving:
            self._moving.has_arrived = True
        if welcome.resumed:
            self.counters["resumed"] += 1
            self._actions += [Send(frame) for frame in self._requests.in_flight()]
        else:
            self._begin_session(now, node, lost_at)
        if not welcome.resumed and self._is_announced:
            self._announce(False, f"lost {former}: the session could not be resumed")
        if not self._is_announced:
            self._announce(True, f"attached to {node.name} at {target}")
        if self._connecting:
            self._connecting.succeed(None)
            self._connecting = None

    def _begin_session(self, now: float, node: NodeId, lost_at: float) -> None:
        """A new session: everything that the worker had is joined, watched and sent again. `lost_at`: when the node of
        the last session was last heard.
        """
        parts = self._parts
        self.counters["sessions"] += 1
        self._acknowledged = 0
        accepted: list[Entry] = []
        self._stream.begin_session(accepted)
        self._actions += accepted
        self._requests.end_session()
        joins = joins_again(parts, parts.roster.end_session(), parts.node, lost_at)
        watches = map(Rewatch, parts.watches.end_session())
        if not parts.handover:
            parts.kept.clear()
        parts.node = node
        repeats = map(Repeat, parts.kept.since(now - parts.handover))
        self._requests.begin_session(now, [*joins, *watches], [*repeats])

    def _refused(self, now: float, refuse: Refuse) -> None:
        if self.state is State.attached:
            if refuse.code is ErrorCode.unknown_session:
                return self._resume(now, "the node does not know this connection")
            return self._give_up_session(now, refuse.text or str(refuse.code))
        self.counters["refusals"] += 1
        error = Error(refuse.code, refuse.text)
        self._refusal = error
        assert self._target is not None
        if refuse.code in FOR_GOOD:
            self._book.refused(self._target, error)
            final = self._book.refused_by_all()
            if final and self._connecting:
                self._connecting_failed(final)
            elif final:
                return self._pause(now, LONGEST_PAUSE)
        self._resume_until = now
        if refuse.code is ErrorCode.unknown_session:
            self._token, self._home = 0, None
        if refuse.code is ErrorCode.not_ready:  # the node is still synchronising with its cluster
            self._book.shorten_pause()
            return self._pause(now, NOT_READY)
        self._next(now)

    # Attached

    def _tick_attached(self, now: float) -> None:
        if now - self._last_heard >= self._ttl:
            return self._lost(now, f"nothing was heard for {now - self._last_heard:.1f} s")
        quiet = now - self._last_heard >= QUIET and now - self._last_heartbeat >= QUIET
        if self._stream.handled != self._acknowledged or now - self._last_heartbeat >= self._heartbeat / 2 or quiet:
            self._acknowledged = self._stream.handled
            self._last_heartbeat = now
            self._send(WorkerHeartbeat(self._acknowledged))

    def _flush(self, now: float) -> None:
        """Sends the requests that may be sent now."""
        while self.state is State.attached:
            frame = self._requests.next_frame(now, lambda number, request: encode(self._header(seq=number), request))
            if frame is None:
                break
            self._actions.append(Send(frame))
        if self._moving and self.state is State.attached and not self._requests.is_restoring():
            self._say_farewell(moved=True)

    def _resume(self, now: float, why: str, at_once: bool = False) -> None:
        self._actions.append(Log(f"resuming the session at {self.node.id.name}: {why}"))
        self._lose(now, at_once)

    def _lost(self, now: float, why: str) -> None:
        self._announce(False, f"lost {self.node.id.name} at {self._target}: {why}")
        self._lose(now)

    def _lose(self, now: float, at_once: bool = False) -> None:
        """The connection is given up, the session is not: it is resumed, `at_once` or after a pause."""
        assert self._home is not None
        self._book.lost(self._home)
        self._seek_home(now)
        if now - self._attached_at < NOT_READY and not at_once:
            return self._pause(now, NOT_READY)  # a connection that never lasts must not cause a busy loop
        self._next(now)

    def _seek_home(self, now: float) -> None:
        """Until the session's grace period ends, it is resumed, and no other node is tried."""
        self._resumes = 0
        self._round_began = now
        self._resume_until = now + min(max(self._grace, HELLO_AGAIN), LONGEST_RESUME)

    def _give_up_session(self, now: float, why: str) -> None:
        """Ends the session. The next one is at another node, or here after a pause."""
        assert self._home is not None
        self._announce(False, f"lost {self.node.id.name} at {self._target}: {why}")
        self._send(WorkerGoodbye())
        self._book.lost(self._home)
        self._token, self._home, self._resume_until = 0, None, 0.0
        self._short_sessions = self._short_sessions + 1 if now - self._attached_at < LONG_SESSION else 0
        self._pause(now, min(NOT_READY * 2.0 ** min(self._short_sessions, 8), LONGEST_PAUSE))

    # Moving

    def _move(self, now: float, to: str) -> None:
        """The node asks the worker to go to another one. The session stays until that has the members."""
        assert self._home is not None
        if not self._book.has_other(self._home):
            self.counters["moves_ignored"] += 1
            return
        self.counters["moves"] += 1
        self._say_farewell(moved=True)  # of an earlier move, which has not ended
        self._announce(False, f"leaves {self.node.id.name} at {self._target}: the node asks for it")
        self._actions.append(SetAside())
        stream, until = self._stream, now + LONGEST_MOVE
        self._moving = Moving(self._token, stream.epoch, stream.handled, self._heartbeat, until, now)
        self._book.lost(self._home)
        self._book.prefer(to)
        self._resume_until = self._round_began = now
        self.state = State.pausing  # the connection is not this session's to close any more
        self._next(now)

    def _tick_moving(self, now: float, moving: Moving) -> None:
        if now >= moving.until and not moving.has_arrived:
            self._actions.append(CloseAside())
            self._moving = None
            self._actions.append(Log(f"resuming the session at {self.node.id.name}: no other node takes the worker"))
            self._seek_home(now)
            return self._next(now)
        if now >= moving.beat_at:
            moving.beat_at = now + moving.heartbeat / 2
            self._send_aside(WorkerHeartbeat(moving.handled), moving)

    def _say_farewell(self, *, moved: bool) -> None:
        """Ends the session that the worker moves out of. Its members leave."""
        if self._moving:
            self._send_aside(WorkerHeartbeat(self._moving.handled), self._moving)
            self._send_aside(WorkerGoodbye(int(moved)), self._moving)
            self._actions.append(CloseAside())
            self._moving = None

    def _send_aside(self, message: Outgoing, moving: Moving) -> None:
        self._actions.append(SendAside(encode(self._header(moving.token), message)))

    # Sending

    def _send(self, message: Outgoing) -> None:
        self._actions.append(Send(encode(self._header(), message)))

    def _header(self, token: int | None = None, seq: int = 0) -> Header:
        return Header(self.identity.scope, self.identity.name, self._token if token is None else token, seq)

    def _announce(self, attached: bool, text: str) -> None:
        self._is_announced = attached
        self._actions.append(Log(text))
        if self._on_attachment is not None:
            self._actions.append(self._stream.give(Step(WORKER, self._on_attachment, (attached, text))))

    def _end_connection(self) -> None:
        if self.state in (State.greeting, State.attached):
            self._actions.append(Close())

    def _connecting_failed(self, error: Error) -> None:
        if self._connecting:
            self._connecting.fail(error)
            self._connecting = None

    def _problem(self) -> Error:
        """Why the worker is not attached."""
        if self._refusal:
            return Error(self._refusal.code, self._refusal.text)
        unresolved = ", ".join(sorted(map(str, self._unresolved)))
        where = f"{self._book} (not resolved: {unresolved})" if unresolved else str(self._book)
        text = f"no node answers at {where}: check that musterd runs there, that the address is right, and that "
        return Error(ErrorCode.unreachable, text + "both know each other's key where keys are used")


def _bounded(ms: int) -> float:
    """Seconds, within bounds: a node must not make the worker busy or wait for ever."""
    return min(max(ms / 1000, SHORTEST), LONGEST)
