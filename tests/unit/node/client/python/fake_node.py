"""A node on a thread of the test, for workers in this process and in others. It keeps members and delivers to them."""

import itertools
import os
import queue
import signal
import subprocess
import sys
import threading
import time

import zmq
from support import DELIVERIES, DONE, GOODBYE, HEARTBEAT, HELLO, JOIN, JOINED, LEAVE, LEFT, MEMBERS, MEMBERS_REPLY
from support import MOVE, NODE_HEARTBEAT, NODES_REPLY, NOTIFIED, NOTIFY, ROOT, UNWATCH, WATCH, Sent, frame, member
from support import notification, welcome

PATIENCE = 20.0  # seconds that anything may take on a loaded machine before a test calls it hung
NODES = 54


class FakeNode:
    def __init__(self):
        self.members = {}  # number: (worker, group)
        self.acknowledged = {}  # worker: the last stream item that it handled
        self.goodbyes = []  # names of workers
        self.requests = []  # (kind, worker), in the order of arrival
        self._routes = {}  # worker: its connection
        self._seqs = {}  # worker: the last stream item that it was sent
        self._tokens = {}  # worker: its session
        self._numbers = itertools.count(1)
        self._moves = queue.SimpleQueue()  # workers to tell
        self._news = threading.Condition()
        self._context = zmq.Context()
        self._router = self._context.socket(zmq.ROUTER)
        self._router.setsockopt(zmq.LINGER, 0)
        self._router.setsockopt(zmq.SNDHWM, 0)  # it must not drop: this node repeats nothing
        self.address = "127.0.0.1:%d" % self._router.bind_to_random_port("tcp://127.0.0.1", 12_000, 32_000)
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self):
        self._is_over.set()
        self._thread.join()
        self._router.close()
        self._context.term()

    def wait(self, predicate, timeout=PATIENCE):
        with self._news:
            return self._news.wait_for(predicate, timeout)

    def ask_to_move(self, worker):
        self._moves.put(worker)

    def workers(self):
        return sorted({worker for worker, _ in self.members.values()})

    def _serve(self):
        beat = 0.0
        while not self._is_over.is_set():
            if self._router.poll(20):
                route, data = self._router.recv_multipart()
                with self._news:
                    self._take(route, Sent(data))
                    self._news.notify_all()
            while not self._moves.empty():
                self._router.send_multipart([self._routes[self._moves.get()], frame(MOVE)])
            if time.monotonic() - beat > 0.2:
                beat = time.monotonic()
                for route in self._routes.values():
                    self._router.send_multipart([route, frame(NODE_HEARTBEAT)])

    def _take(self, route, sent):
        worker = sent.origin
        answer = lambda kind, *fields: self._router.send_multipart([route, frame(kind, *fields, seq=sent.seq)])  # noqa
        if sent.kind == HELLO:
            self._routes[worker], self._seqs[worker] = route, 0
            self._tokens[worker] = token = next(self._numbers)
            self._router.send_multipart([route, welcome(token=token, ttl=20_000)])
            return
        if sent.token != self._tokens.get(worker):
            return  # of a session that the worker has given up, over another connection
        if sent.kind == HEARTBEAT:
            self.acknowledged[worker] = sent.fields[0]
            return
        self.requests.append((sent.kind, worker))
        if sent.kind == GOODBYE:
            self.goodbyes.append(worker)
            self._routes.pop(worker, None)
            self.members = {number: one for number, one in self.members.items() if one[0] != worker}
        elif sent.kind == JOIN:
            numbers = [next(self._numbers) for _ in range(sent.fields[1])]
            self.members |= {number: (worker, tuple(sent.fields[0])) for number in numbers}
            answer(JOINED, [[number, 1] for number in numbers], 0)
        elif sent.kind == LEAVE:
            for number in sent.fields[1]:
                self.members.pop(number, None)
            answer(LEFT, sent.fields[1])
        elif sent.kind == MEMBERS:
            found = [(n, w) for n, (w, group) in self.members.items() if group == tuple(sent.fields[0])]
            answer(MEMBERS_REPLY, [member(number, worker=owner) for number, owner in found], True)
        elif sent.kind == NODES:
            answer(NODES_REPLY, [])
        elif sent.kind in (WATCH, UNWATCH):
            answer(DONE)
        elif sent.kind == NOTIFY:
            reached = [(n, w) for n, (w, group) in self.members.items() if group == tuple(sent.fields[1])]
            for owner in dict.fromkeys(owner for _, owner in reached):
                self._seqs[owner] = seq = self._seqs.get(owner, 0) + 1
                numbers = [number for number, its_owner in reached if its_owner == owner]
                item = notification(None, numbers, seq, tuple(sent.fields[1]))
                item[2] = sent.fields[2]
                self._router.send_multipart([self._routes[owner], frame(DELIVERIES, [item], seq=seq)])
            answer(NOTIFIED, [len(reached), 1, False, 0, []])


class Program:
    """A program with a worker, in a process of its own. It finds the node's address in ADDRESS."""

    def __init__(self, text, address, interpreter=("-W", "error")):
        head = f"import os, signal, sys, threading, time, muster\nADDRESS = {address!r}\nGROUP = ('orders', 'x')\n"
        environment = {"PYTHONPATH": str(ROOT / "node/client/python"), "PATH": os.environ.get("PATH", "/usr/bin")}
        command = [sys.executable, "-B", *interpreter, "-c", head + text]
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, start_new_session=True
        )

    def end(self, timeout=PATIENCE):
        """(status, output, errors); the status is None if it hangs."""
        try:
            output, errors = self.process.communicate(timeout=timeout)
            return self.process.returncode, output, errors
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)  # its forks, too
            output, errors = self.process.communicate()
            return None, output, errors
