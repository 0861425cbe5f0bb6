"""Checks that must hold at all nodes after the faults have ended, and judges what happened before."""

import time

from lab.processes import until
from lab.views import differences, ids_in, owners_in

EQUAL_WITHIN = 20.0  # seconds
QUIET = 2.0  # seconds for the last lines to arrive
GROWTH_KB = 65536  # more than this beyond twice the first size counts as a leak
SHOWN = 12  # differences


class Calm:
    """A calm point: everything runs, no link is cut, and there are no joins, leaves or notifications."""

    def __init__(self, fleet, judge, timeline):
        self.fleet, self.judge, self.timeline = fleet, judge, timeline

    def check(self):
        """Returns the seconds until all tables were equal. Adds violations to the fleet's list."""
        begin = time.monotonic()
        self._wait_for_the_last()
        self._settle(begin + EQUAL_WITHIN + self.timeline.lateness)
        seconds = time.monotonic() - begin
        time.sleep(QUIET)
        self._tables()
        self.fleet.weigh()
        self._memory()
        self.judge_all()
        return seconds

    def _wait_for_the_last(self):
        """Waits for notifiers and joins that still run."""

        def is_over():
            self.fleet.look_after()
            return not self.fleet.notifiers and all(worker.facts.joined or worker.facts.ended
                                                    for worker in self.fleet.workers)

        if not until(is_over, EQUAL_WITHIN + 15, 0.05)[0]:
            self._violate(f"{len(self.fleet.notifiers)} notifiers, or joins, do not end")

    def _settle(self, deadline):
        """Waits until each watcher's view equals the expected members."""
        seen, asked = {}, 0.0

        def is_equal():
            nonlocal seen, asked
            self.fleet.look_after()
            if time.monotonic() - asked > 1:  # learn the owners of new members
                self.fleet.learn(self.fleet.nodes[0])
                asked = time.monotonic()
            truth = self.fleet.truth()
            seen = {view.observer: differences(truth, self.fleet.owners(view)) for view in self.fleet.views()}
            return not any(seen.values())

        if not until(is_equal, max(1.0, deadline - time.monotonic()), 0.05)[0]:
            for observer, found in seen.items():
                if found:
                    self._violate(f"{EQUAL_WITHIN:.0f} s after the last fault the view of {observer} differs: "
                                  + "; ".join(found[:SHOWN]))

    def _tables(self):
        """Compares new snapshots of all nodes with the expected members."""
        truth = self.fleet.truth()
        names = {node.name for node in self.fleet.nodes}
        for node in self.fleet.nodes:
            snapshot = self.fleet.snapshot(node, 10)
            if snapshot is None:
                self._violate(f"{node.name} answers no watch within 10 s")
                continue
            found = differences(truth, owners_in(snapshot))
            if found:
                self._violate(f"the table of {node.name} differs: " + "; ".join(found[:SHOWN]))
            _, view = self.fleet.watchers[node.name]
            if view.groups != ids_in(snapshot):
                self._violate(f"the watcher at {node.name} does not have its node's table")
            if not until(lambda n=node: n.alive() == names, EQUAL_WITHIN, 0.5)[0]:
                self._violate(f"{node.name} says of the nodes: {node.states()}")
        self._diff()

    def _diff(self):
        for a, b in zip(self.fleet.nodes, self.fleet.nodes[1:]):
            answer = a.ask("diff", a.address, b.address)
            if not answer or not answer["equal"]:
                self._violate(f"muster diff {a.name} {b.name} says {answer}")

    def _memory(self):
        for name, sizes in self.fleet.memory.items():
            pid, last = sizes[-1]
            first = next(size for p, size in sizes if p == pid)
            if last > 2 * first + GROWTH_KB:
                self._violate(f"node {name} grew from {first} to {last} kB")

    def judge_all(self):
        """Judges the leaves and notifications since the last call."""
        fleet = self.fleet
        for view in fleet.views():
            fleet.violations += view.take_contradictions()
            fleet.violations += filter(None, map(self.judge.leave, view.take_leaves()))
        over = [batch for batch in list(fleet.batches.values()) if batch.end is not None]
        for batch in over:
            fleet.violations += self.judge.batch(batch)
            fleet.judged[batch.number] = fleet.batches.pop(batch.number)

    def _violate(self, text):
        self.fleet.violate(time.monotonic(), text)
