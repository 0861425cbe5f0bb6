"""Checks whether the injected faults explain each leave and each missing notification. Pure: no process, no clock.

A violation is (time, text). A fault (lab.faults) explains effects on the nodes, workers and links that it touched. A
pause or cut that is shorter than the detection time explains nothing.
"""

from collections import Counter
from dataclasses import dataclass, field

from lab.faults import link
from lab.views import node_of

BEFORE = 3.0  # a member is owed a notification if it had joined so many seconds earlier
AFTER = 3.0  # and if it and the nodes stayed for so many seconds afterwards


@dataclass
class Facts:
    """The recorded facts about a worker."""
    name: str
    host: str  # the name of the node on whose host it runs
    group: tuple
    count: int
    joined: float | None = None  # when it printed so
    told_to_leave: float | None = None
    ended: float | None = None  # killed, or told to leave
    missed: int = 0  # sum of its gaps


@dataclass
class Batch:
    """One run of `muster notify`, and the workers that printed its notifications."""
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
    """How much was judged. Shows if faults explained nearly everything, so that the run proved nothing."""
    leaves: int = 0
    leaves_excused: int = 0
    unknown: int = 0  # leaves of members with an unknown owner
    owed: int = 0  # required deliveries
    not_owed: int = 0  # members excused by faults, counted per batch
    printed: int = 0


class Judge:
    def __init__(self, nodes, timeline, lives, workers):
        self.nodes, self.timeline, self.lives = nodes, timeline, lives
        self.workers = workers  # {name: Facts}
        self.tally = Tally()

    # ---- leaves and their reasons ------------------------------------------------------

    def leave(self, leave):
        """Returns the violation, or None if the leave is explained."""
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
            if not any(self.timeline.explains_down(node, seen_by, self.nodes, at, at)
                       for seen_by in self._may_watch_at(leave.observer, at)):
                return "no fault had touched the two nodes"
        elif leave.reason in ("node_left", "moved"):  # a node that stops asks its workers to go first
            if not self.timeline.is_touched(node, at, at):
                return "the node was not stopped"
        elif owner is None:
            self.tally.unknown += 1
            return None
        elif leave.reason == "worker_down":
            since = self.timeline.happened_since(node, leave.observer, at)
            excused = self.timeline.explains_session(owner.name, owner.host, node, since, at)
            if not excused and not self._lost_goodbye(owner, node, at):
                return "no fault had touched the worker or its node"
        elif owner.joined is None:
            return None  # its join timed out, so it left by itself
        elif owner.told_to_leave is None or owner.told_to_leave > at:
            return "the worker was not stopped"
        self.tally.leaves_excused += leave.reason != "left"
        return None

    def _may_watch_at(self, observer, at):
        """The nodes that the watcher may be connected to: it may have moved if its node was ever touched."""
        return self.nodes if self.timeline.is_touched(observer, float("-inf"), at) else [observer]

    def _lost_goodbye(self, owner, node, at):
        """Whether a cut of any length may have lost the goodbye message, which is not acknowledged."""
        told = owner.told_to_leave
        return told is not None and told <= at and self.timeline.is_touched_at_all(link(owner.host, node), told, at)

    # ---- notifications -------------------------------------------------------------

    def batch(self, batch):
        """Returns all violations of one batch. Call it some seconds after the batch has ended."""
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
            if missed["reason"] == "node_down" and not self.timeline.explains_down(
                    missed["node"], batch.node, self.nodes, batch.begin, batch.end):
                found.append(f"missed {missed['members']} at {missed['node']} as node_down, which nothing had touched")
        return [(batch.end, f"notify {batch.number} at {batch.node} {text}") for text in found]

    def _printed(self, batch, worker, prints):
        """Each member gets each notification once and in order. Members of a new session are new members."""
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
            # A node that starts again numbers from 1, and gets what the notifier had not settled at it before.
            restarted = self.timeline.is_touched(node_of(sender), batch.begin, at)
            if new and not restarted and not self.lives.has_new_session(
                    worker.name, worker.group, batch.begin - late, at + late):
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
        """The node that had to deliver to the worker; None if faults explain a missing delivery."""
        since, to = batch.begin - BEFORE, batch.end + AFTER
        if worker.joined > since or (worker.ended is not None and worker.ended < to):
            return None
        node = self.lives.steady_node(worker.name, worker.count, since, to)
        if node is None or self.timeline.is_touched(batch.node, since, to):
            return None
        between = node != batch.node and self.timeline.is_touched(frozenset((node, batch.node)), since, to)
        excused = between or self.timeline.explains_session(worker.name, worker.host, node, since, to)
        return None if excused else node
