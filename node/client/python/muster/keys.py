"""CURVE keys: the worker's own pair, and those of the nodes that it trusts."""

import os
import pathlib
import stat
import struct
import tomllib
from dataclasses import dataclass

from zmq.utils import z85

from .errors import bad_request
from .reader import is_name

MOST_BYTES = 16_384  # of a key file


@dataclass(frozen=True)
class KeyPair:
    public: bytes  # Z85, 40 characters
    secret: bytes

    def __repr__(self) -> str:
        return f"KeyPair(public={self.public!r})"  # a secret in no log


@dataclass(frozen=True)
class NodeKeys:
    """The public keys of the nodes that are trusted, by node name; a node has two while its key is changed."""

    by_name: dict[str, tuple[bytes, ...]]

    def candidates(self, name: str | None) -> list[tuple[str, bytes]]:
        """(node name, key) of all that may answer where this name, or none, is expected."""
        names = self.by_name if name is None else [name] if name in self.by_name else []
        return [(each, key) for each in names for key in self.by_name[each]]


def load_pair(path: str | os.PathLike[str]) -> KeyPair:
    """Reads NAME.key. Raises Error(bad_request) for a file that is none, or that others may read."""
    texts = _read(pathlib.Path(path), private=True)
    return KeyPair(_key(texts, "public-key", path), _key(texts, "secret-key", path))


def load_nodes(folder: str | os.PathLike[str]) -> NodeKeys:
    """Reads FOLDER/nodes/*.pub. Raises Error(bad_request) for a file that is wrong, and when there is none."""
    found: dict[str, tuple[bytes, ...]] = {}
    for path in sorted(pathlib.Path(folder, "nodes").glob("*.pub")):
        if not is_name(path.stem):
            raise bad_request(f"{path}: a key's file is named after its node, as in a.pub")
        texts = _read(path)
        keys = [_key(texts, "public-key", path)]
        if "old-public-key" in texts:
            keys.append(_key(texts, "old-public-key", path))
        found[path.stem] = tuple(keys)
    if not found:
        raise bad_request(f"{folder}: no key of a node is there: put NAME.pub of each node into {folder}/nodes")
    return NodeKeys(found)


def _read(path: pathlib.Path, private: bool = False) -> dict[str, object]:
    try:
        with path.open("rb") as file:
            if private and os.fstat(file.fileno()).st_mode & (stat.S_IRWXG | stat.S_IRWXO):
                raise bad_request(f"{path}: others may read this secret key: chmod 600 {path}, or make a new one")
            text = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise bad_request(f"{path}: the key cannot be read: {error.strerror}") from error
    if len(text) > MOST_BYTES:
        raise bad_request(f"{path}: too long for a key file")
    try:
        return tomllib.loads(text.decode())
    except ValueError as error:
        raise bad_request(f"{path}: no key file: {error}") from error


def _key(texts: dict[str, object], field: str, path: str | os.PathLike[str]) -> bytes:
    text = texts.get(field)
    try:
        if isinstance(text, str) and len(text) == 40:
            z85.decode(text)  # type: ignore[no-untyped-call]
            return text.encode("ascii")
    except (KeyError, ValueError, struct.error):  # a character that Z85 has not, or five beyond 2^32
        pass
    raise bad_request(f"{os.fspath(path)}: {field} must be a key of 40 characters in Z85")
