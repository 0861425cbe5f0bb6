#!/usr/bin/env python3
"""The table of scripts/bench on made-up lines: who is compared with whom, which way is better, what is reached."""

import argparse
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[3] / "scripts"))

import bench  # noqa: E402


def options(*rows, peers=True, secure=False, reps=1):
    return argparse.Namespace(rows=list(rows), peers=peers, secure=secure, reps=reps)


def table_of(*lines, rows, peers=True):
    results = bench.Results()
    for line in lines:
        results.add(line, by_bounds=False)
    return bench.table(results, options(*rows, peers=peers))[1:]


class Table(unittest.TestCase):
    def test_more_deliveries_are_better(self):
        line, = table_of("fanout how=sustained members=30 bytes=64 deliveries_s=4000000",
                         "fanout peer=nats how=sustained members=30 bytes=64 deliveries_s=2000000", rows=["fanout"])
        self.assertEqual(line[3:], ["4 M", "nats", "2 M", "2x", "1.8x", "yes"])

    def test_less_time_is_better(self):
        line, = table_of("sync memberships=100000 joined=batch ms=80", "sync peer=pg memberships=100000 ms=100",
                         rows=["sync"])
        self.assertEqual(line[3:], ["80", "pg", "100", "1.2x", "2x", "NO"])

    def test_the_median_of_all_repetitions_counts(self):
        lines = [f"killed groups=1000 memberships=10000 ms={ms}" for ms in (9, 1, 2)]
        line, = table_of(*lines, rows=["killed"])
        self.assertEqual(line[3], "2 (1–9)")

    def test_only_the_same_work_is_compared(self):
        line, = table_of("lookup where=local members=10 threads=1 ns_op=50",
                         "lookup peer=pg where=remote members=10 threads=1 ns_op=500",
                         "lookup peer=pg where=local members=100 threads=1 ns_op=500", rows=["lookup"])
        self.assertEqual(line[4:], [""] * 5)

    def test_a_peer_that_says_less_stands_beside_all_variants(self):
        lines = table_of("propagate reply=notify p50_us=100", "propagate reply=join p50_us=50",
                         "propagate peer=zmq p50_us=50", rows=["propagate"])
        self.assertEqual([line[4:] for line in lines],
                         [["zmq", "50", "0.5x", "0.87x", "NO"], ["zmq", "50", "1x", "0.87x", "yes"]])

    def test_bounds_over_nodes_are_kept(self):
        results = bench.Results()
        results.add("idle nodes=10 cpu_percent=2 cpu_percent_min=1 cpu_percent_max=4", by_bounds=True)
        line = bench.table(results, options("idle", peers=False))[1]
        self.assertEqual(line, ["idle", "nodes=10", "% CPU", "2 (1–4)"])

    def test_muster_and_its_peers_take_turns(self):
        keyed = [step[2] for step in bench.plan(options("propagate", "lookup", peers=False, secure=True))]
        self.assertEqual(keyed, ["muster", "keys", "muster"])
        programs = [step[2] for step in bench.plan(options("propagate", reps=2))]
        self.assertEqual(programs, ["muster", "pg", "zmq"] * 2)

    def test_every_goal_names_a_row_a_measure_and_a_peer_of_it(self):
        for row, _, measure, peer, ratio in bench.GOALS:
            with self.subTest(row=row, peer=peer):
                self.assertIn(measure, bench.MEASURES)
                self.assertIn(peer.removesuffix("_relay"), bench.ROWS[row][1])
                self.assertGreater(ratio, 0)


if __name__ == "__main__":
    unittest.main()
