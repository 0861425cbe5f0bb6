"""The worker for programs with threads."""

import logging
import os
import queue
import threading
import time
import weakref
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from types import TracebackType
from typing import TypeVar

from . import actions, calls
from .actions import Entry, Owner
from .calls import Call
from .errors import Error
from .loop import Loop
from .options import Options
from .posts import PostCall, Posts
from .session import Session
from .types import GroupInfo, Joined, Kind, Member, MemberId, NodeInfo, NotifyReport, OnAttachment, OnGap
from .types import OnNotification, OnWatch, Status
from .watches import Watch

T = TypeVar("T")
log = logging.getLogger("muster")


class Worker:
    """A process that is attached to one node of a list and owns members there.

    Attaches to the first node that answers and fails over along the list. Its members, handlers and watches outlive the
    session: a session that is lost is resumed within its grace, with all that was missed meanwhile; after that, or at
    another node, the worker joins and watches again by itself (its members then have new numbers; the ids given earlier
    still name them in `leave`).

    Handlers run one at a time on one thread of the worker's own. A notification counts as delivered when its handlers
    have returned, also when they raised: that is logged (logger "muster") and changes nothing. All calls may be made on
    any thread, and in handlers, and answer within their timeout (in seconds). They raise muster.Error, whose `code`
    says why: bad_request, not_joined, overloaded, unreachable (no node could be asked), timeout (it may still be done),
    closed, unknown_session (a notify whose session ended: it may or may not have been sent).

    Threads do not survive a fork: make the worker in the process that uses it.
    """

    def __init__(self, session: Session, loop: Loop, handlers: "_Handlers") -> None:
        """Use Worker.connect."""
        self._session = session
        self._loop = loop
        self._handlers = handlers
        self._posts = Posts(loop.ask)
        self._finalizer = weakref.finalize(self, _end, loop, handlers)

    @classmethod
    def connect(
        cls,
        nodes: Sequence[str],
        *,
        name: str = "",
        scope: str = "default",
        timeout: float = 5.0,
        inbox: int = 65_536,
        on_gap: OnGap | None = None,
        on_attachment: OnAttachment | None = None,
        key: str | os.PathLike[str] | None = None,
        keys: str | os.PathLike[str] | None = None,
    ) -> "Worker":
        """Attaches to the first of `nodes` that answers.

        nodes          each "HOST:PORT", or "NAME@HOST:PORT" to say whose key is expected
        name           empty: "<host name>-<process id>"
        timeout        seconds for this call alone; afterwards it tries for ever
        inbox          items received and not yet handled; when full, no more are taken, and the node keeps them
        on_gap         called with how many notifications were lost for good (deliveries to members)
        on_attachment  called with (True, "attached to a at host:port") or (False, why it lost its node)
        key, keys      encryption: the file NAME.key with this worker's own pair, and the folder whose nodes/*.pub are
                       the keys of the nodes to trust. Both or neither; when they change they are read again

        Raises Error: bad_request (an option), unreachable (no node answered in time), or what all nodes refused it for:
        wrong_scope, wrong_version, not_ready, overloaded, refused.
        """
        options = Options(nodes, name, scope, inbox, on_gap, on_attachment, key, keys)
        session, ring = options.session()
        handlers = _Handlers(session.identity.name)
        loop = Loop(session, ring, handlers.put)
        handlers.start(loop)
        worker = cls(session, loop, handlers)
        try:
            worker._loop.start(timeout).future.result()
        except BaseException:
            worker.close()
            raise
        return worker

    def close(self) -> None:
        """Says goodbye: the members leave at once, and all calls raise `closed`. No handler is called afterwards.

        The goodbye waits a moment for the handler that runs, so that what it handles counts as delivered.
        """
        self._finalizer()

    def __enter__(self) -> "Worker":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def name(self) -> str:
        return self._session.identity.name

    @property
    def node(self) -> NodeInfo:
        """The node it is attached to, or was attached to last."""
        return self._session.node

    @property
    def counters(self) -> dict[str, int]:
        """Since it was made: frames dropped, sessions, hellos, items and posts repeated or refused, by name."""
        return self._session.all_counters() | {"posts_refused": self._posts.refused}

    def join(
        self,
        group: tuple[str, str],
        handler: OnNotification | None = None,
        *,
        count: int = 1,
        meta: Mapping[str, str] | None = None,
        visible: bool = False,
        timeout: float = 5.0,
    ) -> Joined:
        """Makes `count` members that `handler` serves, None for members that are only seen.

        The handler is called once for each member and notification, in order. Joining n times makes n members.
        With `visible` the call returns when every live node has them, so that "subscribe, then publish" loses nothing.
        """
        return self._ask(calls.JoinCall(group, handler, count, meta, visible, timeout))

    def leave(
        self, group: tuple[str, str], what: int | Sequence[MemberId] = 1, *, timeout: float = 5.0
    ) -> list[MemberId]:
        """The `what` latest joined members of this worker leave, or those named, and their ids are returned.

        Fewer when it has fewer; ids that are not joined are passed over. Raises not_joined when nothing is left to do.
        """
        return self._ask(calls.LeaveCall(group, what, timeout))

    def members(self, group: tuple[str, str], *, timeout: float = 5.0) -> list[Member]:
        """By node name, then number. A group without members is empty, never an error."""
        return self._ask(calls.MembersCall(group, False, timeout))

    def local_members(self, group: tuple[str, str], *, timeout: float = 5.0) -> list[Member]:
        """Only members at the node that this worker is attached to."""
        return self._ask(calls.MembersCall(group, True, timeout))

    def groups(self, *, timeout: float = 5.0) -> list[GroupInfo]:
        """All groups that have members, by store, then feature."""
        return self._ask(calls.GroupsCall(timeout))

    def nodes(self, *, timeout: float = 5.0) -> list[NodeInfo]:
        """All nodes that the node knows of, itself included."""
        return self._ask(calls.NodesCall(timeout))

    def status(self, *, timeout: float = 5.0) -> Status:
        return self._ask(calls.StatusCall(timeout))

    def notify(
        self, kind: Kind, group: tuple[str, str], data: object = None, *, wait: bool = False, timeout: float = 5.0
    ) -> NotifyReport:
        """Tells every member of the group; the caller need not be one. `data`: any msgpack value.

        The report says how many members matched, and with `wait` how many have handled it.
        """
        return self._ask(calls.NotifyCall(kind, group, data, wait, timeout))

    def notify_created(
        self, group: tuple[str, str], data: object = None, *, wait: bool = False, timeout: float = 5.0
    ) -> NotifyReport:
        """See notify."""
        return self.notify(Kind.created, group, data, wait=wait, timeout=timeout)

    def notify_updated(
        self, group: tuple[str, str], data: object = None, *, wait: bool = False, timeout: float = 5.0
    ) -> NotifyReport:
        """See notify."""
        return self.notify(Kind.updated, group, data, wait=wait, timeout=timeout)

    def notify_deleted(
        self, group: tuple[str, str], data: object = None, *, wait: bool = False, timeout: float = 5.0
    ) -> NotifyReport:
        """See notify."""
        return self.notify(Kind.deleted, group, data, wait=wait, timeout=timeout)

    def post(
        self, kind: Kind, group: tuple[str, str], data: object = None, *, wait: bool = False, timeout: float = 5.0
    ) -> Future[NotifyReport]:
        """As notify, but returns as soon as it has its place, so that one thread keeps many notifications under way.

        512 posts, with 32 MiB of data, may have no answer yet; it waits for a place for at most the timeout. One
        thread's posts go out in order, those that wait for a place in the order in which they were made. The Future has
        what notify would return or raise, bad_request and closed included, counted from this call on; overloaded:
        there was no place, and nothing was sent. It cannot be cancelled; who drops it forgets the answer alone.
        """
        try:
            call = PostCall(kind, group, data, wait, timeout, time.monotonic())
        except Error as error:
            refused: Future[NotifyReport] = Future()
            refused.set_exception(error)
            return refused
        self._posts.ask(call)
        try:
            call.placed.result(timeout)
        except TimeoutError:
            pass
        finally:
            self._posts.withdraw(call)
        return call.future

    def watch(self, group: tuple[str, str], handler: OnWatch, *, timeout: float = 5.0) -> Watch:
        """A snapshot of the group, then every join and leave, with nothing between missed or doubled.

        After a lost session a fresh snapshot replaces the old one.
        """
        return self._ask(calls.WatchCall(group, handler, timeout))

    def watch_all(self, handler: OnWatch, *, timeout: float = 5.0) -> Watch:
        """The same for every group of the scope."""
        return self._ask(calls.WatchCall(None, handler, timeout))

    def unwatch(self, watch: Watch, *, timeout: float = 5.0) -> bool:
        """False when that watch had ended. After it returns no event of the watch is handled any more.

        (Called in the watch's own handler: none after the present one.)
        """
        answer: queue.SimpleQueue[Call[None] | None] = queue.SimpleQueue()
        self._loop.unwatch(watch, answer.put)
        call = answer.get()
        if call is None:
            return False
        self._handlers.wait_for(watch)
        try:
            call.future.result(timeout)
        except Exception:  # the node was not told in time, and will be
            pass
        return True

    def _ask(self, call: Call[T]) -> T:
        self._loop.ask(call)
        try:
            return call.future.result()
        except Error:
            raise
        except BaseException:
            self._loop.abandon(call)  # the wait was interrupted
            raise


