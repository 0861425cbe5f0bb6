"""A worker of muster: knows which processes are interested in X, and notifies them all.

    with muster.Worker.connect(["127.0.0.1:7100"]) as worker:
        worker.join(("orders", "subscriptions"), lambda n: print(n.kind, n.data))
        report = worker.notify_created(("orders", "subscriptions"), {"order": 7}, wait=True)

muster.aio.Worker has the same calls for asyncio.
"""

from . import aio
from .errors import Error, ErrorCode
from .group import GroupKey, group_key
from .types import (
    SNAPSHOTS,
    STREAMS,
    SUBSCRIPTIONS,
    Event,
    Gap,
    Group,
    GroupInfo,
    GroupMembers,
    Joined,
    Kind,
    Member,
    MemberId,
    Missed,
    MissReason,
    NodeId,
    NodeInfo,
    NodeState,
    Notification,
    NotifyReport,
    Reason,
    Status,
    WatchEvent,
)
from .watches import Watch
from .worker import Worker

__all__ = [
    "Error",
    "ErrorCode",
    "Event",
    "Gap",
    "Group",
    "GroupInfo",
    "GroupKey",
    "GroupMembers",
    "Joined",
    "Kind",
    "Member",
    "MemberId",
    "MissReason",
    "Missed",
    "NodeId",
    "NodeInfo",
    "NodeState",
    "Notification",
    "NotifyReport",
    "Reason",
    "SNAPSHOTS",
    "STREAMS",
    "SUBSCRIPTIONS",
    "Status",
    "Watch",
    "WatchEvent",
    "Worker",
    "aio",
    "group_key",
]
