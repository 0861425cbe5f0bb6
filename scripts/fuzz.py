"""Runs the fuzzers for scripts/fuzz and ctest: corpora, progress, findings."""

import argparse
import collections
import hashlib
import os
import pathlib
import random
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib

from lab.progress import Progress

ROOT = pathlib.Path(__file__).resolve().parents[1]
KEPT = ROOT / "tests/fuzz/corpus"
GOLDEN = ROOT / "tests/unit/proto/golden.txt"
TARGETS = ["codec", "core", "session", "config", "json", "state_file"]
MAX_LEN = {"codec": 2048, "core": 400, "session": 512, "config": 512, "json": 1024, "state_file": 2048}
DICTIONARIES = {"codec": "msgpack", "json": "json", "config": "config"}
# Seconds per input, far more than one takes even on a busy machine; megabytes of memory.
LIMITS = ["-timeout=60", "-rss_limit_mb=1024"]
SHOWN = 40  # lines of a finding
NOT_OURS = r" in (fuzzer::|__libc_start|_start|main)|/libstdc\+\+|libc\.so|^NOTE: |^ +Combine "
TEETH_SECONDS = 60
MOST_LEARNED = 200  # inputs of a target


def say(text):
    print(text, flush=True)


# ---- kept corpora: text files, an input a line ---------------------------------------
# TARGET.by_hand has samples and repaired findings, TARGET.learned what fuzzing has found worth keeping.


def escaped(data):
    """Printable bytes unchanged, others as \\n, \\\\ or \\xNN; or all bytes in hex after 0x, if that is shorter."""
    plain = {0x0A: "\\n", 0x5C: "\\\\"}
    text = "".join(plain.get(b) or (chr(b) if 32 <= b < 127 else f"\\x{b:02x}") for b in data)
    return f"0x{data.hex()}" if len(text) > 2 + 2 * len(data) or text.startswith("0x") else text


def unescaped(line):
    if line.startswith("0x"):
        return bytes.fromhex(line[2:])

    def one(match):
        text = match.group(1)
        return {"n": "\n", "\\": "\\"}.get(text) or chr(int(text[1:], 16))
    return re.sub(r"\\(n|\\|x[0-9a-f]{2})", one, line).encode("latin-1")


def inputs_of(file):
    return [unescaped(line) for line in file.read_text("ascii").splitlines()] if file.exists() else []


def written_by_hand(target):
    inputs = set(inputs_of(KEPT / f"{target}.by_hand"))
    if target == "codec":  # one frame of every message
        inputs |= {bytes.fromhex(line.split()[1]) for line in GOLDEN.read_text().splitlines()}
    return inputs


def kept_inputs(target):
    return written_by_hand(target) | set(inputs_of(KEPT / f"{target}.learned"))


def keep(file, inputs):
    lines = sorted({escaped(data) for data in inputs}, key=lambda line: (len(line), line))
    file.write_text("".join(f"{line}\n" for line in lines), "ascii")


def unpack(inputs, folder):
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for data in inputs:
        (folder / hashlib.sha1(data).hexdigest()).write_bytes(data)


# ---- one run -------------------------------------------------------------------------


class Fuzzer:
    def __init__(self, build, target):
        self.target = target
        self.program = build / "tests/fuzz" / f"fuzz_{target}"
        self.kept = build / "corpus/kept" / target
        self.learned = build / "corpus/learned" / target
        self.findings = build / "findings"
        unpack(kept_inputs(target), self.kept)
        for folder in (self.learned, self.findings):
            folder.mkdir(parents=True, exist_ok=True)

    def options(self):
        options = [*LIMITS, f"-max_len={MAX_LEN[self.target]}", "-len_control=0"]
        if self.target in DICTIONARIES:
            options.append(f"-dict={ROOT / 'tests/fuzz' / (DICTIONARIES[self.target] + '.dict')}")
        return options

    def run(self, seconds, seed, progress, before, of):
        """Returns whether nothing was found. `before`: seconds of `of` that other targets have used."""
        command = [str(self.program), str(self.learned), str(self.kept), *self.options(), f"-seed={seed}",
                   f"-max_total_time={seconds}", f"-artifact_prefix={self.findings}/{self.target}-"]
        say(f"{self.target}: {len(list(self.kept.iterdir()))} kept inputs, "
            f"{len(list(self.learned.iterdir()))} learned earlier, {seconds} s")
        begin = time.monotonic()
        lines = collections.deque(maxlen=2000)
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              errors="replace") as fuzzer:
            for line in fuzzer.stdout:
                lines.append(line.rstrip())
                if "cov: " in line:
                    progress.show((before + min(time.monotonic() - begin, seconds)) / of,
                                  f"{self.target}: {short(line)}")
        progress.clear()
        if fuzzer.returncode == 0:
            last = next((line for line in reversed(lines) if "DONE" in line), "")
            say(f"  {time.monotonic() - begin:5.0f} s  {short(last)}; nothing found")
            return True
        self.tell(lines, fuzzer.returncode)
        return False

    def tell(self, lines, status):
        lines = list(lines)
        first = next((at for at, line in enumerate(lines)
                      if re.search(r"^==\d+==|runtime error|invariant broken|over its bound", line)), 0)
        say(f"\n{self.target}: FOUND (exit status {status})")
        told = [re.sub(r" \(BuildId: .*", "", line) for line in lines[first:] if not re.search(NOT_OURS, line)]
        for line in told[:SHOWN]:
            say(f"  {line}")
        file = next((line.split("written to ")[1] for line in lines if "written to " in line), None)
        if file:
            say(f"kept as {file}; repeat it with\n  {shlex.join([str(self.program), file, *LIMITS])}\n"
                f"and when it is repaired: scripts/fuzz --target {self.target} --keep {shlex.quote(file)}")

    def learn(self):
        """Adds new inputs to the kept corpus, minimised to the fewest and smallest with the same coverage."""
        with tempfile.TemporaryDirectory() as merged:
            subprocess.run([str(self.program), "-set_cover_merge=1", "-use_counters=0", *self.options(), merged,
                            str(self.kept), str(self.learned)], check=True, stderr=subprocess.DEVNULL)
            found = {file.read_bytes() for file in pathlib.Path(merged).iterdir()} - written_by_hand(self.target)
            inputs = sorted(found, key=len)[:MOST_LEARNED]
        keep(KEPT / f"{self.target}.learned", inputs)
        say(f"{self.target}: {len(inputs)} learned inputs kept, {sum(map(len, inputs))} bytes")


