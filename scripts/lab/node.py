"""A node as a process that can be killed and restarted under its name."""

import json
import os
import signal
import subprocess
from dataclasses import dataclass, field

from lab.processes import Children, LogPipe, Process, free_port, until


@dataclass
class Lab:
    """The programs, a directory for logs, and the child processes of a run."""
    musterd: str
    muster: str
    directory: str
    children: Children = field(default_factory=Children)


CONTROL_PORT, GOSSIP_PORT = 7101, 7102  # of nodes on hosts of their own


class Loopback:
    """This machine itself as the host of everything; its links cannot be cut."""

    def __init__(self):
        self.ip = "127.0.0.1"

    def port(self):
        return free_port()

    def inside(self, arguments):
        return arguments


class Node:
    def __init__(self, lab, name, seeds=(), host=None, options=()):
        self.lab, self.name, self.options = lab, name, options
        self.host = host or Loopback()
        self.address = f"{self.host.ip}:{self.host.port()}"
        self.advertised = self.address  # by which other nodes know it
        self.seeds = list(seeds)  # addresses
        self.log = open(os.path.join(lab.directory, f"{name}.log"), "a", encoding="utf-8")
        self.process = None
        self.log_pipe = None
        self.log_begin = 0  # where the log of the running process begins, in bytes

    def command(self):
        seeds = [word for seed in self.seeds for word in ("--seed", seed)]
        wide = [] if self.host.ip.startswith("127.") else [
            "--insecure", "--control-port", str(CONTROL_PORT), "--gossip-port", str(GOSSIP_PORT)]
        return ["--name", self.name, "--listen", self.address, *seeds, *wide, *self.options]

    def start(self):
        command = self.host.inside([self.lab.musterd, *self.command()])
        self.log_begin = os.path.getsize(self.log.name)
        self.log_pipe = LogPipe(self.lab.children, self.log)
        self.process = self.lab.children.start(command, stdout=self.log, stderr=self.log_pipe.write)
        self.log_pipe.close()

    def has_listened(self):
        """Whether the log of the current process says that it listens."""
        with open(self.log.name, encoding="utf-8") as log:
            log.seek(self.log_begin)
            return " listens on " in log.read()

    def kill(self):
        self.process.kill()

    def terminate(self):
        self.process.send_signal(signal.SIGTERM)

    def ask(self, *arguments, timeout=30):
        """The JSON answer of the command line tool, or None."""
        command = self.host.inside([self.lab.muster, "--node", self.address, "--json", *arguments])
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=timeout)
        except subprocess.TimeoutExpired:
            return None
        return json.loads(done.stdout.splitlines()[-1]) if done.stdout else None

    def members(self, group):
        answer = self.ask("members", *group)
        return [(m["id"], m["worker"]) for m in answer["members"]] if answer else None

    def states(self):
        """{name: state} of all nodes that this one knows."""
        answer = self.ask("nodes")
        return {n["name"]: n["state"] for n in answer["nodes"]} if answer else {}

    def alive(self):
        return {name for name, state in self.states().items() if state == "alive"}

    def muster(self, *arguments, others=(), **how):
        """Starts a long-running `muster` on this node's host, connected to this node, with `others` as alternatives."""
        nodes = ",".join([self.address, *(other.address for other in others)])
        command = [self.lab.muster, "--node", nodes, "--in-order", "--json", *arguments]
        return Process(self.lab.children, self.host.inside(command), **how)

    def watch(self):
        watcher = self.muster("watch")
        watcher.wait_for(lambda line: line["event"] == "snapshot")
        return watcher


def start_together(nodes, patience):
    """Starts nodes that are each other's seeds. Returns the first that does not see all alive in time (s), or None."""
    for node in nodes:
        node.seeds = [other.address for other in nodes if other is not node]
        node.start()
    return next((node.name for node in nodes if not until(lambda: len(node.alive()) == len(nodes), patience, 0.05)[0]),
                None)
