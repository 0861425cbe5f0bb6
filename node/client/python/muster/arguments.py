"""Checks of what callers pass, before anything is sent. All raise Error(bad_request), whatever the value does.

A value of nearly the right type (numpy's, Decimal, bool for a number) would be packed as something else, or raise on
the worker's thread. Each check returns a value of the exact type, so that no code of a subclass runs there either.
"""

import inspect
import itertools
import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from . import limits
from .errors import bad_request, shown
from .kinds import is_a
from .types import Kind, MemberId, NodeId

F = TypeVar("F", bound=Callable[..., object])
LONGEST = 86_400.0  # seconds, the longest timeout
MOST_NODES = 1024  # addresses in a list


def checked_timeout(timeout: object) -> float:
    """Seconds."""
    seconds: float
    if is_a(timeout, float):
        seconds = float.__float__(timeout)
    elif is_a(timeout, int) and not is_a(timeout, bool):
        seconds = int.__index__(timeout)
    else:
        raise bad_request(f"the timeout is {shown(timeout)}: it must be an int or float, in seconds")
    if not 0 < seconds <= LONGEST:
        raise bad_request(f"the timeout is {shown(seconds)} s: use more than 0 and at most {LONGEST:.0f} s")
    return float(seconds)


def checked_int(value: object, what: str, least: int, most: int | None = None) -> int:
    if is_a(value, bool) or not is_a(value, int):
        raise bad_request(f"the {what} is {shown(value)}: it must be an int")
    number = int.__index__(value)
    if number < least or (most is not None and number > most):
        bounds = f"use {least} or more" if most is None else f"use {least} to {most}"
        raise bad_request(f"the {what} is {shown(number)}: {bounds}")
    return number


def checked_count(count: object) -> int:
    return checked_int(count, "count", 1, limits.MEMBERS_A_CALL)


def checked_flag(value: object, what: str) -> bool:
    if not is_a(value, bool):
        raise bad_request(f"{what} is {shown(value)}: it must be True or False")
    return value


def checked_text(value: object, what: str, least: int, most: int) -> str:
    """A text of `least` to `most` bytes of UTF-8."""
    if not is_a(value, str):
        raise bad_request(f"the {what} is {shown(value)}: it must be a str")
    text = str.__str__(value)
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        raise bad_request(f"the {what} {shown(text)} is not well-formed Unicode") from None
    if not least <= size <= most:
        raise bad_request(f"the {what} takes {size} bytes: use {least} to {most}")
    return text


def checked_meta(meta: object) -> dict[str, str]:
    """A copy of the metadata of a member."""
    if meta is None:
        return {}
    if not is_a(meta, Mapping):  # type: ignore[type-abstract]
        raise bad_request(f"the metadata is {shown(meta)}: it must be a dict of texts")
    try:
        pairs = list(itertools.islice(meta.items(), limits.META_PAIRS + 1))
    except Exception as error:
        raise bad_request(f"the metadata cannot be read: {shown(error)}") from error
    if len(pairs) > limits.META_PAIRS:
        raise bad_request(f"the metadata has more than {limits.META_PAIRS} pairs: use at most {limits.META_PAIRS}")
    checked = {}
    for pair in pairs:
        if not is_a(pair, tuple) or tuple.__len__(pair) != 2:
            raise bad_request(f"the metadata has {shown(pair)}: it must be a dict of texts")
        texts = tuple.__iter__(pair)
        key, value = (checked_text(text, "key or value of the metadata", 0, limits.META_TEXT) for text in texts)
        checked[key] = value
    return checked


def checked_kind(kind: object) -> Kind:
    if is_a(kind, bool) or not is_a(kind, int) or int.__index__(kind) not in (1, 2, 3):
        raise bad_request(f"the kind is {shown(kind)}: use muster.Kind.created, updated or deleted")
    return Kind(int.__index__(kind))


def count_or_items(what: Any) -> Any:
    """A count as it is, or the items of what may be a list of ids: of a type that can be trusted, but not checked."""
    return what if is_a(what, int) else leaving(what)


def leaving(ids: object) -> list[Any]:
    return items_of(ids, "what leaves", "a count, or a list of the ids that join returned", limits.MEMBERS_A_CALL)


def checked_ids(ids: object) -> list[MemberId]:
    """The ids of members that are to leave."""
    found = []
    for each in leaving(ids):
        if not is_a(each, MemberId) or not is_a(each.node, NodeId):
            raise bad_request(f"{shown(each)} is not the id of a member: give the ids that join returned")
        node = NodeId(
            checked_text(each.node.name, "name of a node", 0, limits.NAME), checked_int(each.node[1], "id", 0)
        )
        found.append(MemberId(node, checked_int(each.number, "number of a member", 0)))
    return found


def items_of(value: object, what: str, wanted: str, most: int) -> list[Any]:
    """The items of any iterable except texts."""
    if is_a(value, str, bytes, bytearray, Mapping) or not is_a(value, Iterable):  # type: ignore[type-abstract]
        raise bad_request(f"{what} is {shown(value)}: give {wanted}")
    try:
        items = list(itertools.islice(value, most + 1))
    except Exception as error:
        raise bad_request(f"{what} cannot be read: {shown(error)}") from error
    if len(items) > most:
        raise bad_request(f"{what} has more than {most} items: give at most {most} in one call")
    return items


def checked_handler(handler: F, what: str, coroutines: bool) -> F:
    """`coroutines`: whether it may be a coroutine function."""
    if not callable(handler):
        raise bad_request(f"the {what} is {shown(handler)}: it must be a function")
    if _is(inspect.isgeneratorfunction, handler) or _is(inspect.isasyncgenfunction, handler):
        raise bad_request(f"the {what} {shown(handler)} is a generator, whose body would never run: do not yield")
    if not coroutines and _is(inspect.iscoroutinefunction, handler):
        raise bad_request(f"the {what} {shown(handler)} is an async function: use muster.aio.Worker, or a function")
    return handler


def _is(kind: Callable[[object], bool], handler: object) -> bool:
    """Also for an object whose class has such a __call__."""
    try:
        return kind(handler) or kind(getattr(handler, "__call__", None))
    except Exception:  # of the object's own code
        return False


def checked_path(path: object, what: str) -> str:
    try:
        text = os.fspath(path)  # type: ignore[call-overload]
        os.fsencode(text)
    except Exception:
        text = None
    if not is_a(text, str) or "\0" in text:
        raise bad_request(f"the {what} is {shown(path)}: it must be a path")
    return str.__str__(text)
