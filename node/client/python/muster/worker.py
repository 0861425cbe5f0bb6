"""The worker for programs with threads."""

import atexit
import os
import time
import weakref
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from types import TracebackType
from typing import TypeVar

from . import actions, calls
from .arguments import checked_handler, checked_timeout, count_or_items
from .calls import Call
from .errors import Error, ErrorCode, bad_request, shown
from .handlers import Handlers, end_child
from .kinds import is_a
from .logs import log
from .loop import CLOSING, Loop
from .options import Options
from .posts import PostCall, Posts
from .reports import Report, Reports
from .session import Session
from .threads import may_wait
from .types import GroupInfo, Joined, Kind, Member, MemberId, NodeInfo, NotifyReport, OnAttachment, OnGap
from .types import OnNotification, OnWatch, Status
from .watches import Watch

T = TypeVar("T")
SPARE = 1.0  # seconds beyond its timeout after which a call ends without the loop's help
AT_EXIT = 1.0  # seconds that the end of the process waits for a handler that runs


class Worker:
    """A process that is attached to one node of a list and owns members there.

    A worker attaches to the first node that answers. If it loses that node, it goes on along the list, for ever. Its
    members, handlers and watches outlive its session with a node. A session that is lost is resumed within its grace
    period: then nothing was missed. After that, or at another node, the worker joins and watches again by itself. Its
    members have new numbers then; ids that `join` returned earlier still name them in `leave`. Within the handover
    window of the nodes they get what they missed meanwhile, once and in order, and notifies that were under way are
    sent again. Beyond it, what came meanwhile is lost.

    Threads: all calls are thread-safe and may be made in handlers. Handlers run one at a time on a thread of this
    worker. A notification counts as delivered when its handlers have returned. A handler that raises is logged (logger
    "muster") and counts as returned. All calls may be made in signal handlers.

    Processes: threads do not survive a fork. In a forked child the calls of a worker that the parent made raise
    `closed` immediately, and `close` does nothing; the parent's worker is not affected. A child connects a worker of
    its own. A child that a handler forks ends when it returns from the handler, as by os._exit(0).

    Timeouts are an int or float in seconds, more than 0 and at most 86,400; a call returns or raises in that time.
    Arguments of another type than stated raise bad_request, and nothing is sent.

    All calls raise muster.Error, whose `code` says why: bad_request (an argument), not_joined (leave), overloaded,
    unreachable (no node could be asked), timeout (the call may still be carried out), closed, unknown_session (the
    session ended before the reply to a notify came, at nodes that cannot hand over: the notification may or may not
    have been sent).
    """

    def __init__(self, session: Session, loop: Loop, handlers: Handlers) -> None:
        """Use Worker.connect."""
        self._session = session
        self._loop = loop
        self._handlers = handlers
        self._posts = Posts(loop.ask, loop.is_elsewhere)
        self._reports = Reports(loop, session.identity.name if session else "")
        _open[loop] = handlers
        self._finalizer = weakref.finalize(self, _end, {loop: handlers}, AT_EXIT)
        self._finalizer.atexit = False  # the end of the process closes all at once

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
        in_order: bool = False,
        listed_only: bool = False,
    ) -> "Worker":
        """Attaches to a node of the list.

        nodes          each "HOST:PORT", or "NAME@HOST:PORT" to say which node's key to expect there. They are tried in
                       random order, so that workers with one list spread over its nodes
        name           the worker's name; empty: "<host name>-<process id>". With keys it is the name of the key, or
                       begins with that and a dot; empty: "KEY.<host name>-<process id>", of the file KEY.key
        scope          must be the nodes' scope
        timeout        for this call only; once attached, the worker never stops trying
        inbox          items received and not yet handled, at least 1; when it is full, the node keeps what follows
        on_gap         called like a handler, with a Gap: the number of deliveries to members that were lost for good,
                       an int; with `at_least`, perhaps more
        on_attachment  called like a handler, with (True, "attached to a at host:port") or (False, why it lost its node)
        key, keys      encryption: the file NAME.key with this worker's own key pair, and the folder whose nodes/*.pub
                       are the keys of the nodes that it trusts. Give both or neither. They are read again when they
                       change
        in_order       try the nodes in the order of the list
        listed_only    attach to nodes of the list only; otherwise also to those that its node knows, after them

        Raises Error: bad_request (an option), unreachable (no node answered in time), or the reason why all nodes
        refused the worker: wrong_scope, wrong_version, not_ready, overloaded, refused.
        """
        options = Options(nodes, name, scope, inbox, on_gap, on_attachment, key, keys, timeout, in_order, listed_only)
        session, ring = options.session(coroutines=False)
        handlers = Handlers(session.identity.name)
        loop = Loop(session, ring, handlers.put)
        try:  # a signal handler may raise anywhere
            loop.begin()
            handlers.start(loop)
            worker = cls(session, loop, handlers)
            worker._result(loop.start(timeout))
        except BaseException:
            _end({loop: handlers}, AT_EXIT)
            raise
        return worker

    def close(self, *, timeout: float = 5.0) -> None:
        """Says goodbye: the members leave immediately. Calls raise `closed` afterwards, and no handler is called.

        Waits up to 0.2 s for a handler that runs, so that its notification counts as delivered, and then until the
        handler has returned, at most `timeout`. Called by a handler, it does not wait for it. Idempotent. The end of
        the process closes the worker, too, and waits at most about 1 s for a handler.
        """
        _end({self._loop: self._handlers}, checked_timeout(timeout))
        self._finalizer.detach()

    def __enter__(self) -> "Worker":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __reduce_ex__(self, protocol: object) -> str:
        raise TypeError("a muster.Worker cannot be copied or pickled: connect one in each process")

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
        if handler is not None:
            checked_handler(handler, "handler", coroutines=False)
        return self._ask(calls.JoinCall(group, handler, count, meta, visible, timeout))

    def leave(
        self, group: tuple[str, str], what: int | Sequence[MemberId] = 1, *, timeout: float = 5.0
    ) -> list[MemberId]:
        """Members of this worker leave: the `what` latest ones, or those with the given ids. Returns their ids.

        Fewer members leave if it has fewer; unknown ids are ignored. Raises not_joined if no member would leave.
        """
        return self._ask(calls.LeaveCall(group, count_or_items(what), timeout))

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
        nothing was sent then. A Future cannot be cancelled, and dropping it cancels nothing. Its callbacks run on a
        thread of the worker, one after the other: while one blocks, further reports may come late. A child that one of
        them forks ends when it returns.
        """
        report = Report()
        report.set_running_or_notify_cancel()
        try:
            call = PostCall(kind, group, data, wait, timeout, time.monotonic())
        except Error as error:
            report.set_exception(error)
            return report
        reports = self._reports
        call.future.then(lambda: reports.settle(report, call))
        self._posts.ask(call)
        try:
            if not self._loop.is_current():
                call.accepted.wait(call.timeout)
        finally:
            self._posts.withdraw(call)
        return report

    def watch(self, group: tuple[str, str], handler: OnWatch, *, timeout: float = 5.0) -> Watch:
        """The handler is called with a snapshot of the group, then with every join and leave, none missed or doubled.

        After a session that could not be resumed, a new snapshot replaces all before it.
        """
        checked_handler(handler, "handler", coroutines=False)
        return self._ask(calls.WatchCall(group, handler, timeout))

    def watch_all(self, handler: OnWatch, *, timeout: float = 5.0) -> Watch:
        """Watches every group of the scope."""
        checked_handler(handler, "handler", coroutines=False)
        return self._ask(calls.WatchCall(calls.EVERY_GROUP, handler, timeout))

    def unwatch(self, watch: Watch, *, timeout: float = 5.0) -> bool:
        """Ends a watch. Returns False if it had ended already. Afterwards its handler is not called any more.

        Waits while the handler runs, unless it is called by that handler.
        """
        if not is_a(watch, Watch):
            raise bad_request(f"{shown(watch)} is not a watch: give what `watch` returned")
        until = time.monotonic() + checked_timeout(timeout)
        self._check_thread()
        ended = self._loop.unwatch(watch)
        call = ended.result(0) if ended.wait(until - time.monotonic()) else None
        if call is None:
            return False
        self._handlers.wait_for(watch, until - time.monotonic())
        call.future.wait(until - time.monotonic())  # if the node is not told in time, the request stays in flight
        return True

    def _ask(self, call: Call[T]) -> T:
        self._check_thread()
        self._loop.ask(call)
        return self._result(call)

    def _result(self, call: Call[T]) -> T:
        try:
            if not call.future.wait(call.timeout + SPARE):
                call.fail(Error(ErrorCode.timeout, "the worker's own thread does not run: is the process overloaded?"))
            return call.future.result(0)
        except Error:
            raise
        except BaseException:
            self._loop.abandon(call)  # the wait was interrupted
            raise

    def _check_thread(self) -> None:
        if self._loop.is_current():
            raise bad_request("this call would wait for itself: it runs on the worker's own thread")


_open: dict[Loop, Handlers] = {}  # of the workers that have not been closed


def _end(ending: dict[Loop, Handlers], patience: float) -> None:
    """Is called at the end of the process, too, in signal handlers, and by the garbage collector.

    Every wait is bounded, for all of them together.
    """
    here = {loop: handlers for loop, handlers in ending.items() if not loop.is_elsewhere()}
    waits = may_wait()
    _wait_for_handlers(here, actions.LAST_HANDLER if waits else 0)
    for loop in here:
        loop.begin_close()
    until = time.monotonic() + CLOSING
    for loop in ending:
        loop.close(until - time.monotonic())
        _open.pop(loop, None)
    if waits and not _wait_for_handlers(here, patience):
        log.warning("a handler still runs %.1f s after its worker was closed", patience)


def _wait_for_handlers(of: dict[Loop, Handlers], patience: float) -> bool:
    """No handler is called any more. Whether none runs, at the latest after `patience`."""
    until = time.monotonic() + patience
    for handlers in of.values():
        handlers.end(0)
    return all([handlers.end(max(0.0, until - time.monotonic())) for handlers in of.values()])


atexit.register(lambda: _end(dict(_open), AT_EXIT))
