"""Drives a session on a thread of its own, so that busy handlers or a busy event loop do not lose the session."""

import logging
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import TypeVar

import zmq

from .actions import Action, Close, Entry, Log, Open, Probe, Send
from .book import Target
from .calls import Call
from .errors import closed
from .keys import KeyRing
from .limits import FRAME
from .session import Connecting, Session, State
from .watches import Watch

T = TypeVar("T")
FRAMES_A_TURN = 256
LINGER = 300  # milliseconds for the goodbye to leave
PROBES = 4  # at a time; each waits while a host name is resolved
PROBE_TIMEOUT = 1.0  # seconds

log = logging.getLogger("muster")


class Loop:
    """The session and the socket are used on this thread only. Other threads queue commands for it."""

    def __init__(self, session: Session, ring: KeyRing | None, deliver: Callable[[Entry], None]) -> None:
        """`deliver` is called on the loop's thread and must not block."""
        self._session = session
        self._ring = ring
        self._deliver = deliver
        self._context = zmq.Context()
        self._dealer: zmq.Socket[bytes] | None = None
        self._unsent: deque[bytes] = deque()  # frames that wait until the socket is connected
        self._is_connected = False
        self._posted: deque[Callable[[float], object]] = deque()
        self._posting = (
            threading.RLock()
        )  # reentrant: a Worker that is garbage-collected posts `close` on any thread, also on one that posts
        self._is_over = False
        self._wakes, self._waker = socket.socketpair()
        self._wakes.setblocking(False)
        self._waker.setblocking(False)
        self._probes = threading.BoundedSemaphore(PROBES)
        self._thread = threading.Thread(target=self._run, name=f"muster {session.identity.name}", daemon=True)
        self._ended = threading.Event()
        self._thread.start()

    # From any thread

    def start(self, timeout: float) -> Connecting:
        """The call ends when the worker is attached for the first time, or cannot be."""
        connecting = Connecting(timeout)
        if not self._post(lambda now: self._session.start(now, connecting)):
            connecting.fail(closed())
        return connecting

    def ask(self, call: Call[T]) -> Call[T]:
        if not self._post(lambda now: self._session.ask(now, call)):
            call.fail(closed())
        return call

    def abandon(self, call: Call[T]) -> None:
        self._post(lambda now: self._session.abandon(now, call))

    def unwatch(self, watch: Watch, then: Callable[[Call[None] | None], None]) -> None:
        """`then` is called on the loop's thread with the call that tells the node, or None if the watch had ended."""
        if not self._post(lambda now: then(self._session.unwatch(now, watch))):
            then(None)

    def handled(self, entry: Entry) -> None:
        self._post(lambda now: self._session.handled(now, entry))

    def close(self) -> None:
        """Says goodbye and waits until it has left, at most LINGER. Idempotent."""
        self._post(self._session.close)
        if threading.current_thread() is not self._thread:
            self._ended.wait()

    def _post(self, what: Callable[[float], object]) -> bool:
        """False if the loop has ended."""
        with self._posting:
            if self._is_over:
                return False
            was_empty = not self._posted
            self._posted.append(what)
            if was_empty:  # otherwise it was woken already
                self._waker.send(b"w")
            return True

    # On the loop's thread

    def _run(self) -> None:
        try:
            while self._session.state is not State.closed:
                self._turn()
        except Exception:
            log.exception("the worker's loop failed")
        finally:
            self._end()

    def _turn(self) -> None:
        self._wait()
        # Frames before timers: a node is not silent if its frames are still in the socket.
        self._receive()
        for _ in range(len(self._posted)):
            self._posted.popleft()(time.monotonic())
        self._session.tick(time.monotonic())
        self._perform_all()

    def _wait(self) -> None:
        if self._posted:
            return
        poller = zmq.Poller()
        poller.register(self._wakes, zmq.POLLIN)
        if self._dealer:
            poller.register(self._dealer, zmq.POLLIN | (zmq.POLLOUT if self._unsent else 0))
        seconds = min(self._session.next_deadline() - time.monotonic(), 60.0)
        poller.poll(max(0, int(seconds * 1000) + 1))
        try:
            while len(self._wakes.recv(4096)) == 4096:
                pass
        except BlockingIOError:
            pass

    def _receive(self) -> None:
        for _ in range(FRAMES_A_TURN):
            if self._dealer is None:
                return
            try:
                frames = self._dealer.recv_multipart(zmq.DONTWAIT)
            except zmq.Again:
                break
            if len(frames) == 1:
                dealer = self._dealer
                self._session.frame(time.monotonic(), frames[0])
                self._perform_all()
                if self._dealer is not dealer:
                    return  # the frames behind it came over a connection that was given up
        self._send_unsent()

    def _perform_all(self) -> None:
        while actions := self._session.take_actions():
            for action in actions:
                self._perform(action)

    def _perform(self, action: Action) -> None:
        if isinstance(action, Entry):
            self._deliver(action)
        elif isinstance(action, Send):
            self._unsent.append(action.frame)
            self._send_unsent()
        elif isinstance(action, Open):
            self._open(action.target)
        elif isinstance(action, Close):
            self._close(LINGER)
        elif isinstance(action, Probe):
            self._probe(action)
        elif isinstance(action, Log):
            log.info("%s: %s", self._session.identity.name, action.text)

    def _send_unsent(self) -> None:
        while self._unsent and self._dealer:
            try:
                self._dealer.send(self._unsent[0], zmq.DONTWAIT)
            except zmq.Again:
                if self._is_connected:
                    self._unsent.clear()
                    self._session.unsendable(time.monotonic())
                return
            self._unsent.popleft()
            self._is_connected = True

    def _open(self, target: Target) -> None:
        self._close(0)
        dealer: zmq.Socket[bytes] = self._context.socket(zmq.DEALER)
        dealer.setsockopt(zmq.LINGER, 0)
        dealer.setsockopt(zmq.IMMEDIATE, 1)
        dealer.setsockopt(zmq.SNDHWM, 0)  # the session bounds what is in flight
        dealer.setsockopt(zmq.MAXMSGSIZE, FRAME)
        dealer.setsockopt(zmq.HANDSHAKE_IVL, 2000)
        dealer.setsockopt(zmq.CONNECT_TIMEOUT, 2000)
        dealer.setsockopt(zmq.RECONNECT_IVL, -1)  # one connection for each socket: the session must notice its end
        dealer.setsockopt(zmq.IPV6, 1)
        if self._ring and target.key:
            dealer.setsockopt(zmq.CURVE_PUBLICKEY, self._ring.pair.public)
            dealer.setsockopt(zmq.CURVE_SECRETKEY, self._ring.pair.secret)
            dealer.setsockopt(zmq.CURVE_SERVERKEY, target.key)
        dealer.connect(f"tcp://{target.address}")
        self._dealer = dealer

    def _close(self, linger: int) -> None:
        if self._dealer:
            self._dealer.close(linger)
        self._dealer = None
        self._unsent.clear()
        self._is_connected = False

    def _probe(self, action: Probe) -> None:
        """ZeroMQ does not report a refused connection; a plain TCP connect does, immediately."""
        if self._probes.acquire(blocking=False):
            threading.Thread(target=self._probing, args=(action,), name="muster probe", daemon=True).start()

    def _probing(self, action: Probe) -> None:
        address = action.target.address
        try:
            socket.create_connection((address.bare_host, address.port), PROBE_TIMEOUT).close()
        except ConnectionRefusedError:
            self._post(lambda now: self._session.probed(now, action.attempt, True))
        except OSError:
            pass
        finally:
            self._probes.release()

    def _end(self) -> None:
        self._session.close(time.monotonic())
        self._perform_all()
        self._close(LINGER)
        self._context.term()
        with self._posting:
            self._is_over = True
        while self._posted:  # commands that came meanwhile find the session closed
            self._posted.popleft()(time.monotonic())
        self._wakes.close()
        self._waker.close()
        self._ended.set()
