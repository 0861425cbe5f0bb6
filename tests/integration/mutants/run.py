#!/usr/bin/env python3
"""Takes the node's defences out, one at a time, and sees whether the test of each notices.

usage: run.py --musterd MUTANTS [--only NAME]... TEST_PROGRAM...

MUTANTS is a musterd that makes the mistake of mutants.toml whose number is in MUSTER_MUTANT. Each test that stands
there must pass without a mistake, and fail with its own in the words of `seen`. Several run at a time, hurried, and end
with their first failure; what does not do as it should is tried once more, alone and without hurry. Exit status 1 when
a mistake goes unnoticed, or a test fails without one.
"""

import argparse
import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys
import threading
import time
import tomllib

LISTED = pathlib.Path(__file__).with_name("mutants.toml")
AT_A_TIME = 4
HURRY = "5"  # what never comes is waited for a fifth of the usual time
LONGEST = 180  # seconds
FAILURE = re.compile(r": Failure$")


def programs_of(programs):
    """The program that has each test."""
    found = {}
    for program in programs:
        listed = subprocess.run([program, "--gtest_list_tests"], capture_output=True, text=True, check=True).stdout
        suite = ""
        for line in listed.splitlines():
            if not line.startswith(" "):
                suite = line.split()[0] if line.endswith(".") else ""
            elif suite:
                found[suite + line.split()[0]] = program
    return found


def first_failure(child):
    """What the first failed assertion says, in one line, and the end of the test; nothing when there was none."""
    if not any(FAILURE.search(line) for line in child.stdout):
        return None
    time.sleep(0.1)  # the rest of it is written at once
    child.kill()  # its nodes end with it
    told = []
    for line in child.stdout:
        if FAILURE.search(line) or line.startswith("["):
            break
        told.append(line.strip())
    return " ".join(told).strip()


class Runner:
    def __init__(self, musterd, programs):
        self.musterd = musterd
        self.programs = programs_of(programs)

    def run(self, test, number=0, hurry=None):
        """None when the test passes, or else its first failure."""
        environment = {**os.environ, "MUSTERD": self.musterd, "MUSTER_MUTANT": str(number)}
        if hurry:
            environment["MUSTER_TEST_HURRY"] = hurry
        begun = time.monotonic()
        with subprocess.Popen([self.programs[test], f"--gtest_filter={test}", "--gtest_color=no"], env=environment,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace") as child:
            timer = threading.Timer(LONGEST, child.kill)
            timer.start()
            failure = first_failure(child)
            status = child.wait()
            timer.cancel()
        if failure is None and status != 0:
            failure = f"it ended with {status} after {time.monotonic() - begun:.0f} s"
        return failure

    def is_sound(self, test):
        begun = time.monotonic()
        failure = self.run(test)
        say(f"{test}: " + ("passes" if failure is None else f"FAILS without a mistake: {failure}"), begun)
        return failure is None

    def is_noticed(self, number, mutant, hurry):
        begun = time.monotonic()
        failure = self.run(mutant["test"], number, hurry)
        noticed = failure is not None and re.search(mutant["seen"], failure) is not None
        if noticed:
            say(f"{mutant['name']}: noticed by {mutant['test']}: {failure[:160]}", begun)
        elif not hurry:
            why = f"fails otherwise: {failure[:300]}" if failure is not None else "passes"
            say(f"{mutant['name']}: NOT NOTICED ({mutant['mistake']}) {mutant['test']} {why}", begun)
        return noticed


def say(text, begun):
    print(f"{time.monotonic() - begun:5.1f} s  {text}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--musterd", required=True)
    parser.add_argument("--only", action="append", help="the name of a mutant")
    parser.add_argument("programs", nargs="+")
    options = parser.parse_args()
    mutants = list(enumerate(tomllib.loads(LISTED.read_text())["mutant"], 1))
    if options.only:
        mutants = [(number, mutant) for number, mutant in mutants if mutant["name"] in options.only]
    runner = Runner(options.musterd, options.programs)
    tests = sorted({mutant["test"] for _, mutant in mutants})
    if unknown := [test for test in tests if test not in runner.programs]:
        print(f"mutants.toml: no program has {', '.join(unknown)}: name tests that there are", file=sys.stderr)
        return 1

    with concurrent.futures.ThreadPoolExecutor(AT_A_TIME) as several:
        sound = list(several.map(runner.is_sound, tests))
        noticed = list(several.map(lambda each: runner.is_noticed(*each, HURRY), mutants))
    again = [each for each, was in zip(mutants, noticed, strict=True) if not was]
    missed = [mutant["name"] for number, mutant in again if not runner.is_noticed(number, mutant, None)]
    unsound = [test for test, was in zip(tests, sound, strict=True) if not was and not runner.is_sound(test)]
    if not missed and not unsound:
        print(f"all {len(mutants)} are noticed")
    return 1 if missed or unsound else 0


if __name__ == "__main__":
    sys.exit(main())
