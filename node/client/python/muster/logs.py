"""The logger "muster", whose lines come from the worker's own threads."""

import functools
import logging
import os
import queue
import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .threads import Serving

if TYPE_CHECKING:
    Adapter = logging.LoggerAdapter[logging.Logger]
else:
    Adapter = logging.LoggerAdapter


MOST_LINES = 1000  # that wait to be written


class Log(Adapter):
    """What a program's logging handlers and filters raise loses the line. It must not end a thread of the worker, so
    there an exit of the program is lost, too.
    """

    def log(self, level: int, msg: object, *args: Any, **kwargs: Any) -> None:
        try:
            super().log(level, msg, *args, **kwargs)
        except BaseException as error:
            if not isinstance(error, Exception) and threading.current_thread() is threading.main_thread():
                raise


class Later(Log):
    """For the thread of a session, which must not wait: a logging handler may block, as on a pipe that nobody reads.

    A thread writes the lines, one for all workers of the process. Without it, each line is written at once.
    """

    def __init__(self, logger: logging.Logger) -> None:
        super().__init__(logger, {})
        self._lines: queue.SimpleQueue[Callable[[], object]] = queue.SimpleQueue()
        self._process = 0  # the one that has the thread: a fork has none
        self._lost = 0  # lines that found no room

    def start(self) -> None:
        """Raises RuntimeError if the system has no more threads."""
        if self._process != os.getpid():
            self._lines = queue.SimpleQueue()
            Serving(self._run, "log", self._lines).start()
            self._process = os.getpid()

    def log(self, level: int, msg: object, *args: Any, **kwargs: Any) -> None:
        if not self.isEnabledFor(level):
            return
        if kwargs.get("exc_info") is True:
            kwargs["exc_info"] = sys.exc_info()
        write = functools.partial(super().log, level, msg, *args, **kwargs)
        if self._process != os.getpid():
            write()
        elif self._lines.qsize() < MOST_LINES:
            self._lines.put(write)
        else:
            self._lost += 1

    def flush(self, timeout: float) -> bool:
        """Whether all lines before this call were written in that time."""
        if self._process != os.getpid():
            return True
        written = threading.Event()
        self._lines.put(written.set)
        return written.wait(timeout)

    def _run(self, lines: queue.SimpleQueue[Callable[[], object]]) -> None:
        while True:
            lines.get()()
            lost, self._lost = self._lost, 0
            if lost:
                super().log(logging.WARNING, "%d lines before this one found no room, because the log blocked", lost)


log = Log(logging.getLogger("muster"), {})
later = Later(log.logger)
