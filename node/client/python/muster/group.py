"""Groups as users write them, and the key that indexes them."""

from collections.abc import Mapping

import xxhash

from . import limits
from .errors import bad_request
from .types import Group


class GroupKey(int):
    """A 64-bit hash of a group's name, an index for logs and tables; `str` gives 16 hexadecimal digits."""

    def __str__(self) -> str:
        return f"{int(self):016x}"


def group_key(group: tuple[str, str]) -> GroupKey:
    """XXH64 (seed 0) of one byte with the length of the store, the store, the feature.

    Raises Error(bad_request) when it is no name of a group.
    """
    store, feature = (part.encode() for part in checked_group(group))
    return GroupKey(xxhash.xxh64_intdigest(bytes([len(store)]) + store + feature, seed=0))


def checked_group(group: tuple[str, str]) -> Group:
    """Raises Error(bad_request) when it is no name of a group."""
    if not isinstance(group, tuple) or len(group) != 2:
        raise bad_request(f"{group!r} is no group: write ('store', 'feature')")
    for part, what in zip(group, ("store", "feature")):
        size = utf8_size(part, what)
        if not 1 <= size <= limits.GROUP_PART:
            raise bad_request(f"the {what} takes {size} bytes: use 1 to {limits.GROUP_PART}")
    return Group(*group)


def checked_meta(meta: Mapping[str, str] | None) -> dict[str, str]:
    """Raises Error(bad_request) when no member may have it."""
    pairs = dict(meta or {})
    if len(pairs) > limits.META_PAIRS:
        raise bad_request(f"{len(pairs)} pairs of metadata; at most {limits.META_PAIRS}")
    for pair in pairs.items():
        for text in pair:
            if utf8_size(text, "metadata") > limits.META_TEXT:
                raise bad_request(f"a text of the metadata is longer than {limits.META_TEXT} bytes")
    return pairs


def utf8_size(text: str, what: str) -> int:
    """Bytes. Raises Error(bad_request) for what is no text."""
    if not isinstance(text, str):
        raise bad_request(f"the {what} is {text!r}: it must be a str")
    try:
        return len(text.encode())
    except UnicodeEncodeError:
        raise bad_request(f"the {what} is no well-formed Unicode") from None
