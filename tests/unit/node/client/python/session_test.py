#!/usr/bin/env python3
"""Attaching, resuming, going to another node: the session on made-up time."""

import unittest

from support import A, B, ERROR, GAP, GOODBYE, GROUP, HEARTBEAT, HELLO, JOIN, JOINED, LIFE, NODE_HEARTBEAT
from support import OWN_LIFE, REFUSE, Driver, frame, welcome

from muster import Error, calls
from muster.errors import ErrorCode
from muster.session import State


def refuse(code, text="no", **how):
    return frame(REFUSE, int(code), text, **how)


class Attaching(unittest.TestCase):
    def test_it_says_hello_to_the_first_node_and_is_welcomed(self):
        driver = Driver([A, B]).start()
        self.assertEqual(driver.opened, [A])
        hello = driver.take(HELLO)
        self.assertEqual(
            (hello.scope, hello.origin, hello.token, hello.seq, hello.fields), ("default", "w1", 0, 0, [0, 0, OWN_LIFE])
        )
        driver.attach()
        self.assertIsNone(driver.connecting.future.result(0))
        self.assertEqual(driver.session.node.id.name, "a")

    def test_a_node_that_says_nothing_gives_way_to_the_next(self):
        driver = Driver([A, B]).start()
        driver.wait(0.9)
        self.assertEqual(driver.opened, [A])
        driver.wait(0.2)
        self.assertEqual(driver.opened, [A, B])

    def test_a_port_that_refuses_gives_way_at_once_and_rounds_get_slower(self):
        driver = Driver([A, B], inbox=1).start()
        driver.refuse_connection()
        self.assertEqual(driver.opened, [A, B])
        at = []
        for _ in range(12):
            driver.refuse_connection()
            begin, before = driver.now, len(driver.opened)
            while len(driver.opened) == before:
                driver.wait(0.01)
            at.append(driver.now - begin)
            driver.refuse_connection()
        self.assertLess(at[0], 0.15)
        self.assertTrue(1.3 <= at[-1] <= 2.1, at)

    def test_a_late_word_of_an_earlier_connection_counts_for_nothing(self):
        driver = Driver([A, B]).start()
        attempt = driver.attempt
        driver.refuse_connection()
        driver.session.refused_connection(driver.now, attempt)
        self.assertEqual(driver.opened, [A, B])

    def test_not_ready_is_asked_again_soon_and_for_ever(self):
        driver = Driver([A]).start()
        for _ in range(30):
            driver.hear(refuse(ErrorCode.not_ready))
            before = len(driver.opened)
            driver.wait(0.45)
            self.assertGreater(len(driver.opened), before)
        driver.attach()

    def test_a_refusal_for_good_of_all_ends_the_first_attempt(self):
        driver = Driver([A, B]).start()
        driver.hear(refuse(ErrorCode.wrong_scope, scope="other"))
        self.assertEqual(driver.opened, [A, B])
        self.assertFalse(driver.connecting.future.done())
        driver.hear(refuse(ErrorCode.bad_request))
        with self.assertRaises(Error) as caught:
            driver.connecting.future.result(0)
        self.assertEqual(caught.exception.code, ErrorCode.wrong_scope)

    def test_a_node_of_another_major_is_a_wrong_version(self):
        driver = Driver([A]).start()
        driver.hear(frame(REFUSE, 10, "no", major=2))
        with self.assertRaises(Error) as caught:
            driver.connecting.future.result(0)
        self.assertEqual(caught.exception.code, ErrorCode.wrong_version)

    def test_without_an_answer_it_is_unreachable_and_with_a_refusal_that_is_said(self):
        silent = Driver([A]).start()
        silent.wait(6)
        self.assertEqual(silent.connecting.future.exception(0).code, ErrorCode.unreachable)
        full = Driver([A]).start()
        full.hear(refuse(ErrorCode.overloaded, "too many workers"))
        full.wait(6)
        self.assertEqual(full.connecting.future.exception(0).code, ErrorCode.overloaded)
        self.assertEqual(full.connecting.future.exception(0).text, "too many workers")

    def test_welcomes_that_do_not_fit_are_dropped(self):
        driver = Driver([A]).start()
        bad = [
            welcome(scope="other"),
            welcome(resumed=True),  # nothing was to be resumed
            frame(43, 7, False, 500, 2000, 1000, [["b", 1], 1, A], []),  # in another's name
            frame(NODE_HEARTBEAT),
            b"\xc1",
            b"",
        ]
        driver.hear(*bad)
        self.assertEqual(driver.session.state, State.greeting)
        self.assertGreaterEqual(driver.session.counters["malformed"], 3)
        driver.attach()

    def test_nodes_of_the_welcome_join_the_list_unless_they_are_no_addresses(self):
        driver = Driver([A]).attach(others=[B, "ipc:///tmp/x", "h:0", "", A, "h;tcp://evil:1"])
        driver.hear(refuse(ErrorCode.closed))
        driver.wait(0.3)
        self.assertEqual(driver.opened, [A, B])


