"""Three real nodes, workers of the command line beside those in Python, and a wire that can be cut."""

import os
import pathlib
import select
import socket
import sys
import tempfile
import threading
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "node/client/python")]

from lab.node import Lab, Node, start_together  # noqa: E402
from lab.processes import Process, until  # noqa: E402

import muster  # noqa: E402

PATIENCE = 15.0  # seconds that anything may take on a loaded machine before a test calls it hung
GROUP = ("orders", "subscriptions")
NAME = "/".join(GROUP)


class Told:
    """What handlers were called with, for a test that waits on another thread."""

    def __init__(self):
        self.all = []
        self._news = threading.Condition()

    def __call__(self, *arguments):
        with self._news:
            self.all.append(arguments[0] if len(arguments) == 1 else arguments)
            self._news.notify_all()

    def wait(self, predicate, timeout=PATIENCE):
        """Whether it came to satisfy predicate(all)."""
        with self._news:
            return self._news.wait_for(lambda: predicate(self.all), timeout)


class Wire:
    """Carries connections to an address, until it is cut or stopped."""

    def __init__(self, address):
        host, port = address.rsplit(":", 1)
        self._to = host, int(port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._pairs = []
        self._lock = threading.Lock()
        self._carries = threading.Event()
        self._carries.set()
        self.address = "127.0.0.1:%d" % self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                near = self._listener.accept()[0]
            except OSError:
                return
            try:
                far = socket.create_connection(self._to, PATIENCE)
            except OSError:
                near.close()
                continue
            with self._lock:
                self._pairs.append((near, far))
            threading.Thread(target=self._carry, args=(near, far), daemon=True).start()

    def _carry(self, near, far):
        other = {near: far, far: near}
        try:
            while True:
                for end in select.select([near, far], [], [])[0]:
                    self._carries.wait()
                    data = end.recv(65536)
                    if not data:
                        return
                    other[end].sendall(data)
        except (OSError, ValueError):
            pass
        finally:
            near.close()
            far.close()

    def cut(self):
        """Every connection ends; new ones are carried."""
        with self._lock:
            pairs, self._pairs = self._pairs, []
        for pair in pairs:
            for end in pair:
                try:
                    end.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def stop(self):
        """Nothing gets through, and nobody is told."""
        self._carries.clear()

    def go_on(self):
        self._carries.set()

    def close(self):
        self._listener.close()
        self.go_on()
        self.cut()


class Case(unittest.TestCase):
    OPTIONS = ("--session-grace", "3000")

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.lab = Lab(os.environ["MUSTERD"], os.environ["MUSTER"], folder.name)
        self.addCleanup(self.lab.children.kill_all)
        self.folder = pathlib.Path(folder.name)
        self.nodes = [Node(self.lab, name, options=self.options_of(name)) for name in "abc"]
        self.a, self.b, self.c = self.nodes
        for node in self.nodes:
            self.addCleanup(node.log.close)
        self.assertIsNone(start_together(self.nodes, PATIENCE), "it does not see all nodes")

    def options_of(self, name):
        """Of the node with this name."""
        return self.OPTIONS

    def until(self, predicate, what):
        self.assertTrue(until(predicate, PATIENCE, 0.05)[0], what)

    def connect(self, *nodes, **options):
        """A worker that knows these nodes, in this order (addresses, or nodes)."""
        addresses = [each if isinstance(each, str) else each.address for each in nodes]
        worker = muster.Worker.connect(addresses, timeout=PATIENCE, in_order=True, **options)
        self.addCleanup(worker.close)
        return worker

    def wire(self, node):
        wire = Wire(node.address)
        self.addCleanup(wire.close)
        return wire

    def cpp(self, node, *arguments, others=()):
        """A C++ worker; its lines of JSON."""
        return node.muster(*arguments, others=others)

    def line(self, process: Process, **wanted):
        """The first line of which all this is true."""
        found = process.wait_for(
            lambda line: all(line.get(key) == value for key, value in wanted.items()), 0.0, PATIENCE
        )[1]
        self.assertIsNotNone(found, f"no line with {wanted} among {process.lines}")
        return found

    def workers_at(self, node):
        """The workers of the members of GROUP that a node knows, sorted."""
        return sorted(worker for _, worker in node.members(GROUP) or [])
