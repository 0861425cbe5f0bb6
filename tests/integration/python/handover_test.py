#!/usr/bin/env python3
"""Nodes die one after the other while workers in Python notify each other: nothing is lost, doubled or out of order."""

import asyncio
import threading
import time
import unittest
from collections import Counter

from support import GROUP, PATIENCE, Case, Told

import muster
from muster import Kind

RATE = 300  # notifications a second
SETTLING = 1.5  # seconds between a kill and the restart, and between a restart and the next kill
POSTERS_NODE = 2  # the last of the list


class Poster:
    """Posts the numbers 0, 1, 2, … at a steady rate, and keeps the reports."""

    def __init__(self, worker):
        self.reports = []
        self._worker = worker
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        begin = time.monotonic()
        while not self._is_over.is_set():
            while len(self.reports) < (time.monotonic() - begin) * RATE:
                number = len(self.reports)
                self.reports.append(self._worker.post(Kind.created, GROUP, number, timeout=4 * PATIENCE))
            time.sleep(0.005)

    def end(self):
        """The errors of all posts."""
        self._is_over.set()
        self._thread.join(4 * PATIENCE)
        errors = [report.exception(4 * PATIENCE) for report in self.reports]
        return [str(error) for error in errors if error]


class Member:
    """What one member was called with, in order, and what its worker was told of losses."""

    def __init__(self, name):
        self.name = name
        self.told = Told()
        self.gaps = []

    def __call__(self, notification):
        self.told(notification.data)

    def problems(self, count):
        seen = self.told.all
        times = Counter(seen)
        found = {
            "lost": [number for number in range(count) if number not in times],
            "doubled": [number for number, how_often in times.items() if how_often > 1],
            "late": [late for early, late in zip(seen, seen[1:]) if late < early],
            "gaps": [(int(gap), gap.at_least) for gap in self.gaps],
        }
        return {what: (len(which), which[:5]) for what, which in found.items() if which}


class Dying(Case):
    OPTIONS = ()

    def nodes_from(self, i):
        return [node.address for node in self.nodes[i:] + self.nodes[:i]]

    def join_workers(self):
        """At each node a worker with two members."""
        members = []
        for i, node in enumerate(self.nodes):
            ours = [Member(f"{node.name}{number}") for number in (1, 2)]
            worker = self.connect(*self.nodes_from(i), name=f"at-{node.name}", on_gap=ours[0].gaps.append)
            for member in ours:
                worker.join(GROUP, member, visible=True, timeout=PATIENCE)
            members += ours
        return members

    def kill_each(self, victims):
        """One after the other, and restarts it before the next."""
        for node in victims:
            time.sleep(SETTLING)
            node.kill()
            node.process.wait(PATIENCE)
            time.sleep(SETTLING)
            node.start()
            self.until(lambda: all(len(each.alive()) == 3 for each in self.nodes), f"{node.name} is back")
        time.sleep(SETTLING)

    def check(self, members, count):
        for member in members:
            member.told.wait(lambda seen: len(set(seen)) >= count)
        time.sleep(0.5)  # what comes twice may come later
        problems = {member.name: found for member in members if (found := member.problems(count))}
        self.assertEqual(problems, {}, f"of {count} notifications")
        self.assertGreater(count, RATE)

    def test_members_outlive_their_nodes(self):
        members = self.join_workers()
        poster = Poster(self.connect(*self.nodes_from(POSTERS_NODE), name="poster"))
        try:
            self.kill_each(self.nodes)
        finally:
            errors = poster.end()
        self.assertEqual(errors, [])
        self.check(members, len(poster.reports))

    def test_a_node_that_ends_hands_over_too(self):
        members = self.join_workers()
        poster = Poster(self.connect(*self.nodes_from(POSTERS_NODE), name="poster"))
        try:
            time.sleep(SETTLING)
            self.a.terminate()
            self.a.process.wait(PATIENCE)
            time.sleep(SETTLING)
        finally:
            errors = poster.end()
        self.assertEqual(errors, [])
        self.check(members, len(poster.reports))

    def test_a_worker_that_is_cut_off_from_its_node_finds_another_one(self):
        wire, member = self.wire(self.a), Member("cut off")
        worker = self.connect(wire.address, self.b, name="cut-off", on_gap=member.gaps.append, listed_only=True)
        worker.join(GROUP, member, visible=True, timeout=PATIENCE)
        poster = Poster(self.connect(*self.nodes_from(POSTERS_NODE), name="poster"))
        try:
            time.sleep(SETTLING)
            wire.stop()  # the node and the worker live, and neither is told
            self.until(lambda: worker.node.id.name == "b", "it is at b")
            time.sleep(SETTLING)
        finally:
            errors = poster.end()
        self.assertEqual(errors, [])
        self.check([member], len(poster.reports))

    def test_with_asyncio(self):
        member = Member("asyncio")

        async def live(is_over):
            worker = await muster.aio.Worker.connect(
                self.nodes_from(0), in_order=True, timeout=PATIENCE, on_gap=member.gaps.append
            )
            async with worker:
                await worker.join(GROUP, member, visible=True, timeout=PATIENCE)
                has_joined.set()
                await asyncio.to_thread(is_over.wait)

        has_joined, is_over = threading.Event(), threading.Event()
        self.addCleanup(is_over.set)
        thread = threading.Thread(target=lambda: asyncio.run(live(is_over)))
        thread.start()
        self.assertTrue(has_joined.wait(PATIENCE))
        poster = Poster(self.connect(*self.nodes_from(POSTERS_NODE), name="poster"))
        try:
            self.kill_each([self.a])
        finally:
            errors = poster.end()
        self.assertEqual(errors, [])
        self.check([member], len(poster.reports))
        is_over.set()
        thread.join(PATIENCE)


if __name__ == "__main__":
    unittest.main()
