"""What the session asks of the code that drives it, which performs the actions in the order given."""

from collections.abc import Callable
from dataclasses import dataclass

from .address import Address
from .book import Target


LAST_HANDLER = 0.2  # seconds that the goodbye waits for the handler that runs, so that its item counts as delivered


class Recipient:
    """A member, a watch, or the worker itself. Its handlers are called only while it is active."""

    active = True


@dataclass(frozen=True)
class Step:
    """One call of a handler: handler(*arguments)."""

    recipient: Recipient
    handler: Callable[..., object]
    arguments: tuple[object, ...]


@dataclass(frozen=True)
class Entry:
    """One item for the handlers. Its steps are run one by one, then Session.handled is called with the entry."""

    epoch: int  # the session that it came in: 1, 2, 3, …
    number: int  # in the stream of that session; 0: the entry is not of the stream
    steps: tuple[Step, ...]
    size: int = 0  # bytes of data


@dataclass(frozen=True)
class LookUp:
    """Find out the numeric addresses of a name, and call Session.resolved."""

    address: Address


@dataclass(frozen=True)
class Open:
    """Close the open socket and connect a new one. Frames that are sent before it is connected wait."""

    attempt: int
    target: Target  # with an endpoint


@dataclass(frozen=True)
class Send:
    frame: bytes


@dataclass(frozen=True)
class Close:
    """Close the socket. Frames that were sent may still leave."""


@dataclass(frozen=True)
class SetAside:
    """Keep the open socket, but take no frame from it any more. The next Open is for another one."""


@dataclass(frozen=True)
class SendAside:
    """Send over the socket that was set aside."""

    frame: bytes


@dataclass(frozen=True)
class CloseAside:
    """Close the socket that was set aside. Frames that were sent may still leave."""


@dataclass(frozen=True)
class Probe:
    """Try a TCP connect for `patience` seconds, and call Session.refused_connection if the port refuses it or there is
    no way to it, or Session.unanswered_connect if the host does not answer in time.
    """

    attempt: int
    target: Target
    patience: float


@dataclass(frozen=True)
class Log:
    text: str


Action = Entry | LookUp | Open | Send | Close | SetAside | SendAside | CloseAside | Probe | Log
