"""Drives a session on a thread of its own, so that busy handlers or a busy event loop do not lose the session."""

import errno
import os
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, TypeVar

import zmq

from . import names
from .actions import Action, Close, CloseAside, Entry, Log, LookUp, Open, Probe, Send, SendAside, SetAside
from .address import Address
from .book import Target
from .calls import Call
from .errors import Error, ErrorCode, bad_request, closed, no_resources, shown
from .keys import KeyRing
from .limits import FRAME
from .logs import later as log
from .outcome import Outcome, guarded
from .session import Connecting, Session, State
from .threads import Serving, may_wait
from .watches import Watch

T = TypeVar("T")
FRAMES_A_TURN = 256
LINGER = 300  # milliseconds for the goodbye to leave
PROBES = 4  # at a time
NO_ROUTE = {errno.ENETUNREACH, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}  # this host has no way there, as no IPv6
CLOSING = 2.0  # seconds that `close` waits for the goodbye; longer than LINGER
LAST_LINES = 0.2  # seconds that the end waits for the log
MOST_FAILURES = 8  # turns in a row that raise; then the worker ends
Command = Callable[[float], object]

_forks = 0  # how often the process forked to become this one


def _forked() -> None:
    global _forks
    _forks += 1


os.register_at_fork(after_in_child=_forked)


def _process() -> tuple[int, int]:
    """Names this process. The count of forks misses forks by a C library, and an id can be used again."""
    return os.getpid(), _forks


