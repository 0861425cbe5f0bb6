"""What the programs say of themselves."""

import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "scripts"))
MUSTERD, MUSTER = os.environ["MUSTERD"], os.environ["MUSTER"]


def help_of(program, *command):
    return subprocess.run([program, *command, "--help"], check=True, capture_output=True, text=True).stdout


def options_of(text):
    """{option: what --help says of it}; what follows on further lines included."""
    options, last = {}, None
    for line in text.splitlines():
        named = re.match(r"  (?:-h,)?(--[a-z-]+)(.*)", line)
        if named:
            last = named.group(1)
            options[last] = named.group(2)
        elif line.startswith("      ") and last:
            options[last] += " " + line.strip()
        else:
            last = None
    return options


def commands_of(text):
    listed = text[text.index("Subcommands:"):]
    return re.findall(r"^  ([a-z]+) ", listed, re.MULTILINE)
