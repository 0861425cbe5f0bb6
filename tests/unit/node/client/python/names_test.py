#!/usr/bin/env python3
"""Names: the look-ups, the endpoints of an address, and how long a round waits for them."""

import threading
import time
import unittest

from support import A, B, REFUSE, Driver, frame

from muster.names import FRESH, Names, in_turns

NAME, OTHER = "n.test:7100", "o.test:7100"
V6, V4, V4_B = "[::1]:7100", "127.0.0.1:7100", "127.0.0.2:7100"


class Sessions(unittest.TestCase):
    def test_a_number_is_not_looked_up(self):
        for address in (A, V6, "[fe80::1%eth0]:7100"):
            driver = Driver([address]).start()
            self.assertEqual((driver.endpoints, driver.look_ups), ([address], []))

    def test_the_next_address_is_tried_while_a_look_up_takes_long(self):
        driver = Driver([NAME, B]).start()
        driver.wait(0.45)
        self.assertEqual(driver.opened, [])
        driver.wait(0.1)
        self.assertEqual(driver.opened, [B])

    def test_a_round_waits_for_all_names_together_only_once(self):
        driver = Driver([NAME, OTHER, "p.test:1", B]).start()
        driver.wait(0.52)
        self.assertEqual(driver.opened, [B])

    def test_a_name_that_does_not_resolve_is_passed_over_at_once(self):
        driver = Driver([NAME, B]).start()
        driver.resolve(NAME)
        self.assertEqual(driver.opened, [B])
        driver.wait(5.0)
        self.assertIn(f"not resolved: {NAME}", str(driver.connecting.future.exception()))

    def test_the_look_up_does_not_count_as_time_for_the_hello(self):
        driver = Driver([NAME, B]).start()
        driver.wait(0.4)
        driver.resolve(NAME, V4)
        driver.wait(0.95)
        self.assertEqual(driver.endpoints, [V4])
        driver.wait(0.1)
        self.assertEqual(driver.endpoints, [V4, B])

    def test_a_skipped_name_is_tried_as_soon_as_it_is_known(self):
        driver = Driver([NAME]).start()
        driver.wait(0.55)
        driver.resolve(NAME, V4)
        self.assertEqual(driver.endpoints, [V4], "the pause is over")
        driver = Driver([NAME, A, B]).start()
        driver.wait(0.55)
        driver.resolve(NAME, V4_B)
        driver.refuse_connection()
        self.assertEqual(driver.endpoints, [A, V4_B])

    def test_the_last_good_answer_is_used_if_no_other_comes(self):
        driver = Driver([NAME]).start()
        driver.resolve(NAME, V4, fresh=False)
        driver.wait(0.45)
        self.assertEqual(driver.endpoints, [])
        driver.wait(0.1)
        self.assertEqual(driver.endpoints, [V4])

    def test_every_endpoint_is_tried_before_the_next_address(self):
        driver = Driver([NAME, B]).start()
        driver.resolve(NAME, V6, V4, V4_B)
        driver.refuse_connection()
        driver.wait(1.05)
        driver.refuse_connection()
        self.assertEqual(driver.endpoints, [V6, V4, V4_B, B])
        self.assertEqual(driver.opened, [NAME, NAME, NAME, B])

    def test_a_host_that_does_not_answer_does_not_hold_up_the_others(self):
        driver = Driver([NAME, B]).start()
        driver.resolve(NAME, V4, V4_B)
        self.assertEqual(driver.patience, 0.25)
        driver.leave_unanswered()
        driver.leave_unanswered()
        self.assertEqual(driver.endpoints, [V4, V4_B, B])
        driver.leave_unanswered()
        driver.wait(0.95)
        self.assertEqual(driver.endpoints, [V4, V4_B, B], "nobody waits for the last one's place")
        driver.wait(0.2)
        driver.resolve(NAME, V4)
        self.assertEqual(driver.endpoints, [V4, V4_B, B, V4])
        self.assertEqual(driver.patience, 0.5, "a network may be that slow")

    def test_the_session_is_resumed_at_the_endpoint_that_has_it(self):
        driver = Driver([NAME]).start()
        driver.resolve(NAME, V4, V4_B)
        driver.refuse_connection()
        driver.attach(grace=5000)
        driver.wait(1.0, alive=True)
        driver.session.unsendable(driver.now)
        driver.act()
        driver.leave_unanswered()
        self.assertEqual((driver.endpoints, driver.look_ups), ([V4, V4_B, V4_B], []))

    def test_a_node_that_refuses_for_good_leaves_the_others_of_its_name(self):
        driver = Driver([NAME]).start()
        driver.resolve(NAME, V4, V4_B)
        driver.hear(frame(REFUSE, 1, "another scope"))
        self.assertEqual(driver.endpoints, [V4, V4_B])
        self.assertFalse(driver.connecting.future.done())


class LookUps(unittest.TestCase):
    def setUp(self):
        self.zone = {}
        self.asked = []
        self.held = {}  # {name: Event}
        self.names = Names(self.look_up)

    def look_up(self, host):
        self.asked.append(host)
        if host in self.held:
            self.held[host].wait(20)
        return self.zone.get(host, [])

    def ask(self, host):
        """(known, fresh, a function that waits for the result)."""
        came, results = threading.Event(), []

        def then(hosts):
            results.append(hosts)
            came.set()

        def wait():
            self.assertTrue(came.wait(20))
            return results[0]

        return (*self.names.ask(host, then), wait)

    def test_an_answer_is_fresh_for_a_while_and_kept_for_ever(self):
        self.zone["a"] = ["127.0.0.1"]
        known, fresh, wait = self.ask("a")
        self.assertEqual((known, fresh, wait()), ([], False, ["127.0.0.1"]))
        self.assertEqual(self.ask("a")[:2], (["127.0.0.1"], True))
        self.zone["a"] = []
        time.sleep(FRESH + 0.01)
        known, fresh, wait = self.ask("a")
        self.assertEqual((known, fresh, wait()), (["127.0.0.1"], False, ["127.0.0.1"]))

    def test_one_question_at_a_time_and_silent_names_do_not_delay_others(self):
        silent = [f"silent{i}" for i in range(80)]
        waits = [self.ask(name)[2] for name in silent]
        for wait in waits:
            self.assertEqual(wait(), [])
        self.held = {name: threading.Event() for name in silent}
        self.zone["good"] = ["::1"]
        self.asked.clear()
        waits = [self.ask(name)[2] for name in silent * 2]
        self.assertEqual(self.ask("good")[2](), ["::1"])
        for event in self.held.values():
            event.set()
        for wait in waits:
            self.assertEqual(wait(), [])
        self.assertEqual(sorted(self.asked), sorted([*silent, "good"]))

    def test_families_take_turns(self):
        self.assertEqual(in_turns(["::1", "::2", "::3", "1.1.1.1"]), ["::1", "1.1.1.1", "::2", "::3"])
        self.assertEqual(in_turns(["1.1.1.1", "2.2.2.2", "::1"]), ["1.1.1.1", "::1", "2.2.2.2"])
        self.assertEqual(in_turns([]), [])


if __name__ == "__main__":
    unittest.main()
