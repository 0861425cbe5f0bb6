"""Checks of groups and metadata, and the key of a group."""

from collections.abc import Mapping

import xxhash

from . import limits
from .errors import bad_request
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


def checked_group(group: tuple[str, str]) -> Group:
    """Raises Error(bad_request) if it is not a group: a tuple of two texts of 1 to 255 bytes."""
    if not isinstance(group, tuple) or len(group) != 2:
        raise bad_request(f"{group!r} is not a group: write ('store', 'feature')")
    for part, what in zip(group, ("store", "feature")):
        size = utf8_size(part, what)
        if not 1 <= size <= limits.GROUP_PART:
            raise bad_request(f"the {what} takes {size} bytes: use 1 to {limits.GROUP_PART}")
    return Group(*group)


def checked_meta(meta: Mapping[str, str] | None) -> dict[str, str]:
    """A copy. Raises Error(bad_request) if it has too many pairs, or one that is too long or not text."""
    pairs = dict(meta or {})
    if len(pairs) > limits.META_PAIRS:
        raise bad_request(f"the metadata has {len(pairs)} pairs: use at most {limits.META_PAIRS}")
    for pair in pairs.items():
        for text in pair:
            if utf8_size(text, "metadata") > limits.META_TEXT:
                raise bad_request(
                    f"a key or value of the metadata is longer than {limits.META_TEXT} bytes: use a shorter one"
                )
    return pairs


def utf8_size(text: str, what: str) -> int:
    """The size of `text` in bytes. `what` names it in errors. Raises Error(bad_request) if it is not text."""
    if not isinstance(text, str):
        raise bad_request(f"the {what} is {text!r}: it must be a str")
    try:
        return len(text.encode())
    except UnicodeEncodeError:
        raise bad_request(f"the {what} is not well-formed Unicode") from None