class Attached(unittest.TestCase):
    def test_heartbeats_go_out_often_enough(self):
        driver = Driver([A]).attach(heartbeat=500)
        driver.wait(5, alive=True)
        beats = [each for each in driver.sent if each.kind == HEARTBEAT]
        self.assertGreaterEqual(len(beats), 10)
        self.assertTrue(all(beat.token == 7 and beat.seq == 0 and beat.fields == [0] for beat in beats))

    def test_timers_of_a_mad_node_make_no_busy_loop(self):
        driver = Driver([A]).attach(heartbeat=0, ttl=(1 << 64) - 1, grace=(1 << 64) - 1)
        driver.wait(1, alive=True)
        self.assertLess(len(driver.sent), 120)

    def test_silence_for_the_ttl_leads_to_a_hello_with_the_token(self):
        driver = Driver([A, B]).attach(ttl=2000)
        driver.wait(1.9)
        self.assertEqual(driver.opened, [A])
        driver.wait(0.2)
        self.assertEqual(driver.opened, [A, A])
        hello = driver.take(HELLO)
        self.assertEqual((hello.token, hello.fields), (7, [7, 0, OWN_LIFE]))

    def test_silence_while_this_process_was_stopped_says_nothing(self):
        driver = Driver([A, B]).attach(ttl=2000)
        driver.wait(1, alive=True)
        driver.now += 60
        driver.turn()
        self.assertEqual(driver.session.state, State.attached)
        driver.wait(2.1)
        self.assertEqual(driver.session.state, State.greeting)

    def test_a_quiet_connection_is_tried_and_one_that_is_gone_is_made_anew_at_once(self):
        driver = Driver([A]).attach(heartbeat=60_000, ttl=60_000)
        driver.sent.clear()
        driver.wait(0.35)
        self.assertEqual(driver.kinds(), [HEARTBEAT])
        driver.session.unsendable(driver.now)
        driver.act()
        self.assertEqual((driver.opened, driver.take(HELLO).token), ([A, A], 7))

    def test_frames_of_other_nodes_and_scopes_count_for_nothing(self):
        driver = Driver([A]).attach(ttl=2000)
        for _ in range(21):
            driver.hear(
                frame(NODE_HEARTBEAT, node="b"), frame(NODE_HEARTBEAT, life=5), frame(NODE_HEARTBEAT, scope="x")
            )
            driver.wait(0.1)
        self.assertEqual(driver.session.state, State.greeting)

    def test_unknown_session_is_answered_by_a_hello_with_the_token(self):
        driver = Driver([A]).attach()
        driver.wait(1, alive=True)
        driver.hear(refuse(ErrorCode.unknown_session))
        self.assertEqual((driver.opened, driver.take(HELLO).token), ([A, A], 7))

    def test_a_node_that_keeps_forgetting_makes_no_busy_loop(self):
        driver = Driver([A]).attach()
        for _ in range(50):
            driver.hear(refuse(ErrorCode.unknown_session))
            driver.wait(0.01)
            if driver.session.state is State.greeting:
                driver.hear(welcome(resumed=True))
        self.assertLess(len(driver.opened), 10)

    def test_a_node_that_ends_is_left_for_another(self):
        driver = Driver([A, B]).attach()
        driver.wait(1, alive=True)
        driver.hear(refuse(ErrorCode.closed))
        driver.wait(0.2)
        self.assertEqual(driver.opened, [A, B])
        self.assertEqual(driver.take(HELLO).token, 0)

    def test_attachment_is_told_in_turns(self):
        told = []
        driver = Driver([A, B], on_attachment=lambda attached, text: told.append((attached, text))).attach()
        driver.wait(1, alive=True)
        driver.session.unsendable(driver.now)
        driver.act()
        driver.refuse_connection()
        driver.attach(node="b")
        driver.wait(1, alive=True)
        driver.hear(refuse(ErrorCode.unknown_session, node="b"))
        driver.hear(welcome(node="b", life=LIFE, token=9))  # the session is another
        driver.handle()
        self.assertEqual([attached for attached, _ in told], [True, False, True, False, True])
        self.assertIn("attached to b at " + B, told[2][1])


