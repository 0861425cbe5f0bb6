"""Implements scripts/bench-detection: measures how soon all nodes report a failure.

A time runs from the fault (a kill, a split, a heal) to the arrival of the line that `muster watch` prints about it. So
it includes the costs of watching, and the overhead of this program, which is printed.
"""

import argparse
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time

from lab import network
from lab.node import Lab, Loopback, Node
from lab.processes import Process, until
from lab.views import Lives, WatchView

GROUP = ("bench", "members")
CHANGED = 300  # members that join, on either side of a split
PATIENCE = 30.0  # seconds


def say(text):
    print(text, flush=True)


def overhead(lab):
    """Own overhead: seconds from a write to a child that copies its input to the arrival of the line."""
    taken = []
    read, write = os.pipe()
    child = Process(lab.children, ["cat"], begin=False, stdin=read)
    child.read()
    for number in range(50):
        begin = time.monotonic()
        os.write(write, b'{"number":%d}\n' % number)
        at, _ = child.wait_for(lambda line, n=number: line["number"] == n)
        taken.append(at - begin)
    os.close(write)
    return statistics.median(taken)


class Cluster:
    """Nodes, with a watcher at each."""

    def __init__(self, lab, count, net, options=()):
        self.lab, self.net = lab, net
        hosts = net.hosts[:count] if net else [Loopback() for _ in range(count)]
        self.nodes = [Node(lab, f"n{number + 1}", (), host, options) for number, host in enumerate(hosts)]
        for node in self.nodes:
            node.seeds = [other.address for other in self.nodes if other is not node]
            node.start()
        self.rest()
        self.views = {node.name: WatchView(node.name, Lives()) for node in self.nodes}
        self.watchers = [node.muster("watch", take=self.views[node.name].take) for node in self.nodes]
        self.demand(lambda: all(view.is_told for view in self.views.values()), "the watchers were told")

    def rest(self):
        """Waits until all nodes see all nodes alive for a while."""
        names = {node.name for node in self.nodes}
        self.demand(lambda: all(node.alive() == names for node in self.nodes), "the nodes have found each other")
        time.sleep(0.5)

    def demand(self, predicate, what):
        if not until(predicate, PATIENCE, 0.005)[0]:
            raise RuntimeError(f"{PATIENCE:.0f} s have not been enough that {what}; logs in {self.lab.directory}")

    def settle(self, members):
        """Waits until all views have the same number of members. Returns when the last one reached it."""

        def is_equal():
            tables = [dict(view.groups) for view in self.views.values()]
            return sum(map(len, tables[0].values())) == members and all(table == tables[0] for table in tables)

        self.demand(is_equal, f"all have the same {members} members")
        return max(view.changed for view in self.views.values())

    def forget_leaves(self):
        for view in self.views.values():
            view.take_leaves()

    def told_gone(self, observers, members, reason):
        """When each observer reported that all these members are gone, for that reason."""
        times = {}

        def all_told():
            for node in observers:
                leaves = [leave for leave in list(self.views[node.name].leaves) if leave.member in members]
                if leaves and len(leaves) == len(members):
                    times[node.name] = max(leave.at for leave in leaves)
                    if any(leave.reason != reason for leave in leaves):
                        raise RuntimeError(f"{node.name} says {leaves}, not {reason}; logs in {self.lab.directory}")
            return len(times) == len(observers)

        self.demand(all_told, f"{members} are gone everywhere")
        return sorted(times.values())

    # ---- measurements: seconds until the first and the last report ---------------------

    def one_member(self, node):
        """Starts a worker at the node. Returns it with the id of its member, after all nodes see the member."""
        worker = node.muster("join", *GROUP)
        _, line = worker.wait_for(lambda line: line["event"] == "joined")
        self.settle(1)
        time.sleep(0.1)
        self.forget_leaves()
        return worker, set(line["members"])

    def killed_node(self, run):
        victim = self.nodes[run % len(self.nodes)]
        worker, members = self.one_member(victim)
        begin = time.monotonic()
        victim.kill()
        told = self.told_gone([node for node in self.nodes if node is not victim], members, "node_down")
        worker.end()
        victim.process.wait()
        victim.start()
        self.rest()
        self.settle(0)
        return told[0] - begin, told[-1] - begin

    def silent_host(self, run):
        victim = self.nodes[run % len(self.nodes)]
        worker, members = self.one_member(victim)
        begin = time.monotonic()
        self.net.split([victim.host])
        told = self.told_gone([node for node in self.nodes if node is not victim], members, "node_down")
        self.net.heal([victim.host])
        self.settle(1)
        worker.end()
        self.rest()
        self.settle(0)
        return told[0] - begin, told[-1] - begin

    def killed_worker(self, run):
        worker, members = self.one_member(self.nodes[run % len(self.nodes)])
        begin = time.monotonic()
        worker.signal(signal.SIGKILL)
        told = self.told_gone(self.nodes, members, "worker_down")
        return told[0] - begin, told[-1] - begin

    def healed_split(self, run):
        """Measures until all tables are equal after a split in which members left and joined on both sides."""
        half = self.nodes[:len(self.nodes) // 2]
        rest = self.nodes[len(self.nodes) // 2:]
        old = [side[0].muster("join", "bench", f"old-{run}", "--count", str(CHANGED)) for side in (half, rest)]
        self.settle(2 * CHANGED)
        self.net.split([node.host for node in half])
        self.demand(lambda: all(self._has_lost(node, rest if node in half else half) for node in self.nodes),
                    "both sides believe each other down")
        for worker in old:
            worker.end()
        new = [side[-1].muster("join", "bench", f"new-{run}", "--count", str(CHANGED)) for side in (half, rest)]
        for worker in new:
            worker.wait_for(lambda line: line["event"] == "joined")
        time.sleep(0.2)
        begin = time.monotonic()
        self.net.heal([node.host for node in half])
        seconds = self.settle(2 * CHANGED) - begin
        for worker in new:
            worker.end()
        self.rest()
        self.settle(0)
        return seconds, seconds

    def _has_lost(self, node, others):
        names = {other.name for other in others}
        tables = list(self.views[node.name].groups.values())
        return not any(member.split("/")[0] in names for members in tables for member in list(members))

    def end(self):
        for process in (*self.watchers, *self.nodes):
            process.process.kill()
            process.process.wait()


def row(what, nodes, firsts, lasts):
    def cell(times):
        milliseconds = [1000 * one for one in times]
        return f"{statistics.median(milliseconds):8.1f} ({min(milliseconds):7.1f} to {max(milliseconds):7.1f})"

    say(f"{what:34} {nodes:5}   {cell(firsts)}   {cell(lasts)}")


def measure(what, cluster, how, runs):
    taken = [how(run) for run in range(runs)]
    row(what, len(cluster.nodes), [first for first, _ in taken], [last for _, last in taken])


def run(lab, net, sizes, runs):
    say(f"{'':34} {'':5}   milliseconds: median (least to most)")
    say(f"{'':34} {'nodes':5}   {'first told':30}   last told")
    for count in sizes:
        cluster = Cluster(lab, count, net)
        measure("killed node", cluster, cluster.killed_node, runs)
        measure("killed worker, grace 1 s", cluster, cluster.killed_worker, runs)
        if net:
            measure("silent host (all packets lost)", cluster, cluster.silent_host, runs)
            measure("healed split, tables equal", cluster, cluster.healed_split, runs)
        cluster.end()
        cluster = Cluster(lab, count, net, ("--session-grace", "0"))
        measure("killed worker, --session-grace 0", cluster, cluster.killed_worker, runs)
        cluster.end()


def parse(arguments):
    parser = argparse.ArgumentParser(prog="scripts/bench-detection", description=__doc__)
    parser.add_argument("musterd", help=argparse.SUPPRESS)
    parser.add_argument("muster", help=argparse.SUPPRESS)
    parser.add_argument("--runs", type=int, default=15, help="of each measurement (default 15)")
    parser.add_argument("--nodes", type=int, action="append", help="default 3 and 10")
    options = parser.parse_args(arguments)
    options.nodes = options.nodes or [3, 10]
    if options.runs < 1 or min(options.nodes) < 2 or max(options.nodes) > 200:
        parser.error("--runs must be at least 1, --nodes 2 to 200")
    return options


def main():
    options = parse(sys.argv[1:])
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(130))
    directory = tempfile.mkdtemp(prefix="muster-bench-")
    lab = Lab(os.path.abspath(options.musterd), os.path.abspath(options.muster), directory)
    why = network.why_unavailable()
    if why:
        say(f"splits ARE NOT MEASURED: {why}")
    net = None
    try:
        net = None if why else network.Network(max(options.nodes))
        say(f"load average {os.getloadavg()[0]:.2f} on {os.cpu_count()} processors; of each time, this program's own "
            f"overhead is about {1000 * overhead(lab):.3f} ms; {CHANGED} members join on either side of a split, "
            f"{CHANGED} leave")
        run(lab, net, options.nodes, options.runs)
    except (RuntimeError, OSError, subprocess.SubprocessError) as error:
        say(f"FAILED: {error}")
        return 1
    except KeyboardInterrupt:
        return 130
    finally:
        lab.children.kill_all()
        if net:
            net.remove()
    nodes = " ".join(f"--nodes {count}" for count in options.nodes)
    say(f"\nagain: scripts/bench-detection --runs {options.runs} {nodes}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
