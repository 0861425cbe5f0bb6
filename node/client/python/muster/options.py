"""The options of a worker, checked before a thread or socket is made."""

import itertools
import os
import random
import re
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from . import limits
from .arguments import checked_flag, checked_handler, checked_int, checked_path, checked_text, checked_timeout
from .book import AddressBook
from .errors import bad_request, shown
from .keys import KeyRing
from .kinds import is_a
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
    timeout: float
    in_order: bool
    listed_only: bool

    def session(self, coroutines: bool) -> tuple[Session, KeyRing | None]:
        """Makes the session, and the key ring if there are keys. Raises Error(bad_request).

        `coroutines`: whether handlers may be coroutine functions.
        """
        checked_timeout(self.timeout)
        key = None if self.key is None else checked_path(self.key, "key")
        if not is_a(self.name, str) or not is_name(name := str.__str__(self.name) or default_name(key)):
            raise bad_request(
                f"{shown(self.name)} is not a name: use 1 to 64 of A-Z a-z 0-9 . _ -, a letter or digit first"
            )
        scope = checked_text(self.scope, "scope", 1, limits.SCOPE)
        inbox = checked_int(self.inbox, "inbox", 1)
        for handler, what in ((self.on_gap, "on_gap"), (self.on_attachment, "on_attachment")):
            if handler is not None:
                checked_handler(handler, what, coroutines)
        if (key is None) != (self.keys is None):
            raise bad_request("key and keys belong together: give both, or neither")
        ring = None
        if key is not None and self.keys is not None:
            ring = KeyRing(key, checked_path(self.keys, "folder of keys"))
        in_order = checked_flag(self.in_order, "in_order")
        listed_only = checked_flag(self.listed_only, "listed_only")
        book = AddressBook(self.nodes, ring.nodes if ring else None, random.Random(), in_order, listed_only)
        life = random.SystemRandom().randrange(1, 1 << 63)  # not from `random`, which a fork continues
        identity = Identity(str.__str__(name), scope, life)
        return Session(identity, book, inbox, self.on_gap, self.on_attachment), ring


def default_name(key: str | None) -> str:
    """<host name>-<process id>, and a random number if that is 1, with -2, -3, … behind it for further workers of one
    process.

    With a key, the name of its file and a dot come first, because nodes take no other names from it. Without room for
    more, that is all.
    """
    ordinal = next(_ordinal)
    # In each container the first process is number 1, and those that share the host's network share its name.
    process = str(os.getpid()) if os.getpid() != 1 else f"1-{random.SystemRandom().randrange(100_000)}"
    end = f"-{process}" + (f"-{ordinal}" if ordinal > 1 else "")
    host = re.sub(r"[^A-Za-z0-9._-]", "-", socket.gethostname()).lstrip("._-") or "worker"
    own = Path(key).stem if key else ""
    head = f"{own}." if is_name(own) else ""
    if len(head) + len(end) > limits.NAME:
        return own
    return head + host[: limits.NAME - len(head) - len(end)] + end
