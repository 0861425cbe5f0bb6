"""A host of its own with a name server that answers, is slow, or says nothing; and the four programs on it."""

import json
import os
import pathlib
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "node/client/python")]

from lab.keys import Keys  # noqa: E402
from lab.name_server import NameServer  # noqa: E402
from lab.node import Lab  # noqa: E402
from lab.processes import Children, Process, free_port, until  # noqa: E402

import muster  # noqa: E402

PATIENCE = 20.0  # seconds that anything may take on a loaded machine before a test calls it hung
SILENCE = 10.0  # seconds that one look-up at least takes while the name server is silent (two attempts of 5 s)
GROUP = ("orders", "subscriptions")
HERE = "127.0.0.1"
V6 = "fd00:7::7"  # an address of this host
DEAD = "10.99.0.9"  # an address from which nothing ever comes back
GRAVES = [DEAD] + [f"10.99.0.{i}" for i in range(10, 15)]  # others
HOSTS = "127.0.0.1 localhost\n::1 localhost ip6-localhost\n127.0.1.1 thishost\n"


def on_a_host_of_its_own():
    """Runs this program again with its own files in /etc, its own network, and addresses. None if that needs root."""
    if os.environ.get("MUSTER_NAMES_INSIDE"):
        return True
    if subprocess.run(["unshare", "--net", "--mount", "true"], capture_output=True, check=False).returncode != 0:
        return None
    inside = ["unshare", "--net", "--mount", "--propagation", "private", sys.executable, "-B", *sys.argv]
    os.execvpe("unshare", inside, {**os.environ, "MUSTER_NAMES_INSIDE": "1"})


class ProtocolUnreachable(threading.Thread):
    """A router on the way to the dead addresses that answers each first packet of a connect with this ICMP error."""

    def __init__(self):
        super().__init__(daemon=True)
        self.answered = 0
        self._wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0800))
        self._wire.bind(("grave", 0))
        self._wire.settimeout(0.1)
        self._over = threading.Event()
        self.start()

    def run(self):
        while not self._over.is_set():
            try:
                frame = self._wire.recv(2048)
            except TimeoutError:
                continue
            ip, tcp = frame[14:34], frame[34:]
            if ip[9] == socket.IPPROTO_TCP and tcp[13] & 0x02:
                error = with_checksum(bytes((3, 2, 0, 0, 0, 0, 0, 0)) + ip + tcp[:8], 2)
                header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(error), 0, 0, 64, 1, 0, ip[16:20], ip[12:16])
                self._wire.send(frame[6:12] + frame[:6] + frame[12:14] + with_checksum(header, 10) + error)
                self.answered += 1

    def end(self):
        self._over.set()
        self.join()
        self._wire.close()


def with_checksum(packet, at):
    """With the checksum of RFC 1071 at that place."""
    padded = packet + b"\0" * (len(packet) % 2)
    total = sum(struct.unpack(f"!{len(padded) // 2}H", padded))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return packet[:at] + struct.pack("!H", ~total & 0xFFFF) + packet[at + 2 :]


def lay_out(folder):
    """The files that the C library reads, and the addresses."""
    files = {
        "resolv.conf": "nameserver 127.0.0.53\n",
        "hosts": HOSTS,
        "nsswitch.conf": "hosts: files dns\n",
        # The C library sorts what it finds: DEAD is to be the first.
        "gai.conf": "precedence ::ffff:10.99.0.0/112 100\nprecedence ::/0 40\nprecedence ::ffff:0:0/96 35\n",
    }
    for name, text in files.items():
        path = pathlib.Path(folder, name)
        path.write_text(text)
        target = pathlib.Path("/etc", name)
        if not target.exists():
            target.touch()
        subprocess.run(["mount", "--bind", path, target], check=True)
    for line in (
        "link set lo up",
        f"addr add {V6}/128 dev lo nodad",
        "link add dead type veth peer name grave",
        "link set dead up",
        "link set grave up",
        "addr add 10.99.0.1/24 dev dead",
        *(f"neigh add {grave} lladdr 02:00:00:00:00:09 dev dead nud permanent" for grave in GRAVES),
    ):
        subprocess.run(["ip", *line.split()], check=True)


