"""A session on made-up time, and a node that says whatever a test wants."""

import pathlib
import random
import sys

ROOT = pathlib.Path(__file__).resolve().parents[5]
sys.path.insert(0, str(ROOT / "node/client/python"))

import msgpack  # noqa: E402
from muster.actions import Close, CloseAside, Entry, LookUp, Open, Probe, Send, SendAside, SetAside  # noqa: E402
from muster.address import parse_address  # noqa: E402
from muster.book import AddressBook  # noqa: E402
from muster.outcome import Outcome  # noqa: E402
from muster.session import Connecting, Identity, Session, State  # noqa: E402

GROUP = ("orders", "subscriptions")
LIFE = 1_700_000_000_000_000
OWN_LIFE = 99  # of the worker
A, B = "127.0.0.1:7100", "127.0.0.1:7200"

WELCOME, NODE_HEARTBEAT, REFUSE = 43, 44, 3
HELLO, HEARTBEAT, GOODBYE, JOIN, LEAVE, MEMBERS, NOTIFY, WATCH, UNWATCH = 40, 41, 42, 50, 51, 52, 56, 57, 58
REJOIN, MOVE = 80, 45
JOINED, LEFT, MEMBERS_REPLY, GROUPS_REPLY, NODES_REPLY, NOTIFIED, DONE, ERROR = 60, 61, 62, 63, 64, 66, 67, 69
DELIVERIES, GAP, NEWS = 70, 71, 72


def frame(kind, *fields, node="a", life=LIFE, seq=0, scope="default", major=1, trailing=None):
    """What a node says."""
    array = [major, kind, scope, node, life, seq, *fields, {} if trailing is None else trailing]
    return msgpack.packb(array, use_bin_type=True)


def welcome(token=7, resumed=False, node="a", life=LIFE, others=(), heartbeat=500, ttl=2000, grace=1000, handover=0,
            **how):  # fmt: skip
    fields = [token, resumed, heartbeat, ttl, grace, [[node, life], 1, A], list(others)]
    return frame(WELCOME, *fields, *([handover] if handover else []), node=node, life=life, **how)


def notification(data=None, members=(1,), seq=1, group=GROUP, kind=1, of=("b", 5), group_seq=None, call=(0, 0),
                 repeated=0):  # fmt: skip
    """`of`: the notifier's node. Without `group_seq`, as an older node says it. `call`: its life and number."""
    fields = [kind, list(group), msgpack.packb(data, use_bin_type=True), list(of), "w2", seq, list(members)]
    return fields if group_seq is None else [*fields, group_seq, *call, repeated]


def member(number, node="a", life=LIFE, worker="w1", meta=None):
    return [[[node, life], number], worker, meta or {}]


class Sent:
    """A frame of the worker, taken apart."""

    def __init__(self, data):
        self.array = msgpack.unpackb(data, strict_map_key=False)
        self.major, self.kind, self.scope, self.origin, self.token, self.seq = self.array[:6]
        self.fields = self.array[6:-1]

    def __repr__(self):
        return f"{self.kind} seq {self.seq} token {self.token}: {self.fields}"


