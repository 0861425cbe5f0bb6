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
from .actions import Entry, Recipient
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

    A worker attaches to the first node that answers. If it loses that node, it goes on along the list, for ever. Its
    members, handlers and watches outlive its session with a node. A session that is lost is resumed within its grace
    period: then nothing was missed. After that, or at another node, the worker joins and watches again by itself. Its
    members have new numbers then; ids that `join` returned earlier still name them in `leave`.

    Threads: all calls are thread-safe and may be made in handlers. Handlers run one at a time on a thread of this
    worker. A notification counts as delivered when its handlers have returned. A handler that raises is logged (logger
    "muster") and counts as returned. Threads do not survive a fork: make the worker in the process that uses it.

    Timeouts are in seconds, more than 0 and at most 86,400; a call returns or raises within its timeout.

    All calls raise muster.Error, whose `code` says why: bad_request (an argument), not_joined (leave), overloaded,
    unreachable (no node could be asked), timeout (the call may still be carried out), closed, unknown_session (the
    session ended before the reply to a notify came: the notification may or may not have been sent).
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

        nodes          each "HOST:PORT", or "NAME@HOST:PORT" to say which node's key to expect there
        name           the worker's name; empty: "<host name>-<process id>"
        scope          must be the nodes' scope
        timeout        for this call only; once attached, the worker never stops trying
        inbox          items received and not yet handled, at least 1; when it is full, the node keeps what follows
        on_gap         called like a handler, with the number of deliveries to members that were lost for good
        on_attachment  called like a handler, with (True, "attached to a at host:port") or (False, why it lost its node)
        key, keys      encryption: the file NAME.key with this worker's own key pair, and the folder whose nodes/*.pub
                       are the keys of the nodes that it trusts. Give both or neither. They are read again when they
                       change

        Raises Error: bad_request (an option), unreachable (no node answered in time), or the reason why all nodes
        refused the worker: wrong_scope, wrong_version, not_ready, overloaded, refused.
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
        """Says goodbye: the members leave immediately. Calls raise `closed` afterwards, and no handler is called.

        Waits up to 0.2 s for a handler that runs, so that its notification counts as delivered, and then until the
        handler has returned. Called by a handler, it does not wait for it. Idempotent.
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
        """The node that the worker is attached to, or was last."""
        return self._session.node

    @property
    def counters(self) -> dict[str, int]:
        """Counts since `connect`, by name: frames dropped, sessions, hellos, items and posts repeated or refused."""
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
        """Makes `count` (1 to 65,536) members of the group. Joining n times makes n members.

        handler  called with each Notification, once for each of these members, in order; None: the members are only
                 seen, and notifications for them count as delivered
        meta     up to 16 pairs of texts that `members` shows, each at most 255 bytes
        visible  return only when every live node has the members, so that "subscribe, then publish" loses nothing
        """
        return self._ask(calls.JoinCall(group, handler, count, meta, visible, timeout))

    def leave(
        self, group: tuple[str, str], what: int | Sequence[MemberId] = 1, *, timeout: float = 5.0
    ) -> list[MemberId]:
        """Members of this worker leave: the `what` latest ones, or those with the given ids. Returns their ids.

        Fewer members leave if it has fewer; unknown ids are ignored. Raises not_joined if no member would leave.
        """
        return self._ask(calls.LeaveCall(group, what, timeout))

    def members(self, group: tuple[str, str], *, timeout: float = 5.0) -> list[Member]:
        """The group's members in the whole cluster, by node name, then number. Empty if there are none."""
        return self._ask(calls.MembersCall(group, False, timeout))

    def local_members(self, group: tuple[str, str], *, timeout: float = 5.0) -> list[Member]:
        """The same, but only members at the node that this worker is attached to."""
        return self._ask(calls.MembersCall(group, True, timeout))

    def groups(self, *, timeout: float = 5.0) -> list[GroupInfo]:
        """All groups that have members, by store, then feature."""
        return self._ask(calls.GroupsCall(timeout))

    def nodes(self, *, timeout: float = 5.0) -> list[NodeInfo]:
        """All nodes that the node of this worker knows, itself included."""
        return self._ask(calls.NodesCall(timeout))

    def status(self, *, timeout: float = 5.0) -> Status:
        return self._ask(calls.StatusCall(timeout))

    def notify(
        self, kind: Kind, group: tuple[str, str], data: object = None, *, wait: bool = False, timeout: float = 5.0
    ) -> NotifyReport:
        """Notifies every member of the group. The caller need not be a member.

        data  any value that msgpack can encode, in at most 512 KiB
        wait  return when the members have handled it, or at the timeout; the report then says how many have
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
        """Like notify, but does not wait for the report, so that one thread can have many notifications under way.

        At most 512 posts with 32 MiB of data may be unanswered; at that bound the call waits, at most the timeout. The
        posts of one thread are sent in order. The Future ends within the timeout, counted from this call on, with what
        notify returns or raises (bad_request and closed, too), or with overloaded if the bound was still reached:
        nothing was sent then. A Future cannot be cancelled, and dropping it cancels nothing.
        """
        try:
            call = PostCall(kind, group, data, wait, timeout, time.monotonic())
        except Error as error:
            refused: Future[NotifyReport] = Future()
            refused.set_exception(error)
            return refused
        self._posts.ask(call)
        try:
            call.accepted.result(timeout)
        except TimeoutError:
            pass
        finally:
            self._posts.withdraw(call)
        return call.future

    def watch(self, group: tuple[str, str], handler: OnWatch, *, timeout: float = 5.0) -> Watch:
        """The handler is called with a snapshot of the group, then with every join and leave, none missed or doubled.

        After a session that could not be resumed, a new snapshot replaces all before it.
        """
        return self._ask(calls.WatchCall(group, handler, timeout))

    def watch_all(self, handler: OnWatch, *, timeout: float = 5.0) -> Watch:
        """Watches every group of the scope."""
        return self._ask(calls.WatchCall(None, handler, timeout))

    def unwatch(self, watch: Watch, *, timeout: float = 5.0) -> bool:
        """Ends a watch. Returns False if it had ended already. Afterwards its handler is not called any more.

        Waits while the handler runs, unless it is called by that handler.
        """
        answer: queue.SimpleQueue[Call[None] | None] = queue.SimpleQueue()
        self._loop.unwatch(watch, answer.put)
        call = answer.get()
        if call is None:
            return False
        self._handlers.wait_for(watch)
        try:
            call.future.result(timeout)
        except Exception:  # the node was not told in time; the request stays in flight
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
    """A thread that calls handlers one at a time and in order."""

    def __init__(self, name: str) -> None:
        self._entries: queue.SimpleQueue[Entry | None] = queue.SimpleQueue()  # bounded by the session's inbox
        self._running: Recipient | None = None
        self._changed = threading.Condition()
        self._is_over = False
        self._thread = threading.Thread(target=self._run, name=f"muster {name} handlers", daemon=True)
        self._loop: Loop | None = None

    def start(self, loop: Loop) -> None:
        self._loop = loop
        self._thread.start()

    def put(self, entry: Entry) -> None:
        self._entries.put(entry)

    def wait_for(self, recipient: Recipient) -> None:
        """Waits until no handler of `recipient` runs. Does not wait on the handlers' own thread."""
        if threading.current_thread() is not self._thread:
            with self._changed:
                self._changed.wait_for(lambda: self._running is not recipient)

    def end(self, patience: float | None = None) -> None:
        """No handler is called any more. Waits for the one that runs, at most `patience`, unless called by it."""
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
                self._set_running(step.recipient)
                if step.recipient.active:
                    try:
                        step.handler(*step.arguments)
                    except BaseException:  # also SystemExit: it must not end the thread, because other handlers follow
                        log.exception("a handler failed")
                self._set_running(None)
            self._loop.handled(entry)

    def _set_running(self, recipient: Recipient | None) -> None:
        with self._changed:
            self._running = recipient
            self._changed.notify_all()


def _end(loop: Loop, handlers: _Handlers) -> None:
    handlers.end(actions.LAST_HANDLER)
    loop.close()
    handlers.end()
