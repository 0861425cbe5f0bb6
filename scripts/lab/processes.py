"""Child processes, and their output with the time of its arrival."""

import fcntl
import json
import os
import random
import selectors
import signal
import socket
import subprocess
import threading
import time

READ_AT_ONCE = 1 << 16  # bytes


class Reader:
    """One thread that reads lines of JSON from any number of pipes."""

    def __init__(self):
        self.selector = selectors.DefaultSelector()
        wake, self.waker = os.pipe()
        self.selector.register(wake, selectors.EVENT_READ, None)
        threading.Thread(target=self._run, daemon=True).start()

    def add(self, pipe, take):
        """take(at, line) is called on the reader's thread for each object, and take(at, None) at the end."""
        os.set_blocking(pipe.fileno(), False)
        self.selector.register(pipe, selectors.EVENT_READ, [take, b""])
        os.write(self.waker, b"x")

    def _run(self):
        while True:
            for key, _ in self.selector.select():
                if key.data is None:
                    os.read(key.fd, READ_AT_ONCE)
                else:
                    self._read(key.fileobj, key.data)

    def _read(self, pipe, state):
        data = pipe.read(READ_AT_ONCE)
        at = time.monotonic()
        if data is None:
            return
        take, rest = state
        if not data:
            self.selector.unregister(pipe)
            pipe.close()
            return take(at, None)
        *lines, state[1] = (rest + data).split(b"\n")
        for line in lines:
            take(at, read_line(line))


def read_line(line):
    """Parses a line of JSON. A line that is not JSON becomes an event of its own."""
    try:
        return json.loads(line)
    except ValueError:
        return {"event": "unreadable", "text": line.decode(errors="replace")}


class Children:
    """All started processes, so that none is left running."""

    def __init__(self):
        self.reader = Reader()
        self.processes = []

    def start(self, arguments, **how):
        how = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, **how}
        process = subprocess.Popen(arguments, bufsize=0, **how)
        self.processes = [child for child in self.processes if child.returncode is None]
        self.processes.append(process)
        return process

    def kill_all(self):
        for child in self.processes:
            if child.poll() is None:
                child.kill()
        for child in self.processes:
            child.wait()


class LogPipe:
    """A small pipe into a file, as standard error of a process. block() fills the pipe and stops reading it."""

    SIZE = 4096

    def __init__(self, children, log):
        read, self.write = os.pipe()
        fcntl.fcntl(self.write, fcntl.F_SETPIPE_SZ, self.SIZE)
        self.reader = children.start(["/bin/cat"], stdin=read, stdout=log)
        os.close(read)

    def close(self):
        """When the process has it: the reader then ends with the process."""
        os.close(self.write)
        self.write = None

    def block(self, pid):
        self.reader.send_signal(signal.SIGSTOP)
        # Opened again, because O_NONBLOCK would also concern the process that shares the other description.
        fd = os.open(f"/proc/{pid}/fd/2", os.O_WRONLY | os.O_NONBLOCK)
        try:
            while True:
                os.write(fd, b"\n" * self.SIZE)
        except BlockingIOError:
            pass
        finally:
            os.close(fd)

    def unblock(self):
        self.reader.send_signal(signal.SIGCONT)


class Process:
    """A child process. Its lines of JSON are collected with their time of arrival, or passed to `take`.

    With begin=False nothing is read before read() is called, for a `take` that needs objects that are created later.
    """

    def __init__(self, children, arguments, log=None, take=None, begin=True, **how):
        self.lines = []
        self.arrived = threading.Condition()
        self.take = take
        self.has_closed = False  # its standard output
        self.process = children.start(arguments, stdout=subprocess.PIPE, stderr=log or subprocess.DEVNULL, **how)
        self.reader = children.reader
        if begin:
            self.read()

    def read(self):
        self.reader.add(self.process.stdout, self._take)

    def _take(self, at, line):
        with self.arrived:
            if line is None:
                self.has_closed = True
            elif self.take is None:
                self.lines.append((at, line))
            else:
                self.take(at, line)
            self.arrived.notify_all()

    def wait_for(self, predicate, since=0.0, timeout=15.0):
        """The first matching line since then; (None, None) after the time-out."""
        deadline = time.monotonic() + timeout
        with self.arrived:
            while True:
                for at, line in self.lines:
                    if at >= since and predicate(line):
                        return at, line
                left = deadline - time.monotonic()
                if left <= 0:
                    return None, None
                self.arrived.wait(left)

    def signal(self, number):
        self.process.send_signal(number)

    def end(self, timeout=5.0):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout)


def free_port():
    while True:
        port = random.randrange(10000, 32000)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                pass


def until(predicate, timeout=15.0, pause=0.01):
    """Repeats a question until the answer is true. Returns (whether, seconds it took)."""
    begin = time.monotonic()
    while time.monotonic() - begin < timeout:
        if predicate():
            return True, time.monotonic() - begin
        time.sleep(pause)
    return False, timeout
