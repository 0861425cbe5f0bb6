"""The worker's own members. They outlive sessions; their numbers do not."""

from collections import Counter
from collections.abc import Iterable, Sequence

from .actions import Recipient
from .positions import Positions
from .types import Group, MemberId, NodeId, OnNotification


class Join:
    """One join. In a new session, those of its members that have not left are joined again together."""

    def __init__(self, group: Group, meta: dict[str, str], handler: OnNotification | None) -> None:
        self.group = group
        self.meta = meta
        self.handler = handler
        self.slots: list[Slot] = []
        self.asked_at: float | None = None  # when its request was first sent; None: not yet


class Slot(Recipient):
    """One member."""

    __slots__ = ("active", "join", "given", "current", "leaving")

    def __init__(self, join: Join, given: MemberId) -> None:
        self.active = True
        self.join = join
        self.given = given  # the id that the user knows
        self.current: MemberId | None = given  # in the current session; None: absent
        self.leaving = False


class Roster:
    def __init__(self) -> None:
        self._by_group: dict[Group, list[Slot]] = {}  # in the order of joining
        self._by_number: dict[int, Slot] = {}  # in the current session
        self._by_id: dict[MemberId, Slot] = {}  # both given and current ids
        self._joining: Counter[Group] = Counter()
        self.positions = Positions()

    def begin_join(self, group: Group) -> None:
        self._joining[group] += 1

    def end_join(self, group: Group) -> None:
        self._joining[group] -= 1
        if self._joining[group] <= 0:
            del self._joining[group]

    def is_joining(self, group: Group) -> bool:
        """Whether the group may have members whose numbers are not known yet."""
        return group in self._joining

    def is_new(self, numbers: Iterable[int]) -> bool:
        """Whether no number is that of a member of this session, and none occurs twice."""
        found = list(numbers)
        return len(set(found)) == len(found) and not any(number in self._by_number for number in found)

    def add(self, join: Join, node: NodeId, numbers: Iterable[int]) -> list[MemberId]:
        for number in numbers:
            slot = Slot(join, MemberId(node, number))
            join.slots.append(slot)
            self._by_number[number] = self._by_id[slot.given] = slot
        self._by_group.setdefault(join.group, []).extend(join.slots)
        return [slot.given for slot in join.slots]

    def find(self, number: int) -> Slot | None:
        return self._by_number.get(number)

    def has(self, group: Group) -> bool:
        """Whether the worker has members of the group, which may be absent."""
        return group in self._by_group

    def latest(self, group: Group, count: int) -> list[Slot]:
        """The `count` latest members of the group (or all, if there are fewer) that are not leaving already."""
        staying = [slot for slot in self._by_group.get(group, []) if not slot.leaving]
        return staying[-count:]

    def named(self, group: Group, ids: Sequence[MemberId]) -> list[Slot]:
        """The same by ids. Unknown ids are ignored."""
        found = {id(slot): slot for slot in map(self._by_id.get, ids) if slot}
        return [slot for slot in found.values() if slot.join.group == group and not slot.leaving]

    def remove(self, slots: Iterable[Slot]) -> None:
        """These members are gone for good."""
        gone = list(slots)
        for slot in gone:
            slot.active = False
            self._by_id.pop(slot.given, None)
            if slot.current:
                self._by_id.pop(slot.current, None)
                self._by_number.pop(slot.current.number, None)
        for join in {id(slot.join): slot.join for slot in gone}.values():
            join.slots = [slot for slot in join.slots if slot.active]
        for group in {slot.join.group for slot in gone}:
            staying = [slot for slot in self._by_group.get(group, []) if slot.active]
            if staying:
                self._by_group[group] = staying
            else:
                self._by_group.pop(group, None)
                self.positions.forget(group)

    def end_session(self) -> list[Join]:
        """All members are absent now. Returns what has to be joined again, in the order of joining."""
        for slot in self._by_number.values():
            if slot.current and slot.current != slot.given:
                self._by_id.pop(slot.current, None)
            slot.current = None
        self._by_number.clear()
        self._joining.clear()
        joins = {id(slot.join): slot.join for slots in self._by_group.values() for slot in slots}
        return list(joins.values())

    def rejoined(self, slots: Iterable[Slot], node: NodeId, numbers: Iterable[int]) -> None:
        """These members have these numbers at `node` now."""
        for slot, number in zip(slots, numbers, strict=True):
            slot.current = MemberId(node, number)
            self._by_id[slot.current] = self._by_number[number] = slot
