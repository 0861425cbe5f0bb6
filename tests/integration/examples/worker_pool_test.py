#!/usr/bin/env python3
"""Jobs for workers that come, leave and are killed: each is done, and what was given twice is counted."""

import re
import signal
import unittest

from support import Case

JOBS = 300


class WorkerPool(Case):
    def worker(self, first, second):
        worker = self.example(
            "worker_pool", "work", places={"127.0.0.1:7100": first.address, "127.0.0.1:7200": second.address}
        )
        worker.wait("^works$")
        return worker

    def give(self, jobs=JOBS):
        return self.example(
            "worker_pool", "give",
            places={"1000": str(jobs), "127.0.0.1:7100": self.c.address, "127.0.0.1:7200": self.a.address},
        )

    def check(self, giver, workers):
        """What was told of all jobs; nothing is lost, nothing done twice that was not counted."""
        told = giver.wait(r"^\d+ jobs done", timeout=120)
        self.assertEqual(giver.process.wait(20), 0)
        done, again = map(int, re.match(r"(\d+) jobs done, (\d+) sent again:", told).groups())
        did = [int(line.split()[1]) for worker in workers for line in worker.lines if line.startswith("did ")]
        self.assertEqual(done, JOBS)
        self.assertEqual(set(did), set(range(1, JOBS + 1)))
        self.assertLessEqual(len(did) - JOBS, again, told)
        return told, again

    def test_nothing_happens_to_the_workers(self):
        workers = [self.worker(self.a, self.b), self.worker(self.b, self.c)]
        told, again = self.check(self.give(), workers)
        self.assertEqual(again, 0, told)
        self.assertTrue(all(any(line.startswith("did ") for line in worker.lines) for worker in workers))

    def test_workers_come_and_go(self):
        workers = [self.worker(self.a, self.b), self.worker(self.b, self.c)]
        giver = self.give()
        workers[0].wait("^did ")
        workers[1].wait("^did ")
        workers[0].signal(signal.SIGKILL)
        workers.append(self.worker(self.c, self.b))
        workers[2].wait("^did ")
        workers[1].signal(signal.SIGTERM)
        self.assertEqual(workers[1].process.wait(20), 0)
        told, again = self.check(giver, workers)
        self.assertLessEqual(again, 50, told)

    def test_a_node_dies_and_its_worker_goes_to_another(self):
        workers = [self.worker(self.b, self.a), self.worker(self.a, self.b)]
        giver = self.give()
        workers[0].wait("^did ")
        self.b.kill()
        since = workers[0].mark()
        workers[0].wait("^did ", since)
        told, again = self.check(giver, workers)
        self.assertLessEqual(again, 50, told)

    def test_jobs_wait_for_workers(self):
        giver = self.give()
        self.until(
            lambda: any(node.ask("status")["workers"] >= 2 for node in (self.a, self.c)), "the giver is there"
        )  # and who asks
        self.assertIsNone(giver.process.poll())
        self.check(giver, [self.worker(self.a, self.b)])


if __name__ == "__main__":
    unittest.main()
