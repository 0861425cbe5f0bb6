#!/usr/bin/env python3
"""Names never block anything: real nodes and workers, and a name server that goes away."""

import os
import socket
import subprocess
import time

from support import DEAD, GRAVES, GROUP, HERE, PATIENCE, SILENCE, V6, Case, Keys, Lab, Node, ProtocolUnreachable, cli
from support import free_port, main

import muster
import muster.names


class Nodes(Case):
    def cluster(self):
        """Three nodes that advertise names, as the shipped files for containers do."""
        self.names.zone = {f"n{i}.test": [HERE] for i in (1, 2, 3)}
        ports = {i: free_port() for i in (1, 2, 3)}
        seeds = [f"n{i}.test:{port}" for i, port in ports.items()]
        # While no name can be looked up, the worker cannot go to another node: a node that ends waits for it so long.
        options = ("--drain-timeout", "1000")
        nodes = [
            Node(self, f"n{i}", f"{HERE}:{port}", "--advertise", f"n{i}.test:{port}", *options, seeds=seeds)
            for i, port in ports.items()
        ]
        self.all_alive(*nodes)
        return nodes

    def one_dies_and_two_live(self):
        n1, n2, n3 = self.cluster()
        self.joiner(n1.at)
        self.until(lambda: n2.members() == 1, "the member is seen")
        yield
        n3.process.kill()
        died = time.monotonic()
        self.until(lambda: n1.states().get("n3") == "down" and n2.states().get("n3") == "down", "n3 is found dead")
        while time.monotonic() - died < 2 * SILENCE:
            for node, other in ((n1, "n2"), (n2, "n1")):
                status, answer, seconds = node.cli("nodes")
                self.assertEqual(status, 0)
                self.assertLess(seconds, 3.0)
                self.assertNotEqual({one["name"]: one["state"] for one in answer["nodes"]}[other], "down")
            self.assertEqual(n2.members(), 1)
            time.sleep(0.2)
        for node in (n1, n2):
            downs = [line for line in node.log.read_text().splitlines() if "event=node_down" in line]
            self.assertEqual([line for line in downs if "node=n3" not in line], [])
            self.assertTrue(node.ends_within(SILENCE / 2), "SIGTERM does not wait for a look-up")

    def test_live_nodes_stay_alive_when_one_dies_while_the_name_server_is_silent(self):
        for _ in self.one_dies_and_two_live():
            self.names.is_silent = True
            time.sleep(2.0)  # longer than an answer counts as fresh

    def test_live_nodes_stay_alive_when_one_dies_while_a_look_up_takes_seconds(self):
        for _ in self.one_dies_and_two_live():
            self.names.delay = 3.0

    def test_a_node_that_starts_while_the_name_server_is_silent_joins_when_it_is_back(self):
        self.names.zone = {"a.test": [HERE], "b.test": [HERE]}
        ports = free_port(), free_port()
        a = Node(self, "a", f"{HERE}:{ports[0]}", "--advertise", f"a.test:{ports[0]}")
        self.until(a.states, "it answers")
        self.names.is_silent = True
        b = Node(self, "b", f"{HERE}:{ports[1]}", "--advertise", f"b.test:{ports[1]}", seeds=[a.at])
        self.until(lambda: a.states().get("b"), "they have met, and need each other's name")
        time.sleep(SILENCE + 2.0)  # the first look-up has failed
        self.assertEqual(b.cli("nodes")[0], 0)
        self.names.is_silent = False
        self.all_alive(a, b)
        self.assertTrue(b.ends_within(SILENCE / 2))

    def test_a_node_that_moves_to_another_address_of_its_name_is_found(self):
        port, other = free_port(), free_port()
        self.names.zone = {"moves.test": ["127.0.0.2"]}
        a = Node(self, "a", f"{HERE}:{other}")
        moves = ("--advertise", f"moves.test:{port}")
        b = Node(self, "b", f"127.0.0.2:{port}", *moves, seeds=[a.at])
        self.all_alive(a, b)
        b.process.kill()
        self.names.zone["moves.test"] = ["127.0.0.3"]
        b = Node(self, "b", f"127.0.0.3:{port}", *moves)  # it knows no seed: a must find it by its name
        self.all_alive(a, b)
        self.joiner(b.at)
        self.until(lambda: a.members() == 1, "its gossip arrives")
        self.assertEqual(a.cli("notify", "created", *GROUP, "1", "--wait")[1]["delivered"], 1)

    def test_names_with_ipv6_addresses_only_form_a_cluster(self):
        port, other = free_port(), free_port()
        self.names.zone = {"six-a.test": [V6], "six-b.test": ["::1"]}
        a = Node(self, "a", f"six-a.test:{port}", "--insecure", seeds=[f"six-b.test:{other}"])
        b = Node(self, "b", f"six-b.test:{other}", "--insecure", seeds=[f"six-a.test:{port}"])
        self.cluster_works(a, b)

    def test_advertised_names_with_a_dead_first_address_form_a_cluster(self):
        port, other = free_port(), free_port()
        self.names.zone = {"a.test": [DEAD, V6], "b.test": ["::1", HERE]}
        a = Node(self, "a", f"[{V6}]:{port}", "--insecure", "--advertise", f"a.test:{port}", seeds=[f"b.test:{other}"])
        b = Node(self, "b", f"{HERE}:{other}", "--advertise", f"b.test:{other}", seeds=[f"a.test:{port}"])
        self.cluster_works(a, b)

    def test_a_program_that_accepts_connections_at_another_address_of_a_name_is_passed_over(self):
        self.names.zone = {"b.test": ["127.0.0.9", HERE]}
        seeds = [f"{HERE}:{free_port()}"]
        b = Node(self, "b", f"{HERE}:{free_port()}", seeds=seeds)
        self.until(b.states, "it answers")
        listening = subprocess.run(["ss", "-tlnpH"], capture_output=True, text=True, check=True).stdout.splitlines()
        ports = [int(line.split()[3].rsplit(":", 1)[1]) for line in listening if f"pid={b.process.pid}," in line]
        self.assertGreaterEqual(len(ports), 3, "the front door, control and gossip")
        for port in ports:
            foreign = socket.create_server(("127.0.0.9", port))
            self.addCleanup(foreign.close)
        b.ends_within(PATIENCE)
        a = Node(self, "a", seeds[0])
        b = Node(self, "b", b.at, "--advertise", f"b.test:{b.at.rsplit(':', 1)[1]}", seeds=seeds)
        self.cluster_works(a, b)

    def test_the_same_with_keys(self):
        keys = Keys(Lab(os.environ["MUSTERD"], os.environ["MUSTER"], self.folder, self.children), "ab")
        self.addCleanup(lambda: [os.environ.pop(name) for name in ("MUSTER_KEY", "MUSTER_KEYS")])
        port, other = free_port(), free_port()
        self.names.zone = {"a.test": [DEAD, "::1", HERE], "b.test": ["127.0.0.9", HERE]}
        advertised = {"a": f"a.test:{port}", "b": f"b.test:{other}"}
        a = Node(
            self,
            "a",
            f"{HERE}:{port}",
            "--advertise",
            advertised["a"],
            *keys.options("a"),
            seeds=["b@" + advertised["b"]],
        )
        b = Node(
            self, "b", f"{HERE}:{other}", "--advertise", advertised["b"], *keys.options("b"), seeds=[advertised["a"]]
        )
        self.cluster_works(a, b)
        for address in (advertised["a"], "a@" + advertised["a"]):
            self.assertEqual(cli(address, "nodes")[0], 0)
            self.worker(address, key=keys.key("w"), keys=keys.folder).close()

    def cluster_works(self, a, b):
        self.all_alive(a, b)
        for one, other in ((a, b), (b, a)):
            joiner = self.joiner(one.at)
            self.until(lambda: other.members() == 1, "a join is seen")
            answer = other.cli("notify", "created", *GROUP, "1", "--wait")[1]
            self.assertEqual((answer["matched"], answer["delivered"]), (1, 1))
            joiner.process.terminate()
            self.until(lambda: other.members() == 0, "a leave is seen")
        b.process.kill()
        self.until(lambda: a.states().get("b") == "down", "its end is noticed")
        self.assertNotIn("silent", a.log.read_text(), "a refused port proves the end at once")

    def test_a_process_is_gone_only_if_all_addresses_of_its_name_refuse(self):
        """The name has an address where nothing listens, and the link breaks although the process lives."""
        port, other = free_port(), free_port()
        self.names.zone = {"b.test": ["127.0.0.9", HERE]}
        a = Node(self, "a", f"{HERE}:{port}")
        b = Node(self, "b", f"{HERE}:{other}", "--advertise", f"b.test:{other}", seeds=[a.at])
        self.all_alive(a, b)
        for _ in range(3):
            subprocess.run(
                ["ss", "-t", "-K", "dst", HERE],
                capture_output=True,
                check=False,
            )
            time.sleep(0.3)
        time.sleep(1.0)
        self.assertGreater(a.cli("status")[1]["counters"]["links_lost"], 0, "the links did break")
        self.assertEqual(a.states().get("b"), "alive")
        self.assertNotIn("its process has ended", a.log.read_text())

    def test_localhost_works_for_every_program_whichever_family_the_node_listens_on(self):
        for listen in ("127.0.0.1", "[::1]"):
            with self.subTest(listen=listen):
                port, other = free_port(), free_port()
                node = Node(self, "v" + str(len(self.nodes)), f"{listen}:{port}")
                self.until(lambda: node.states(), "it answers")
                self.assertEqual(cli(f"localhost:{port}", "nodes")[0], 0)
                self.worker(f"localhost:{port}").close()
                peer = Node(self, "w" + str(len(self.nodes)), f"localhost:{other}", seeds=[f"localhost:{port}"])
                self.all_alive(node)
                self.until(lambda: peer.states().get(node.name) == "alive", "the seed is found")
                self.until(lambda: node.states().get(peer.name) == "alive", "and finds it")

    def test_listening_on_loopback_by_name_with_remote_seeds_is_reported_once(self):
        self.names.zone = {"far.test": [DEAD]}
        node = Node(self, "a", f"thishost:{free_port()}", seeds=["far.test:7100"])
        self.until(lambda: "only this host can reach" in node.log.read_text(), "it says so")
        time.sleep(2.5)
        lines = [line for line in node.log.read_text().splitlines() if "only this host can reach" in line]
        self.assertEqual(len(lines), 1)
        self.assertIn("127.0.1.1", lines[0])
        self.assertIn("far.test:7100", lines[0])

    def test_a_router_that_reports_an_unreachable_protocol_ends_no_program(self):
        """libzmq aborts a process whose connect fails with ENOPROTOOPT."""
        router = ProtocolUnreachable()
        self.addCleanup(router.end)
        node = Node(self, "a", f"{HERE}:{free_port()}", seeds=[f"{DEAD}:7100"])
        self.until(node.states, "it serves")
        self.assertEqual(cli(f"{DEAD}:7100", "nodes")[0], 3)
        self.until(lambda: router.answered > 5, "both have tried")
        self.assertIsNone(node.process.poll())

    def test_a_listen_name_with_a_foreign_address_in_front_is_bound(self):
        self.names.zone = {"mine.test": [DEAD, HERE]}
        node = Node(self, "a", f"mine.test:{free_port()}")
        self.until(lambda: node.states(), "it listens on the address that it has")

    def test_sigterm_ends_a_node_whose_own_name_does_not_resolve(self):
        self.names.is_silent = True
        node = Node(self, "a", f"mine.test:{free_port()}")
        time.sleep(1.0)
        self.assertTrue(node.ends_within(SILENCE - 1.0))


