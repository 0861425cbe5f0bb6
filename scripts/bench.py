"""Implements scripts/bench: runs the programs of tests/bench alternately, and makes one table of the results.

Each program prints one line per case: the row, then KEY=VALUE. Keys in MEASURES are results, the others describe the
case. Each repetition of muster is followed by one of each peer, so that all run under the same conditions.
"""

import argparse
import contextlib
import os
import pathlib
import random
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

from lab.progress import Progress, duration

ROOT = pathlib.Path(__file__).resolve().parent.parent
PG_SOURCE = ROOT / "tests/bench/peers/bench_pg.erl"
PATIENCE = 1800.0  # seconds for one repetition of a row

MEASURES = {  # key: (unit, whether more is better)
    "ns_op": ("ns", False), "memberships_s": ("/s", True), "with_peers_s": ("/s incl. peers", True),
    "p50_us": ("µs p50", False), "p99_us": ("µs p99", False), "ms": ("ms", False), "deliveries_s": ("/s", True),
    "cpu_us": ("µs CPU", False), "cpu_ns": ("ns CPU", False),
    "bytes_member": ("B", False), "trimmed": ("B trimmed", False),
    "cpu_percent": ("% CPU", False), "bytes_s": ("B/s sent", False), "resident_mb": ("MB", False),
}

# Roughly, in seconds of one repetition with the default lengths: muster, then each peer that does the same work.
ROWS = {
    "lookup": (18, {"pg": 18}),
    "join": (18, {"pg": 22}),
    "propagate": (3, {"pg": 2, "zmq": 1}),
    "sync": (20, {"pg": 12}),
    "fanout": (28, {"pg": 90, "nats": 45, "zmq": 4}),
    "workers": (33, {"nats": 7}),
    "killed": (2, {"pg": 6}),
    "memory": (44, {"pg": 42}),
    "idle": (14, {}),
    "scale": (45, {}),
}
WITH_KEYS = {"join", "propagate", "sync", "fanout", "workers", "killed"}
KEY_NAMES = ["w", "a", "learner", *(f"n{i}" for i in range(1, 11)), *(f"d{i}" for i in range(1, 4)),
             *(f"fresh{i}" for i in range(20))]
STEADY = {"idle", "scale"}  # these rows observe for a fixed time and are not repeated

# What is to be reached: row, part of the case, measure, peer, times better than the peer.
GOALS = [
    ("lookup", {"members": "1"}, "ns_op", "pg", 10), ("lookup", {"members": "10"}, "ns_op", "pg", 10),
    ("lookup", {"members": "100"}, "ns_op", "pg", 30), ("lookup", {"members": "1000"}, "ns_op", "pg", 200),
    ("join", {"per_call": "1", "others": "0"}, "memberships_s", "pg", 8),
    ("join", {"per_call": "1", "others": "10000"}, "memberships_s", "pg", 300),
    ("join", {"per_call": "100"}, "memberships_s", "pg", 4),
    ("propagate", {}, "p50_us", "zmq", 1 / 1.15),
    ("sync", {}, "ms", "pg", 2),
    ("fanout", {"members": "30", "bytes": "64"}, "deliveries_s", "pg", 20),
    ("fanout", {"members": "30", "bytes": "64"}, "deliveries_s", "pg_relay", 3),
    ("fanout", {"members": "30", "bytes": "64"}, "deliveries_s", "nats", 1.8),
    ("fanout", {"members": "300", "bytes": "64"}, "deliveries_s", "pg", 43),
    ("fanout", {"members": "300", "bytes": "64"}, "deliveries_s", "pg_relay", 4.2),
    ("fanout", {"members": "300", "bytes": "64"}, "deliveries_s", "nats", 4.3),
    ("fanout", {"members": "30"}, "p50_us", "pg_relay", 1),
    ("workers", {"bytes": "64", "how": "posted"}, "deliveries_s", "nats", 1),
    ("workers", {"bytes": "64"}, "p50_us", "nats", 1),
    ("killed", {}, "ms", "pg", 1),
    ("memory", {"learned": "fresh"}, "bytes_member", "pg", 6.1),
]


class Failed(Exception):
    pass


def parse(line):
    """Parses a line: the row, the peer ("muster" if there is none), the case and the measures."""
    row, *pairs = line.split()
    keys = dict(pair.split("=", 1) for pair in pairs)
    peer = keys.pop("peer", "muster")
    measures = {key: float(keys.pop(key)) for key in MEASURES if key in keys}
    bounds = {key: (float(keys.pop(f"{key}_min")), float(keys.pop(f"{key}_max")))
              for key in measures if f"{key}_min" in keys}
    return row, peer, keys, measures, bounds


