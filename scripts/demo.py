"""Implements scripts/demo with real processes.

Everything that it prints was observed through the command line tool `muster`. The exit status is 0 only if all
expectations held.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time

from lab.keys import Keys
from lab.node import Lab, Node
from lab.processes import until

GROUP = ("orders", "subscriptions")
COLOUR = sys.stdout.isatty()
failures = []


def paint(code, text):
    return f"\033[{code}m{text}\033[0m" if COLOUR else text


def chapter(text):
    print(f"\n{paint('1', text)}", flush=True)


def say(text):
    print(f"    {text}", flush=True)


def hold(text, held, seconds=None, limit=None):
    """Prints whether an expectation held, and how long it took."""
    held = bool(held) and (limit is None or seconds <= limit)
    took = "" if seconds is None else f"  {seconds * 1000:.0f} ms"
    bound = "" if limit is None else f" (limit {limit * 1000:.0f} ms)"
    print(f"  {paint('32', 'ok  ') if held else paint('31', 'FAIL')} {text}{paint('36', took)}{bound}", flush=True)
    if not held:
        failures.append(text)


class ShownNode(Node):
    """A node that prints its start, and starts workers."""

    def start(self):
        say("$ " + " ".join(["musterd", *self.command()]))
        super().start()

    def worker(self, group, *others):
        worker = self.muster("join", *group, "--visible", others=others, log=self.log)
        at, line = worker.wait_for(lambda line: line["event"] == "joined")
        worker.members = line["members"] if at else []
        return worker


def left(members):
    return lambda line: line["event"] == "leave" and set(members) & set(line["members"])


def hold_gone(text, watchers, members, since, limit, reason):
    """Expects all watchers to report in time that these members left for this reason."""
    seen = [watcher.wait_for(left(members), since) for watcher in watchers]
    told = all(at and line["reason"] == reason for at, line in seen)
    hold(f"{text}, reason {reason}", told, max((at or since + 15) for at, _ in seen) - since, limit)


def form_cluster(nodes):
    chapter("1. Three nodes find each other")
    for node in nodes:
        node.start()
    names = {node.name for node in nodes}
    together, seconds = until(lambda: all(node.alive() == names for node in nodes))
    hold("`muster nodes` shows 3 alive on each", together, seconds)
    ready, _ = until(lambda: all((node.ask("status") or {}).get("ready") for node in nodes))
    hold("each node is ready", ready)


def join_workers(nodes):
    chapter("2. A worker at each node joins orders/subscriptions, two join orders/streams")
    workers = [node.worker(GROUP, *(other for other in nodes if other is not node)) for node in nodes]
    streams = [node.worker(("orders", "streams")) for node in nodes[:2]]
    begin = time.monotonic()
    tables = [node.members(GROUP) for node in nodes]
    hold("the members are the same on all three nodes", len(tables[0]) == 3 and tables.count(tables[0]) == 3,
         time.monotonic() - begin)
    for member, worker in tables[0]:
        say(f"{member}  {worker}")
    hold("orders/streams is a group of its own", all(len(node.members(("orders", "streams"))) == 2 for node in nodes))
    return workers, streams


def notify(nodes, workers, streams):
    chapter("3. created, updated and deleted, each from another node, reach every member")
    for node, verb in zip(nodes, ("created", "updated", "deleted")):
        since = time.monotonic()
        report = node.ask("notify", verb, *GROUP, json.dumps({"order": 7, "by": verb}), "--wait")
        say(f"$ muster --node {node.address} notify {verb} orders subscriptions … --wait  ->  {json.dumps(report)}")
        hold("matched 3 members on 3 nodes, delivered 3",
             (report["matched"], report["nodes"], report["delivered"]) == (3, 3, 3))
        seen = [worker.wait_for(lambda line, v=verb: line["event"] == v, since) for worker in workers]
        right = all(at and (line["store"], line["feature"]) == GROUP and line["data"] == {"order": 7, "by": verb}
                    and line["from"].startswith(node.name) and line["seq"] >= 1 for at, line in seen)
        hold("each worker printed it, with store, feature, data, sender and number", right)
    strangers = [line for stream in streams for _, line in stream.lines if line["event"] != "joined"]
    hold("members of orders/streams heard nothing of it", not strangers)


def kill_worker(nodes, workers, watchers):
    chapter(f"4. The worker at {nodes[1].name} is killed with SIGKILL")
    since = time.monotonic()
    workers[1].signal(signal.SIGKILL)
    hold_gone("its member is gone at every node", watchers, workers[1].members, since, 1.2, "worker_down")


def kill_node(nodes, workers, watchers):
    chapter(f"5. The node {nodes[2].name} is killed with SIGKILL")
    since = time.monotonic()
    nodes[2].kill()
    hold_gone("its members are gone at the others", watchers[:2], workers[2].members, since, 1.0, "node_down")
    states = {n["name"]: n["state"] for n in nodes[0].ask("nodes")["nodes"]}
    hold(f"`muster nodes` says that {nodes[2].name} is down", states[nodes[2].name] == "down")
    back, _ = until(lambda: len(nodes[0].members(GROUP)) == 2)
    hold("its worker went over to another node and joined again by itself", back, time.monotonic() - since)


def restart_node(nodes, workers, watchers):
    chapter(f"6. {nodes[2].name} is started again under its name")
    old = set(workers[2].members)
    since = time.monotonic()
    nodes[2].start()
    alive, seconds = until(lambda: all(len(node.alive()) == 3 for node in nodes))
    hold("all three nodes are alive again", alive, seconds)
    same, _ = until(lambda: nodes[2].members(GROUP) == nodes[0].members(GROUP) and len(nodes[0].members(GROUP)) == 2)
    hold("it knows every member", same)
    told_again = [line for watcher in watchers[:2] for at, line in watcher.lines
                  if at >= since and line["event"] == "join" and old & set(line["members"])]
    hold("no member of its earlier life has reappeared", not told_again)
    report = nodes[2].ask("notify", "created", *GROUP, '"again"', "--wait")
    hold("a notification from it reaches both members", report["delivered"] == 2)


def leave(nodes, workers, watchers):
    chapter("7. A node is stopped with SIGTERM, and a worker too")
    worker = nodes[2].worker(GROUP)
    members = len(nodes[0].members(GROUP))
    since = time.monotonic()
    nodes[2].terminate()
    hold_gone("its worker goes to another node before it leaves", watchers[:2], worker.members, since, 1.0, "moved")
    hold("it ended with status 0", nodes[2].process.wait(5) == 0)
    hold("the worker's member is still there", len(nodes[0].members(GROUP)) == members)
    report = nodes[0].ask("notify", "created", *GROUP, '"moved"', "--wait")
    hold("and gets what comes", report["delivered"] == report["matched"] == members)
    since = time.monotonic()
    hold("a worker stopped with SIGTERM ended with status 0", workers[0].end() == 0)
    hold_gone("and left at once", watchers[:2], workers[0].members, since, 1.0, "left")


def as_whom(node, key, *arguments):
    """The exit status and standard error of `muster` with this key, or without a key."""
    variables = {name: value for name, value in os.environ.items() if not name.startswith("MUSTER_KEY")}
    words = ["--key", key, "--keys", os.environ["MUSTER_KEYS"]] if key else []
    done = subprocess.run([node.lab.muster, "--node", node.address, *words, *arguments], env=variables, check=False,
                          capture_output=True, text=True, timeout=30)
    return done.returncode, done.stderr.strip()


def refuse_strangers(nodes, keys):
    chapter("8. Whose key is not known is kept out, and an observer may only look")
    secured = all(node.ask("status")["security"] == "curve" for node in nodes[:2])
    hold("the nodes say that they are secured by keys", secured)
    hold("without a key nobody is answered", as_whom(nodes[0], None, "nodes")[0] == 3)
    keys.make("stranger")
    hold("nor with a key that is not trusted", as_whom(nodes[0], keys.key("stranger"), "nodes")[0] == 3)
    keys.trust("observers", "screen")
    seen, seconds = until(lambda: as_whom(nodes[0], keys.key("screen"), "nodes")[0] == 0)
    hold("a key that is added to the folder is let in while everything runs", seen, seconds)
    status, error = as_whom(nodes[0], keys.key("screen"), "notify", "created", *GROUP, "1")
    hold("as an observer it reads, and is refused when it notifies", status == 1)
    say(f"{error}")
    refused = nodes[0].ask("status")["counters"]
    for name in sorted(refused):
        if name.startswith("refused_") and refused[name]:
            say(f"{name} {refused[name]}")


def run(lab, secure):
    names = ("berlin", "paris", "rome")
    keys = Keys(lab, names) if secure else None
    options = {name: keys.options(name) if keys else () for name in names}
    nodes = [ShownNode(lab, "berlin", options=options["berlin"])]
    nodes += [ShownNode(lab, name, [nodes[0].address], options=options[name]) for name in names[1:]]
    form_cluster(nodes)
    watchers = [node.watch() for node in nodes]
    workers, streams = join_workers(nodes)
    notify(nodes, workers, streams)
    kill_worker(nodes, workers, watchers)
    kill_node(nodes, workers, watchers)
    restart_node(nodes, workers, watchers)
    leave(nodes, workers, watchers)
    if keys:
        refuse_strangers(nodes, keys)


def main():
    directory = tempfile.mkdtemp(prefix="muster-demo-")
    secure = "--secure" in sys.argv
    lab = Lab(*(os.path.abspath(path) for path in sys.argv[1:3]), directory)
    begin = time.monotonic()
    try:
        run(lab, secure)
    except (OSError, TypeError, KeyError, ValueError, subprocess.TimeoutExpired) as error:
        failures.append(f"the demonstration stopped: {error!r}")
        print(f"  {paint('31', 'FAIL')} {failures[-1]}")
    finally:
        lab.children.kill_all()
    seconds = time.monotonic() - begin
    if failures:
        print(f"\n{len(failures)} expectation(s) did not hold; the nodes' logs are in {directory}")
        return 1
    print(f"\nAll of it held, in {seconds:.1f} s. The nodes' logs are in {directory}.")
    return 0


sys.exit(main())
