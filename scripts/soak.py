"""Implements scripts/soak: runs real processes under faults and load, and checks their output."""

import argparse
import os
import random
import signal
import sys
import tempfile
import threading
import time

from lab import network
from lab.calm import Calm
from lab.faults import Timeline
from lab.fleet import Fleet
from lab.judge import Judge
from lab.keys import Keys
from lab.node import Lab, Loopback
from lab.processes import until
from lab.progress import Progress
from lab.storm import Busy, Storm

STORM = (25.0, 45.0)  # seconds between calm points
STEP = 0.05
GROUPS = [("soak", f"group-{number}") for number in range(6)]
LOADED = 2  # busy processes per CPU, with --load
SHOWN = 30  # violations


def say(text):
    print(text, flush=True)


class Lateness(threading.Thread):
    """Measures how late this process gets the CPU: the excess time of a sleep, in seconds."""

    def __init__(self, timeline):
        super().__init__(daemon=True)
        self.timeline = timeline
        self.greatest = 0.0
        self.start()

    def run(self):
        while True:
            begin = time.monotonic()
            time.sleep(0.02)
            self.greatest = max(self.greatest, time.monotonic() - begin - 0.02)
            self.timeline.lateness = self.greatest


class Workload:
    """Generates joins, leaves and notifications at the given rates per second."""

    def __init__(self, fleet, randomness, workers, churn, notifiers, is_free):
        self.fleet, self.random, self.workers, self.is_free = fleet, randomness, workers, is_free
        self.rates = {self._join_or_leave: churn, self._notify: notifiers}

    def step(self, seconds):
        for what, rate in self.rates.items():
            if self.random.random() < rate * seconds:
                what()
        if len(self._joined()) < self.workers * 3 // 4:
            self.join()

    def _joined(self):
        return [worker for worker in self.fleet.workers if worker.facts.ended is None]

    def join(self):
        node, *others = self.random.sample(self.fleet.nodes, min(3, len(self.fleet.nodes)))
        count = self.random.choice((1, 1, 1, 2, 5))
        self.fleet.join(node, self.random.choice(GROUPS), count, others, self.random.random() < 0.5)

    def _join_or_leave(self):
        there = self._joined()
        if len(there) < self.workers or self.random.random() < 0.3:
            return self.join()
        ready = [one for one in there if one.facts.joined is not None and self.is_free(one.facts.name)]
        if ready:
            self.fleet.counts["leaves"] += 1
            self.random.choice(ready).end(signal.SIGTERM)

    def _notify(self):
        if len(self.fleet.notifiers) >= 8:
            return
        running = [node for node in self.fleet.nodes if node.name in self.fleet.running]
        if running:
            self.fleet.notify(self.random.choice(running), self.random.choice(GROUPS), self.random.choice((1, 5, 20)),
                              self.random.random() < 0.7, self.random.choice(("created", "updated", "deleted")))


