#!/usr/bin/env python3
"""A worker and its process: forks, children of multiprocessing, signal handlers, the end of the process."""

import time
import unittest

from fake_node import PATIENCE, FakeNode, Program

PARENT = """
worker = muster.Worker.connect([ADDRESS], name='parent')
worker.join(GROUP, lambda n: None)
sys.stdout.flush()
pid = os.fork()
if pid == 0:
    began = time.monotonic()
    try:
%s
    except muster.Error as error:
        print('Error', error.code, error.text)
    print('took', time.monotonic() - began)
    sys.exit(0)
until = time.monotonic() + 15
while not (done := os.waitpid(pid, os.WNOHANG))[0]:
    if time.monotonic() > until:
        os.kill(pid, 9)
    time.sleep(0.01)
print('child', os.waitstatus_to_exitcode(done[1]))
print('members', len(worker.members(GROUP)))
worker.notify_created(GROUP, 1)
worker.close()
"""


class Case(unittest.TestCase):
    def setUp(self):
        self.node = FakeNode()
        self.addCleanup(self.node.close)

    def run_program(self, text, status=0):
        code, output, errors = Program(text, self.node.address).end()
        self.assertEqual(code, status, f"output: {output}\nerrors: {errors}")
        self.errors = errors
        return output


class Forked(Case):
    def child(self, *lines):
        """What a forked child printed; the parent's worker must not have noticed it."""
        output = self.run_program(PARENT % "\n".join("        " + line for line in lines))
        self.assertIn("child 0\nmembers 1\n", output)
        self.assertTrue(self.node.wait(lambda: self.node.goodbyes.count("parent") == 1), "the parent's, at its end")
        self.assertEqual(self.errors, "")
        took = float(output.split("took ")[1].split()[0])
        self.assertLess(took, PATIENCE / 2)
        return output

    def test_a_child_ends(self):
        self.child("pass")

    def test_each_call_in_a_child_says_that_the_worker_is_the_parents(self):
        for call in (
            "worker.members(GROUP)",
            "worker.join(GROUP)",
            "worker.notify_created(GROUP, 1)",
            "worker.post(muster.Kind.created, GROUP, 1).result()",
            "worker.watch_all(print)",
        ):
            output = self.child(call)
            self.assertIn("Error closed the worker belongs to process", output)
            self.assertIn("connect a new one here", output)
            self.node.goodbyes.clear()

    def test_a_post_in_a_child_does_not_wait_for_those_of_the_parent(self):
        """Neither for their slots, nor for a thread of the parent that gives them out."""
        for state in ("_count = 512", "_doing = {'by': (1,)}"):
            for post in (
                "worker.post(muster.Kind.created, GROUP, 1, timeout=60).result()",
                "import asyncio; other = muster.aio.Worker(worker._session, worker._loop, None)",
            ):
                lines = [f"worker._posts.{state}", post]
                if "asyncio" in post:
                    lines += [
                        f"other._posts.{state}",
                        "async def main(): await (await other.post(muster.Kind.created, GROUP, 1, timeout=60))",
                        "asyncio.run(main())",
                    ]
                self.assertIn("Error closed the worker belongs to process", self.child(*lines))
                self.node.goodbyes.clear()

    def test_close_and_the_last_reference_do_nothing_in_a_child(self):
        for line in ("worker.close()", "del worker; import gc; gc.collect()", "os._exit(0)"):
            if "_exit" in line:
                line = "print('took 0.1', flush=True); " + line
            self.child(line)
            self.node.goodbyes.clear()

    def test_a_child_makes_a_worker_of_its_own(self):
        output = self.child(
            "with muster.Worker.connect([ADDRESS], name='child') as own:",
            "    got = []",
            "    own.join(GROUP, got.append)",
            "    own.notify_created(GROUP, 7)",
            "    print('sees', len(own.members(GROUP)))",
            "    while not got: time.sleep(0.01)",
        )
        self.assertIn("sees 2", output)
        self.assertIn("child", self.node.goodbyes)

    def test_an_open_worker_of_the_child_says_goodbye_at_its_end(self):
        self.child("own = muster.Worker.connect([ADDRESS], name='child'); own.join(GROUP)")
        self.assertIn("child", self.node.goodbyes)

    def test_a_grandchild(self):
        output = self.child(
            "grand = os.fork()",
            "if grand:",
            "    print('grand', os.waitpid(grand, 0)[1])",
            "else:",
            "    own = muster.Worker.connect([ADDRESS], name='grand'); own.join(GROUP)",
            "    sys.exit(0)",
        )
        self.assertIn("grand 0", output)
        self.assertIn("grand", self.node.goodbyes)

    def test_a_fork_while_other_threads_call(self):
        self.run_program(
            """
worker = muster.Worker.connect([ADDRESS])
over = threading.Event()
def calls():
    while not over.is_set():
        worker.members(GROUP); worker.post(muster.Kind.created, GROUP, 1).result(15)
threads = [threading.Thread(target=calls) for _ in range(4)]
for thread in threads: thread.start()
for _ in range(8):
    pid = os.fork()
    if pid == 0:
        try: worker.members(GROUP); os._exit(1)
        except muster.Error: pass
        worker.close()
        sys.exit(7)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    assert status == 7, status
over.set()
for thread in threads: thread.join()
worker.close()
"""
        )

    def test_a_fork_in_a_handler(self):
        output = self.run_program(
            """
done = threading.Event()
worker = muster.Worker.connect([ADDRESS], name='parent')
def handler(n):
    pid = os.fork()
    if pid:
        print('child', os.waitpid(pid, 0)[1])
        done.set()
worker.join(GROUP, handler)
worker.notify_created(GROUP, 1)
assert done.wait(15)
worker.close()
"""
        )
        self.assertEqual(output, "child 0\n")

    def test_a_child_that_returns_from_a_handler_calls_no_other_one(self):
        output = self.run_program(
            """
parent, called = os.getpid(), threading.Semaphore(0)
worker = muster.Worker.connect([ADDRESS], name='parent')
def handler(n):
    if os.getpid() != parent:
        os.write(1, b'a child was called\\n')
        os._exit(1)
    pid = os.fork()
    if pid:
        os.write(1, b'child %d\\n' % os.waitpid(pid, 0)[1])
        called.release()
worker.join(GROUP, handler, count=3)
worker.notify_created(GROUP, 1)
for i in range(3): assert called.acquire(timeout=15)
worker.close()
"""
        )
        self.assertEqual(output, "child 0\n" * 3)

    def test_a_child_that_returns_from_a_callback_of_a_post_goes_no_further(self):
        output = self.run_program(
            """
done = threading.Event()
worker = muster.Worker.connect([ADDRESS], name='parent')
def callback(future):
    pid = os.fork()
    if pid == 0: raise SystemExit(1)
    os.write(1, b'child %d\\n' % os.waitpid(pid, 0)[1])
    done.set()
def post(now): worker.post(muster.Kind.created, GROUP, 1).add_done_callback(callback)
worker._loop._post(post)  # so that the answer cannot come before the callback is there
assert done.wait(15)
print('members', len(worker.members(GROUP)))
worker.close()
"""
        )
        self.assertEqual(output, "child 0\nmembers 0\n")

    def with_asyncio(self, handler):
        """What a program wrote whose handler forks 8 times. In the children it is `handler` that goes on."""
        return self.run_program(
            f"""
import asyncio
parent, children = os.getpid(), []
{handler}
async def main():
    global worker
    worker = await muster.aio.Worker.connect([ADDRESS], name='parent')
    await worker.join(GROUP, handler, count=2)
    for i in range(4): await worker.notify_created(GROUP, i)
    while len(children) < 8:
        await worker.members(GROUP)
        if os.getpid() != parent:
            os.write(1, b'a child runs the event loop\\n')
            os._exit(1)
    print('children', {{os.waitpid(pid, 0)[1] for pid in children}}, flush=True)
    await worker.close()
asyncio.run(main())
"""
        )

    def test_a_fork_in_a_handler_of_asyncio(self):
        fork = "    pid = os.fork()\n    if pid: children.append(pid)\n"
        for handler in (
            f"def handler(n):\n{fork}",
            f"def handler(n):\n{fork}    else: sys.exit(3)",
            f"async def handler(n):\n{fork}",
            f"async def handler(n):\n    await asyncio.sleep(0)\n{fork}    else: raise ValueError('meant')",
            f"async def handler(n):\n{fork}    while True:\n        await asyncio.sleep(0)\n        if pid: return",
            f"async def handler(n):\n    event = asyncio.Event()\n{fork}"
            "    if pid: event.set()\n    await event.wait()",
        ):
            with self.subTest(handler):
                self.assertEqual(self.with_asyncio(handler), "children {0}\n")
                self.assertEqual("ValueError: meant" in self.errors, "meant" in handler)

    def test_each_call_in_a_child_of_a_handler_of_asyncio_says_that_the_worker_is_the_parents(self):
        output = self.with_asyncio(
            """
async def handler(n):
    pid = os.fork()
    if pid: return children.append(pid)
    for call in (worker.members(GROUP), worker.join(GROUP), worker.notify_created(GROUP, 1)):
        try: await call
        except muster.Error as error: os.write(1, b'%s ' % str(error.code).encode())
"""
        )
        self.assertEqual(sorted(output.split()), ["children"] + ["closed"] * 24 + ["{0}"])

    def test_children_of_multiprocessing(self):
        for way in ("fork", "spawn", "forkserver"):
            output = self.run_program(
                f"""
import multiprocessing, logging
logging.basicConfig()
sys.modules['__main__'].__spec__ = None
worker = muster.Worker.connect([ADDRESS], name='parent-{way}')
context = multiprocessing.get_context('{way}')
child = context.Process(target=time.sleep, args=(0.01,))
child.start(); child.join(15)
print('child', child.exitcode)
with context.Pool(2) as pool:
    print(pool.map(abs, [-1, -2]))
try: context.Process(target=worker.members, args=(GROUP,)).start()
except TypeError as error: print(error)
print(len(worker.members(GROUP)))
"""
            )
            self.assertIn("child 0\n[1, 2]\n", output)
            if way != "fork":
                self.assertIn("connect one in each process", output)


