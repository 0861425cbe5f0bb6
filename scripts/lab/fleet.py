"""The nodes, watchers, workers and notifiers of a soak, and the recorded facts about them."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter, defaultdict

from lab.judge import Batch, Facts
from lab.node import Node
from lab.views import Lives, WatchView, owners_in

SHORT_HOST = socket.gethostname()
NODE_LOG = ("--log-format", "json")


class Worker:
    """A `muster join`, from its start to its end."""

    def __init__(self, fleet, node, group, count, others, visible):
        how = [*group, "--count", str(count), *(["--visible"] if visible else [])]
        log = open(os.path.join(fleet.lab.directory, "workers.log"), "a", encoding="utf-8")
        self.fleet = fleet
        self.process = node.muster("join", *how, others=others, take=self.take, log=log, begin=False)
        log.close()
        name = f"{fleet.first_of_names}{SHORT_HOST}-{self.process.process.pid}"
        self.facts = Facts(name, node.name, group, count)
        self.started = time.monotonic()
        fleet.facts[self.facts.name] = self.facts
        self.process.read()

    def take(self, at, line):
        """Called on the reader's thread."""
        kind = line["event"]
        if kind == "joined":
            for member in line["members"]:
                self.fleet.lives.joined(at, member, self.facts.group, self.facts.name)
            self.facts.joined = at
        elif kind == "rejoined":  # at another node, or with another session: new ids
            for member in line["members"]:
                self.fleet.lives.joined(at, member, self.facts.group, self.facts.name)
        elif kind == "gap":
            self.facts.missed += line["missed"]
        elif kind in ("created", "updated", "deleted"):
            self.fleet.printed(at, self.facts.name, line)
        else:
            self.fleet.violate(at, f"{self.facts.name} printed {line}")

    def is_running(self):
        return self.process.process.poll() is None

    def signal(self, number):
        self.process.signal(number)

    def end(self, number):
        """SIGTERM makes it leave; SIGKILL kills it."""
        now = time.monotonic()
        self.facts.ended = now
        if number == signal.SIGTERM:
            self.facts.told_to_leave = now
        self.signal(number)


class Notifier:
    """A `muster notify`, from its start to its end."""

    def __init__(self, fleet, batch, node, kind):
        self.batch, self.lines = batch, []
        wait = ["--wait"] if batch.waits else []
        words = ["notify", kind, *batch.group, f'{{"batch":{batch.number}}}', "--count", str(batch.count), *wait]
        with open(os.path.join(fleet.lab.directory, "notifiers.log"), "a", encoding="utf-8") as log:
            self.process = node.muster(*words, take=lambda _, line: self.lines.append(line), log=log)

    def has_ended(self):
        """Whether the process has ended and all its output was read."""
        status = self.process.process.poll()
        if status is None or not self.process.has_closed:
            return False
        self.batch.status, self.batch.end = status, time.monotonic()
        self.batch.report = self.lines[-1] if self.lines else None
        return True