class Driver:
    """Does what the session asks for, in memory."""

    def __init__(self, nodes=(A,), keys=None, life=OWN_LIFE, **options):
        self.now = 100.0
        self.book = AddressBook(list(nodes), keys and (lambda: keys), random.Random(1), in_order=True)
        self.session = Session(Identity("w1", "default", life), self.book, **options)
        self.opened = []  # addresses, in their order
        self.endpoints = []  # their numeric ones
        self.look_ups = []  # of names that have not been answered
        self.targets = []
        self.sent = []  # since the connection was opened
        self.entries = []
        self.is_open = False
        self.aside = None  # what was sent over the connection that was set aside; None: there is none
        self.left = []  # the same of the last one that was closed
        self.connecting = Connecting(5.0)

    def start(self):
        self.session.start(self.now, self.connecting)
        self.act()
        return self

    def attach(self, *, node="a", **how):
        """Started, and welcomed by the node that it greets."""
        if self.session.state is State.idle:
            self.start()
        self.hear(welcome(node=node, **how))
        assert self.session.state is State.attached, self.session.state
        return self

    def act(self):
        for action in self.session.take_actions():
            if isinstance(action, Open):
                self.opened.append(str(action.target))
                self.targets.append(action.target)
                self.endpoints.append(str(action.target.endpoint))
                self.attempt = action.attempt
                self.sent, self.is_open = [], True
            elif isinstance(action, LookUp):
                self.look_ups.append(str(action.address))
            elif isinstance(action, Send):
                assert self.is_open, "sent without a connection"
                self.sent.append(Sent(action.frame))
            elif isinstance(action, Close):
                self.is_open = False
            elif isinstance(action, SetAside):
                assert self.is_open and self.aside is None
                self.is_open, self.aside = False, []
            elif isinstance(action, SendAside):
                self.aside.append(Sent(action.frame))
            elif isinstance(action, CloseAside):
                self.left, self.aside = self.aside, None
            elif isinstance(action, Entry):
                self.entries.append(action)
            elif isinstance(action, Probe):
                assert action.attempt == self.attempt
                self.patience = action.patience

    def resolve(self, address, *endpoints, fresh=True):
        """The look-up of a name ends."""
        if fresh:
            self.look_ups.remove(address)
        self.session.resolved(self.now, parse_address(address), list(map(parse_address, endpoints)), fresh)
        self.act()

    def hear(self, *frames):
        for each in frames:
            self.session.frame(self.now, each)
            self.act()
        self.turn()

    def turn(self):
        self.session.tick(self.now)
        self.act()

    def wait(self, seconds, alive=False):
        """Time goes by in steps no longer than the session asks for; an alive node says so all the while."""
        end = self.now + seconds
        while self.now < end:
            due = self.session.next_deadline()
            step = min(end, max(due, self.now + 0.001), self.now + 0.1)
            self.now = step
            if alive and self.session.state is State.attached:
                node = self.session.node.id
                self.session.frame(self.now, frame(NODE_HEARTBEAT, node=node.name, life=node.incarnation))
            self.turn()

    def ask(self, call):
        self.session.ask(self.now, call)
        self.act()
        return call

    def refuse_connection(self):
        self.session.refused_connection(self.now, self.attempt)
        self.act()

    def leave_unanswered(self):
        self.session.unanswered_connect(self.now, self.attempt)
        self.act()

    def take(self, kind):
        """The last frame of this kind that was sent; it is not found again."""
        for i in reversed(range(len(self.sent))):
            if self.sent[i].kind == kind:
                return self.sent.pop(i)
        raise AssertionError(f"no {kind} among {self.sent}")

    def kinds(self):
        return [each.kind for each in self.sent]

    def handle(self, count=None):
        """Calls the handlers of entries that wait, and says that they have returned."""
        count = len(self.entries) if count is None else count
        now, self.entries = self.entries[:count], self.entries[count:]
        for entry in now:
            for step in entry.steps:
                if step.recipient.active:
                    step.handler(*step.arguments)
            self.session.handled(self.now, entry)
        self.act()
        self.turn()

    def joined(self, handler=None, count=1, first=1, group=GROUP):
        """Members that exist: the call, answered."""
        from muster.calls import JoinCall

        call = self.ask(JoinCall(group, handler, count, None, False, 5.0))
        request = self.take(JOIN)
        node = self.session.node.id
        self.hear(frame(JOINED, [[first, count]], 0, node=node.name, life=node.incarnation, seq=request.seq))
        return call.future.result(0)


class OwnLoop:
    """What each made-up loop of a worker has: the calls come from its own process, on another thread than its own."""

    def __init__(self):
        self.ended = Outcome()

    def is_elsewhere(self):
        return False

    def is_current(self):
        return False

    def close(self, patience=0):
        self.ended.set_result(None)

    def begin_close(self):
        self.close()


class NoHandlers:
    """The handlers of a worker that calls none."""

    def end(self, patience):
        return True


class NoTasks:
    """NoHandlers, for asyncio."""

    async def end(self, patience):
        return True