class Ending(Case):
    def test_a_blocked_handler_does_not_keep_the_process(self):
        blocked = """
entered = threading.Event()
worker = muster.Worker.connect([ADDRESS], name='blocked')
worker.join(GROUP, lambda n: (entered.set(), time.sleep(1000)))
worker.notify_created(GROUP, 1)
assert entered.wait(15)
"""
        for end in ("", "worker.close(timeout=0.5)", "sys.exit(0)", "del worker"):
            self.run_program(blocked + end)
            self.assertTrue(self.node.wait(lambda: "blocked" in self.node.goodbyes))
            self.node.goodbyes.clear()

    def test_a_program_that_raises(self):
        self.run_program("worker = muster.Worker.connect([ADDRESS]); worker.join(GROUP)\nraise SystemExit(3)", status=3)
        self.assertEqual(len(self.node.goodbyes), 1)

    def test_close_in_a_handler_for_sigterm(self):
        """Whatever the signal interrupts: calls, posts, logging, another close."""
        program = """
import logging, random
logging.basicConfig(level=logging.DEBUG, stream=open(os.devnull, 'w'))
worker = muster.Worker.connect([ADDRESS])
worker.join(GROUP, lambda n: None)
def ended(*_):
    began = time.monotonic()
    worker.close()
    print('closed', flush=True)
    if time.monotonic() - began > 8: os._exit(9)
    sys.exit(0)
signal.signal(signal.SIGTERM, ended)
delay = random.Random(%d).uniform(0, 0.02)
threading.Thread(target=lambda: (time.sleep(delay), os.kill(os.getpid(), signal.SIGTERM)), daemon=True).start()
log = logging.getLogger('x')
while True:
    try:
        worker.members(GROUP); worker.post(muster.Kind.created, GROUP, 1).result(); log.info('x')
        worker.unwatch(worker.watch_all(print))
    except muster.Error:
        pass
"""
        programs = [Program(program % seed, self.node.address) for seed in range(6)]
        for each in programs:
            code, output, errors = each.end()
            self.assertEqual((code, output), (0, "closed\n"), errors)

    def test_calls_in_a_signal_handler(self):
        output = self.run_program(
            """
worker = muster.Worker.connect([ADDRESS])
worker.join(GROUP, lambda n: None)
inside = []
def handler(*_):
    inside.append(len(worker.members(GROUP)))
    worker.post(muster.Kind.created, GROUP, 2)
    worker.unwatch(worker.watch_all(print))
    signal.setitimer(signal.ITIMER_REAL, 0.003)
signal.signal(signal.SIGALRM, handler)
signal.setitimer(signal.ITIMER_REAL, 0.003)
reports = []
until = time.monotonic() + 2
while time.monotonic() < until:
    worker.members(GROUP)
    reports.append(worker.post(muster.Kind.created, GROUP, 1))
    worker.unwatch(worker.watch_all(print))
signal.signal(signal.SIGALRM, lambda *_: None)
signal.setitimer(signal.ITIMER_REAL, 0)
assert all(report.result(15).matched == 1 for report in reports)
assert len(inside) > 3 and set(inside) == {1}, inside
worker.close()
print('ok')
"""
        )
        self.assertEqual(output, "ok\n")

    def test_an_interrupted_call_leaves_the_worker_usable(self):
        self.run_program(
            """
worker = muster.Worker.connect([ADDRESS])
class Out(Exception): pass
def handler(*_): raise Out
signal.signal(signal.SIGALRM, handler)
hits = 0
for i in range(300):
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.0003 + i * 1e-6)
        worker.join(GROUP, None)
        signal.setitimer(signal.ITIMER_REAL, 0)
        time.sleep(0)  # a signal that has come is handled here at the latest
        worker.leave(GROUP)
    except Out:
        hits += 1
assert hits, 'no call was interrupted'
worker.members(GROUP)
worker.close()
"""
        )


if __name__ == "__main__":
    unittest.main()