class Fleet:
    """Everything that runs. Only `printed`, `violate` and the workers' and views' take() run on the reader's thread."""

    def __init__(self, lab, names, hosts, keys=None, name_host=None):
        """`name_host`: where a name server runs. The nodes then advertise names, and know each other by them."""
        self.lab = lab
        self.name_server = None
        self.first_of_names = f"{keys.WORKER}." if keys else ""  # of workers
        self.lives = Lives()
        self.facts = {}  # {worker: Facts}, also of ended workers
        self.workers = []  # running, or just started
        self.notifiers = []
        self.batches = {}  # {number: Batch}, not yet judged
        self.judged = {}  # the others
        self.violations = []  # (at, text)
        self.counts = Counter()
        self.memory = defaultdict(list)  # {node: [(pid, kB)]}
        self.nodes = [Node(lab, name, (), host, [*NODE_LOG, *(keys.options(name) if keys else ())])
                      for name, host in zip(names, hosts)]
        if name_host:
            self._give_names(name_host)
        for node in self.nodes:
            node.seeds = [other.advertised for other in self.nodes if other is not node]
        self.running = set()  # names of nodes that should run
        self.watchers = {}  # {name: (Process, WatchView)}
        self.last_batch = 0

    def _give_names(self, host):
        zone = [f"{node.name}.soak={node.host.ip}" for node in self.nodes]
        program = os.path.join(os.path.dirname(__file__), "name_server.py")
        command = host.inside([sys.executable, "-B", program, host.ip, *zone])
        self.name_server = self.lab.children.start(command, stdout=subprocess.PIPE)
        self.name_server.stdout.readline()  # it answers from now on: no name is missing when a fault begins
        for node in self.nodes:
            node.advertised = f"{node.name}.soak:{node.host.port()}"
            node.options = [*node.options, "--advertise", node.advertised]

    def violate(self, at, text):
        self.violations.append((at, text))

    # ---- nodes ---------------------------------------------------------------------

    def start(self, node):
        node.start()
        self.running.add(node.name)

    def stop(self, node, number):
        self.running.discard(node.name)
        node.process.send_signal(number)

    def watch_all(self):
        for node in self.nodes:
            view = WatchView(node.name, self.lives)
            self.watchers[node.name] = (node.muster("watch", take=view.take), view)

    def views(self):
        return [view for _, view in self.watchers.values()]

    def events(self):
        return sum(view.events for view in self.views())

    # ---- workers and notifications -------------------------------------------------

    def join(self, node, group, count, others, visible):
        self.counts["joins"] += 1
        self.workers.append(Worker(self, node, group, count, others, visible))

    def notify(self, node, group, count, waits, kind):
        self.last_batch += 1
        batch = Batch(self.last_batch, group, count, node.name, time.monotonic(), waits=waits)
        self.batches[batch.number] = batch
        self.counts["notifications"] += count
        self.notifiers.append(Notifier(self, batch, node, kind))

    def printed(self, at, name, line):
        """Called on the reader's thread."""
        self.counts["deliveries"] += 1
        number = (line["data"] or {}).get("batch")
        batch = self.batches.get(number)
        if batch is None:
            how = self._how_late(self.judged.get(number), at, name, line)
            return self.violate(at, f"{name} printed a notification {how}: {line}")
        if (line["store"], line["feature"]) != batch.group:
            return self.violate(at, f"{name} printed a notification of another group: {line}")
        batch.prints.setdefault(name, []).append((at, line["from"], line["seq"]))

    def _how_late(self, batch, at, name, line):
        if batch is None:
            return "of an unknown batch"
        prints = batch.prints.setdefault(name, [])
        before = sum((line["from"], line["seq"]) == (sender, seq) for _, sender, seq in prints)
        prints.append((at, line["from"], line["seq"]))
        return (f"{at - batch.end:.2f} s after its batch had ended. It has {self.facts[name].count} members, had "
                f"printed this one {before} times before, and {len(prints) - 1} notifications of the batch in all")

    # ---- ended processes -----------------------------------------------------------

    def look_after(self):
        """Notices processes that have ended. An unexpected end is a violation."""
        self.notifiers = [notifier for notifier in self.notifiers if not notifier.has_ended()]
        for worker in self.workers:
            if not worker.is_running():
                self._ended(worker)
        self.workers = [worker for worker in self.workers if worker.is_running()]
        now = time.monotonic()
        for node in self.nodes:
            if node.name in self.running and node.process.poll() is not None:
                self.violate(now, f"node {node.name} ended by itself with status {node.process.returncode}")
                self.running.discard(node.name)
        for name, (process, _) in list(self.watchers.items()):
            if process.process.poll() is not None and process.process.returncode is not None:
                self.violate(now, f"the watcher at {name} ended with status {process.process.returncode}")
                del self.watchers[name]

    def _ended(self, worker):
        facts, status = worker.facts, worker.process.process.returncode
        now = time.monotonic()
        if facts.ended is None and facts.joined is None:
            self.counts["joins that failed"] += 1
        elif facts.ended is None:
            self.violate(now, f"{facts.name} ended by itself with status {status}")
        elif facts.told_to_leave is not None and status not in (0, -signal.SIGKILL):
            self.violate(now, f"{facts.name} was told to leave and ended with status {status}")
        facts.ended = facts.ended or now

    def truth(self):
        """The expected members everywhere: {group: {worker: members}}."""
        truth = defaultdict(dict)
        for worker in self.workers:
            if worker.facts.ended is None and worker.facts.joined is not None:
                truth[worker.facts.group][worker.facts.name] = worker.facts.count
        return dict(truth)

    def owners(self, view):
        """A view's members by worker, where the owner is known."""
        members = self.lives.members
        return {group: Counter(members[member].worker or member for member in list(ids))
                for group, ids in list(view.groups.items())}

    def learn(self, node):
        """Asks a node whose its members are; None if it does not answer."""
        snapshot = self.snapshot(node, 2.0)
        if snapshot:
            self.lives.learn(time.monotonic(), snapshot)
        return owners_in(snapshot) if snapshot else None

    def snapshot(self, node, timeout):
        process = node.muster("watch")
        _, line = process.wait_for(lambda line: line["event"] == "snapshot", timeout=timeout)
        process.signal(signal.SIGTERM)
        return line

    def weigh(self):
        """Notes the memory of every running node, in kB."""
        for node in self.nodes:
            with open(f"/proc/{node.process.pid}/status", encoding="utf-8") as status:
                size = next((int(line.split()[1]) for line in status if line.startswith("VmRSS")), 0)
            self.memory[node.name].append((node.process.pid, size))
