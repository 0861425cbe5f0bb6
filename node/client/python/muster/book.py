"""The nodes that a worker may attach to, and the order in which they are tried."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from . import limits
from .address import Address, parse_address
from .arguments import MOST_NODES, items_of
from .errors import Error, bad_request
from .keys import NodeKeys

PAUSE = 0.1  # seconds after a round of the list; doubled after each further round
LONGEST_PAUSE = 2.0
CONNECT = 0.25  # seconds until the next host is tried, as RFC 8305 advises; doubled in each further round
GUESS = 0.3  # seconds for a hello under a key that may be another node's; doubled in each further round


@dataclass(frozen=True)
class Target:
    """An address to say hello to, with the key to expect there."""

    address: Address
    node: str | None = None  # the name of the node that must answer; None: any node
    key: bytes | None = None  # that node's public key; None: no encryption
    is_guess: bool = False  # whether the right key may be another one
    endpoint: Address | None = field(default=None, compare=False)  # its numeric address; None: not looked up yet

    def __str__(self) -> str:
        return str(self.address)


class AddressBook:
    """Goes through the list in rounds, for ever: the user's addresses first, then those learned from a node.

    Each round has an order of its own, so that workers with one list spread over its nodes, and those that lose one
    node do not all go to the same other one.
    """

    def __init__(
        self,
        nodes: Sequence[str],
        keys: Callable[[], NodeKeys] | None,
        rng: random.Random,
        in_order: bool = False,
        listed_only: bool = False,
    ) -> None:
        """`keys` returns the keys that are trusted now; None: no encryption. `in_order`: each round has the order of
        the list. `listed_only`: none is learned. Raises Error(bad_request).
        """
        texts = items_of(nodes, "the list of nodes", "addresses in a list, as in ['127.0.0.1:7100']", MOST_NODES)
        if not texts:
            raise bad_request("no node is given: name one or more in a list, as in ['127.0.0.1:7100']")
        self._in_order = in_order
        self._listed_only = listed_only
        self._listed = list(dict.fromkeys(map(parse_address, texts)))
        self._learned: list[Address] = []
        self._keys = keys
        self._rng = rng
        self._round: list[Target] = []
        self._rounds = 0  # since the last hello that was answered
        self._refused: dict[Address, Error] = {}
        self._proven: dict[str, Target] = {}  # by address
        known = keys() if keys else None
        for address in self._listed:
            if known and address.name and not known.candidates(address.name):
                raise bad_request(f"there is no key of {address.name}: put {address.name}.pub into nodes/ of the keys")

    def __str__(self) -> str:
        """The user's list."""
        return ", ".join(f"{address.name}@{address}" if address.name else str(address) for address in self._listed)

    def learn(self, addresses: Sequence[str]) -> None:
        """Replaces the addresses that were learned before. Invalid ones are ignored, and all if the list is all."""
        if self._listed_only:
            return
        known = {str(address) for address in self._listed}
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
        """The next target of the round. None: the round is over; wait for pause()."""
        if not self._round:
            self._round = self._targets()
            self._rounds += 1
            if self._rounds > 1:
                return None
        return self._round.pop(0) if self._round else None

    def pause(self) -> float:
        """Seconds between this round and the next."""
        longest = min(LONGEST_PAUSE, PAUSE * 2.0 ** min(self._rounds - 2, 8))
        return longest * self._rng.uniform(0.7, 1.0)

    def patience(self, usual: float) -> float:
        """Seconds to wait for the answer to a hello under a guessed key. `usual`: the same under a known key."""
        return min(usual, GUESS * 2.0 ** min(self._rounds - 1, 8))

    def connect_patience(self, usual: float) -> float:
        """Seconds that a host may take to answer a TCP connect while others are left of the round."""
        return min(usual, CONNECT * 2.0 ** min(self._rounds - 1, 8))

    def is_last(self, target: Target) -> bool:
        """Whether no other endpoint is left of this round."""
        return all((one.address, one.endpoint) == (target.address, target.endpoint) for one in self._round)

    def targets_of(self, target: Target) -> list[Target]:
        """The targets at that address for that node, the likeliest first. Empty if it is not trusted any more."""
        keys = self._keys() if self._keys else None
        there = [one for one in self._targets_at(target.address, keys) if one.node == target.node]
        return [replace(one, endpoint=target.endpoint) for one in there]

    def has_other(self, target: Target) -> bool:
        """Whether there is another address than that of `target`."""
        return any(str(address) != str(target.address) for address in self._listed + self._learned)

    def shorten_pause(self) -> None:
        """A node answered that it is not ready: the next pause is the shortest one."""
        self._rounds = 1

    def welcomed(self, target: Target) -> None:
        endpoint = target.endpoint if target.address.is_numeric else None
        self._proven[str(target.address)] = Target(target.address, target.node, target.key, endpoint=endpoint)
        self._refused.pop(target.address, None)
        self._rounds = 0
        self._round = []

    def lost(self, target: Target) -> None:
        """Begins a new round behind that node, so that it comes last."""
        targets = self._targets()
        there = [i for i, one in enumerate(targets) if one.address == target.address]
        end = there[-1] + 1 if there else 0
        self._round = targets[end:] + targets[:end]  # targets at one address are adjacent
        self._rounds = 1

    def prefer(self, address: str) -> None:
        """What the round has at that address, with or without the node's name, comes first."""
        there = [one for one in self._round if str(one.address) == address.rpartition("@")[2]]
        self._round = there + [one for one in self._round if one not in there]

    def skip(self, target: Target) -> None:
        """Nothing listens at that endpoint: its other keys are not tried in this round."""
        there = target.address, target.endpoint
        self._round = [one for one in self._round if (one.address, one.endpoint) != there]

    def resolved(self, address: Address, endpoints: Sequence[Address]) -> None:
        """The endpoints of that address, each with every key, are the next ones of this round."""
        keys = self._keys() if self._keys else None
        targets = self._targets_at(address, keys)
        others = [one for one in self._round if one.address != address]
        self._round = [replace(one, endpoint=endpoint) for endpoint in endpoints for one in targets] + others

    def refused(self, target: Target, error: Error) -> None:
        """The node there refused this worker for good: it is tried again only if all others do the same."""
        self._refused[target.address] = error
        self.skip(target)

    def refused_by_all(self) -> Error | None:
        """An error if every node of the user's list refused this worker for good."""
        if any(one.address in self._refused for one in self._round):
            return None  # other nodes have the same name
        errors = [self._refused.get(address) for address in self._listed]
        return errors[0] if all(errors) else None

    def _targets(self) -> list[Target]:
        """The targets of a new round."""
        addresses = self._shuffled(self._listed) + self._shuffled(self._learned)
        hopeful = [address for address in addresses if address not in self._refused]
        keys = self._keys() if self._keys else None
        return [one for address in hopeful or addresses for one in self._targets_at(address, keys)]

    def _shuffled(self, addresses: list[Address]) -> list[Address]:
        return addresses if self._in_order else self._rng.sample(addresses, len(addresses))

    def _targets_at(self, address: Address, keys: NodeKeys | None) -> list[Target]:
        endpoint = address if address.is_numeric else None
        if keys is None:
            return [Target(address, address.name, endpoint=endpoint)]
        found = keys.candidates(address.name)
        targets = [Target(address, name, key, len(found) > 1, endpoint) for name, key in found]
        proven = self._proven.get(str(address))
        if proven is None or (proven.node, proven.key) not in found:
            return targets
        # The key that was right the last time comes first, and is not a guess.
        return [proven] + [one for one in targets if one.key != proven.key]
