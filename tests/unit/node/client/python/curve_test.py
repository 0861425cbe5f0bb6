#!/usr/bin/env python3
"""Encryption over real sockets: a node made up in this process, who may come in, and whom a worker trusts."""

import pathlib
import tempfile
import threading
import unittest

import zmq
import zmq.auth
from support import ROOT, frame, welcome  # noqa: F401 (the path of the package)
from zmq.auth.thread import ThreadAuthenticator

import muster
from muster import Error, ErrorCode

PATIENCE = 15.0


class Node:
    """Welcomes everybody whom its keys let in."""

    def __init__(self, name, public, secret, workers):
        self.name = name
        self.context = zmq.Context()
        self.guard = ThreadAuthenticator(self.context)
        self.guard.start()
        self.guard.configure_curve(domain="*", location=str(workers))
        self.router = self.context.socket(zmq.ROUTER)
        self.router.setsockopt(zmq.LINGER, 0)
        self.router.setsockopt(zmq.CURVE_SERVER, 1)
        self.router.setsockopt(zmq.CURVE_PUBLICKEY, public)
        self.router.setsockopt(zmq.CURVE_SECRETKEY, secret)
        self.address = "127.0.0.1:%d" % self.router.bind_to_random_port("tcp://127.0.0.1", 12_000, 32_000)
        self.is_over = threading.Event()
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()

    def serve(self):
        while not self.is_over.is_set():
            if self.router.poll(20):
                route, _ = self.router.recv_multipart()
                self.router.send_multipart([route, welcome(node=self.name)])

    def close(self):
        self.is_over.set()
        self.thread.join()
        self.router.close()
        self.guard.stop()
        self.context.term()


class Encrypted(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        for name in ("nodes", "workers"):
            (self.folder / name).mkdir()
        self.pairs = {name: zmq.curve_keypair() for name in ("a", "z", "w1", "stranger")}
        for name in ("w1", "stranger"):
            public, secret = (key.decode() for key in self.pairs[name])
            path = self.folder / f"{name}.key"
            path.write_text(f'public-key = "{public}"\nsecret-key = "{secret}"\n')
            path.chmod(0o600)
        for name in ("a", "z"):
            self.trust(name, self.pairs[name][0])
        # The form that pyzmq's authenticator reads.
        (self.folder / "workers/w1.key").write_text(f'curve\n    public-key = "{self.pairs["w1"][0].decode()}"\n')
        self.node = Node("z", *self.pairs["z"], self.folder / "workers")
        self.addCleanup(self.node.close)

    def trust(self, name, public):
        (self.folder / f"nodes/{name}.pub").write_text(f'public-key = "{public.decode()}"\n')

    def connect(self, address, key="w1", timeout=PATIENCE):
        worker = muster.Worker.connect([address], key=self.folder / f"{key}.key", keys=self.folder, timeout=timeout)
        self.addCleanup(worker.close)
        return worker

    def fails(self, *arguments, **how):
        with self.assertRaises(Error) as caught:
            self.connect(*arguments, timeout=1.5, **how)
        return caught.exception.code

    def test_the_named_node_is_reached_and_without_a_name_its_key_is_found(self):
        self.assertEqual(self.connect("z@" + self.node.address).node.id.name, "z")
        self.assertEqual(self.connect(self.node.address).node.id.name, "z")  # a's key is tried first

    def test_a_stranger_is_not_let_in(self):
        self.assertEqual(self.fails("z@" + self.node.address, key="stranger"), ErrorCode.unreachable)

    def test_a_node_with_another_key_than_the_trusted_one_is_not_spoken_to(self):
        self.assertEqual(self.fails("a@" + self.node.address), ErrorCode.unreachable)

    def test_a_node_under_another_name_than_its_key_has_is_refused(self):
        self.trust("a", self.pairs["z"][0])
        self.assertEqual(self.fails("a@" + self.node.address), ErrorCode.refused)

    def test_without_keys_nothing_is_said_to_a_node_that_has_them(self):
        with self.assertRaises(Error) as caught:
            muster.Worker.connect([self.node.address], timeout=1.5)
        self.assertEqual(caught.exception.code, ErrorCode.unreachable)


if __name__ == "__main__":
    unittest.main()
