"""The worker for programs with asyncio."""

import asyncio
import os
import time
import weakref
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import TypeVar

from . import actions, calls
from .arguments import checked_handler, checked_timeout, count_or_items
from .calls import Call
from .errors import Error, bad_request, shown
from .kinds import is_a
from .logs import log
from .loop import CLOSING, Loop
from .options import Options
from .posts import PostCall, Posts
from .session import Session
from .tasks import Tasks, settled
from .types import GroupInfo, Joined, Kind, Member, MemberId, NodeInfo, NotifyReport, OnAttachment, OnGap
from .types import OnNotification, OnWatch, Status
from .watches import Watch

T = TypeVar("T")


class Worker:
    """Like muster.Worker, with coroutines for its calls. See there for arguments, results and errors.

    Handlers are functions or coroutine functions. They run one at a time, in a task of the event loop in which
    `connect` was awaited. A notification counts as delivered when its handlers have returned. A handler that raises, or
    that is cancelled, is logged and counts as returned. Only KeyboardInterrupt and SystemExit also leave the event
    loop, as they leave any task. Calls may be made in other event loops, too. If a call is cancelled, nobody waits for
    its reply: a join whose reply comes later is undone. A child that a handler forks ends when it returns from the
    handler or awaits something, as by os._exit(0).

    The session has a thread of its own, so that an event loop that is busy for seconds does not lose the session. When
    the event loop is closed, and the worker is not, the worker logs it and closes within a second.
    """

    def __init__(self, session: Session, loop: Loop, handlers: Tasks) -> None:
        """Use `await Worker.connect(…)`."""
        self._session = session
        self._loop = loop
        self._handlers = handlers
        self._posts = Posts(loop.ask, loop.is_elsewhere)
        self._finalizer = weakref.finalize(self, loop.close)

    @classmethod
    async def connect(
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
        options = Options(nodes, name, scope, inbox, on_gap, on_attachment, key, keys, timeout, in_order, listed_only)
        session, ring = options.session(coroutines=True)
        handlers = Tasks(asyncio.get_running_loop())
        loop = Loop(session, ring, handlers.put, handlers.events.is_closed)
        worker = cls(session, loop, handlers)
        try:
            loop.begin()
            handlers.start(loop)
            await settled(loop.start(timeout).future)
        except BaseException:
            await worker.close()
            raise
        return worker

    async def close(self, *, timeout: float = 5.0) -> None:
        """As muster.Worker.close. A handler that still runs after `timeout` is cancelled. Works in any event loop."""
        timeout = checked_timeout(timeout)
        if self._loop.is_elsewhere():
            return
        try:
            await self._handlers.end(actions.LAST_HANDLER)
        finally:  # also if it is cancelled
            self._loop.begin_close()
        await asyncio.wait([settled(self._loop.ended)], timeout=CLOSING)
        self._finalizer.detach()
        if not await self._handlers.end(timeout):
            log.warning("a handler still runs %.1f s after its worker was closed: it is cancelled", timeout)
            self._handlers.cancel()

    async def __aenter__(self) -> "Worker":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def __reduce_ex__(self, protocol: object) -> str:
        raise TypeError("a muster.aio.Worker cannot be copied or pickled: connect one in each process")

    @property
    def name(self) -> str:
        return self._session.identity.name

    @property
    def node(self) -> NodeInfo:
        return self._session.node

    @property
    def counters(self) -> dict[str, int]:
        return self._session.all_counters() | {"posts_refused": self._posts.refused}

    async def join(
        self,
        group: tuple[str, str],
        handler: OnNotification | None = None,
        *,
        count: int = 1,
        meta: Mapping[str, str] | None = None,
        visible: bool = False,
        timeout: float = 5.0,
    ) -> Joined:
        if handler is not None:
            checked_handler(handler, "handler", coroutines=True)
        return await self._ask(calls.JoinCall(group, handler, count, meta, visible, timeout))

    async def leave(
        self, group: tuple[str, str], what: int | Sequence[MemberId] = 1, *, timeout: float = 5.0
    ) -> list[MemberId]:
        return await self._ask(calls.LeaveCall(group, count_or_items(what), timeout))

    async def members(self, group: tuple[str, str], *, timeout: float = 5.0) -> list[Member]:
        return await self._ask(calls.MembersCall(group, False, timeout))

    async def local_members(self, group: tuple[str, str], *, timeout: float = 5.0) -> list[Member]:
        return await self._ask(calls.MembersCall(group, True, timeout))

    async def groups(self, *, timeout: float = 5.0) -> list[GroupInfo]:
        return await self._ask(calls.GroupsCall(timeout))

    async def nodes(self, *, timeout: float = 5.0) -> list[NodeInfo]:
        return await self._ask(calls.NodesCall(timeout))

    async def status(self, *, timeout: float = 5.0) -> Status:
        return await self._ask(calls.StatusCall(timeout))

    async def notify(
        self, kind: Kind, group: tuple[str, str], data: object = None, *, wait: bool = False, timeout: float = 5.0
    ) -> NotifyReport:
        return await self._ask(calls.NotifyCall(kind, group, data, wait, timeout))

    async def notify_created(
        self, group: tuple[str, str], data: object = None, *, wait: bool = False, timeout: float = 5.0
    ) -> NotifyReport:
        return await self.notify(Kind.created, group, data, wait=wait, timeout=timeout)

    async def notify_updated(
        self, group: tuple[str, str], data: object = None, *, wait: bool = False, timeout: float = 5.0
    ) -> NotifyReport:
        return await self.notify(Kind.updated, group, data, wait=wait, timeout=timeout)

    async def notify_deleted(
        self, group: tuple[str, str], data: object = None, *, wait: bool = False, timeout: float = 5.0
    ) -> NotifyReport:
        return await self.notify(Kind.deleted, group, data, wait=wait, timeout=timeout)

    async def post(
        self, kind: Kind, group: tuple[str, str], data: object = None, *, wait: bool = False, timeout: float = 5.0
    ) -> asyncio.Future[NotifyReport]:
        """Waits only while the bound on posts is reached, and returns a future: `await (await worker.post(…))`.

        If it is cancelled while it waits, nothing is sent. An error in a future that nobody awaits is not logged.
        """
        try:
            call = PostCall(kind, group, data, wait, timeout, time.monotonic())
        except Error as error:
            refused: asyncio.Future[NotifyReport] = asyncio.get_running_loop().create_future()
            refused.set_exception(error)
            refused.exception()  # marks it as retrieved
            return refused
        report = settled(call.future)
        self._posts.ask(call)
        if not call.accepted.done():
            try:
                await asyncio.wait([settled(call.accepted)], timeout=call.timeout)
            finally:
                self._posts.withdraw(call)
        return report

    async def watch(self, group: tuple[str, str], handler: OnWatch, *, timeout: float = 5.0) -> Watch:
        checked_handler(handler, "handler", coroutines=True)
        return await self._ask(calls.WatchCall(group, handler, timeout))

    async def watch_all(self, handler: OnWatch, *, timeout: float = 5.0) -> Watch:
        checked_handler(handler, "handler", coroutines=True)
        return await self._ask(calls.WatchCall(calls.EVERY_GROUP, handler, timeout))

    async def unwatch(self, watch: Watch, *, timeout: float = 5.0) -> bool:
        if not is_a(watch, Watch):
            raise bad_request(f"{shown(watch)} is not a watch: give what `watch` returned")
        until = time.monotonic() + checked_timeout(timeout)
        ended = self._loop.unwatch(watch)
        await asyncio.wait([settled(ended)], timeout=until - time.monotonic())
        call = ended.result(0) if ended.done() else None
        if call is None:
            return False
        if returned := self._handlers.running(watch):
            await asyncio.wait([settled(returned)], timeout=until - time.monotonic())
        await asyncio.wait([settled(call.future)], timeout=until - time.monotonic())  # otherwise the node is told later
        return True

    async def _ask(self, call: Call[T]) -> T:
        self._loop.ask(call)
        try:
            if self._loop.is_elsewhere():  # in the child of a handler no event loop runs that could wait
                return call.future.result(0)
            return await settled(call.future)
        except Error:
            raise
        except BaseException:
            self._loop.abandon(call)  # the call was cancelled
            raise
