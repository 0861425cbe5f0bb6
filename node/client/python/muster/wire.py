"""msgpack within bounds. No other module uses the library."""

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
        if _too_deep(value):
            raise bad_request(
                f"the data has more than {limits.DATA_NESTING} levels of arrays and maps: send a flatter value"
            )
        data = pack(value)
    except Error:
        raise
    except Exception as error:  # whatever the value's own code raises
        raise bad_request(f"the data cannot be encoded as msgpack: {shown(error)}") from error
    if len(data) > limits.DATA:
        raise bad_request(f"the data takes {len(data)} bytes, more than {limits.DATA}: send a reference to it instead")
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


def _too_deep(value: object) -> bool:
    """Whether arrays and maps have more levels than the protocol allows."""
    level = [value]
    for _ in range(limits.DATA_NESTING):
        inner: list[object] = []
        for each in level:
            if isinstance(each, dict):
                inner.extend(each.keys())
                inner.extend(each.values())
            elif isinstance(each, (list, tuple)):
                inner.extend(each)
        if not inner:
            return False
        level = inner
    return any(isinstance(each, (dict, list, tuple)) for each in level)