class Soak:
    def __init__(self, options, lab, net, zero):
        self.options, self.zero = options, zero
        self.random = random.Random(options.seed)
        names = [f"n{number + 1}" for number in range(options.nodes)]
        hosts = net.hosts if net else [Loopback() for _ in names]
        self.timeline = Timeline(zero)
        self.fleet = Fleet(lab, names, hosts, Keys(lab, names) if options.secure else None,
                           net.name_host if net else None)
        self.judge = Judge(names, self.timeline, self.fleet.lives, self.fleet.facts)
        self.calm = Calm(self.fleet, self.judge, self.timeline)
        self.storm = Storm(self.fleet, self.timeline, self.random, net)
        churn, notifiers = (0.5, 1.0) if options.load else (2.0, 3.0)
        self.workload = Workload(self.fleet, self.random, options.workers, churn, notifiers, self.storm.is_free)
        self.busy = Busy(lab.children)
        self.lateness = Lateness(self.timeline)
        self.progress = Progress("soak")
        self.told = 0

    def run(self):
        deadline = self.zero + 60 * self.options.minutes
        self._begin()
        while time.monotonic() < deadline:
            self._stormy(min(deadline, time.monotonic() + self.random.uniform(*STORM)))
            self.storm.end_all()
            seconds = self.calm.check()
            self._tell(seconds)
        return self._verdict()

    def _begin(self):
        for node in self.fleet.nodes:
            self.fleet.start(node)
        names = {node.name for node in self.fleet.nodes}
        if not until(lambda: all(node.alive() == names for node in self.fleet.nodes), 20, 0.2)[0]:
            self.fleet.violate(time.monotonic(), "the nodes have not found each other within 20 s")
        self.fleet.watch_all()
        for _ in range(self.options.workers):
            self.workload.join()
        if self.options.load:
            self.busy.start(LOADED * os.cpu_count())
        self._tell(self.calm.check())

    def _stormy(self, end):
        learn = last = time.monotonic()
        while last < end:
            time.sleep(STEP)
            now = time.monotonic()
            if not self.options.load:
                self.storm.step(now)
            self.workload.step(min(now - last, 1.0))
            self.fleet.look_after()
            self._show_progress(now)
            if now - learn > 5 and self.fleet.running:
                running = [node for node in self.fleet.nodes if node.name in self.fleet.running]
                self.fleet.learn(self.random.choice(running))
                learn = now
            last = now

    def _show_progress(self, now):
        faults = sum(number for kind, number in self.fleet.counts.items() if kind.startswith("fault: "))
        self.progress.show((now - self.zero) / (60 * self.options.minutes),
                           f"{faults} faults, {self.fleet.counts['deliveries']} deliveries, "
                           f"{len(self.fleet.violations)} violations")

    def _tell(self, seconds):
        self.progress.clear()
        fleet = self.fleet
        say(f"{time.monotonic() - self.zero:7.1f} s  calm: equal after {seconds:.2f} s; {len(fleet.workers)} workers, "
            f"{fleet.events()} watcher events, {fleet.counts['deliveries']} deliveries, "
            f"greatest lateness {self.lateness.greatest * 1000:.0f} ms")
        for at, text in fleet.violations[self.told:self.told + SHOWN]:
            say(f"  VIOLATION at {at - self.zero:.2f} s: {text}")
            for fault in self.timeline.around(at):
                say(f"      {fault}")
        self.told = len(fleet.violations)

    def _verdict(self):
        self.progress.clear()
        fleet, tally = self.fleet, self.judge.tally
        counters = [(node.ask("status") or {}).get("counters", {}) for node in fleet.nodes]
        faults = {kind[7:]: number for kind, number in sorted(fleet.counts.items()) if kind.startswith("fault: ")}
        say("\nfaults: " + (", ".join(f"{number} {kind}" for kind, number in faults.items()) or "none"))
        say(f"{fleet.counts['joins']} joins ({fleet.counts['joins that failed']} failed), "
            f"{fleet.counts['leaves']} leaves, {fleet.counts['notifications']} notifications "
            f"in {fleet.last_batch} batches, {fleet.counts['deliveries']} deliveries, {fleet.events()} watcher events")
        say(f"judged: {tally.leaves} leaves ({tally.leaves_excused} with a fault for a reason, {tally.unknown} of "
            f"members that came and went unseen), {tally.printed} printed notifications, {tally.owed} that had to come "
            f"(and {tally.not_owed} times a batch was not owed to a worker)")
        say(f"suspicions of nodes (in their present lives): {sum(c.get('suspicions', 0) for c in counters)}; "
            f"refutations: {sum(c.get('refutations', 0) for c in counters)}; steps of nodes more than 100 ms late: "
            f"{sum(c.get('late_steps', 0) for c in counters)}; the driver's greatest lateness: "
            f"{self.lateness.greatest * 1000:.0f} ms")
        say("memory, first to last (most), in kB: " + ", ".join(
            f"{name} {sizes[0][1]} to {sizes[-1][1]} ({max(size for _, size in sizes)})"
            for name, sizes in fleet.memory.items()))
        complaints = complaints_in(fleet.lab.directory)
        for line in complaints[:SHOWN]:
            say(f"  VIOLATION in a log: {line}")
        return len(fleet.violations) + len(complaints)


def complaints_in(directory):
    """Log lines that indicate a defect."""
    words = ("check failed", "bug", "terminate called", "assert", '"level":"error"', "differed from its digest")
    found = []
    for name in sorted(entry for entry in os.listdir(directory) if entry.endswith(".log")):
        with open(os.path.join(directory, name), encoding="utf-8", errors="replace") as log:
            found += [f"{name}: {line.strip()}" for line in log if any(word in line.lower() for word in words)]
    return found


def parse(arguments):
    parser = argparse.ArgumentParser(prog="scripts/soak", description=__doc__)
    parser.add_argument("musterd", help=argparse.SUPPRESS)
    parser.add_argument("muster", help=argparse.SUPPRESS)
    parser.add_argument("--minutes", type=float, default=5, help="how long (default 5)")
    parser.add_argument("--seed", type=int, help="of the faults and the workload (default: another each time)")
    parser.add_argument("--nodes", type=int, default=5, help="default 5")
    parser.add_argument("--workers", type=int, default=50, help="default 50")
    parser.add_argument("--secure", action="store_true", help="with a key for everybody")
    parser.add_argument("--load", action="store_true", help="no faults, but all processors overloaded all the time: "
                        "nobody may be believed dead")
    options = parser.parse_args(arguments)
    if options.minutes <= 0 or options.nodes < 2 or options.workers < 1:
        parser.error("--minutes must be more than 0, --nodes at least 2, --workers at least 1")
    if options.seed is None:
        options.seed = random.SystemRandom().randrange(1 << 32)
    return options


def main():
    options = parse(sys.argv[1:])
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(130))
    why = "not wanted with --load" if options.load else network.why_unavailable()
    directory = tempfile.mkdtemp(prefix="muster-soak-")
    say(f"soak: seed {options.seed}, {options.minutes:g} minutes, {options.nodes} nodes, {options.workers} workers"
        f"{', under load' if options.load else ''}; logs in {directory}")
    say(f"links between hosts ARE NOT CUT: {why}" if why else "links between hosts are cut, in network namespaces")
    lab = Lab(os.path.abspath(options.musterd), os.path.abspath(options.muster), directory)
    net = None
    try:
        net = None if why else network.Network(options.nodes)
        broken = Soak(options, lab, net, time.monotonic()).run()
    except KeyboardInterrupt:
        say("interrupted")
        return 130
    finally:
        lab.children.kill_all()
        if net:
            net.remove()
    if broken:
        say(f"\nBROKEN: {broken} violation(s); logs in {directory}; repeat the faults with --seed {options.seed}")
        return 1
    say(f"\nCLEAN: every invariant held; logs in {directory}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
