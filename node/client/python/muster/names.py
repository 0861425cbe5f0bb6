"""Looks up host names on threads of its own, once for all workers of the process.

getaddrinfo takes half a minute and more while a name server is silent, and nothing can interrupt it. So no one waits
for these threads: neither a worker's loop, nor `close`, nor the end of the process. Each name is looked up once at a
time, for all that ask. Its last good answer is kept while further look-ups fail.
"""

import os
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from itertools import chain, zip_longest

from .outcome import guarded
from .threads import Serving

THREADS = 64
SLOW_THREADS = THREADS // 4  # for names whose last look-up failed or was slow, so that they do not delay the others
SLOW = 1.0  # seconds
IDLE = 10.0  # seconds after which a thread without work ends
FRESH = 1.0  # seconds for which an answer is used as it is
NAMES = 4096  # that are remembered
ADDRESSES = 64  # of one name

Then = Callable[[list[str]], object]


class _Name:
    def __init__(self) -> None:
        self.hosts: list[str] = []  # the last good answer
        self.is_good = False  # the last look-up found something
        self.is_asked = False  # waits or is being looked up
        self.is_slow = False
        self.ended_at = float("-inf")
        self.waiting: list[Then] = []


class Names:
    """Thread-safe. No function waits for a look-up."""

    def __init__(self, look_up: Callable[[str], list[str]]) -> None:
        """`look_up` returns the numeric addresses of a name, or none; it may block."""
        self._look_up = look_up
        self._changed = threading.Condition()
        self._names: dict[str, _Name] = {}  # the one that was asked for the longest time ago comes first
        self._asked: deque[str] = deque()
        self._slow: deque[str] = deque()
        self._threads = self._idle = self._slow_running = 0

    def ask(self, host: str, then: Then) -> tuple[list[str], bool]:
        """The numeric addresses of a name as far as they are known, and whether they are fresh.

        If they are not, the name is looked up, and `then` is called with the result on one of these threads: the last
        good answer if there was none this time; empty if there never was one. It must not block.
        """
        with self._changed:
            name = self._names.pop(host, None) or _Name()
            self._names[host] = name
            if name.is_good and time.monotonic() - name.ended_at < FRESH:
                return name.hosts, True
            name.waiting.append(then)
            if not name.is_asked:
                name.is_asked = True
                (self._slow if name.is_slow else self._asked).append(host)
                self._forget_old()
                self._changed.notify()
            self._have_threads()
            return name.hosts, False

    def _forget_old(self) -> None:
        if len(self._names) > NAMES:
            oldest = next((host for host, name in self._names.items() if not name.is_asked), None)
            if oldest:
                del self._names[oldest]

    def _have_threads(self) -> None:
        if len(self._asked) + len(self._slow) > self._idle and self._threads < THREADS:
            thread = Serving(self._run, "names")
            self._threads += 1
            try:
                thread.start()
            except RuntimeError:  # the system has no more threads; those that run get to it
                self._threads -= 1

    def _has_work(self) -> bool:
        return bool(self._asked) or (bool(self._slow) and self._slow_running < SLOW_THREADS)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._idle += 1
                found = self._changed.wait_for(self._has_work, IDLE)
                self._idle -= 1
                if not found:
                    self._threads -= 1
                    return
                is_slow = not self._asked
                host = (self._slow if is_slow else self._asked).popleft()
                self._slow_running += is_slow
            began = time.monotonic()
            hosts = self._look_up(host)
            ended = time.monotonic()
            with self._changed:
                self._slow_running -= is_slow
                if is_slow:
                    self._changed.notify()
                name = self._names[host]
                name.is_asked = False
                name.is_good = bool(hosts)
                name.is_slow = not hosts or ended - began > SLOW
                name.ended_at = ended
                name.hosts = hosts or name.hosts
                waiting, name.waiting = name.waiting, []
            for then in waiting:
                guarded(then, name.hosts)


def in_turns(hosts: list[str]) -> list[str]:
    """In the order of RFC 8305, section 4: the families take turns, beginning with that of the first one."""
    first = [host for host in hosts if (":" in host) == (":" in hosts[0])]
    second = [host for host in hosts if (":" in host) != (":" in hosts[0])]
    return [host for host in chain.from_iterable(zip_longest(first, second)) if host]


def resolve(host: str) -> list[str]:
    """All numeric addresses of a name, without duplicates; empty if it does not resolve at the moment. Blocks."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        texts = [socket.getnameinfo(address, socket.NI_NUMERICHOST | socket.NI_NUMERICSERV)[0] for *_, address in found]
    except (OSError, UnicodeError):
        return []
    return in_turns(list(dict.fromkeys(texts)))[:ADDRESSES]


of_process = Names(resolve)


def _forked() -> None:
    """The child has none of the threads, and a lock that may be taken for ever."""
    global of_process
    of_process = Names(resolve)


os.register_at_fork(after_in_child=_forked)
