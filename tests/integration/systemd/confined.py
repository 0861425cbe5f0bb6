#!/usr/bin/env python3
"""Runs a program under the limits on system calls that a systemd unit asks for, without systemd itself.

usage: confined.py UNIT PROGRAM [ARGUMENTS...]
       confined.py UNIT --check      whether that can be done here; exit status 77 and one line when not

Of the unit it takes NoNewPrivileges, SystemCallFilter, SystemCallErrorNumber=EPERM, RestrictAddressFamilies and
MemoryDenyWriteExecute, and sets the same seccomp filters through libseccomp. (What is refused is refused with EPERM,
where systemd says EAFNOSUPPORT of an address family.)
"""

import ctypes
import errno
import os
import pathlib
import socket
import subprocess
import sys

ALLOW, REFUSE = 0x7FFF0000, 0x00050000 | errno.EPERM
EQUAL, MASKED_EQUAL = 4, 7
PR_SET_NO_NEW_PRIVS = 38
WRITE, EXECUTE = 2, 4


class Compare(ctypes.Structure):
    _fields_ = [("argument", ctypes.c_uint), ("operator", ctypes.c_int),
                ("first", ctypes.c_uint64), ("second", ctypes.c_uint64)]


def settings(unit):
    """The unit's settings, each a list of its values."""
    found = {}
    for line in pathlib.Path(unit).read_text().splitlines():
        key, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            found.setdefault(key, []).append(value)
    return found


def read_groups():
    """The members of every group such as @system-service: system calls, and other groups."""
    listed = subprocess.run(["systemd-analyze", "syscall-filter"], check=True, capture_output=True, text=True)
    groups, group = {}, None
    for line in listed.stdout.splitlines():
        word = line.strip()
        if line.startswith("@"):
            group = groups.setdefault(word, [])
        elif group is not None and line.startswith(" ") and not word.startswith("#"):
            group.append(word)
    return groups


def expand(groups, name):
    """The system calls of a group; a call is itself."""
    return set().union(*(expand(groups, word) for word in groups[name])) if name.startswith("@") else {name}


def allowed_calls(filters):
    groups, calls = read_groups(), set()
    for value in filters:
        names = set().union(*(expand(groups, word) for word in value.lstrip("~").split()))
        calls = calls - names if value.startswith("~") else calls | names
    return calls


def rules(name, asked):
    """Under which conditions a call is allowed: one of these must hold; none: always."""
    if name == "socket":
        families = " ".join(asked["RestrictAddressFamilies"]).split()
        return [Compare(0, EQUAL, getattr(socket, family), 0) for family in families]
    if name == "mmap":
        return [Compare(2, MASKED_EQUAL, WRITE | EXECUTE, value) for value in (0, WRITE, EXECUTE)]
    if name in ("mprotect", "pkey_mprotect"):
        return [Compare(2, MASKED_EQUAL, EXECUTE, 0)]
    return []


def confine(unit):
    asked = settings(unit)
    for key, value in (("NoNewPrivileges", "yes"), ("MemoryDenyWriteExecute", "yes"),
                       ("SystemCallErrorNumber", "EPERM")):
        if asked.get(key) != [value]:
            sys.exit(f"{unit}: {key}={value} is missing")
    library = ctypes.CDLL("libseccomp.so.2", use_errno=True)
    library.seccomp_init.restype = ctypes.c_void_p
    context = ctypes.c_void_p(library.seccomp_init(REFUSE))
    for name in sorted(allowed_calls(asked["SystemCallFilter"])):
        number = library.seccomp_syscall_resolve_name(name.encode())
        if number < 0:
            continue  # of another architecture
        conditions = rules(name, asked)
        for condition in conditions or [None]:
            count = 0 if condition is None else 1
            pointer = None if condition is None else ctypes.byref(condition)
            if library.seccomp_rule_add_array(context, ALLOW, number, count, pointer) != 0:
                sys.exit(f"cannot add a rule for {name}")
    libc = ctypes.CDLL(None)
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 or library.seccomp_load(context) != 0:
        sys.exit("cannot set the filter")


def check():
    try:
        ctypes.CDLL("libseccomp.so.2")
        expand(read_groups(), "@system-service")
    except (OSError, KeyError, subprocess.CalledProcessError) as error:
        print(f"cannot confine a program here: {error}")
        sys.exit(77)


if sys.argv[2:] == ["--check"]:
    check()
else:
    confine(sys.argv[1])
    os.execv(sys.argv[2], sys.argv[2:])