class Workers(Case):
    def setUp(self):
        super().setUp()
        self.node = Node(self, "a", f"{HERE}:{free_port()}")
        self.until(self.node.states, "it answers")
        self.names.silent_names = {"silent.test", "silent2.test"}

    def test_a_list_with_an_unresolvable_name_connects_in_time(self):
        for first in (["silent.test:7100"], ["silent.test:7100", "silent2.test:1"], ["nowhere.test:7100"]):
            nodes = [*first, self.node.at]
            status, _, seconds = cli(",".join(nodes), "nodes")
            self.assertEqual((status, seconds < 4.0), (0, True), f"C++: {nodes}: {seconds} s")
            began = time.monotonic()
            worker = self.worker(*nodes, timeout=4.0)
            self.assertLess(time.monotonic() - began, 4.0)
            began = time.monotonic()
            worker.close()
            self.assertLess(time.monotonic() - began, 2.0)

    def test_a_call_that_cannot_succeed_ends_in_its_time(self):
        status, _, seconds = cli("silent.test:7100", "nodes", timeout=4 * SILENCE)
        self.assertNotEqual(status, 0)
        self.assertLess(seconds, SILENCE - 1.0, "C++: connect, close and the end of the process")
        began = time.monotonic()
        with self.assertRaises(muster.Error) as caught:
            self.worker("silent.test:7100", timeout=2.0)
        self.assertLess(time.monotonic() - began, 5.0, "Python")
        self.assertIn("not resolved: silent.test:7100", str(caught.exception))

    def test_one_worker_with_an_unresolvable_name_costs_another_nothing(self):
        states = []
        good = self.worker(self.node.at, on_attachment=lambda attached, _: states.append(attached))
        good.join(GROUP)
        with self.assertRaises(muster.Error):
            self.worker("silent.test:7100", timeout=3.0)
        waiting = time.monotonic() + SILENCE
        while time.monotonic() < waiting:
            began = time.monotonic()
            self.assertEqual(len(good.members(GROUP)), 1)
            self.assertLess(time.monotonic() - began, 1.0)
            time.sleep(0.1)
        self.assertEqual(states, [True])

    def test_names_of_every_kind_work(self):
        port = self.node.at.rsplit(":", 1)[1]
        six = Node(self, "six", f"[::1]:{port}")
        far = Node(self, "far", f"[{V6}]:{port}", "--insecure")
        self.until(lambda: six.states() and far.states(), "they answer")
        self.names.zone = {
            "four.test": [HERE],
            "six.test": ["::1"],
            "both.test": ["::1", HERE],
            "dead-first.test": [DEAD, HERE],
            "dead-but-one.test": [*GRAVES, HERE],
            "dead-family.test": [DEAD, V6],
            "no-route-first.test": ["fd00:dead::1", HERE],
            "closed-first.test": ["127.0.0.9", "127.0.0.8", HERE],
            "closed-families.test": ["::1", "127.0.0.9"],
        }
        self.assertEqual(muster.names.resolve("dead-first.test"), [DEAD, HERE], "the dead one comes first")
        for name in [*self.names.zone, "localhost"]:
            with self.subTest(name=name):
                status, answer, seconds = cli(f"{name}:{port}", "status")
                self.assertEqual((status, seconds < 4.5), (0, True), f"C++: {seconds} s")
                worker = self.worker(f"{name}:{port}", timeout=4.5)
                worker.close()

    def test_a_list_of_dead_hosts_but_one_connects_in_time(self):
        nodes = [f"{grave}:7100" for grave in GRAVES] + [self.node.at]
        status, _, seconds = cli(",".join(nodes), "nodes")
        self.assertEqual((status, seconds < 4.5), (0, True), f"C++: {seconds} s")
        self.worker(*nodes, timeout=4.5).close()

    def test_a_slow_look_up_does_not_count_as_time_for_the_hello(self):
        port = self.node.at.rsplit(":", 1)[1]
        self.names.zone = {"slow.test": [HERE]}
        self.names.delay = 2.5
        self.assertEqual(cli(f"slow.test:{port}", "nodes")[0], 0)
        self.worker(f"slow.test:{port}").close()

    def test_the_last_good_answer_is_used_while_the_name_server_is_silent(self):
        port = self.node.at.rsplit(":", 1)[1]
        self.names.zone = {"a.test": [HERE]}
        worker = self.worker(f"a.test:{port}")
        joiner = self.joiner(f"a.test:{port}")
        self.until(lambda: self.node.members() == 1, "the C++ worker has joined")
        worker.join(GROUP)
        self.names.is_silent = True
        self.node.process.kill()
        self.node.process.wait()
        time.sleep(2.0)
        self.node = Node(self, "a", self.node.at)
        self.until(lambda: self.node.members() == 2, "both are back", SILENCE / 2)
        self.assertIsNone(joiner.process.poll())

    def test_a_name_is_looked_up_again_when_its_address_fails(self):
        port = self.node.at.rsplit(":", 1)[1]
        self.names.zone = {"moves.test": [HERE]}
        worker = self.worker(f"moves.test:{port}")
        self.joiner(f"moves.test:{port}")
        self.until(lambda: self.node.members() == 1, "the C++ worker has joined")
        worker.join(GROUP)
        self.node.process.kill()
        self.names.zone["moves.test"] = ["127.0.0.4"]
        moved = Node(self, "a", f"127.0.0.4:{port}")
        self.until(lambda: moved.members() == 2, "both have found it")


if __name__ == "__main__":
    main()
