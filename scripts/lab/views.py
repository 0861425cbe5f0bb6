"""The events that watchers printed, and the resulting tables."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field


def node_of(member):
    """The node's name in a member's id, NODE/INCARNATION/NUMBER."""
    return member.split("/", 1)[0]


def group_of(line):
    return line["store"], line["feature"]


@dataclass
class Leave:
    """The leave of one member, as one watcher reported it."""
    at: float
    observer: str  # the node that was watched
    group: tuple
    member: str
    reason: str


@dataclass
class Life:
    """The recorded facts about one member, from all watchers."""
    worker: str = ""  # empty: unknown
    group: tuple = ()
    joined: float = 0.0  # the first report
    leaves: list = field(default_factory=list)  # times


class Lives:
    """All members that any watcher or worker reported."""

    def __init__(self):
        self.members = {}
        self.of_worker = defaultdict(list)  # ids

    def joined(self, at, member, group, worker=""):
        life = self.members.setdefault(member, Life(group=group, joined=at))
        if worker and not life.worker:
            life.worker = worker
            self.of_worker[worker].append(member)

    def left(self, at, member):
        if member in self.members:
            self.members[member].leaves.append(at)

    def learn(self, at, line):
        """Records the owners of the members of a snapshot."""
        for group in line["groups"]:
            for member in group["members"]:
                self.joined(at, member["id"], group_of(group), member["worker"])

    def steady_node(self, worker, count, since, to):
        """The node at which the worker had all its members from `since` until `to`, or None."""
        nodes = Counter(node_of(member) for member in self.of_worker[worker]
                        if self.members[member].joined <= since
                        and not any(at <= to for at in self.members[member].leaves))
        return next((node for node, number in nodes.items() if number == count), None)

    def has_new_session(self, worker, group, since, to):
        """Whether members appeared in that time that are, or may be, the worker's."""
        mine = (self.members[member] for member in self.of_worker[worker])
        return any(since <= life.joined <= to for life in mine) or any(
            since <= life.joined <= to for life in list(self.members.values())
            if not life.worker and life.group == group)


class WatchView:
    """A snapshot and the events after it: the table of one node."""

    def __init__(self, observer, lives):
        self.observer, self.lives = observer, lives
        self.groups = {}  # {group: set of ids}
        self.leaves = []  # not yet judged
        self.contradictions = []  # (at, text)
        self.events = 0
        self.is_told = False  # there was a snapshot
        self.changed = 0.0  # when the latest line came

    def take(self, at, line):
        kind, self.changed = line["event"], at
        if kind == "snapshot":
            self.is_told = True
            before = self.groups
            self.groups = {group_of(group): {member["id"] for member in group["members"]} for group in line["groups"]}
            self.lives.learn(at, line)
            self._forget(at, before)
        elif kind in ("join", "leave"):
            self.events += 1
            if not self.is_told:
                self._contradict(at, f"a {kind} before any snapshot")
            self._change(at, kind, group_of(line), line)
        else:
            self._contradict(at, f"an event that is none: {line}")

    def _forget(self, at, before):
        """Records members that are missing in a new snapshot as gone. There may be no other report of them: the only
        node that knew them may have died."""
        for group, members in before.items():
            for member in members - self.groups.get(group, set()):
                self.lives.left(at, member)

    def _change(self, at, kind, group, line):
        members = self.groups.setdefault(group, set())
        for member in line["members"]:
            if (kind == "join") == (member in members):
                self._contradict(at, f"{kind} of {member} in {'/'.join(group)}, which is "
                                     f"{'present' if kind == 'join' else 'absent'}")
            if kind == "join":
                members.add(member)
                self.lives.joined(at, member, group)
            else:
                members.discard(member)
                self.lives.left(at, member)
                self.leaves.append(Leave(at, self.observer, group, member, line["reason"]))
        if not members:
            del self.groups[group]

    def _contradict(self, at, text):
        self.contradictions.append((at, f"the watcher at {self.observer} was told a {text}"))

    def take_leaves(self):
        leaves, self.leaves = self.leaves, []
        return leaves

    def take_contradictions(self):
        found, self.contradictions = self.contradictions, []
        return found


def ids_in(snapshot):
    """{group: ids} of a snapshot."""
    return {group_of(group): {member["id"] for member in group["members"]} for group in snapshot["groups"]}


def owners_in(snapshot):
    """{group: {worker: members}} of a snapshot."""
    return {group_of(group): Counter(member["worker"] for member in group["members"]) for group in snapshot["groups"]}


def differences(truth, table):
    """Describes how a table, {group: {worker: members}}, differs from the expected one."""
    found = []
    for group in sorted(set(truth) | set(table)):
        should, does = truth.get(group, {}), table.get(group, {})
        for worker in sorted(set(should) | set(does)):
            if should.get(worker, 0) != does.get(worker, 0):
                found.append(f"{'/'.join(group)}: {worker} has {does.get(worker, 0)} members, "
                             f"should have {should.get(worker, 0)}")
    return found