class _Handlers:
    """One thread that calls handlers, one at a time and in order."""

    def __init__(self, name: str) -> None:
        self._entries: queue.SimpleQueue[Entry | None] = queue.SimpleQueue()  # bounded by the session's inbox
        self._running: Owner | None = None
        self._changed = threading.Condition()
        self._is_over = False
        self._thread = threading.Thread(target=self._run, name=f"muster {name} handlers", daemon=True)
        self._loop: Loop | None = None

    def start(self, loop: Loop) -> None:
        self._loop = loop
        self._thread.start()

    def put(self, entry: Entry) -> None:
        self._entries.put(entry)

    def wait_for(self, owner: Owner) -> None:
        """Until no handler of it runs. At once on the handlers' own thread."""
        if threading.current_thread() is not self._thread:
            with self._changed:
                self._changed.wait_for(lambda: self._running is not owner)

    def end(self, patience: float | None = None) -> None:
        """No handler is called any more; waits for the one that runs, unless called in it."""
        self._is_over = True
        self._entries.put(None)
        if threading.current_thread() is not self._thread:
            self._thread.join(patience)

    def _run(self) -> None:
        assert self._loop
        while (entry := self._entries.get()) is not None:
            for step in entry.steps:
                if self._is_over:
                    return
                self._become(step.owner)
                if step.owner.active:
                    try:
                        step.handler(*step.arguments)
                    except BaseException:  # also sys.exit(): the handlers after it are called
                        log.exception("a handler failed")
                self._become(None)
            self._loop.handled(entry)

    def _become(self, owner: Owner | None) -> None:
        with self._changed:
            self._running = owner
            self._changed.notify_all()


def _end(loop: Loop, handlers: _Handlers) -> None:
    handlers.end(actions.LAST_HANDLER)
    loop.close()
    handlers.end()
