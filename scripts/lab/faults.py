"""The timeline of injected faults. All times are of time.monotonic()."""

from dataclasses import dataclass

AFTERWARDS = 10.0  # seconds after its end during which a fault may still have effects
HEALED = 2.0  # seconds after its end within which an observer receives what it missed
MIGHT_HURT = 0.9  # seconds; a shorter pause or cut must have no visible effect
MUST_NOT_HURT = float("inf")  # a fault that must have no visible effect but delay, however long it lasts


def link(a, b):
    """The link between two hosts, as a key for Fault.touched."""
    return frozenset((a, b))


@dataclass
class Fault:
    kind: str
    touched: tuple  # names of nodes and workers, and links
    begin: float
    end: float | None = None
    harmless: float = 0.0  # a fault of at most so many seconds must have no visible effect

    def hurts(self, since, to):
        """Whether the fault may have visible effects between these times."""
        if self.harmless == MUST_NOT_HURT:
            return False
        if self.end is None:
            return self.begin <= to
        return self.end - self.begin > self.harmless and self.begin <= to and self.end + AFTERWARDS >= since

    def text(self, zero):
        names = ", ".join("-".join(sorted(one)) if isinstance(one, frozenset) else one for one in self.touched)
        to = "…" if self.end is None else f"{self.end - zero:.2f}"
        return f"{self.begin - zero:8.2f} to {to:>8} s  {self.kind} {names}"


class Timeline:
    """All faults of a run."""

    def __init__(self, zero):
        self.zero = zero
        self.faults = []
        self.lateness = 0.0  # of this process, in seconds: output may be that much older than its time of arrival

    def add(self, fault):
        self.faults.append(fault)
        return fault

    def is_touched(self, what, since, to):
        return any(what in fault.touched and fault.hurts(since - self.lateness, to) for fault in self.faults)

    def is_touched_at_all(self, what, since, to):
        """Like is_touched, but also for faults that are too short to have an effect, and only while they last."""
        return any(what in fault.touched and fault.begin <= to and (fault.end is None or fault.end >= since)
                   for fault in self.faults)

    def around(self, at, before=15.0, after=2.0):
        return [fault.text(self.zero) for fault in self.faults
                if fault.begin <= at + after and (fault.end is None or fault.end >= at - before)]

    def explains_down(self, node, observer, nodes, since, to):
        """Whether faults explain that the observer believed the node down: a fault of one of the two, or of the link
        between them if no third node without faults could relay."""
        if self.is_touched(node, since, to) or self.is_touched(observer, since, to):
            return True
        if not self.is_touched(link(node, observer), since, to):
            return False
        return not any(self._can_relay(third, node, observer, since, to) for third in nodes
                       if third not in (node, observer))

    def _can_relay(self, third, node, observer, since, to):
        return not (self.is_touched(third, since, to) or self.is_touched(link(third, node), since, to)
                    or self.is_touched(link(third, observer), since, to))

    def happened_since(self, node, observer, at):
        """The earliest time at which an event of the node may have happened that the observer reports at `at`: goes
        back over the faults that delayed the report."""
        while True:
            earlier = [fault.begin for fault in self.faults
                       if (observer in fault.touched or link(node, observer) in fault.touched)
                       and fault.begin < at and (fault.end is None or fault.end + HEALED >= at)]
            if not earlier:
                return at
            at = min(earlier)

    def explains_session(self, worker, host, node, since, to):
        """Whether faults explain that a worker on that host lost its session at that node."""
        return (self.is_touched(worker, since, to) or self.is_touched(node, since, to)
                or self.is_touched(link(host, node), since, to))