class Loop:
    """The session and the socket are used on this thread only. Other threads queue commands for it.

    Queueing takes no lock, so a call in a signal handler cannot wait for the call that it interrupted.
    """

    def __init__(
        self,
        session: Session,
        ring: KeyRing | None,
        deliver: Callable[[Entry], None],
        is_abandoned: Callable[[], bool] = lambda: False,
    ) -> None:
        """`deliver` and `is_abandoned` are called on the loop's thread and must not block. The loop ends when
        `is_abandoned` returns True.
        """
        self._session = session
        self._ring = ring
        self._deliver = deliver
        self._dealer: zmq.Socket[bytes] | None = None
        self._aside: zmq.Socket[bytes] | None = None  # of a session that the worker leaves
        self._unsent: deque[bytes] = deque()  # frames that wait until the socket is connected
        self._is_connected = False
        self._is_abandoned = is_abandoned
        self._posted: deque[tuple[Command, Call[Any] | None]] = deque()
        self._is_asleep = False  # waits for its sockets: what is posted must wake it
        self._is_over = False  # what is posted is run by the thread that posts it, and finds the session closed
        self._process = _process()
        self._probes = threading.BoundedSemaphore(PROBES)
        self._thread = Serving(self._run, session.identity.name)
        self.ended: Outcome[None] = Outcome()

    def begin(self) -> None:
        """Makes the thread. Raises Error(overloaded); after whatever it raises, close() leaves nothing behind."""
        pair: list[socket.socket] = []
        try:  # a signal handler may raise anywhere
            pair += socket.socketpair()
            self._wakes, self._waker = pair
            for end in pair:
                end.setblocking(False)
            self._context = zmq.Context()
            log.start()
            self._thread.start()
        except BaseException as error:
            if not self._thread.is_alive():
                self._is_over = True
                self._session.abort()
                for end in pair:
                    end.close()
                self.ended.set_result(None)
            if isinstance(error, (OSError, RuntimeError, zmq.ZMQError)):  # no more descriptors, or threads
                raise no_resources(error) from error
            raise

    # From any thread

    def is_elsewhere(self) -> bool:
        """Whether this process is a fork of the one that made the worker. Threads do not survive a fork."""
        return self._process != _process()

    def is_current(self) -> bool:
        """Whether the caller runs on the loop's own thread, which must not wait for itself."""
        return threading.current_thread() is self._thread

    def start(self, timeout: float) -> Connecting:
        """The call ends when the worker is attached for the first time, or cannot be."""
        connecting = Connecting(timeout)
        self._post(lambda now: self._session.start(now, connecting), connecting)
        return connecting

    def ask(self, call: Call[T]) -> Call[T]:
        if self.is_elsewhere():
            text = f"the worker belongs to process {self._process[0]}, and this is a fork of it: connect a new one here"
            call.fail(Error(ErrorCode.closed, text))
        else:
            self._post(lambda now: self._session.ask(now, call), call)
        return call

    def abandon(self, call: Call[T]) -> None:
        if not self.is_elsewhere():
            self._post(lambda now: self._session.abandon(now, call))

    def unwatch(self, watch: Watch) -> Outcome[Call[None] | None]:
        """The call that tells the node, or None if the watch had ended."""
        ended: Outcome[Call[None] | None] = Outcome()
        if self.is_elsewhere():
            ended.set_result(None)
        else:
            self._post(lambda now: ended.set_result(self._session.unwatch(now, watch)))
        return ended

    def handled(self, entry: Entry) -> None:
        if not self.is_elsewhere():  # a handler can fork
            self._post(lambda now: self._session.handled(now, entry))

    def begin_close(self) -> None:
        """Says goodbye, unless another process has the session. Does not wait. Idempotent."""
        if not self.is_elsewhere():
            self._post(self._session.close)

    def close(self, patience: float = CLOSING) -> None:
        """Says goodbye and waits until it has left, at most `patience`, where that may be waited for. Idempotent."""
        self.begin_close()
        if self.is_elsewhere():
            _abandoned.append(self)  # freeing its sockets would write to descriptors that the other process uses, too
        elif may_wait():
            self.ended.wait(patience)

    def _post(self, what: Command, call: Call[Any] | None = None) -> None:
        """`call` fails if `what` raises."""
        self._posted.append((what, call))
        if self._is_over:
            self._run_posted()
        elif self._is_asleep:
            try:
                self._waker.send(b"w")
            except OSError:  # it was woken many times already, or has ended
                pass

    # On the loop's thread

    def _run(self) -> None:
        failures = 0
        while self._session.state is not State.closed and failures < MOST_FAILURES:
            try:
                self._turn()
                failures = 0
            except BaseException:
                failures += 1
                log.exception("the worker failed, and begins a new session")
                guarded(lambda: self._session.failed(time.monotonic()))
        guarded(self._end)
        # Whatever has happened, every call ends.
        self._is_over = True
        guarded(self._session.abort)
        self._run_posted()
        log.flush(LAST_LINES)
        self.ended.set_result(None)

    def _turn(self) -> None:
        self._wait()
        # Frames before timers: a node is not silent if its frames are still in the socket.
        self._receive()
        self._run_posted()
        self._session.tick(time.monotonic())
        self._perform_all()
        if self._is_abandoned():
            log.warning("%s: closes, because its event loop has ended", self._session.identity.name)
            self._session.close(time.monotonic())

    def _run_posted(self) -> None:
        for _ in range(len(self._posted)):
            try:
                what, call = self._posted.popleft()
            except IndexError:  # another thread runs them, too, after the end
                return
            try:
                what(time.monotonic())
            except BaseException as error:
                log.exception("the worker failed in a call, and goes on")
                if call:
                    call.fail(bad_request(f"the call cannot be made: {shown(error)}"))

    def _wait(self) -> None:
        self._is_asleep = True
        poller = zmq.Poller()
        poller.register(self._wakes, zmq.POLLIN)
        if self._dealer:
            poller.register(self._dealer, zmq.POLLIN | (zmq.POLLOUT if self._unsent else 0))
        seconds = min(self._session.next_deadline() - time.monotonic(), 60.0)
        poller.poll(0 if self._posted else max(0, int(seconds * 1000) + 1))
        self._is_asleep = False
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
        elif isinstance(action, LookUp):
            self._look_up(action.address)
        elif isinstance(action, Open):
            self._open(action.target)
        elif isinstance(action, Close):
            self._close(LINGER)
        elif isinstance(action, SetAside):
            self._close_aside()
            self._dealer, self._aside = None, self._dealer
            self._close(0)
        elif isinstance(action, SendAside):
            self._send_aside(action.frame)
        elif isinstance(action, CloseAside):
            self._close_aside()
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

    def _send_aside(self, frame: bytes) -> None:
        try:
            if self._aside:
                self._aside.send(frame, zmq.DONTWAIT)
        except zmq.Again:  # that connection is gone: the node ends the session after its grace period
            pass

    def _close_aside(self) -> None:
        if self._aside:
            self._aside.close(LINGER)
        self._aside = None

    def _look_up(self, address: Address) -> None:
        def found(hosts: list[str], is_fresh: bool) -> Command:
            endpoints = [address.endpoint(host) for host in hosts]
            return lambda now: self._session.resolved(now, address, endpoints, is_fresh)

        hosts, is_fresh = names.of_process.ask(address.bare_host, lambda hosts: self._post(found(hosts, True)))
        if hosts:
            found(hosts, is_fresh)(time.monotonic())

    def _open(self, target: Target) -> None:
        assert target.endpoint
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
        dealer.connect(f"tcp://{target.endpoint}")
        self._dealer = dealer

    def _close(self, linger: int) -> None:
        if self._dealer:
            self._dealer.close(linger)
        self._dealer = None
        self._unsent.clear()
        self._is_connected = False

    def _probe(self, action: Probe) -> None:
        """ZeroMQ does not report a refused connection; a plain TCP connect does, immediately."""
        if not self._probes.acquire(blocking=False):
            return
        try:
            Serving(self._probing, "probe", action).start()
        except RuntimeError:  # no more threads, or the interpreter ends: the hello's time-out shows the same, later
            self._probes.release()

    def _probing(self, action: Probe) -> None:
        endpoint = action.target.endpoint
        assert endpoint
        try:
            socket.create_connection((endpoint.bare_host, endpoint.port), action.patience).close()
        except TimeoutError:
            self._post(lambda now: self._session.unanswered_connect(now, action.attempt))
        except OSError as error:
            if isinstance(error, ConnectionRefusedError) or error.errno in NO_ROUTE:
                self._post(lambda now: self._session.refused_connection(now, action.attempt))
        finally:
            self._probes.release()

    def _end(self) -> None:
        self._session.close(time.monotonic())
        self._perform_all()
        self._close(LINGER)
        self._close_aside()
        self._context.term()
        self._wakes.close()
        self._waker.close()


_abandoned: list[Loop] = []  # of the process that this one was forked from
