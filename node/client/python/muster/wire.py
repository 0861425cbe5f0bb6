"""msgpack within bounds. No other module uses the library."""

from collections.abc import Iterator
from itertools import chain
from typing import cast

import msgpack

from . import limits
from .errors import Error, bad_request, shown


class Malformed(ValueError):
    """The bytes are not a message of this protocol."""


def _unique(pairs: list[tuple[object, object]]) -> dict[object, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Malformed("a map has a key twice")
    return found


def pack(value: object) -> bytes:
    return cast(bytes, msgpack.packb(value, use_bin_type=True))


def unpack(frame: bytes) -> object:
    """The value in a frame, with arrays as tuples. Raises Malformed."""
    if len(frame) > limits.FRAME:
        raise Malformed("the frame is too long")
    try:
        return cast(
            object,
            msgpack.unpackb(
                frame,
                raw=False,
                use_list=False,
                strict_map_key=False,
                object_pairs_hook=_unique,
                max_str_len=limits.FRAME,
                max_bin_len=limits.DATA,
                max_array_len=limits.LIST,
                max_map_len=limits.LIST,
                max_ext_len=0,
            ),
        )
    except (ValueError, TypeError, OverflowError, RecursionError, msgpack.UnpackException) as error:
        raise Malformed(f"not msgpack, or beyond the limits: {error}") from error


def data_bytes(value: object) -> bytes:
    """Encodes a notification's data. Raises Error(bad_request) if the value cannot be sent."""
    try:
        _check_extent(value)
        data = pack(value)
    except Error:
        raise
    except Exception as error:  # whatever the value's own code raises
        raise bad_request(f"the data cannot be encoded as msgpack: {shown(error)}") from error
    if len(data) > limits.DATA:
        raise _too_large()
    return data


def data_value(data: bytes) -> object:
    """Decodes a notification's data. Raises Error(bad_request) if Python cannot represent the value."""
    size = len(data)
    try:
        return cast(
            object,
            msgpack.unpackb(
                data,
                raw=False,
                unicode_errors="surrogateescape",
                strict_map_key=False,
                max_str_len=size,
                max_bin_len=size,
                max_array_len=size,
                max_map_len=size,
                max_ext_len=size,
            ),
        )
    except (ValueError, TypeError, OverflowError, RecursionError, msgpack.UnpackException) as error:
        raise bad_request(f"Python cannot represent the data ({error}): use .msgpack, which has its bytes") from error


def _check_extent(value: object) -> None:
    """Raises Error(bad_request) if the value has more levels than the protocol allows, or surely too many bytes.

    A value that refers to itself, or many times to one part, is small in memory and large or without end as msgpack.
    Each element takes at least one byte there, and each character, too. So the walk ends after limits.DATA of them.
    """
    size = 0
    path = [iter((value,))]  # the array or map of each level, as far as it was walked
    while path:
        for each in path[-1]:
            size += 1
            if isinstance(each, (str, bytes, bytearray, memoryview)):
                size += each.nbytes if isinstance(each, memoryview) else len(each)
            if size > limits.DATA:
                raise _too_large()
            if isinstance(each, (dict, list, tuple)):
                if len(path) > limits.DATA_NESTING:
                    levels = f"more than {limits.DATA_NESTING} levels of arrays and maps"
                    raise bad_request(f"the data has {levels}, or refers to itself: send a flatter value")
                path.append(_parts(each))
                break
        else:
            path.pop()


def _parts(value: dict[object, object] | list[object] | tuple[object, ...]) -> Iterator[object]:
    return chain.from_iterable(value.items()) if isinstance(value, dict) else iter(value)


def _too_large() -> Error:
    return bad_request(f"the data takes more than {limits.DATA} bytes: send a reference to it instead")
