"""The worker's own members: they outlive the sessions in which they have their numbers."""

from collections import Counter
from collections.abc import Iterable, Sequence

from .actions import Owner
from .types import Group, MemberId, NodeId, OnNotification


class Join:
    """What one call of join asked for; joined again as a whole in a new session."""

    def __init__(self, group: Group, meta: dict[str, str], handler: OnNotification | None) -> None:
        self.group = group
        self.meta = meta
        self.handler = handler
        self.slots: list[Slot] = []


class Slot(Owner):
    """One member."""

    __slots__ = ("active", "join", "given", "current", "leaving")

    def __init__(self, join: Join, given: MemberId) -> None:
        self.active = True
        self.join = join
        self.given = given  # what the caller of join was told
        self.current: MemberId | None = given  # None: absent, no session has it
        self.leaving = False


class Roster:
    def __init__(self) -> None:
        self._by_group: dict[Group, list[Slot]] = {}  # in the order of joining
        self._by_number: dict[int, Slot] = {}  # of this session
        self._by_id: dict[MemberId, Slot] = {}  # both as given and as they are now
        self._joining: Counter[Group] = Counter()

    def begin_join(self, group: Group) -> None:
        self._joining[group] += 1

    def end_join(self, group: Group) -> None:
        self._joining[group] -= 1
        if self._joining[group] <= 0:
            del self._joining[group]

    def is_joining(self, group: Group) -> bool:
        """Whether members of the group may exist whose numbers are not known yet."""
        return group in self._joining

    def is_new(self, numbers: Iterable[int]) -> bool:
        """Whether no member of this session has one of them, and none is there twice."""
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

    def latest(self, group: Group, count: int) -> list[Slot]:
        """Those to leave; fewer when there are fewer, and none of those that leave already."""
        staying = [slot for slot in self._by_group.get(group, []) if not slot.leaving]
        return staying[-count:]

    def named(self, group: Group, ids: Sequence[MemberId]) -> list[Slot]:
        """The same by id; others are passed over."""
        found = {id(slot): slot for slot in map(self._by_id.get, ids) if slot}
        return [slot for slot in found.values() if slot.join.group == group and not slot.leaving]

    def remove(self, slots: Iterable[Slot]) -> None:
        """They have left for good."""
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

    def end_session(self) -> list[Join]:
        """All members are absent from now on; what has to be joined again, in the order of joining."""
        for slot in self._by_number.values():
            if slot.current and slot.current != slot.given:
                self._by_id.pop(slot.current, None)
            slot.current = None
        self._by_number.clear()
        self._joining.clear()
        joins = {id(slot.join): slot.join for slots in self._by_group.values() for slot in slots}
        return list(joins.values())

    def rejoined(self, join: Join, node: NodeId, numbers: Iterable[int]) -> None:
        for slot, number in zip(join.slots, numbers, strict=True):
            slot.current = MemberId(node, number)
            self._by_id[slot.current] = self._by_number[number] = slot
