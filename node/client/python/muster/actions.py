"""What the session wants done by whoever drives it."""

from collections.abc import Callable
from dataclasses import dataclass

from .book import Target


LAST_HANDLER = 0.2  # seconds for it to return before the goodbye, so that its notification counts as delivered


class Owner:
    """Whose handler it is. Handlers of one that is not active any more are not called."""

    active = True


@dataclass(frozen=True)
class Step:
    """One call of a handler: handler(*arguments)."""

    owner: Owner
    handler: Callable[..., object]
    arguments: tuple[object, ...]


@dataclass(frozen=True)
class Entry:
    """One item for the handlers. They are handled one by one in this order, then Session.handled is told."""

    epoch: int  # the session that it came in
    number: int  # in the stream of that session; 0: not of the stream
    steps: tuple[Step, ...]
    size: int = 0  # bytes of data


@dataclass(frozen=True)
class Open:
    """Close what is open, and connect a new socket; what is sent goes there as soon as it is connected."""

    attempt: int
    target: Target


@dataclass(frozen=True)
class Send:
    frame: bytes


@dataclass(frozen=True)
class Close:
    """Nothing more is sent; what was sent may still leave."""


@dataclass(frozen=True)
class Probe:
    """Find out whether the port refuses connections, and tell Session.probed."""

    attempt: int
    target: Target


@dataclass(frozen=True)
class Log:
    text: str


Action = Entry | Open | Send | Close | Probe | Log
