#!/usr/bin/env python3
"""Checks the systemd unit as it is installed.

usage: unit_test.py PREFIX   PREFIX: where `cmake --install` has put it; exit status 77 when there is no systemd-analyze
"""

import pathlib
import re
import shutil
import subprocess
import sys

EXPOSED_AT_MOST = 20  # in tenths, of 100


def main():
    prefix = pathlib.Path(sys.argv[1])
    unit = prefix / "lib/systemd/system/musterd.service"
    text = unit.read_text()
    wrong = []
    program = re.search(r"^ExecStart=(\S+)", text, re.MULTILINE).group(1)
    if not pathlib.Path(program).is_file():
        wrong.append(f"ExecStart={program} was not installed")
    if "@" in text.replace("@system-service", "").replace("@privileged", ""):
        wrong.append("a placeholder was left")
    sysusers = (prefix / "lib/sysusers.d/muster.conf").read_text()
    user = re.search(r"^User=(\S+)", text, re.MULTILINE).group(1)
    if not re.search(rf"^u {user} ", sysusers, re.MULTILINE):
        wrong.append(f"nobody makes the user {user}")
    # An address that is missing for long must not use up the starts: musterd ends with status 1 then.
    if "\nStartLimitIntervalSec=0\n" not in text or "\nRestart=on-failure\n" not in text:
        wrong.append("the unit gives up after some starts")
    if not re.search(r"^MemoryMax=[1-9]\d?%$", text, re.MULTILINE):
        wrong.append("the unit may take the memory of the whole host")
    if "\nLimitCORE=0\n" not in text:
        wrong.append("secrets may be written to a core dump")
    if not shutil.which("systemd-analyze"):
        print("SKIPPED: there is no systemd-analyze here")
        return 77
    for command in (["verify", "--man=no"], ["security", "--offline=true", f"--threshold={EXPOSED_AT_MOST}"]):
        done = subprocess.run(["systemd-analyze", *command, str(unit)], capture_output=True, text=True)
        complaints = [line for line in done.stderr.splitlines() if "musterd.service" in line]
        if done.returncode != 0 or complaints:
            wrong.append(f"systemd-analyze {command[0]}: {done.stderr.strip() or done.stdout.splitlines()[-1]}")
        if command[0] == "security":
            print(done.stdout.splitlines()[-1])
    print("\n".join(wrong) if wrong else "the unit is sound")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