class Node:
    def __init__(self, case, name, listen, *options, seeds=(), at=None):
        self.name, self.at, self.case = name, at or listen, case
        self.log = pathlib.Path(case.folder, f"{name}-{len(case.nodes)}.log")
        case.nodes.append(self)
        seed_options = [word for seed in seeds for word in ("--seed", seed)]
        command = [os.environ["MUSTERD"], "--name", name, "--listen", listen, *seed_options, *options]
        with open(self.log, "w", encoding="utf-8") as log:
            self.process = case.children.start(command, stdout=log, stderr=log)

    def cli(self, *arguments, at=None, timeout=PATIENCE):
        """(status, the last line of JSON or None, seconds)."""
        return cli(at or self.at, *arguments, timeout=timeout)

    def states(self):
        status, answer, _ = self.cli("nodes")
        return {one["name"]: one["state"] for one in answer["nodes"]} if status == 0 else {}

    def members(self):
        status, answer, _ = self.cli("members", *GROUP)
        return len(answer["members"]) if status == 0 else None

    def ends_within(self, seconds):
        """Whether SIGTERM ends it in that time."""
        self.process.terminate()
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True


def cli(nodes, *arguments, timeout=PATIENCE):
    began = time.monotonic()
    command = [os.environ["MUSTER"], "--node", nodes, "--json", *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=timeout)
    except subprocess.TimeoutExpired:
        return None, None, time.monotonic() - began
    lines = done.stdout.splitlines()
    return done.returncode, json.loads(lines[-1]) if lines and done.returncode == 0 else None, time.monotonic() - began


class Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.names = cls.SERVER

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.nodes = []
        self.children = Children()
        self.addCleanup(self.children.kill_all)
        self.addCleanup(self.show_logs)
        self.names.zone = {}
        self.names.is_silent, self.names.delay, self.names.silent_names = False, 0.0, set()

    def show_logs(self):
        if any(error for _, error in self._outcome.result.failures + self._outcome.result.errors):
            for node in self.nodes:
                print(f"--- {node.name}\n{node.log.read_text()[-3000:]}", file=sys.stderr)

    def until(self, predicate, what, patience=PATIENCE):
        self.assertTrue(until(predicate, patience, 0.05)[0], what)

    def all_alive(self, *nodes):
        names = {node.name for node in nodes}
        for node in nodes:
            self.until(
                lambda: {name for name, state in node.states().items() if state == "alive"} >= names,
                f"{node.name} sees {names}",
            )

    def worker(self, *nodes, timeout=5.0, **options):
        worker = muster.Worker.connect(list(nodes), timeout=timeout, in_order=True, **options)
        self.addCleanup(worker.close)
        return worker

    def joiner(self, node, *arguments):
        return Process(self.children, [os.environ["MUSTER"], "--node", node, "--json", "join", *GROUP, *arguments])


def main():
    if on_a_host_of_its_own() is None:
        print("OK (skipped=all: network and mount namespaces need root)")
        return
    with tempfile.TemporaryDirectory() as folder:
        lay_out(folder)
        Case.SERVER = NameServer("127.0.0.53")
        threading.Thread(target=Case.SERVER.serve, daemon=True).start()
        unittest.main(module="__main__")


__all__ = [
    "Case",
    "DEAD",
    "GRAVES",
    "GROUP",
    "HERE",
    "HOSTS",
    "Keys",
    "Lab",
    "Node",
    "PATIENCE",
    "ProtocolUnreachable",
    "SILENCE",
    "V6",
    "cli",
    "free_port",
    "main",
]
