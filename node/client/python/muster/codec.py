"""Messages and their bytes (PROTOCOL.md, section 2)."""

from dataclasses import dataclass

from . import limits, wire
from .messages import READERS, Incoming, Outgoing
from .reader import Reader
from .wire import Malformed

MAJOR = 1


class OtherMajor(Malformed):
    """The frame has another major version: nothing behind its first element is understood."""


@dataclass(frozen=True)
class Header:
    scope: str
    origin: str
    incarnation: int
    seq: int


def encode(header: Header, message: Outgoing) -> bytes:
    head: list[object] = [MAJOR, message.TYPE, header.scope, header.origin, header.incarnation, header.seq]
    return wire.pack(head + message.fields() + [{}])


def decode(frame: bytes) -> tuple[Header, Incoming | None]:
    """The header and the message; None for a type that a worker does not know. Raises Malformed, OtherMajor."""
    array = wire.unpack(frame)
    reader = Reader(array)
    if reader.uint() != MAJOR:
        raise OtherMajor("another major version")
    kind = reader.uint()
    header = Header(reader.text(limits.SCOPE), reader.name(), reader.uint(), reader.uint())
    if type(array) is not tuple or type(array[-1]) is not dict:
        raise Malformed("no trailing map")
    known = READERS.get(kind)
    # The trailing map is never a field, even if fields are missing.
    return header, known.read(Reader(array[6:-1])) if known else None
