#!/usr/bin/env python3
"""Checks with readelf that programs were built with the hardening flags.

usage: hardening_test.py READELF FILE...             programs and static libraries; exit status 1 when one lacks any
       hardening_test.py READELF --catches COMPILER  whether a program built without them lacks all of it
       hardening_test.py READELF --marked COMPILER FILE...  whether programs are marked for branch protection, if any
                                                            program can be: the system's startup code must be, too
"""

import pathlib
import re
import subprocess
import sys
import tempfile

UNHARDENED = ["-O0", "-fno-pie", "-no-pie", "-fno-stack-protector", "-U_FORTIFY_SOURCE",
              "-Wl,-z,norelro,-z,lazy,-z,execstack"]
NEVER_MISSING = {"no segment that can be written and executed", "no text relocations"}
X86 = {"Advanced Micro Devices X86-64", "Intel 80386"}


def readelf(tool, option, program):
    return subprocess.run([tool, "--wide", option, program], check=True, capture_output=True, text=True).stdout


def demands(tool, program):
    """What is asked of a program, and whether it has it."""
    header, segments, dynamic, symbols = (
        readelf(tool, option, program) for option in ("-h", "-l", "-d", "--dyn-syms"))
    kind = re.search(r"Type:\s+(\w+)", header).group(1)
    stack = re.search(r"GNU_STACK(?:\s+0x[0-9a-f]+){5}\s+([RWE ]+?)\s+0x", segments)
    # Own code calls a checked function where the size of its target is known, and __stack_chk_fail from any frame
    # with an array.
    fortified = re.findall(r"\b(__\w+_chk)\b", symbols)
    asked = {
        "a position-independent executable": kind == "DYN" and "PIE" in dynamic,
        "RELRO": "GNU_RELRO" in segments,
        "BIND_NOW": "BIND_NOW" in dynamic or re.search(r"FLAGS_1.*\bNOW\b", dynamic),
        "a stack that cannot be executed": stack and "E" not in stack.group(1),
        "stack protectors": "__stack_chk_fail" in symbols,
        "fortified functions": [name for name in fortified if name != "__stack_chk_fail"],
        "no segment that can be written and executed": not re.search(r"^\s*LOAD\s.*\sRWE\s", segments, re.MULTILINE),
        "no text relocations": "TEXTREL" not in dynamic,
    }
    return {what: bool(there) for what, there in asked.items()}


def branch_protection(tool, library):
    """Of each object, since a program is not marked when the system's own startup code is not."""
    header = readelf(tool, "-h", library)
    if re.search(r"Machine:\s+(.*)", header).group(1).strip() not in X86:
        return []
    members = len(re.findall(r"^File: ", header, re.MULTILINE))
    marked = len(re.findall(r"x86 feature: IBT, SHSTK", readelf(tool, "-n", library)))
    return [] if marked == members > 0 else [f"branch protection in {members - marked} of {members} objects"]


def is_marked(tool, program):
    return "x86 feature: IBT, SHSTK" in readelf(tool, "-n", program)


def unmarked(tool, compiler, programs):
    """Exit status 1 when a program is not marked although one is that has nothing but the system's startup code."""
    with tempfile.TemporaryDirectory() as folder:
        source, least = pathlib.Path(folder, "least.cpp"), str(pathlib.Path(folder, "least"))
        source.write_text("int main() {}\n")
        done = subprocess.run([compiler, "-fcf-protection=full", str(source), "-o", least], capture_output=True)
        can_be = done.returncode == 0 and is_marked(tool, least)
    missing = [program for program in programs if is_marked(tool, program) != can_be]
    print("\n".join(f"{program}: marked for branch protection: {not can_be}" for program in missing) if missing else
          "all are marked for branch protection" if can_be else "no program can be marked for branch protection here")
    return 1 if missing else 0


def findings(tool, program):
    if program.endswith(".a"):
        return branch_protection(tool, program)
    return [what for what, there in demands(tool, program).items() if not there]


def catches(tool, compiler):
    """Exit status 1 when something is not missed in a program that was built without it."""
    with tempfile.TemporaryDirectory() as folder:
        source, program = pathlib.Path(folder, "bare.cpp"), pathlib.Path(folder, "bare")
        source.write_text("int main() {}\n")
        flags = UNHARDENED[:]
        if subprocess.run([compiler, "-fcf-protection=none", "-E", "-o", "/dev/null", str(source)],
                          capture_output=True).returncode == 0:
            flags.append("-fcf-protection=none")
        subprocess.run([compiler, *flags, str(source), "-o", str(program)], check=True)
        there = [what for what, found in demands(tool, program).items() if found]
    # The linker writes neither of these two by itself, whatever it is told.
    there = [what for what in there if what not in NEVER_MISSING]
    print("not missed: " + ", ".join(there) if there else "all of it is missed in a program built without it")
    return 1 if there else 0


def main():
    tool, programs = sys.argv[1], sys.argv[2:]
    if programs[:1] == ["--catches"]:
        return catches(tool, programs[1])
    if programs[:1] == ["--marked"]:
        return unmarked(tool, programs[1], programs[2:])
    missing = [f"{program}: {what} is missing" for program in programs for what in findings(tool, program)]
    print("\n".join(missing) if missing else f"{len(programs)} programs and libraries are hardened")
    return 1 if missing or not programs else 0


if __name__ == "__main__":
    sys.exit(main())