class Resuming(unittest.TestCase):
    def lost(self, **how):
        driver = Driver([A, B]).attach(**how)
        driver.wait(1, alive=True)
        driver.session.unsendable(driver.now)
        driver.act()
        return driver

    def test_the_node_of_the_session_comes_first_for_its_grace(self):
        driver = self.lost(grace=2000)
        driver.wait(1.9)
        self.assertEqual(set(driver.opened), {A})
        self.assertGreaterEqual(len(driver.opened), 4)
        driver.wait(0.7)
        self.assertEqual(driver.opened[-1], B)

    def test_but_not_much_longer_than_five_seconds(self):
        driver = self.lost(grace=60_000)
        driver.wait(5.6)
        self.assertEqual(driver.opened[-1], B)

    def test_and_not_when_its_port_refuses(self):
        driver = self.lost(grace=60_000)
        driver.refuse_connection()
        self.assertEqual(driver.opened[-1], B)
        self.assertEqual(driver.take(HELLO).token, 0, "a token counts at its node alone")
        driver.refuse_connection()
        driver.wait(0.2)
        self.assertEqual(driver.opened[-1], A)
        self.assertEqual(driver.take(HELLO).token, 7, "the session may still be there")

    def test_a_resumed_session_goes_on(self):
        driver = self.lost()
        sent_before = driver.ask(calls.JoinCall(GROUP, None, 2, None, False, 5.0))
        self.assertNotIn(JOIN, driver.kinds())
        driver.hear(welcome(resumed=True))
        request = driver.take(JOIN)
        self.assertEqual((request.seq, request.token), (1, 7))
        driver.hear(frame(JOINED, [[1, 2]], 0, seq=1))
        self.assertEqual(len(sent_before.future.result(0).members), 2)

    def test_requests_without_an_answer_go_again_in_order_and_with_their_numbers(self):
        driver = Driver([A]).attach()
        driver.wait(1, alive=True)
        asked = [driver.ask(calls.NotifyCall(1, GROUP, i, False, 5.0)) for i in range(3)]
        driver.hear(frame(66, [0, 0, False, 0, []], seq=2))
        driver.session.unsendable(driver.now)
        driver.act()
        driver.hear(welcome(resumed=True))
        self.assertEqual([each.seq for each in driver.sent if each.kind == 56], [1, 3])
        driver.hear(frame(66, [5, 1, False, 0, []], seq=3), frame(66, [4, 1, False, 0, []], seq=1))
        self.assertEqual([call.future.result(0).matched for call in asked], [4, 0, 5])

    def test_a_welcome_to_another_session_is_no_resumption(self):
        driver = self.lost()
        driver.hear(welcome(resumed=True, token=8), welcome(resumed=True, life=LIFE + 1))
        self.assertEqual(driver.session.state, State.greeting)

    def test_a_hello_tells_what_was_handled_and_not_what_was_taken(self):
        driver = Driver([A], on_gap=lambda missed: None).attach()
        driver.wait(1, alive=True)
        driver.hear(frame(GAP, 1, seq=1), frame(GAP, 1, seq=2), frame(GAP, 1, seq=3))
        driver.handle(2)
        driver.session.unsendable(driver.now)
        driver.act()
        self.assertEqual(driver.take(HELLO).fields, [7, 2, OWN_LIFE])


class Ending(unittest.TestCase):
    def test_goodbye_comes_after_the_last_acknowledgement_and_calls_fail(self):
        driver = Driver([A], on_gap=lambda missed: None).attach()
        call = driver.ask(calls.NodesCall(5.0))
        driver.hear(frame(GAP, 1, seq=1))
        driver.session.handled(driver.now, driver.entries.pop())
        driver.session.close(driver.now)
        driver.act()
        self.assertEqual(driver.kinds()[-2:], [HEARTBEAT, GOODBYE])
        self.assertEqual(driver.sent[-2].fields, [1])
        self.assertFalse(driver.is_open)
        self.assertEqual(call.future.exception(0).code, ErrorCode.closed)
        late = driver.ask(calls.NodesCall(5.0))
        self.assertEqual(late.future.exception(0).code, ErrorCode.closed)

    def test_a_worker_that_was_never_attached_ends_quietly(self):
        driver = Driver([A]).start()
        driver.session.close(driver.now)
        driver.act()
        self.assertNotIn(GOODBYE, driver.kinds())
        self.assertEqual(driver.connecting.future.exception(0).code, ErrorCode.closed)
        driver.hear(welcome())
        self.assertEqual(driver.session.state, State.closed)

    def test_an_error_of_the_node_has_its_code_and_text(self):
        driver = Driver([A]).attach()
        call = driver.ask(calls.JoinCall(GROUP, None, 1, None, False, 5.0))
        driver.hear(frame(ERROR, 4, "slow down", seq=1))
        error = call.future.exception(0)
        self.assertEqual(
            (error.code, error.text, str(error)), (ErrorCode.overloaded, "slow down", "overloaded: slow down")
        )


if __name__ == "__main__":
    unittest.main()
