"""The check of a group, and its key."""

import xxhash

from . import limits
from .arguments import checked_text
from .errors import bad_request, shown
from .kinds import is_a
from .types import Group


class GroupKey(int):
    """A 64-bit hash of a group's name, for logs and tables. `str` returns 16 hexadecimal digits."""

    def __str__(self) -> str:
        return f"{int(self):016x}"


def group_key(group: tuple[str, str]) -> GroupKey:
    """XXH64 (seed 0) of one byte with the length of the store, the store, and the feature, in UTF-8.

    Raises Error(bad_request) if it is not a group.
    """
    store, feature = (part.encode() for part in checked_group(group))
    return GroupKey(xxhash.xxh64_intdigest(bytes([len(store)]) + store + feature, seed=0))


def checked_group(group: object) -> Group:
    """Raises Error(bad_request) if it is not a group: a tuple of two texts of 1 to 255 bytes."""
    if not is_a(group, tuple) or tuple.__len__(group) != 2:
        raise bad_request(f"{shown(group)} is not a group: write ('store', 'feature')")
    store, feature = tuple.__iter__(group)
    part = limits.GROUP_PART
    return Group(checked_text(store, "store", 1, part), checked_text(feature, "feature", 1, part))
