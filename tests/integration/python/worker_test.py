#!/usr/bin/env python3
"""Workers in Python and in C++ at three real nodes: each sees, tells and outlives the other."""

import asyncio
import concurrent.futures
import re
import signal
import subprocess
import sys
import threading
import time
import unittest

from support import GROUP, NAME, PATIENCE, ROOT, Case, Told

import muster
from muster import Error, ErrorCode, Event, NodeState, Reason


class Together(Case):
    def test_members_are_seen_both_ways(self):
        cpp = self.cpp(self.b, "join", *GROUP, "--count", "2", "--meta", "zone=eu", "--visible")
        self.line(cpp, event="joined")
        worker = self.connect(self.a, name="python")
        joined = worker.join(GROUP, Told(), count=3, meta={"zone": "us"}, visible=True)
        self.assertEqual((len(joined.members), joined.unseen), (3, 0))
        for node in self.nodes:
            self.assertEqual(self.workers_at(node).count("python"), 3)
        members = worker.members(GROUP)
        self.assertEqual([m.id.node.name for m in members], ["a"] * 3 + ["b"] * 2)
        self.assertEqual([m.meta["zone"] for m in members], ["us"] * 3 + ["eu"] * 2)
        self.assertEqual([m.id for m in worker.local_members(GROUP)], joined.members)
        self.assertEqual(worker.groups(), [muster.GroupInfo(muster.Group(*GROUP), 5)])
        self.assertEqual({n.id.name: n.state for n in worker.nodes()}, dict.fromkeys("abc", NodeState.alive))
        status = worker.status()
        self.assertEqual((status.node.id.name, status.ready, status.members, status.scope), ("a", True, 5, "default"))
        self.assertEqual(status.security, "loopback")
        self.assertEqual(self.b.ask("members", *GROUP)["key"], str(muster.group_key(GROUP)))
        self.assertEqual(worker.leave(GROUP, 2), joined.members[1:])
        self.assertEqual(worker.leave(GROUP, joined.members), joined.members[:1])
        with self.assertRaises(Error) as caught:
            worker.leave(GROUP)
        self.assertEqual(caught.exception.code, ErrorCode.not_joined)
        self.assertEqual(worker.local_members(GROUP), [])

    def test_notifications_and_reports_go_both_ways(self):
        cpp = self.cpp(self.b, "join", *GROUP)
        self.line(cpp, event="joined")
        told = Told()
        worker = self.connect(self.a, name="python")
        worker.join(GROUP, told, visible=True)
        self.until(lambda: len(worker.members(GROUP)) == 2, "both are seen at a")
        value = {"order": 7, "größe": [None, True, -1, 2.5, "日本"]}
        report = worker.notify_created(GROUP, value, wait=True)
        self.assertEqual((report.matched, report.nodes, report.waited, report.delivered), (2, 2, True, 2))
        self.assertEqual(report.missed, ())
        self.assertEqual(self.line(cpp, event="created")["data"], value)
        self.assertTrue(told.wait(lambda all: [n.data for n in all] == [value]))
        answer = self.c.ask("notify", "deleted", *GROUP, '{"gone": [1, 2]}', "--wait")
        self.assertEqual((answer["matched"], answer["delivered"]), (2, 2))
        self.assertTrue(told.wait(lambda all: len(all) == 2))
        last = told.all[-1]
        self.assertEqual((last.kind, last.data, last.group), (muster.Kind.deleted, {"gone": [1, 2]}, GROUP))
        self.assertEqual((last.from_node.name, len(last.members)), ("c", 1))
        report = worker.notify_updated(("nobody", "here"), None)
        self.assertEqual((report.matched, report.waited), (0, False))

    def test_a_report_tells_of_handlers_that_have_not_returned(self):
        free, entered = threading.Event(), threading.Event()
        self.addCleanup(free.set)

        def handler(notification):
            entered.set()
            free.wait(PATIENCE)

        slow, other = self.connect(self.a), self.connect(self.b)
        slow.join(GROUP, handler, visible=True)
        report = other.notify_created(GROUP, 1, wait=True, timeout=3.0)
        self.assertTrue(entered.wait(PATIENCE))
        self.assertEqual((report.matched, report.delivered), (1, 0))
        self.assertEqual([(m.node, m.members, str(m.reason)) for m in report.missed], [("a", 1, "timeout")])
        free.set()
        self.assertEqual(other.notify_created(GROUP, 2, wait=True, timeout=PATIENCE).delivered, 1)

    def test_watches_see_the_other_language_come_and_go_and_die(self):
        events = Told()
        worker = self.connect(self.a)
        watch = worker.watch(GROUP, events)
        everything = Told()
        worker.watch_all(everything)
        self.assertTrue(events.wait(lambda all: [e.kind for e in all] == [Event.snapshot]))
        leaver, victim = (self.cpp(self.b, "join", *GROUP, "--count", "2") for _ in range(2))
        self.line(leaver, event="joined")
        self.line(victim, event="joined")
        self.assertTrue(events.wait(lambda all: sum(e.kind is Event.join for e in all) == 2))
        leaver.end()
        victim.process.kill()
        self.assertTrue(events.wait(lambda all: sum(e.kind is Event.leave for e in all) == 2))
        reasons = {e.reason for e in events.all if e.kind is Event.leave}
        self.assertEqual(reasons, {Reason.left, Reason.worker_down})
        self.assertTrue(all(len(e.groups) == 1 and len(e.groups[0].members) == 2 for e in events.all[1:]))
        self.assertTrue(everything.wait(lambda all: len(all) == len(events.all)))
        self.assertTrue(worker.unwatch(watch))
        self.assertFalse(worker.unwatch(watch))
        worker.join(GROUP)
        self.assertTrue(everything.wait(lambda all: all[-1].kind is Event.join))
        self.assertIsNot(events.all[-1].kind, Event.join)

    def test_watchers_in_cpp_see_python_leave_on_close_and_die_on_kill(self):
        watcher = self.cpp(self.c, "watch", *GROUP)
        self.line(watcher, event="snapshot")
        with self.connect(self.a, name="polite") as polite:
            polite.join(GROUP, visible=True)
        self.line(watcher, event="leave", reason="left")
        program = (
            "import sys, muster\n"
            f"worker = muster.Worker.connect(['{self.a.address}'], name='victim', timeout=15)\n"
            f"worker.join({GROUP!r}, lambda n: None, visible=True)\n"
            'print(\'{"event": "joined"}\', flush=True)\n'
            "sys.stdin.read()\n"
        )
        environment = {"PYTHONPATH": str(ROOT / "node/client/python"), "PATH": "/usr/bin"}
        for kill, reason in ((True, "worker_down"), (False, "left")):
            child = self.lab.children.start(
                [sys.executable, "-B", "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
            )
            self.addCleanup(child.stdin.close)
            self.addCleanup(child.stdout.close)
            self.assertIn(b"joined", child.stdout.readline())
            if kill:
                child.kill()
            else:
                child.stdin.close()  # the program ends without closing its worker
                self.assertEqual(child.wait(PATIENCE), 0)
            leaves = lambda: [line for _, line in watcher.lines if line["event"] == "leave"]  # noqa: E731
            self.until(lambda: leaves()[-1]["reason"] == reason and len(leaves()) == (2 if kill else 3), reason)


class Failing(Case):
    def test_a_killed_node_is_left_and_members_handlers_and_watches_follow(self):
        events, told, attached = Told(), Told(), Told()
        worker = self.connect(self.a, self.b, name="python", on_attachment=lambda yes, text: attached((yes, text)))
        joined = worker.join(GROUP, told, count=2, meta={"k": "v"}, visible=True)
        worker.watch(GROUP, events)
        self.assertTrue(events.wait(lambda all: len(all) == 1))  # the snapshot is the stream's, not the call's
        self.a.kill()
        self.assertTrue(attached.wait(lambda all: [yes for yes, _ in all] == [True, False, True]), attached.all)
        self.assertEqual(worker.node.id.name, "b")
        self.assertEqual([m.id.node.name for m in worker.local_members(GROUP)], ["b", "b"])
        self.until(lambda: self.workers_at(self.c) == ["python", "python"], "the members are at b")
        self.assertTrue(events.wait(lambda all: [e.kind for e in all].count(Event.snapshot) == 2))
        report = self.c.ask("notify", "created", *GROUP, "1", "--wait")
        self.assertEqual((report["matched"], report["delivered"]), (2, 2))
        self.assertEqual([n.data for n in told.all], [1, 1])
        self.assertEqual(worker.leave(GROUP, joined.members[:1]), joined.members[:1])
        self.assertEqual(len(worker.local_members(GROUP)), 1)

    def test_a_stopped_node_is_left_too(self):
        worker = self.connect(self.a, self.b, name="python")
        worker.join(GROUP, Told())
        self.a.process.send_signal(signal.SIGSTOP)
        self.addCleanup(self.a.process.send_signal, signal.SIGCONT)
        self.until(lambda: worker.node.id.name == "b", "it goes to b")
        self.assertEqual(len(worker.local_members(GROUP, timeout=PATIENCE)), 1)

    def test_a_node_that_ends_sends_its_workers_away(self):
        worker = self.connect(self.a, self.b, self.c)
        worker.join(GROUP, Told())
        self.a.terminate()
        self.until(lambda: worker.node.id.name != "a", "it goes elsewhere")
        self.assertEqual(len(worker.local_members(GROUP, timeout=PATIENCE)), 1)

    def test_a_connection_that_is_cut_is_resumed_and_nothing_is_missed_or_doubled(self):
        wire = self.wire(self.a)
        told, lost = Told(), Told()
        worker = self.connect(wire.address, name="python", on_gap=lost)
        joined = worker.join(GROUP, told, visible=True)
        watcher = self.cpp(self.b, "watch", *GROUP)
        self.line(watcher, event="snapshot")
        notifier = self.connect(self.c)
        for i in range(60):
            if i % 20 == 10:
                wire.cut()
            report = notifier.notify_created(GROUP, i, wait=i % 20 == 19, timeout=PATIENCE)
            self.assertEqual(report.matched, 1)
        self.assertTrue(told.wait(lambda all: len(all) >= 60))
        self.assertEqual([n.data for n in told.all], list(range(60)))
        self.assertEqual(worker.local_members(GROUP)[0].id, joined.members[0], "the members never left")
        self.assertEqual(([line for _, line in watcher.lines if line["event"] == "leave"], lost.all), ([], []))
        self.assertGreaterEqual(worker.counters["resumed"], 1)
        self.assertEqual(worker.counters["sessions"], 1)

    def test_calls_under_way_at_a_cut_are_answered_and_done_once(self):
        wire = self.wire(self.a)
        worker = self.connect(wire.address)
        answers = Told()

        def join_ten():
            for _ in range(10):
                answers(worker.join(GROUP, None, timeout=PATIENCE))

        threads = [threading.Thread(target=join_ten) for _ in range(4)]
        for thread in threads:
            thread.start()
        for count in (5, 20, 30):
            self.assertTrue(answers.wait(lambda all: len(all) >= count))
            wire.cut()
        for thread in threads:
            thread.join()
        ids = [joined.members[0] for joined in answers.all]
        self.assertEqual(len(set(ids)), 40)
        self.assertEqual(len(worker.members(GROUP)), 40)

    def test_a_silent_wire_is_noticed_and_the_session_resumed(self):
        wire = self.wire(self.a)
        told = Told()
        worker = self.connect(wire.address)
        joined = worker.join(GROUP, told, visible=True)
        wire.stop()
        time.sleep(0.5)  # shorter than what makes either side give up
        notifier = self.connect(self.b)
        notifier.notify_created(GROUP, "held up")
        wire.cut()
        wire.go_on()
        self.assertTrue(told.wait(lambda all: [n.data for n in all] == ["held up"]))
        self.assertEqual(worker.local_members(GROUP)[0].id, joined.members[0])

    def test_a_notification_may_come_before_the_answer_to_its_join(self):
        told = Told()
        worker = self.connect(self.a)
        self.c.process.send_signal(signal.SIGSTOP)  # so that visible cannot be said for a while
        self.addCleanup(self.c.process.send_signal, signal.SIGCONT)
        joined = Told()
        joining = threading.Thread(target=lambda: joined(worker.join(GROUP, told, visible=True, timeout=3.0)))
        joining.start()
        self.until(lambda: self.workers_at(self.b), "b has the member")
        self.assertEqual(joined.all, [])
        report = self.b.ask("notify", "created", *GROUP, "1", "--wait")
        self.assertEqual((report["matched"], report["delivered"]), (1, 1))
        joining.join()
        self.assertEqual([n.data for n in told.all], [1])
        self.assertLessEqual(joined.all[0].unseen, 1)


class Posting(Case):
    def data_of(self, process):
        return [line["data"] for _, line in process.lines if line["event"] == "created"]

    def member_in_cpp(self, node):
        cpp = self.cpp(node, "join", *GROUP, "--visible")
        self.line(cpp, event="joined")
        return cpp

    def test_they_reach_both_languages_in_order_once_and_each_has_its_report(self):
        cpp, told = self.member_in_cpp(self.b), Told()
        self.connect(self.c).join(GROUP, told, visible=True)
        wire = self.wire(self.a)
        worker = self.connect(wire.address)
        self.until(lambda: len(worker.members(GROUP)) == 2, "both are seen at a")
        reports = []
        for i in range(1500):
            if i % 500 == 250:
                wire.cut()
            reports.append(worker.post(muster.Kind.created, GROUP, i, wait=True, timeout=2 * PATIENCE))
        for report in (each.result(0) for each in concurrent.futures.as_completed(reports, 3 * PATIENCE)):
            self.assertEqual((report.matched, report.delivered, report.missed), (2, 2, ()))
        self.assertEqual([n.data for n in told.all], list(range(1500)))
        self.until(lambda: len(self.data_of(cpp)) >= 1500, "the worker in C++ has printed all")
        self.assertEqual(self.data_of(cpp), list(range(1500)))
        self.assertGreaterEqual(worker.counters["resumed"], 1)
        self.assertEqual((worker.counters["sessions"], worker.counters["posts_refused"]), (1, 0))

    def test_of_those_under_way_when_the_node_dies_each_is_answered_and_none_is_doubled(self):
        cpp = self.member_in_cpp(self.b)
        worker = self.connect(self.a, self.c)
        self.until(lambda: len(worker.members(GROUP)) == 1, "it is seen at a")
        post = lambda i: worker.post(muster.Kind.created, GROUP, i, wait=True, timeout=2 * PATIENCE)  # noqa: E731
        reports = []
        for i in range(1000):
            if i == 500:
                self.a.kill()
            reports.append(post(i))
        delivered = []
        for i, each in enumerate(reports):
            delivered += [i] * each.result(3 * PATIENCE).delivered
        self.assertEqual(worker.node.id.name, "c")
        self.assertEqual(delivered[-1], 999)
        self.until(lambda: set(delivered) <= set(self.data_of(cpp)), "what was reported has come")
        self.assertEqual(len(self.data_of(cpp)), len(set(self.data_of(cpp))))

    def test_what_was_posted_before_the_end_goes_before_the_goodbye(self):
        cpp = self.member_in_cpp(self.a)
        with self.connect(self.a) as worker:
            reports = [worker.post(muster.Kind.created, GROUP, i) for i in range(100)]
        codes = {each.exception(0).code for each in reports if each.exception(PATIENCE)}
        self.assertLessEqual(codes, {ErrorCode.closed})
        self.until(lambda: self.data_of(cpp) == list(range(100)), "all have come")


class Overflowing(Case):
    OPTIONS = (*Case.OPTIONS, "--backlog-items", "16", "--backlog-policy", "drop_oldest")

    def test_what_was_lost_for_want_of_room_is_told_exactly(self):
        free, told, lost = threading.Event(), Told(), Told()
        self.addCleanup(free.set)

        def handler(notification):
            free.wait(PATIENCE)
            told(notification.data)

        worker = self.connect(self.a, on_gap=lost)
        worker.join(GROUP, handler, visible=True)
        notifier = self.connect(self.a)
        sent = 1500
        for i in range(sent):
            notifier.notify_created(GROUP, i)
        free.set()
        self.assertTrue(told.wait(lambda all: all and all[-1] == sent - 1))
        self.assertEqual(len(told.all) + sum(lost.all), sent)
        self.assertGreater(sum(lost.all), 0)
        self.assertEqual(told.all, sorted(set(told.all)))


class Handlers(Case):
    def test_handlers_may_call_and_fail(self):
        told = Told()
        worker = self.connect(self.a)

        def handler(notification):
            told((notification.data, len(worker.members(GROUP))))
            if notification.data == 1:
                raise ValueError("meant")

        worker.join(GROUP, handler)
        with self.assertLogs("muster", "ERROR"):
            self.assertEqual(worker.notify_created(GROUP, 1, wait=True, timeout=PATIENCE).delivered, 1)
        worker.notify_created(GROUP, 2, wait=True, timeout=PATIENCE)
        self.assertEqual(told.all, [(1, 1), (2, 1)])

    def test_close_in_a_handler_ends_the_worker(self):
        worker = self.connect(self.a)
        done = threading.Event()

        def handler(notification):
            worker.close()
            done.set()

        worker.join(GROUP, handler)
        worker.notify_created(GROUP)
        self.assertTrue(done.wait(PATIENCE))
        with self.assertRaises(Error) as caught:
            worker.nodes()
        self.assertEqual(caught.exception.code, ErrorCode.closed)
        self.until(lambda: not self.workers_at(self.a), "its member has left")

    def test_unwatch_waits_for_the_handler_that_runs(self):
        worker = self.connect(self.a)
        entered, free, left = threading.Event(), threading.Event(), Told()
        self.addCleanup(free.set)

        def handler(event):
            entered.set()
            free.wait(PATIENCE)
            left("handler")

        watch = worker.watch(GROUP, handler)
        self.assertTrue(entered.wait(PATIENCE))
        ending = threading.Thread(target=lambda: (worker.unwatch(watch), left("unwatch")))
        ending.start()
        ending.join(0.3)
        self.assertEqual(left.all, [])
        free.set()
        ending.join()
        self.assertEqual(left.all, ["handler", "unwatch"])

    def test_connect_says_what_is_wrong(self):
        with self.assertRaises(Error) as caught:
            muster.Worker.connect([self.a.address], scope="other", timeout=PATIENCE)
        self.assertEqual(caught.exception.code, ErrorCode.wrong_scope)
        self.a.kill()
        self.a.process.wait()
        with self.assertRaises(Error) as caught:
            muster.Worker.connect([self.a.address], timeout=0.5)
        self.assertEqual(caught.exception.code, ErrorCode.unreachable)
        self.assertIn(f"no node answers at {self.a.address}: check", caught.exception.text)

    def test_a_worker_that_nobody_holds_any_more_says_goodbye(self):
        worker = muster.Worker.connect([self.a.address], timeout=PATIENCE)
        worker.join(GROUP)
        del worker
        self.until(lambda: not self.workers_at(self.a), "its member has left")


class Readme(Case):
    """The programs that strangers begin with."""

    def run_program(self, text, given="\n"):
        for place, node in (("127.0.0.1:7100", self.a), ("127.0.0.1:7200", self.b)):
            self.assertIn(place, text)
            text = text.replace(place, node.address)
        environment = {"PYTHONPATH": str(ROOT / "node/client/python"), "PATH": "/usr/bin"}
        command = [sys.executable, "-B", "-W", "error", "-c", text]
        done = subprocess.run(command, input=given, capture_output=True, text=True, env=environment, timeout=60)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return done.stdout

    def test_programs_of_the_readmes(self):
        printed = []
        for page in ("README.md", "node/client/python/README.md"):
            text = (ROOT / page).read_text(encoding="utf-8")
            printed += map(self.run_program, re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL))
        self.assertEqual(len(printed), 3)
        for output in printed[:2]:
            self.assertIn("created {'order': 7}", output)
            self.assertIn("notified 1 members", output)
        self.assertIn("join [Group(store='orders', feature='subscriptions')]", printed[2])


