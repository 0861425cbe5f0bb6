"""Errors, with the protocol's names."""

import enum


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
        super().__init__(code, text)
        self.code = code
        self.text = text

    def __str__(self) -> str:
        return f"{self.code}: {self.text}"


def bad_request(text: str) -> Error:
    return Error(ErrorCode.bad_request, text)


def closed() -> Error:
    return Error(ErrorCode.closed, "the worker is closed: connect a new one")
