"""Random faults, drawn from a seed, that are injected into a fleet and ended again."""

import contextlib
import os
import resource
import signal
import subprocess
import sys
import time

from lab.faults import Fault, MIGHT_HURT, MUST_NOT_HURT, link
from lab.node import CONTROL_PORT, GOSSIP_PORT

AT_ONCE = 3  # active faults
BETWEEN = 1.5  # seconds, on average
SHORT = (0.1, 0.7)
LONG = (3.5, 8.0)
DEAD = (0.2, 5.0)


class Busy:
    """Processes that only use CPU time."""

    def __init__(self, children):
        self.children = children
        self.processes = []

    def start(self, number):
        self.processes += [self.children.start([sys.executable, "-c", "while True: pass"]) for _ in range(number)]

    def stop(self):
        for process in self.processes:
            process.kill()
        for process in self.processes:
            process.wait()
        self.processes = []


class Storm:
    """Begins and ends faults at each step; end_all() ends all of them."""

    KINDS = {"kill node": 4, "stop node": 3, "pause node a little": 3, "pause node": 3, "kill worker": 4,
             "pause worker a little": 3, "pause worker": 3, "load": 1, "no descriptors at": 2,
             "nobody reads the log of": 2}
    NAMES = {"silence name server": 3}
    CUTS = {"cut pair a little": 3, "cut pair": 3, "cut one way a little": 2, "cut one way": 3, "split": 3,
            "close port": 4}

    def __init__(self, fleet, timeline, random, network):
        self.fleet, self.timeline, self.random, self.network = fleet, timeline, random, network
        self.kinds = {**self.KINDS, **(self.CUTS if network else {}), **(self.NAMES if fleet.name_server else {})}
        self.under_way = []  # (until, Fault, what ends it)
        self.next = 0.0
        self.busy = Busy(fleet.lab.children)

    def step(self, now):
        for entry in [entry for entry in self.under_way if entry[0] <= now]:
            self._end(entry)
        if now < self.next or len(self.under_way) >= AT_ONCE:
            return
        self.next = now + self.random.expovariate(1 / BETWEEN)
        kind = self.random.choices(list(self.kinds), list(self.kinds.values()))[0]
        begin = getattr(self, "_" + kind.replace(" a little", "").replace(" ", "_"))
        begin(kind, self.random.uniform(*(SHORT if kind.endswith("a little") else LONG)))

    def end_all(self):
        for entry in list(self.under_way):
            self._end(entry)

    def _end(self, entry):
        self.under_way.remove(entry)
        _, fault, mend = entry
        mend()
        fault.end = time.monotonic()

    def _begin(self, fault, seconds, mend):
        self.timeline.add(fault)
        self.fleet.counts["fault: " + fault.kind] += 1
        self.under_way.append((fault.begin + seconds, fault, mend))

    def is_free(self, *names):
        """Whether no active fault touches any of these, so that each fault ends only its own effects."""
        return not any(set(names) & set(fault.touched) for _, fault, _ in self.under_way)

    def _pick(self, candidates, name):
        free = [one for one in candidates if self.is_free(name(one))]
        return self.random.choice(free) if free else None

    # ---- nodes ---------------------------------------------------------------------

    def _node(self):
        return self._pick(self.fleet.nodes, lambda node: node.name)

    def _kill_node(self, kind, _):
        self._down(kind, signal.SIGKILL)

    def _stop_node(self, kind, _):
        self._down(kind, signal.SIGTERM)

    def _down(self, kind, number):
        node = self._node()
        if node is None:
            return
        fault = Fault(kind, (node.name,), time.monotonic())
        self.fleet.stop(node, number)

        def again():
            try:
                node.process.wait(10)
            except subprocess.TimeoutExpired:
                self.fleet.violate(time.monotonic(), f"node {node.name} has not ended within 10 s of SIGTERM")
                node.process.kill()
                node.process.wait()
            # Before musterd handles signals, SIGTERM kills it without a proper leave.
            clean = (0,) if node.has_listened() else (0, -signal.SIGTERM)
            if number == signal.SIGTERM and node.process.returncode not in clean:
                self.fleet.violate(time.monotonic(), f"node {node.name} was told to leave and ended with status "
                                                     f"{node.process.returncode}")
            self.fleet.start(node)

        self._begin(fault, self.random.uniform(*DEAD), again)

    def _pause_node(self, kind, seconds):
        node = self._node()
        if node is not None:
            self._pause(kind, seconds, node.name, node.process)

    def _pause(self, kind, seconds, name, process):
        fault = Fault(kind, (name,), time.monotonic(), harmless=MIGHT_HURT)
        process.send_signal(signal.SIGSTOP)
        self._begin(fault, seconds, lambda: process.send_signal(signal.SIGCONT))

    def _no_descriptors_at(self, kind, seconds):
        node = self._node()
        if node is None:
            return
        fault = Fault(kind, (node.name,), time.monotonic())
        pid = node.process.pid
        # Four more can be opened. A limit of three would do more than that: poll() fails beyond the limit.
        taken = {int(fd) for fd in os.listdir(f"/proc/{pid}/fd")}
        few = sorted(set(range(max(taken) + 6)) - taken)[4]
        before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (few, before[1]))

        def again():
            with contextlib.suppress(ProcessLookupError):  # fleet reports a node that ended by itself
                resource.prlimit(pid, resource.RLIMIT_NOFILE, before)

        self._begin(fault, seconds, again)

    def _nobody_reads_the_log_of(self, kind, seconds):
        node = self._node()
        if node is None:
            return
        # It touches nothing: a log that nobody reads must have no visible effect.
        log = node.log_pipe
        log.block(node.process.pid)
        self._begin(Fault(kind, (), time.monotonic()), seconds, log.unblock)

    # ---- workers -------------------------------------------------------------------

    def _worker(self):
        ready = [one for one in self.fleet.workers
                 if one.facts.ended is None and one.facts.joined is not None and one.is_running()]
        return self._pick(ready, lambda worker: worker.facts.name)

    def _kill_worker(self, kind, _):
        worker = self._worker()
        if worker is None:
            return
        self._begin(Fault(kind, (worker.facts.name,), time.monotonic()), 0, lambda: None)
        worker.end(signal.SIGKILL)

    def _pause_worker(self, kind, seconds):
        worker = self._worker()
        if worker is not None:
            self._pause(kind, seconds, worker.facts.name, worker.process.process)

    # ---- links and load ------------------------------------------------------------

    def _cut_pair(self, kind, seconds):
        a, b = self.random.sample(self.fleet.nodes, 2)
        self._cut(kind, seconds, [(a, b), (b, a)])

    def _cut_one_way(self, kind, seconds):
        self._cut(kind, seconds, [tuple(self.random.sample(self.fleet.nodes, 2))])

    def _split(self, kind, seconds):
        nodes = self.random.sample(self.fleet.nodes, len(self.fleet.nodes))
        at = self.random.randrange(1, len(nodes))
        self._cut(kind, seconds, [way for a in nodes[:at] for b in nodes[at:] for way in ((a, b), (b, a))])

    def _cut(self, kind, seconds, ways):
        links = tuple(sorted({link(a.name, b.name) for a, b in ways}, key=sorted))
        if not self.is_free(*links):
            return
        fault = Fault(kind, links, time.monotonic(), harmless=MIGHT_HURT)
        for sender, receiver in ways:
            self.network.cut(sender.host, receiver.host)

        def mend():
            for sender, receiver in ways:
                self.network.mend(sender.host, receiver.host)

        self._begin(fault, seconds, mend)

    def _close_port(self, kind, seconds):
        """A firewall drops what comes in at one port of a node: the other channel must carry."""
        node = self._node()
        if node is None:
            return
        links = tuple(link(node.name, other.name) for other in self.fleet.nodes if other is not node)
        if not self.is_free(*links):
            return
        port = self.random.choice((CONTROL_PORT, GOSSIP_PORT))
        fault = Fault(f"{kind} {port}", links, time.monotonic(), harmless=MUST_NOT_HURT)
        self.network.close_port(node.host, port)
        self._begin(fault, 2 * seconds, lambda: self.network.open_port(node.host, port))

    def _silence_name_server(self, kind, seconds):
        """Touches nothing: it must have no visible effect at all."""
        if not any(fault.kind == kind for _, fault, _ in self.under_way):
            server = self.fleet.name_server
            server.send_signal(signal.SIGSTOP)
            self._begin(Fault(kind, (), time.monotonic()), 2 * seconds, lambda: server.send_signal(signal.SIGCONT))

    def _load(self, kind, seconds):
        if not self.busy.processes:
            self.busy.start(2 * os.cpu_count())
            self._begin(Fault(kind, (), time.monotonic()), 2 * seconds, self.busy.stop)
