"""The worker's watches. They outlive sessions; their numbers do not."""

from . import limits
from .actions import Recipient
from .messages import WatchNews
from .types import GroupMembers, OnWatch, WatchEvent
from .wire import Malformed


class Watch(Recipient):
    """One watch, until `unwatch`."""

    def __init__(self, group: tuple[str, str], handler: OnWatch) -> None:
        self.group = group  # ("", ""): every group
        self.handler = handler
        self.number = 0  # of its request in the current session; 0: absent
        self.confirmed = False  # whether the caller has it
        self._parts: list[GroupMembers] = []
        self._size = 0

    def begin(self, number: int) -> None:
        self.number = number
        self._parts, self._size = [], 0

    def take(self, news: WatchNews) -> WatchEvent | None:
        """The event for the handler. None: more parts of it follow. Raises Malformed."""
        self._size += sum(1 + len(each.members) for each in news.groups)
        if self._size > limits.ANSWER_MEMBERS:
            raise Malformed("an event without an end")
        for each in news.groups:
            if self._parts and self._parts[-1].group == each.group:  # the group continues in this part
                self._parts[-1].members.extend(each.members)
            else:
                self._parts.append(each)
        if not news.last:
            return None
        parts, self._parts, self._size = self._parts, [], 0
        return WatchEvent(news.event, news.reason, parts)


class Watches:
    def __init__(self) -> None:
        self._all: dict[int, Watch] = {}  # by id(), in the order of watching
        self._by_number: dict[int, Watch] = {}

    def begin(self, watch: Watch, number: int) -> None:
        """The watch's request is sent under this number."""
        self._by_number.pop(watch.number, None)
        watch.begin(number)
        self._all[id(watch)] = watch
        self._by_number[number] = watch

    def find(self, number: int) -> Watch | None:
        return self._by_number.get(number)

    def has(self, watch: Watch) -> bool:
        return id(watch) in self._all

    def remove(self, watch: Watch) -> None:
        watch.active = False
        self._all.pop(id(watch), None)
        self._by_number.pop(watch.number, None)

    def end_session(self) -> list[Watch]:
        """All watches are absent now. Returns those that have to be asked for again."""
        for watch in self._all.values():
            watch.number = 0
        self._by_number.clear()
        return [watch for watch in self._all.values() if watch.confirmed]