class Results:
    """All samples, in the order of the first sample of each case."""

    def __init__(self):
        self.samples = {}  # (row, peer, case as pairs): {measure: [value…]}

    def add(self, line, by_bounds):
        row, peer, case, measures, bounds = parse(line)
        found = self.samples.setdefault((row, peer, tuple(case.items())), {})
        for key, value in measures.items():
            low, high = bounds.get(key, (value, value))
            found.setdefault(key, []).extend([low, value, high] if by_bounds else [value])

    def cases(self, row):
        return [(dict(case), measures) for (of, peer, case), measures in self.samples.items()
                if of == row and peer == "muster"]

    def peers(self, row, case, measure):
        """(peer, samples) of all peers with the same case."""
        for (of, peer, other), measures in self.samples.items():
            if of == row and peer != "muster" and measure in measures and set(other) <= set(case.items()):
                yield peer, measures[measure]


def free_port():
    """A free port below the range of ephemeral ports."""
    while True:
        port = random.randrange(20000, 32000)
        with socket.socket() as probe:
            with contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                return port


class Programs:
    """The benchmark programs, and the servers that some of them need."""

    def __init__(self, build, options, stack):
        self.build, self.options, self.stack = pathlib.Path(build), options, stack
        self.servers = {}
        self.beams = None
        self.folder = None

    def run(self, program, row):
        """Runs one repetition of a row and returns its lines."""
        command, environment = getattr(self, program)(row)
        done = subprocess.run(command, env=os.environ | environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True, timeout=PATIENCE)
        if done.returncode != 0:
            raise Failed(f"{program} {row}: {done.stderr.strip().splitlines()[-1:] or 'no word why'}")
        lines = done.stdout.splitlines()
        return [f"{line} peer=keys" for line in lines] if program == "keys" else lines

    def common(self, row):
        options = self.options
        line = [row, "--reps", "1", "--ms", str(options.ms), "--calls", str(options.calls)]
        if options.quick:
            line.append("--quick")
        for one in options.only:
            line += ["--only", one]
        return line

    def muster(self, row):
        return [self.build / "muster_bench", *self.common(row)], {}

    def keys(self, row):
        """muster with keys."""
        if self.folder is None:
            self.folder = pathlib.Path(self.stack.enter_context(tempfile.TemporaryDirectory()))
            for role in ("nodes", "workers"):
                (self.folder / role).mkdir()
            for name in KEY_NAMES:
                subprocess.run([self.build / "../../node/cli/muster", "keygen", name, "--dir", self.folder], check=True,
                               stdout=subprocess.DEVNULL)
                role = "workers" if name == "w" else "nodes"
                (self.folder / f"{name}.pub").rename(self.folder / role / f"{name}.pub")
        return self.muster(row)[0], {"MUSTER_BENCH_KEYS": str(self.folder)}

    def zmq(self, row):
        return [self.build / "bench_zmq", *self.common(row)], {}

    def nats(self, row):
        port = self.server("nats", lambda port: [shutil.which("nats-server", path=os.environ["PATH"] + ":/usr/sbin"),
                                                 "-a", "127.0.0.1", "-p", str(port), "-l", os.devnull])
        return [self.build / "bench_nats", *self.common(row), "--port", str(port)], {}

    def pg(self, row):
        port = self.server("epmd", lambda port: ["epmd", "-address", "127.0.0.1", "-port", str(port)])
        if self.beams is None:
            self.beams = self.stack.enter_context(tempfile.TemporaryDirectory())
            subprocess.run(["erlc", "-o", self.beams, PG_SOURCE], check=True)
        environment = {"ERL_EPMD_ADDRESS": "127.0.0.1", "ERL_EPMD_PORT": str(port), "ROW": row,
                       "MS": str(self.options.ms), "CALLS": str(self.options.calls),
                       "ONLY": " ".join(self.options.only)}
        name = f"bench{os.getpid()}"
        return ["erl", "-noinput", "-noshell", "-pa", self.beams, "-name", f"{name}@127.0.0.1", "-setcookie", name,
                "-kernel", "inet_dist_use_interface", "{127,0,0,1}", "-kernel", "logger_level", "error",
                "+P", "2000000", "-s", "bench_pg", "main"], environment

    def server(self, name, command):
        """The port of the server, which is started at the first use and ended with the others."""
        if name not in self.servers:
            port = free_port()
            process = subprocess.Popen(command(port), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            self.stack.callback(process.wait)
            self.stack.callback(process.terminate)
            until = time.monotonic() + 10
            while time.monotonic() < until:
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                    break
                time.sleep(0.05)
            else:
                raise Failed(f"{name} does not start")
            self.servers[name] = port
        return self.servers[name]


def plan(options):
    """(seconds, repetition, program, row) in the order of running."""
    steps = []
    for row in options.rows:
        seconds, peers = ROWS[row]
        for repetition in range(1 if row in STEADY else options.reps):
            steps.append((seconds, repetition, "muster", row))
            if options.secure and row in WITH_KEYS:
                steps.append((seconds, repetition, "keys", row))
            if options.peers:
                steps += [(peers[peer], repetition, peer, row) for peer in peers]
    return steps


def measure(build, options):
    results = Results()
    steps = plan(options)
    pace = 0.3 if options.quick else max(0.3, options.ms / 2000)  # includes the time outside of the measurement
    total = sum(step[0] for step in steps) * pace
    print(f"bench: {len(steps)} runs, about {duration(total)}", file=sys.stderr, flush=True)
    progress, done, failed = Progress("bench"), 0.0, []
    with contextlib.ExitStack() as stack:
        programs = Programs(build, options, stack)
        for number, (seconds, repetition, program, row) in enumerate(steps, 1):
            progress.show(done * pace / total, f"run {number} of {len(steps)}: {row}, repetition {repetition + 1}, "
                          f"{program}", at_once=True)
            done += seconds
            try:
                for line in programs.run(program, row):
                    results.add(line, row in STEADY)
            except (Failed, subprocess.SubprocessError, OSError) as error:
                failed.append(str(error))
                progress.clear()
                print(f"bench: {error}", file=sys.stderr, flush=True)
    progress.clear()
    return results, failed


def number(value):
    for size, sign in ((1e6, " M"), (1e4, " k")):
        if abs(value) >= size:
            return f"{value / (1000 if sign == ' k' else size):.3g}{sign}"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def spread(samples):
    middle = number(statistics.median(samples))
    return middle if len(samples) == 1 else f"{middle} ({number(min(samples))}–{number(max(samples))})"


def times(value):
    return f"{value:.0f}x" if value >= 10 else f"{value:.2g}x"


def goal(row, case, measure_key, peer):
    for of, part, key, against, ratio in GOALS:
        if (of, key, against) == (row, measure_key, peer) and part.items() <= case.items():
            return ratio
    return None


def table(results, options):
    compared = options.peers or options.secure
    head = ["row", "case", "measure", "muster"] + (["peer", "its figure", "better", "to reach", ""] * compared)
    lines = [head]
    for row in options.rows:
        for case, measures in results.cases(row):
            words = " ".join(f"{key}={value}" for key, value in case.items())
            for key, samples in measures.items():
                unit, more_is_better = MEASURES[key]
                line = [row, words, unit, spread(samples)]
                others = list(results.peers(row, case, key)) if compared else []
                if not others:
                    lines.append(line + [""] * (len(head) - len(line)))
                for peer, theirs in others:
                    better = statistics.median(samples) / statistics.median(theirs)
                    better = better if more_is_better else 1 / better
                    wanted = goal(row, case, key, peer)
                    reached = "" if wanted is None else "yes" if better >= wanted else "NO"
                    lines.append(line + [peer, spread(theirs), times(better), times(wanted) if wanted else "", reached])
    return lines


def show(lines, markdown):
    if markdown:
        for number_of_line, line in enumerate(lines):
            print("| " + " | ".join(line) + " |")
            if number_of_line == 0:
                print("|" + "---|" * len(line))
        return
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    for line in lines:
        print("  ".join(text.ljust(width) for text, width in zip(line, widths)).rstrip())


def positive(text):
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return value


def arguments():
    parser = argparse.ArgumentParser(prog="scripts/bench", description="measures muster, row by row")
    parser.add_argument("build", help=argparse.SUPPRESS)
    parser.add_argument("rows", nargs="*", metavar="ROW", help=" ".join(ROWS))
    parser.add_argument("--peers", action="store_true", help="also Erlang's pg, NATS and bare libzmq")
    parser.add_argument("--secure", action="store_true", help="also muster with a key for everybody")
    parser.add_argument("--quick", action="store_true", help="one short repetition")
    parser.add_argument("--markdown", action="store_true")
    parser.add_argument("--reps", type=positive, help="repetitions (5)")
    parser.add_argument("--ms", type=positive, help="length of one measurement of a rate (2000)")
    parser.add_argument("--calls", type=positive, help="calls of one measurement of a latency (2000)")
    parser.add_argument("--only", action="append", default=[], metavar="KEY=VALUE",
                        help="only the cases with one of the values given for a key")
    options = parser.parse_intermixed_args()
    unknown = [row for row in options.rows if row not in ROWS]
    if unknown:
        parser.error(f"there is no row {unknown[0]}: {' '.join(ROWS)}")
    options.rows = options.rows or list(ROWS)
    options.reps = options.reps or (1 if options.quick else 5)
    options.ms = options.ms or (400 if options.quick else 2000)
    options.calls = options.calls or (300 if options.quick else 2000)
    return options


def main():
    options = arguments()
    results, failed = measure(options.build, options)
    show(table(results, options), options.markdown)
    for text in failed:
        print(f"bench: failed: {text}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