class Asyncio(Case):
    def test_the_verbs(self):
        asyncio.run(self.verbs())

    async def verbs(self):
        cpp = self.cpp(self.b, "join", *GROUP)
        self.line(cpp, event="joined")
        told, events, running = [], [], []

        async def handler(notification):
            running.append(1)
            self.assertEqual(len(running), 1, "handlers run one at a time")
            await asyncio.sleep(0.001)
            told.append(notification.data)
            running.pop()

        async with await muster.aio.Worker.connect([self.a.address], name="python", timeout=PATIENCE) as worker:
            joined = await worker.join(GROUP, handler, visible=True)
            watch = await worker.watch(GROUP, events.append)
            reports = await asyncio.gather(
                *(worker.notify_updated(GROUP, i, wait=True, timeout=PATIENCE) for i in range(50))
            )
            self.assertEqual({r.delivered for r in reports}, {2})
            posted = [await worker.post(muster.Kind.updated, GROUP, i, wait=True) for i in range(50, 800)]
            self.assertEqual({(await report).delivered for report in posted}, {2})
            self.assertEqual(told, list(range(800)))
            time.sleep(3)  # an event loop that is busy for longer than the session's patience
            self.assertEqual([m.id for m in await worker.local_members(GROUP)], joined.members)
            self.assertEqual(worker.counters["sessions"], 1)
            self.assertEqual(events[0].kind, Event.snapshot)
            self.assertTrue(await worker.unwatch(watch))
            self.assertFalse(await worker.unwatch(watch))
            with self.assertRaises(Error):
                await worker.leave(("nobody", "here"))
            cancelled = asyncio.create_task(worker.join(("given", "up")))
            await asyncio.sleep(0)
            cancelled.cancel()
            with self.assertRaises(asyncio.CancelledError):
                await cancelled
            end = time.monotonic() + PATIENCE
            while await worker.members(("given", "up")) and time.monotonic() < end:
                await asyncio.sleep(0.05)
            self.assertEqual(await worker.members(("given", "up")), [])
            self.assertEqual(self.line(cpp, event="updated")["data"], 0)
        with self.assertRaises(Error):
            await worker.nodes()
        self.until(lambda: "python" not in self.workers_at(self.b), f"nothing of it is left in {NAME}")


if __name__ == "__main__":
    unittest.main()
