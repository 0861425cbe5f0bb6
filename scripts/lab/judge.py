"""Whether what was seen may be seen, given the faults. Pure: no process, no clock.

A violation is (time, text). Whoever was touched by a fault (lab.faults) has an
excuse; a pause or a cut that is shorter than detection is none.
"""

from collections import Counter
from dataclasses import dataclass, field

from lab.faults import link
from lab.views import node_of

BEFORE = 3.0  # seconds before a notification for which a member must have been there to be owed it
AFTER = 3.0  # seconds after it for which member and nodes must have stayed


@dataclass
class Facts:
    """What the driver knows of a worker."""
    name: str
    host: str  # the name of the node on whose host it runs
    group: tuple
    count: int
    joined: float | None = None  # when it said so
    told_to_leave: float | None = None
    ended: float | None = None  # killed, or told to leave
    missed: int = 0  # sum of its gaps


@dataclass
class Batch:
    """One run of `muster notify`, and who printed what of it."""
    number: int
    group: tuple
    count: int  # of notifications
    node: str
    begin: float
    end: float | None = None
    status: int | None = None
    report: dict | None = None
    waits: bool = False
    prints: dict = field(default_factory=dict)  # {worker: [(at, from, seq)]}

    def printed(self):
        return sum(len(prints) for prints in self.prints.values())


@dataclass
class Tally:
    """How much was judged, so that excuses cannot hide that nothing was."""
    leaves: int = 0
    leaves_excused: int = 0
    unknown: int = 0  # leaves of members of which nobody knew whose they were
    owed: int = 0  # deliveries that had to come
    not_owed: int = 0  # members that had an excuse, one for each batch
    printed: int = 0


class Judge:
    def __init__(self, nodes, timeline, lives, workers):
        self.nodes, self.timeline, self.lives = nodes, timeline, lives
        self.workers = workers  # {name: Facts}
        self.tally = Tally()

    # ---- who is gone, and why ------------------------------------------------------

    def leave(self, leave):
        """The violation that a leave is, or None."""
        node, owner = node_of(leave.member), self._owner(leave.member)
        self.tally.leaves += 1
        why = self._why_wrong(leave, node, owner)
        if not why:
            return None
        whose = f" of {owner.name}" if owner else ""
        return leave.at, (f"the watcher at {leave.observer} was told that {leave.member}{whose} in "
                          f"{'/'.join(leave.group)} is gone, {leave.reason}: {why}")

    def _owner(self, member):
        life = self.lives.members.get(member)
        return self.workers.get(life.worker) if life else None

    def _why_wrong(self, leave, node, owner):
        at = leave.at
        if leave.reason == "node_down":
            if not any(self.timeline.excuses_down(node, seen_by, self.nodes, at, at)
                       for seen_by in self._may_watch_at(leave.observer, at)):
                return "nothing had touched the two nodes"
        elif leave.reason == "node_left":
            if not self.timeline.is_touched(node, at, at):
                return "nobody had told the node to leave"
        elif owner is None:
            self.tally.unknown += 1
            return None
        elif leave.reason == "worker_down":
            since = self.timeline.happened_since(node, leave.observer, at)
            excused = self.timeline.excuses_session(owner.name, owner.host, node, since, at)
            if not excused and not self._lost_goodbye(owner, node, at):
                return "nothing had touched the worker or its node"
        elif owner.joined is None:
            return None  # its join took too long, and whoever gives up takes back what it made
        elif owner.told_to_leave is None or owner.told_to_leave > at:
            return "nobody had told the worker to leave"
        self.tally.leaves_excused += leave.reason != "left"
        return None

    def _may_watch_at(self, observer, at):
        """The nodes whose news a watcher may have been told: one whose node was ever touched may have moved on."""
        return self.nodes if self.timeline.is_touched(observer, float("-inf"), at) else [observer]

    def _lost_goodbye(self, owner, node, at):
        """Whether a cut, however short, may have taken the goodbye, which nobody waits to see answered."""
        told = owner.told_to_leave
        return told is not None and told <= at and self.timeline.is_touched_at_all(link(owner.host, node), told, at)

    # ---- notifications -------------------------------------------------------------

    def batch(self, batch):
        """All violations of one batch, which has ended some time ago."""
        self.tally.printed += batch.printed()
        found = self._failed(batch) + self._reported(batch)
        for name, prints in batch.prints.items():
            found += self._printed(batch, self.workers[name], prints)
        if batch.status == 0:
            for worker in self.workers.values():
                found += self._owed(batch, worker)
        return found

    def _failed(self, batch):
        if batch.status == 0 or self.timeline.is_touched(batch.node, batch.begin, batch.end):
            return []
        return [(batch.end, f"notify {batch.number} at {batch.node}, which nothing had touched, ended with status "
                            f"{batch.status}")]

    def _reported(self, batch):
        report = batch.report
        if not report or not batch.waits:
            return []
        found = []
        if batch.printed() < report["delivered"]:
            found.append(f"reported {report['delivered']} delivered, but {batch.printed()} were printed")
        accounted = report["delivered"] + sum(missed["members"] for missed in report["missed"])
        if accounted < report["matched"]:
            found.append(f"accounts for {accounted} of {report['matched']} that matched")
        for missed in report["missed"]:
            if missed["reason"] == "node_down" and not self.timeline.excuses_down(
                    missed["node"], batch.node, self.nodes, batch.begin, batch.end):
                found.append(f"missed {missed['members']} at {missed['node']} as node_down, which nothing had touched")
        return [(batch.end, f"notify {batch.number} at {batch.node} {text}") for text in found]

    def _printed(self, batch, worker, prints):
        """Once for each member, and in order; a member of a new session is another member."""
        found, times, highest = [], Counter(), {}
        who = f"{worker.name} printed notification"
        for at, sender, seq in prints:
            times[sender, seq] += 1
            often, new = times[sender, seq], None
            if often > worker.count:
                new = f"{who} {sender} {seq} of batch {batch.number} {often} times, has {worker.count} members"
            if seq < highest.get(sender, 0):
                new = f"{who} {sender} {seq} of batch {batch.number} after {highest[sender]}"
            highest[sender] = max(seq, highest.get(sender, 0))
            late = 1 + self.timeline.lateness
            if new and not self.lives.has_new_session(worker.name, worker.group, batch.begin - late, at + late):
                found.append((at, new))
        return found

    def _owed(self, batch, worker):
        if worker.group != batch.group or worker.joined is None or worker.joined > batch.end:
            return []
        if worker.ended is not None and worker.ended < batch.begin:
            return []
        node = self._owing_node(batch, worker)
        if node is None:
            self.tally.not_owed += 1
            return []
        owed, got = batch.count * worker.count, len(batch.prints.get(worker.name, ()))
        self.tally.owed += owed
        if got + worker.missed >= owed:
            return []
        return [(batch.end, f"{worker.name} on the host of {worker.host}, with members at {node}, printed {got} of the "
                            f"{owed} notifications of batch {batch.number} from {batch.node}, and nothing had touched "
                            f"them")]

    def _owing_node(self, batch, worker):
        """The node that the worker had to get it from; None when a fault excuses both."""
        since, to = batch.begin - BEFORE, batch.end + AFTER
        if worker.joined > since or (worker.ended is not None and worker.ended < to):
            return None
        node = self.lives.steady_node(worker.name, worker.count, since, to)
        if node is None or self.timeline.is_touched(batch.node, since, to):
            return None
        between = node != batch.node and self.timeline.is_touched(frozenset((node, batch.node)), since, to)
        excused = between or self.timeline.excuses_session(worker.name, worker.host, node, since, to)
        return None if excused else node
