"""Errors, with the protocol's names."""

import enum
import reprlib

_repr = reprlib.Repr()  # its work is bounded: the repr of a list that refers often to one part can take for ever
_repr.maxlevel = 3
_repr.maxstring = _repr.maxlong = _repr.maxother = 1000  # more than `shown` shows


class Word(enum.IntEnum):
    """A number that stands for a word in the protocol. `str` returns the word."""

    def __str__(self) -> str:
        return self.name


class ErrorCode(Word):
    """Why a call failed (PROTOCOL.md, "Numbers that stand for words")."""

    bad_request = 1
    not_joined = 2
    not_ready = 3
    overloaded = 4
    unreachable = 5
    timeout = 6
    refused = 7
    name_taken = 8
    wrong_scope = 9
    wrong_version = 10
    unknown_session = 11
    closed = 12


class Error(Exception):
    """A call failed. `code` says why; `text` is one line: what is wrong, and what to do."""

    def __init__(self, code: ErrorCode, text: str) -> None:
        self.code = code
        self.text = text if text.isprintable() else "".join(c if c.isprintable() else "?" for c in text)
        super().__init__(code, self.text)

    def __str__(self) -> str:
        return f"{self.code}: {self.text}"


def bad_request(text: str) -> Error:
    return Error(ErrorCode.bad_request, text)


def closed() -> Error:
    return Error(ErrorCode.closed, "the worker is closed: connect a new one")


def no_resources(error: Exception) -> Error:
    """The system gives no more descriptors or threads."""
    text = f"the system gives no more to this process ({shown(error)}): raise its limits, or make fewer workers"
    return Error(ErrorCode.overloaded, text)


def shown(value: object) -> str:
    """The value for an error text: short and on one line, even if its repr is not, or raises."""
    try:
        text = _repr.repr(value)
    except Exception:  # also an int with too many digits to print
        text = f"a {type(value).__name__}"
    text = "".join(c if c.isprintable() else "?" for c in text[:80])
    return text if len(text) < 80 else text[:77] + "..."
