#!/usr/bin/env python3
"""Workers in Python and in C++ with keys, at nodes that let nobody in without."""

import os
import signal
import subprocess
import unittest

from support import GROUP, PATIENCE, Case, Told

import muster
from muster import Error, ErrorCode


def nodes_have_keys():
    return "--keys" in subprocess.run([os.environ["MUSTERD"], "--help"], capture_output=True, text=True).stdout


@unittest.skipUnless(nodes_have_keys(), "these nodes know no keys")
class Keys(Case):
    def options_of(self, name):
        if not (self.folder / "trusted").exists():
            self.make_keys()
        return (*self.OPTIONS, "--key", str(self.folder / f"{name}.key"), "--keys", str(self.folder / "trusted"))

    def make_keys(self):
        kinds = {"nodes": "abc", "workers": ["python", "ops"], "nobody": ["stranger"]}
        for kind, names in kinds.items():
            (self.folder / "trusted" / kind).mkdir(parents=True)
            for name in names:
                command = [self.lab.muster, "keygen", name, "--dir", str(self.folder)]
                subprocess.run(command, check=True, capture_output=True)
                (self.folder / f"{name}.pub").rename(self.folder / "trusted" / kind / f"{name}.pub")
        for variable, path in (("MUSTER_KEY", self.folder / "ops.key"), ("MUSTER_KEYS", self.folder / "trusted")):
            os.environ[variable] = str(path)  # for the command line
            self.addCleanup(os.environ.pop, variable)

    def connect(self, *nodes, key="python", **options):
        return super().connect(*nodes, key=self.folder / f"{key}.key", keys=self.folder / "trusted", **options)

    def test_both_languages_meet_behind_keys_and_fail_over(self):
        cpp = self.cpp(self.b, "join", *GROUP)
        self.line(cpp, event="joined")
        told = Told()
        worker = self.connect("a@" + self.a.address, self.b, name="python")
        worker.join(GROUP, told, visible=True)
        self.assertEqual(worker.status().security, "curve")
        self.until(lambda: len(worker.members(GROUP)) == 2, "both are seen")
        self.assertEqual(worker.notify_created(GROUP, 7, wait=True, timeout=PATIENCE).delivered, 2)
        self.assertEqual(self.line(cpp, event="created")["data"], 7)
        self.a.kill()
        self.until(lambda: worker.node.id.name == "b", "it goes to b")
        self.assertEqual(len(worker.local_members(GROUP, timeout=PATIENCE)), 2)

    def test_keys_that_change_are_found_without_a_new_worker(self):
        attached = Told()
        worker = self.connect("a@" + self.a.address, on_attachment=lambda yes, text: attached(yes))
        worker.join(GROUP)
        self.assertTrue(attached.wait(lambda all: all == [True]))
        self.a.kill()
        self.a.process.wait()
        (self.folder / "a.key").unlink()
        subprocess.run([self.lab.muster, "keygen", "a", "--dir", str(self.folder)], check=True, capture_output=True)
        (self.folder / "a.pub").rename(self.folder / "trusted/nodes/a.pub")
        for node in (self.b, self.c):
            node.process.send_signal(signal.SIGHUP)
        self.assertEqual(worker.node.id.name, "a")
        self.a.start()
        self.assertTrue(attached.wait(lambda all: all[-2:] == [False, True]), attached.all)
        self.assertEqual(len(worker.members(GROUP, timeout=PATIENCE)), 1)

    def test_a_name_belongs_to_its_key(self):
        with self.assertRaises(Error) as caught:
            self.connect(self.a, name="ops")
        self.assertEqual(caught.exception.code, ErrorCode.bad_request)
        self.assertIn("use the name 'python'", str(caught.exception))
        self.assertTrue(self.connect(self.a).name.startswith("python."))

    def test_who_is_not_let_in(self):
        for key in ("stranger", None):
            with self.assertRaises(Error) as caught:
                paths = {"key": self.folder / f"{key}.key", "keys": self.folder / "trusted"} if key else {}
                muster.Worker.connect([self.a.address], timeout=2.0, **paths)
            self.assertEqual(caught.exception.code, ErrorCode.unreachable)


if __name__ == "__main__":
    unittest.main()
