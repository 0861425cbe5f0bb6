"""The nodes that a worker may go to, and in which order."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from . import limits
from .address import Address, parse_address
from .errors import Error, bad_request
from .keys import NodeKeys

PAUSE = 0.1  # seconds after a round of the list; doubles
LONGEST_PAUSE = 2.0
GUESS = 0.3  # seconds for a hello under a key that may be another node's; doubles with each round


@dataclass(frozen=True)
class Target:
    """One way to say hello."""

    address: Address
    node: str | None = None  # the name that must answer
    key: bytes | None = None  # that node's public key; None: no encryption
    is_guess: bool = False  # whether other keys could be the right ones

    def __str__(self) -> str:
        return str(self.address)


class AddressBook:
    """Goes round the list for ever. What is learned from a node follows what the user wrote."""

    def __init__(self, nodes: Sequence[str], keys: Callable[[], NodeKeys] | None, rng: random.Random) -> None:
        """`keys` gives those that are trusted now."""
        if isinstance(nodes, str) or not nodes:
            raise bad_request("no node is given: name one or more in a list, as in ['127.0.0.1:7100']")
        self._written = list(dict.fromkeys(parse_address(text) for text in nodes))
        self._learned: list[Address] = []
        self._keys = keys
        self._rng = rng
        self._round: list[Target] = []
        self._rounds = 0  # since a hello was answered last
        self._never: dict[Address, Error] = {}
        self._proven: dict[str, Target] = {}  # by address
        known = keys() if keys else None
        for address in self._written:
            if known and address.name and not known.candidates(address.name):
                raise bad_request(f"no key of {address.name} is there: put {address.name}.pub into the keys' nodes/")

    def __str__(self) -> str:
        """What the user wrote."""
        return ", ".join(f"{address.name}@{address}" if address.name else str(address) for address in self._written)

    def learn(self, addresses: Sequence[str]) -> None:
        """Front doors of other live nodes; takes the place of those learned before."""
        known = {str(address) for address in self._written}
        self._learned = []
        for text in addresses[: limits.WELCOME_NODES]:
            try:
                address = parse_address(text)
            except Error:
                continue
            if str(address) not in known:
                self._learned.append(address)
                known.add(str(address))

    def next(self) -> Target | None:
        """Where to say hello next; None: the round is over, wait for pause()."""
        if not self._round:
            self._round = self._ways()
            self._rounds += 1
            if self._rounds > 1:
                return None
        return self._round.pop(0) if self._round else None

    def pause(self) -> float:
        """Seconds between this round and the next."""
        longest = min(LONGEST_PAUSE, PAUSE * 2.0 ** min(self._rounds - 2, 8))
        return longest * self._rng.uniform(0.7, 1.0)

    def patience(self, usual: float) -> float:
        """Seconds for a hello that may go to a node under the wrong key."""
        return min(usual, GUESS * 2.0 ** min(self._rounds - 1, 8))

    def again(self, target: Target) -> list[Target]:
        """The ways to where a node has been, the likeliest first; none when it is not trusted any more."""
        keys = self._keys() if self._keys else None
        return [way for way in self._ways_to(target.address, keys) if way.node == target.node]

    def answered(self) -> None:
        """Somebody is there, who is not ready yet: no need to ask less and less often."""
        self._rounds = 1

    def welcomed(self, target: Target) -> None:
        self._proven[str(target.address)] = Target(target.address, target.node, target.key)
        self._never.pop(target.address, None)
        self._rounds = 0
        self._round = []

    def lost(self, target: Target) -> None:
        """A new round begins behind the node that was lost; it comes last."""
        ways = self._ways()
        there = [i for i, way in enumerate(ways) if way.address == target.address]
        end = there[-1] + 1 if there else 0
        self._round = ways[end:] + ways[:end]  # the ways to one address stand together
        self._rounds = 1

    def absent(self, target: Target) -> None:
        """Nobody listens there: no need to try other keys in this round."""
        self._round = [way for way in self._round if way.address != target.address]

    def never(self, target: Target, error: Error) -> None:
        """It refused for good."""
        self._never[target.address] = error
        self.absent(target)

    def refused_by_all(self) -> Error | None:
        """Why none of the nodes that the user wrote will ever let this worker in."""
        errors = [self._never.get(address) for address in self._written]
        return errors[0] if all(errors) else None

    def _ways(self) -> list[Target]:
        addresses = self._written + self._learned
        hopeful = [address for address in addresses if address not in self._never]
        keys = self._keys() if self._keys else None
        return [way for address in hopeful or addresses for way in self._ways_to(address, keys)]

    def _ways_to(self, address: Address, keys: NodeKeys | None) -> list[Target]:
        if keys is None:
            return [Target(address, address.name)]
        found = keys.candidates(address.name)
        ways = [Target(address, name, key, len(found) > 1) for name, key in found]
        proven = self._proven.get(str(address))
        if proven is None or (proven.node, proven.key) not in found:
            return ways
        # The key that was right the last time comes first, with the usual patience.
        return [proven] + [way for way in ways if way.key != proven.key]
