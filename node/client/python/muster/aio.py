"""The worker for programs with asyncio."""

import asyncio
import logging
import os
import time
import weakref
from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import TracebackType
from typing import TypeVar

from . import actions, calls
from .actions import Entry, Recipient, Step
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
    """Like muster.Worker, with coroutines for its calls. See there for arguments, results and errors.

    Handlers are functions or coroutine functions. They run one at a time in one task of the event loop in which
    `connect` was awaited. A notification counts as delivered when its handlers have returned. All calls must be made in
    that event loop. If a call is cancelled, nobody waits for its reply: a join whose reply comes later is undone.

    The session has a thread of its own, so that an event loop that is busy for seconds does not lose the session.
    """

    def __init__(self, session: Session, loop: Loop, handlers: "_Handlers") -> None:
        """Use `await Worker.connect(…)`."""
        self._session = session
        self._loop = loop
        self._handlers = handlers
        self._posts = Posts(loop.ask)
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
    ) -> "Worker":
        options = Options(nodes, name, scope, inbox, on_gap, on_attachment, key, keys)
        session, ring = options.session()
        handlers = _Handlers(asyncio.get_running_loop())
        loop = Loop(session, ring, handlers.put)
        handlers.start(loop)
        worker = cls(session, loop, handlers)
        try:
            await asyncio.wrap_future(loop.start(timeout).future)
        except BaseException:
            await worker.close()
            raise
        return worker

    async def close(self) -> None:
        await self._handlers.end(actions.LAST_HANDLER)
        await asyncio.to_thread(self._finalizer)
        await self._handlers.end()

    async def __aenter__(self) -> "Worker":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

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
        return await self._ask(calls.JoinCall(group, handler, count, meta, visible, timeout))

    async def leave(
        self, group: tuple[str, str], what: int | Sequence[MemberId] = 1, *, timeout: float = 5.0
    ) -> list[MemberId]:
        return await self._ask(calls.LeaveCall(group, what, timeout))

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
        events = asyncio.get_running_loop()
        report: asyncio.Future[NotifyReport] = events.create_future()
        try:
            call = PostCall(kind, group, data, wait, timeout, time.monotonic())
        except Error as error:
            _copy(error, report)
            return report
        call.future.add_done_callback(
            lambda done: _at(events, lambda: _copy(done.exception() or done.result(), report))
        )
        self._posts.ask(call)
        if not call.accepted.done():
            accepted: asyncio.Future[None] = events.create_future()
            call.accepted.add_done_callback(lambda _: _in(events, accepted, None))
            try:
                await asyncio.wait([accepted], timeout=timeout)
            finally:
                self._posts.withdraw(call)
        return report

    async def watch(self, group: tuple[str, str], handler: OnWatch, *, timeout: float = 5.0) -> Watch:
        return await self._ask(calls.WatchCall(group, handler, timeout))

    async def watch_all(self, handler: OnWatch, *, timeout: float = 5.0) -> Watch:
        return await self._ask(calls.WatchCall(None, handler, timeout))

    async def unwatch(self, watch: Watch, *, timeout: float = 5.0) -> bool:
        events = asyncio.get_running_loop()
        answer: asyncio.Future[Call[None] | None] = events.create_future()
        self._loop.unwatch(watch, lambda call: _in(events, answer, call))
        call = await answer
        if call is None:
            return False
        await self._handlers.wait_for(watch)
        await asyncio.wait([asyncio.wrap_future(call.future)], timeout=timeout)  # otherwise the node is told later
        return True

    async def _ask(self, call: Call[T]) -> T:
        self._loop.ask(call)
        try:
            return await asyncio.wrap_future(call.future)
        except Error:
            raise
        except BaseException:
            self._loop.abandon(call)  # the call was cancelled
            raise


class _Handlers:
    """A task that calls handlers one at a time and in order."""

    def __init__(self, events: asyncio.AbstractEventLoop) -> None:
        self._events = events
        self._entries: asyncio.Queue[Entry | None] = asyncio.Queue()  # bounded by the session's inbox
        self._running: Recipient | None = None
        self._changed = asyncio.Condition()
        self._is_over = False
        self._loop: Loop | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self, loop: Loop) -> None:
        self._loop = loop
        self._task = self._events.create_task(self._run())

    def put(self, entry: Entry) -> None:
        """Called on the session's thread."""
        try:
            self._events.call_soon_threadsafe(self._entries.put_nowait, entry)
        except RuntimeError:
            pass  # the event loop has ended without closing the worker

    async def wait_for(self, recipient: Recipient) -> None:
        """Waits until no handler of `recipient` runs. Does not wait if called by a handler."""
        if asyncio.current_task() is not self._task:
            async with self._changed:
                await self._changed.wait_for(lambda: self._running is not recipient)

    async def end(self, patience: float | None = None) -> None:
        """No handler is called any more. Waits for the one that runs, at most `patience`, unless called by it."""
        self._is_over = True
        self._entries.put_nowait(None)
        if self._task and asyncio.current_task() is not self._task:
            await asyncio.wait([self._task], timeout=patience)

    async def _run(self) -> None:
        assert self._loop
        while (entry := await self._entries.get()) is not None:
            for step in entry.steps:
                if self._is_over:
                    return
                if step.recipient.active:
                    self._running = step.recipient
                    await self._call(step)
                    async with self._changed:
                        self._running = None
                        self._changed.notify_all()
            self._loop.handled(entry)

    async def _call(self, step: Step) -> None:
        try:
            result = step.handler(*step.arguments)
            if isinstance(result, Awaitable):
                await result
        except Exception:
            log.exception("a handler failed")


def _in(events: asyncio.AbstractEventLoop, future: "asyncio.Future[T]", result: T) -> None:
    _at(events, lambda: _copy(result, future))


def _at(events: asyncio.AbstractEventLoop, what: Callable[[], object]) -> None:
    try:
        events.call_soon_threadsafe(what)
    except RuntimeError:
        pass  # the event loop has ended


def _copy(result: T | BaseException, future: "asyncio.Future[T]") -> None:
    if future.done():
        return
    if isinstance(result, BaseException):
        future.set_exception(result)
        future.exception()  # marks it as retrieved: asyncio must not log it if nobody awaits it
    else:
        future.set_result(result)
