"""CURVE keys: the worker's own pair, and the public keys of the nodes that it trusts."""

import os
import pathlib
import stat
import struct
import tomllib
from dataclasses import dataclass

from zmq.utils import z85

from .errors import Error, bad_request
from .logs import later as log
from .reader import is_name

MOST_BYTES = 16_384  # the size of a key file


@dataclass(frozen=True)
class KeyPair:
    public: bytes  # Z85, 40 characters
    secret: bytes

    def __repr__(self) -> str:
        return f"KeyPair(public={self.public!r})"  # the secret must not get into a log


@dataclass(frozen=True)
class NodeKeys:
    """The public keys of the trusted nodes, by node name. A node has two while its key is being replaced."""

    by_name: dict[str, tuple[bytes, ...]]

    def candidates(self, name: str | None) -> list[tuple[str, bytes]]:
        """(node name, key) of that node, or of all nodes if `name` is None."""
        names = self.by_name if name is None else [name] if name in self.by_name else []
        return [(each, key) for each in names for key in self.by_name[each]]


class KeyRing:
    """The keys in the files. Files that have changed are read again."""

    def __init__(self, key: str | os.PathLike[str], keys: str | os.PathLike[str]) -> None:
        """Raises Error(bad_request). If a file becomes wrong later, the keys read before stay valid."""
        self._key, self._keys = pathlib.Path(key), pathlib.Path(keys)
        self._seen = self._stats()
        self.pair, self._nodes = load_pair(key), load_nodes(keys)

    def nodes(self) -> NodeKeys:
        """Reads files that have changed, `pair` included, and returns the trusted nodes' keys."""
        stats = self._stats()
        if stats != self._seen:
            self._seen = stats
            try:
                self.pair, self._nodes = load_pair(self._key), load_nodes(self._keys)
                log.info("the keys were read again")
            except Error as error:
                log.warning("the keys have changed but cannot be used, so those read before stay valid: %s", error.text)
        return self._nodes

    def _stats(self) -> list[object]:
        found: list[object] = []
        for path in [self._key, self._keys / "nodes", *_public_files(self._keys)]:
            try:
                stat = path.stat()
                found.append((path, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_size, stat.st_ino))
            except OSError:
                found.append(path)
        return found


def load_pair(path: str | os.PathLike[str]) -> KeyPair:
    """Reads NAME.key. Raises Error(bad_request) if it is not a key file, or if others may read it."""
    texts = _read(pathlib.Path(path), private=True)
    return KeyPair(_key(texts, "public-key", path), _key(texts, "secret-key", path))


def load_nodes(folder: str | os.PathLike[str]) -> NodeKeys:
    """Reads FOLDER/nodes/*.pub. Raises Error(bad_request) if a file is wrong, or if there is none."""
    found: dict[str, tuple[bytes, ...]] = {}
    for path in _public_files(pathlib.Path(folder)):
        if not is_name(path.stem):
            raise bad_request(f"{path}: a key file must have the name of its node, as in a.pub")
        texts = _read(path)
        if "secret-key" in texts:
            raise bad_request(f"{path}: contains a secret key: put NAME.pub there instead, and make a new key pair")
        keys = [_key(texts, "public-key", path)]
        if "old-public-key" in texts:
            keys.append(_key(texts, "old-public-key", path))
        found[path.stem] = tuple(keys)
    if not found:
        raise bad_request(f"{folder}: contains no key of a node: put NAME.pub of each node into {folder}/nodes")
    return NodeKeys(found)


def _public_files(folder: pathlib.Path) -> list[pathlib.Path]:
    try:
        return sorted(path for path in (folder / "nodes").glob("*.pub") if not path.name.startswith("."))
    except OSError:
        return []


def _read(path: pathlib.Path, private: bool = False) -> dict[str, object]:
    try:
        with open(path, "rb", opener=_open) as file:
            if private and os.fstat(file.fileno()).st_mode & (stat.S_IRWXG | stat.S_IRWXO):
                raise bad_request(
                    f"{path}: others may read this secret key: run chmod 600 {path}, or make a new key pair"
                )
            text = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise bad_request(f"{path}: the key cannot be read: {error.strerror}") from error
    if len(text) > MOST_BYTES:
        raise bad_request(f"{path}: longer than {MOST_BYTES} bytes, so not a key file")
    try:
        return tomllib.loads(text.decode())
    except ValueError as error:
        raise bad_request(f"{path}: not a key file: {error}") from error


def _open(path: str, flags: int) -> int:
    """Refuses what may block: a FIFO waits for a writer, and the worker with it."""
    file = os.open(path, flags | os.O_NOCTTY | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise bad_request(f"{path}: is not a regular file")
    return file


def _key(texts: dict[str, object], field: str, path: str | os.PathLike[str]) -> bytes:
    text = texts.get(field)
    try:
        if isinstance(text, str) and len(text) == 40:
            z85.decode(text)  # type: ignore[no-untyped-call]
            return text.encode("ascii")
    except (KeyError, ValueError, struct.error):  # not a character of Z85, or five characters that exceed 2^32
        pass
    raise bad_request(f"{os.fspath(path)}: {field} must be a key of 40 characters in Z85")
