"""What was done to whom, and when. All times are of time.monotonic()."""

from dataclasses import dataclass

AFTERWARDS = 10.0  # seconds after its end in which a fault may still show
HEALED = 2.0  # seconds after its end in which an observer hears what it missed
MIGHT_HURT = 0.9  # seconds; a pause or cut that is shorter has no excuse for anything


def link(a, b):
    """The way between two hosts, as something that can be touched."""
    return frozenset((a, b))


@dataclass
class Fault:
    kind: str
    touched: tuple  # names of nodes and workers, and links
    begin: float
    end: float | None = None
    harmless: float = 0.0  # seconds up to which nobody may notice

    def hurts(self, since, to):
        """Whether it can be the reason of something in that time."""
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
        self.lateness = 0.0  # the driver's own, in seconds: what it sees may have come that much earlier

    def add(self, fault):
        self.faults.append(fault)
        return fault

    def is_touched(self, what, since, to):
        return any(what in fault.touched and fault.hurts(since - self.lateness, to) for fault in self.faults)

    def is_touched_at_all(self, what, since, to):
        """Also by what is too short to hurt, in that very time."""
        return any(what in fault.touched and fault.begin <= to and (fault.end is None or fault.end >= since)
                   for fault in self.faults)

    def around(self, at, before=15.0, after=2.0):
        return [fault.text(self.zero) for fault in self.faults
                if fault.begin <= at + after and (fault.end is None or fault.end >= at - before)]

    def excuses_down(self, node, observer, nodes, since, to):
        """Whether the observer may have believed the node down: by a fault of one of the two, or of the link
        between them while nobody untouched could speak for the one to the other."""
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
        """The earliest time of what the observer is told at that time of the node: before the faults, one after the
        other, that kept the news from it."""
        while True:
            earlier = [fault.begin for fault in self.faults
                       if (observer in fault.touched or link(node, observer) in fault.touched)
                       and fault.begin < at and (fault.end is None or fault.end + HEALED >= at)]
            if not earlier:
                return at
            at = min(earlier)

    def excuses_session(self, worker, host, node, since, to):
        """Whether a worker on that host may have lost its session at that node."""
        return (self.is_touched(worker, since, to) or self.is_touched(node, since, to)
                or self.is_touched(link(host, node), since, to))
