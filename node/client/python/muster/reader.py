"""Reads the fields of a message one by one and checks each."""

import re
from collections.abc import Iterator
from typing import TypeVar

from . import limits
from .errors import Word
from .types import Group, Member, MemberId, NodeId, NodeInfo, NodeState
from .wire import Malformed

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
MAX_UINT = (1 << 64) - 1
W = TypeVar("W", bound=Word)


def is_name(text: str) -> bool:
    return NAME.fullmatch(text) is not None


class Reader:
    """Reads the elements of one array in order. All methods raise Malformed.

    Elements that are not read are ignored: a later version may append fields.
    """

    def __init__(self, array: object) -> None:
        if type(array) is not tuple:
            raise Malformed("an array was expected")
        self._rest: Iterator[object] = iter(array)

    def take(self) -> object:
        try:
            return next(self._rest)
        except StopIteration:
            raise Malformed("a field is missing") from None

    def uint(self, least: int = 0, most: int = MAX_UINT) -> int:
        value = self.take()
        if type(value) is not int or not least <= value <= most:
            raise Malformed("an unsigned integer within its bounds was expected")
        return value

    def appended_uint(self) -> int:
        """A field at the end that older nodes omit: then 0."""
        value = next(self._rest, 0)
        if type(value) is not int or not 0 <= value <= MAX_UINT:
            raise Malformed("an unsigned integer within its bounds was expected")
        return value

    def appended_address(self) -> str:
        """The same of an address: then nothing."""
        value = next(self._rest, "")
        if type(value) is not str or len(value.encode()) > limits.ADDRESS:
            raise Malformed("an address was expected")
        return value

    def flag(self) -> bool:
        value = self.take()
        if type(value) is not bool:
            raise Malformed("true or false was expected")
        return value

    def text(self, most: int, least: int = 0) -> str:
        value = self.take()
        if type(value) is not str or not least <= len(value.encode()) <= most:
            raise Malformed("a text within its bounds was expected")
        return value

    def name(self) -> str:
        value = self.take()
        if type(value) is not str or not is_name(value):
            raise Malformed("a name was expected")
        return value

    def owner(self) -> str:
        value = self.take()
        if type(value) is not str or (value and not is_name(value)):
            raise Malformed("a name or nothing was expected")
        return value

    def address(self) -> str:
        return self.text(limits.ADDRESS)

    def data(self) -> bytes:
        value = self.take()
        if type(value) is not bytes or not 1 <= len(value) <= limits.DATA:
            raise Malformed("data was expected")
        return value

    def word(self, words: type[W]) -> W:
        try:
            return words(self.uint())
        except ValueError:
            raise Malformed(f"a {words.__name__} was expected") from None

    def record(self) -> "Reader":
        return Reader(self.take())

    def array(self, most: int = limits.LIST) -> tuple[object, ...]:
        value = self.take()
        if type(value) is not tuple or len(value) > most:
            raise Malformed("a list within its bounds was expected")
        return value

    def records(self) -> Iterator["Reader"]:
        return map(Reader, self.array())

    def uints(self, least: int = 0) -> tuple[int, ...]:
        values = Reader(array := self.array())
        return tuple(values.uint(least) for _ in array)

    def group(self) -> Group:
        record = self.record()
        return Group(record.text(limits.GROUP_PART, 1), record.text(limits.GROUP_PART, 1))

    def node_id(self) -> NodeId:
        record = self.record()
        return NodeId(record.name(), record.uint())

    def node_info(self) -> NodeInfo:
        record = self.record()
        node, state, address = record.node_id(), record.word(NodeState), record.address()
        return NodeInfo(node, state, address, record.appended_uint(), record.appended_uint() != 0)

    def member(self) -> Member:
        identity = self.record()
        return Member(MemberId(identity.node_id(), identity.uint(1)), self.owner(), self.metadata())

    def run(self) -> range:
        """The numbers first, first + 1, …"""
        record = self.record()
        first, count = record.uint(1), record.uint(1, limits.MEMBERS_A_CALL)
        if first + count > MAX_UINT:
            raise Malformed("a run of numbers beyond 2^64")
        return range(first, first + count)

    def metadata(self) -> dict[str, str]:
        return {_meta_text(key): _meta_text(value) for key, value in self._map(limits.META_PAIRS).items()}

    def counts(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for key, value in self._map(limits.LIST).items():
            if type(key) is not str or type(value) is not int or not 0 <= value <= MAX_UINT:
                raise Malformed("a map of texts to numbers was expected")
            found[key] = value
        return found

    def _map(self, most: int) -> dict[object, object]:
        value = self.take()
        if type(value) is not dict or len(value) > most:
            raise Malformed("a map within its bounds was expected")
        return value


def _meta_text(value: object) -> str:
    if type(value) is not str or len(value.encode()) > limits.META_TEXT:
        raise Malformed("metadata was expected")
    return value
