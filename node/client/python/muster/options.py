"""The options of a worker, checked before a thread or socket is made."""

import itertools
import os
import random
import re
import socket
from collections.abc import Sequence
from dataclasses import dataclass

from . import limits
from .book import AddressBook
from .errors import bad_request
from .group import utf8_size
from .keys import KeyRing
from .reader import is_name
from .session import Identity, Session
from .types import OnAttachment, OnGap

_ordinal = itertools.count(1)  # numbers this process's workers that have a default name


@dataclass(frozen=True)
class Options:
    """See Worker.connect."""

    nodes: Sequence[str]
    name: str
    scope: str
    inbox: int
    on_gap: OnGap | None
    on_attachment: OnAttachment | None
    key: str | os.PathLike[str] | None
    keys: str | os.PathLike[str] | None

    def session(self) -> tuple[Session, KeyRing | None]:
        """Makes the session, and the key ring if there are keys. Raises Error(bad_request)."""
        name = self.name or default_name()
        if not isinstance(name, str) or not is_name(name):
            raise bad_request(f"{name!r} is not a name: use 1 to 64 of A-Z a-z 0-9 . _ -, a letter or digit first")
        if utf8_size(self.scope, "scope") > limits.SCOPE:
            raise bad_request(f"the scope is longer than {limits.SCOPE} bytes: use a shorter one")
        if self.inbox < 1:
            raise bad_request(f"the inbox has room for {self.inbox}: use 1 or more")
        if (self.key is None) != (self.keys is None):
            raise bad_request("key and keys belong together: give both, or neither")
        ring = KeyRing(self.key, self.keys) if self.key is not None and self.keys is not None else None
        book = AddressBook(self.nodes, ring.nodes if ring else None, random.Random())
        identity = Identity(name, self.scope)
        return Session(identity, book, self.inbox, self.on_gap, self.on_attachment), ring


def default_name() -> str:
    """<host name>-<process id>, with -2, -3, … behind it for further workers of one process."""
    ordinal = next(_ordinal)
    end = f"-{os.getpid()}" + (f"-{ordinal}" if ordinal > 1 else "")
    host = re.sub(r"[^A-Za-z0-9._-]", "-", socket.gethostname()).lstrip("._-") or "worker"
    return host[: limits.NAME - len(end)] + end
