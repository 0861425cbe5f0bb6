#!/usr/bin/env python3
"""Nodes die one after the other while workers in Python notify each other: nothing is lost, doubled or out of order."""

import asyncio
import threading
import time
import unittest

from support import GROUP, PATIENCE, Case, Told

from lab.poster import Poster, problems_of

import muster
from muster import Kind

RATE = 300  # notifications a second
SETTLING = 1.5  # seconds between a kill and the restart, and between a restart and the next kill
POSTERS_NODE = 2  # the last of the list


class Member:
    """What one member was called with, in order, and what its worker was told of losses."""

    def __init__(self, name):
        self.name = name
        self.told = Told()
        self.gaps = []

    def __call__(self, notification):
        self.told(notification.data)

    def problems(self, count):
        return problems_of(self.told.all, [(int(gap), gap.at_least) for gap in self.gaps], count)


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

    def post_from_last(self):
        notifier = self.connect(*self.nodes_from(POSTERS_NODE), name="poster")
        patience = 4 * PATIENCE
        return Poster(lambda number: notifier.post(Kind.created, GROUP, number, timeout=patience), RATE, patience)

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
        poster = self.post_from_last()
        try:
            self.kill_each(self.nodes)
        finally:
            errors = poster.end()
        self.assertEqual(errors, [])
        self.check(members, poster.sent)

    def test_a_node_that_ends_hands_over_too(self):
        members = self.join_workers()
        poster = self.post_from_last()
        try:
            time.sleep(SETTLING)
            self.a.terminate()
            self.a.process.wait(PATIENCE)
            time.sleep(SETTLING)
        finally:
            errors = poster.end()
        self.assertEqual(errors, [])
        self.check(members, poster.sent)

    def test_a_worker_that_is_cut_off_from_its_node_finds_another_one(self):
        wire, member = self.wire(self.a), Member("cut off")
        worker = self.connect(wire.address, self.b, name="cut-off", on_gap=member.gaps.append, listed_only=True)
        worker.join(GROUP, member, visible=True, timeout=PATIENCE)
        poster = self.post_from_last()
        try:
            time.sleep(SETTLING)
            wire.stop()  # the node and the worker live, and neither is told
            self.until(lambda: worker.node.id.name == "b", "it is at b")
            time.sleep(SETTLING)
        finally:
            errors = poster.end()
        self.assertEqual(errors, [])
        self.check([member], poster.sent)

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
        poster = self.post_from_last()
        try:
            self.kill_each([self.a])
        finally:
            errors = poster.end()
        self.assertEqual(errors, [])
        self.check([member], poster.sent)
        is_over.set()
        thread.join(PATIENCE)


if __name__ == "__main__":
    unittest.main()
