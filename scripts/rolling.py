"""Nodes are restarted one after the other while workers in C++ and Python notify each other."""

import argparse
import pathlib
import random
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "node/client/python"))

import muster  # noqa: E402
from lab.keys import Keys  # noqa: E402
from lab.node import Lab, Node, start_together  # noqa: E402
from lab.poster import Poster, problems_of  # noqa: E402
from lab.processes import until  # noqa: E402

GROUP = ("orders", "subscriptions")
NODES = ("a", "b", "c")
RATE = 300  # notifications a second
PATIENCE = 30.0  # seconds that anything may take before it counts as hung
TIMEOUT = 60.0  # of a call


class Member:
    """What a member was given, in order, and what its worker was told of losses."""

    def __init__(self, name):
        self.name, self.seen, self.gaps = name, [], []

    def read(self):
        """Brings `seen` and `gaps` up to date."""


class PythonMember(Member):
    def __init__(self, name, addresses, settings):
        super().__init__(name)
        self.worker = muster.Worker.connect(addresses, name=name, on_gap=self._gap, **settings)
        self.worker.join(GROUP, lambda notification: self.seen.append(notification.data), visible=True)

    def _gap(self, gap):
        self.gaps.append((int(gap), gap.at_least))


class CommandMember(Member):
    """A worker in C++: `muster join`."""

    def __init__(self, name, node, others):
        super().__init__(name)
        self.process = node.muster("join", *GROUP, "--visible", others=others)
        if self.process.wait_for(lambda line: line["event"] == "joined") == (None, None):
            sys.exit(f"{name} does not join")

    def read(self):
        lines = [line for _, line in self.process.lines]
        self.seen = [line["data"] for line in lines if "data" in line]
        self.gaps = [(line["missed"], line["at_least"]) for line in lines if line["event"] == "gap"]


class Roll:
    def __init__(self, lab, draws, secure):
        self.draws = draws
        keys = Keys(lab, NODES) if secure else None
        self.nodes = [Node(lab, name, options=keys.options(name) if keys else ()) for name in NODES]
        self.settings = {"key": keys.key(Keys.WORKER), "keys": keys.folder} if keys else {}
        self.names = f"{Keys.WORKER}." if keys else ""
        if late := start_together(self.nodes, PATIENCE):
            sys.exit(f"node {late} does not see the others")

    def turned(self, i):
        return self.nodes[i:] + self.nodes[:i]

    def members(self):
        found = []
        for i, node in enumerate(self.nodes):
            order = self.turned(i)
            addresses = [each.address for each in order]
            found.append(PythonMember(f"{self.names}python-{node.name}", addresses, self.settings))
            found.append(CommandMember(f"{self.names}cpp-{node.name}", node, order[1:]))
        return found

    def restart_one(self, node):
        """With SIGTERM or SIGKILL. The next one follows when all nodes see each other again."""
        kills = self.draws.random() < 0.5
        print(f"{'kill' if kills else 'stop'} {node.name}", flush=True)
        node.kill() if kills else node.terminate()
        node.process.wait(PATIENCE)
        time.sleep(self.draws.uniform(0.2, 2))
        node.start()
        if not until(lambda: all(len(each.alive()) == len(NODES) for each in self.nodes), PATIENCE, 0.05)[0]:
            sys.exit(f"{node.name} does not come back")
        time.sleep(self.draws.uniform(1.5, 3))


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("musterd")
    parser.add_argument("muster")
    parser.add_argument("--minutes", type=float, default=1)
    parser.add_argument("--restarts", type=int, help="instead of --minutes")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--secure", action="store_true")
    return parser.parse_args()


def has_all(member, count):
    member.read()
    return len(set(member.seen)) >= count


def run(lab, options, draws):
    roll = Roll(lab, draws, options.secure)
    members = roll.members()
    notifier = muster.Worker.connect([node.address for node in roll.nodes], name=f"{roll.names}poster", **roll.settings)
    poster = Poster(lambda number: notifier.post(muster.Kind.created, GROUP, number, timeout=TIMEOUT), RATE, TIMEOUT)
    until_then = time.monotonic() + 60 * options.minutes
    done = 0
    while done < options.restarts if options.restarts else time.monotonic() < until_then:
        roll.restart_one(roll.nodes[done % len(NODES)])
        done += 1
    poster.end()
    until(lambda: all(has_all(member, poster.sent) for member in members), PATIENCE, 0.1)
    time.sleep(1)  # what comes twice may come later
    for member in members:
        member.read()
    problems = {member.name: found for member in members
                if (found := problems_of(member.seen, member.gaps, poster.sent))}
    if poster.errors:
        problems["calls that failed"] = (len(poster.errors), poster.errors[:3])
    print(f"{done} restarts, {poster.sent} notifications to {len(members)} members: {problems or 'all is well'}")
    return 1 if problems else 0


def main():
    options = arguments()
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(2**32)
    print(f"seed {seed}", flush=True)
    with tempfile.TemporaryDirectory() as directory:
        lab = Lab(options.musterd, options.muster, directory)
        try:
            return run(lab, options, random.Random(seed))
        finally:
            lab.children.kill_all()


if __name__ == "__main__":
    sys.exit(main())
