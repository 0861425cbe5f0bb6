"""The thread that calls a worker's handlers."""

import inspect
import os
import queue
import threading

from .actions import Entry, Recipient, Step
from .errors import no_resources
from .logs import log
from .loop import Loop
from .outcome import Outcome


class Running:
    """A call of a handler."""

    def __init__(self, recipient: Recipient) -> None:
        self.recipient = recipient
        self.returned: Outcome[None] = Outcome()


class Handlers:
    """Calls handlers one at a time and in order. Takes no lock: its methods may be called in signal handlers."""

    def __init__(self, name: str) -> None:
        self._entries: queue.SimpleQueue[Entry | None] = queue.SimpleQueue()  # bounded by the session's inbox
        self._running: Running | None = None
        self._is_over = False
        self._ended: Outcome[None] = Outcome()
        self._thread = threading.Thread(target=self._run, name=f"muster {name} handlers", daemon=True)
        self._loop: Loop | None = None

    def start(self, loop: Loop) -> None:
        self._loop = loop
        try:
            self._thread.start()
        except RuntimeError as error:
            self._ended.set_result(None)
            loop.close()
            raise no_resources(error) from error

    def put(self, entry: Entry) -> None:
        self._entries.put(entry)

    def wait_for(self, recipient: Recipient, timeout: float) -> None:
        """Waits until no handler of `recipient` runs. Does not wait on the handlers' own thread."""
        running = self._running
        if running and running.recipient is recipient and threading.current_thread() is not self._thread:
            running.returned.wait(timeout)

    def end(self, patience: float) -> bool:
        """No handler is called any more. Waits for the one that runs, at most `patience`, unless called by it.

        Returns whether none runs, or the caller is the one that does.
        """
        self._is_over = True
        self._entries.put(None)
        has_begun = self._thread.ident is not None
        return not has_begun or threading.current_thread() is self._thread or self._ended.wait(patience)

    def _run(self) -> None:
        assert self._loop
        while (entry := self._entries.get()) is not None:
            for step in entry.steps:
                if self._is_over:
                    break
                self._running = Running(step.recipient)  # before `active` is read: see wait_for
                if step.recipient.active:
                    self._call(step)
                    end_child(self._loop)
                self._running.returned.set_result(None)
                self._running = None
            else:
                self._loop.handled(entry)
        self._ended.set_result(None)

    def _call(self, step: Step) -> None:
        try:
            result = step.handler(*step.arguments)
            if inspect.iscoroutine(result):
                result.close()
                log.error("a handler returned a coroutine, which only muster.aio.Worker can run: %r", step.handler)
        except BaseException:  # also SystemExit: it must not end the thread, because other handlers follow
            log.exception("a handler failed")


def end_child(loop: Loop) -> None:
    """Call it when a user's code has returned. A child that it forked ends here: what follows is the parent's."""
    if loop.is_elsewhere():
        os._exit(0)
