"""Addresses of nodes: [NAME@]HOST:PORT."""

import ipaddress
import re
from typing import NamedTuple

from . import limits
from .errors import bad_request, shown
from .kinds import is_a
from .reader import is_name

# Nothing else is passed to ZeroMQ, because its endpoints have a syntax of their own.
HOST = re.compile(r"[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+(%[A-Za-z0-9._-]+)?\]", re.ASCII)


class Address(NamedTuple):
    """Where a node listens for workers, and the node whose key is expected there (None: any node)."""

    host: str  # an IPv6 address is in brackets
    port: int
    name: str | None = None

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"

    @property
    def is_numeric(self) -> bool:
        """Whether no name has to be looked up."""
        try:
            ipaddress.ip_address(self.bare_host)
        except ValueError:
            return False
        return True

    def endpoint(self, host: str) -> "Address":
        """The same port of a numeric host, which has no brackets."""
        return Address(f"[{host}]" if ":" in host else host, self.port)

    @property
    def bare_host(self) -> str:
        """Without brackets, as resolvers take it."""
        return self.host.strip("[]")


def _lacks_its_zone(host: str) -> bool:
    try:
        number = ipaddress.ip_address(host)
    except ValueError:
        return False
    return isinstance(number, ipaddress.IPv6Address) and number.is_link_local and not number.scope_id


def parse_address(text: str) -> Address:
    """Parses "HOST:PORT" or "NAME@HOST:PORT". Spaces around it and "tcp://" are ignored. Raises Error(bad_request)."""
    if not is_a(text, str):
        raise bad_request(f"{shown(text)} is not an address: write 'HOST:PORT' as a str, as in '127.0.0.1:7100'")
    plain = str.__str__(text).strip().removeprefix("tcp://")
    name, at, host_port = plain.rpartition("@")
    host_port = host_port.removeprefix("tcp://")
    host, _, port = host_port.rpartition(":")
    if HOST.fullmatch(host) and _lacks_its_zone(host.strip("[]")):
        raise bad_request(f"{shown(plain)} is not an address: name the interface, too, as in [fe80::1%eth0]:7100")
    good = HOST.fullmatch(host) and port.isascii() and port.isdigit() and len(port) <= 5 and 1 <= int(port) <= 65535
    if not good or len(host_port) > limits.ADDRESS or (at and not is_name(name)):
        raise bad_request(f"{shown(plain)} is not an address: write HOST:PORT or NAME@HOST:PORT, as in 127.0.0.1:7100")
    return Address(host, int(port), name if at else None)