# ---- do the fuzzers find deliberate mistakes? ----------------------------------------


def bites(build, number, mutant, seed):
    """Returns whether the target finds this deliberate mistake."""
    with tempfile.TemporaryDirectory() as scratch:
        fuzzer = Fuzzer(build, mutant["target"])
        fuzzer.program = build / "tests/fuzz" / f"fuzz_{mutant['target']}_mutants"
        begin = time.monotonic()
        done = subprocess.run([str(fuzzer.program), scratch, str(fuzzer.kept), *fuzzer.options(), f"-seed={seed}",
                               f"-max_total_time={TEETH_SECONDS}", f"-artifact_prefix={scratch}/"],
                              env={**os.environ, "MUSTER_MUTANT": str(number)}, capture_output=True, text=True,
                              errors="replace", check=False)
    found = done.returncode != 0 and re.search(r"SUMMARY: |invariant broken", done.stderr)
    what = next((line for line in done.stderr.splitlines() if "invariant broken" in line or "SUMMARY: " in line), "")
    say(f"{mutant['name']} in {mutant['target']}: " + (f"found after {time.monotonic() - begin:.1f} s: {what}" if found
        else f"NOT FOUND in {TEETH_SECONDS} s: {mutant['mistake']}"))
    return bool(found)


def have_teeth(build, seed):
    mutants = tomllib.loads((ROOT / "tests/fuzz/mutants.toml").read_text())["mutant"]
    return all([bites(build, number, mutant, seed) for number, mutant in enumerate(mutants, 1)])


def short(line):
    return re.sub(r"^#(\d+)\s+\w+", r"\1 inputs,", re.sub(r" L: .*", "", line)).strip()


def parse(arguments):
    parser = argparse.ArgumentParser(prog="scripts/fuzz", description=__doc__)
    parser.add_argument("build", type=pathlib.Path, help=argparse.SUPPRESS)
    parser.add_argument("--seconds", type=int, default=600, help="for each target (default 600)")
    parser.add_argument("--target", action="append", choices=TARGETS, help="default: all")
    parser.add_argument("--seed", type=int, help="of the inputs that are made (default: another each time)")
    parser.add_argument("--learn", action="store_true", help="afterwards put what was learned into the kept corpora")
    parser.add_argument("--keep", nargs="+", type=pathlib.Path, help="only add these inputs to the kept corpus")
    parser.add_argument("--forget", action="store_true", help="begin without what earlier runs have learned")
    parser.add_argument("--teeth", action="store_true", help="only try whether deliberate mistakes are found")
    options = parser.parse_args(arguments)
    if options.seconds < 1:
        parser.error("--seconds must be at least 1")
    if options.keep and len(options.target or []) != 1:
        parser.error("--keep needs one --target")
    if options.seed is None:
        options.seed = random.SystemRandom().randrange(1, 1 << 31)
    options.build = options.build.resolve()
    return options


def main():
    options = parse(sys.argv[1:])
    targets = options.target or TARGETS
    if options.keep:
        by_hand = KEPT / f"{targets[0]}.by_hand"
        keep(by_hand, inputs_of(by_hand) + [file.read_bytes() for file in options.keep])
        return 0
    say(f"fuzz: seed {options.seed}")
    if options.teeth:
        return 0 if have_teeth(options.build, options.seed) else 1
    if options.forget:
        for target in targets:
            shutil.rmtree(options.build / "corpus/learned" / target, ignore_errors=True)
    fuzzers = [Fuzzer(options.build, target) for target in targets]
    progress, of = Progress("fuzz"), options.seconds * len(fuzzers)
    found = [fuzzer.target for number, fuzzer in enumerate(fuzzers)
             if not fuzzer.run(options.seconds, options.seed, progress, options.seconds * number, of)]
    if options.learn and not found:
        for fuzzer in fuzzers:
            fuzzer.learn()
    say(f"found in: {', '.join(found)}" if found else "nothing found")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
