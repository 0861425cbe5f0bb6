#!/usr/bin/env python3
"""Whatever a node says, in whatever order, the session neither fails nor forgets its rules."""

import random
import unittest

from support import A, B, DELIVERIES, DONE, ERROR, GAP, GROUP, HEARTBEAT, JOINED, LEFT, LIFE, MEMBERS_REPLY, NEWS
from support import MOVE, NODE_HEARTBEAT, NODES_REPLY, NOTIFIED, REFUSE, Driver, frame, member, notification, welcome

from muster import calls
from muster.session import State

OTHER = ("orders", "streams")


def numbers(rng):
    if rng.random() < 0.3:
        return {}
    return {"group_seq": rng.randrange(9), "call": (rng.randrange(3), rng.randrange(9)), "repeated": rng.randrange(2)}


def say(rng):
    """A frame that is well formed, and may make sense or not."""
    seq = rng.choice([0, 1, 2, 3, 4, 5, rng.randrange(40), 1 << 63])
    news = [rng.randint(1, 3), rng.randint(1, 4), [[list(GROUP), [member(rng.randrange(1, 9))]]]]
    told = [
        notification(i, [rng.randrange(1, 9) for _ in range(rng.randrange(4))], **numbers(rng))
        for i in range(rng.randrange(1, 4))
    ]
    what = [
        lambda: welcome(
            rng.choice([7, 7, 7, 8]),
            rng.random() < 0.6,
            node=rng.choice("aab"),
            grace=rng.choice([0, 500]),
            handover=rng.choice([0, 9000]),
        ),
        lambda: frame(NODE_HEARTBEAT, rng.randrange(9)),
        lambda: frame(MOVE),
        lambda: frame(REFUSE, rng.randint(1, 12), "because"),
        lambda: frame(DELIVERIES, told, seq=seq),
        lambda: frame(GAP, rng.randrange(5), rng.randrange(2), seq=seq),
        lambda: frame(NEWS, rng.randrange(1, 6), news, rng.random() < 0.7, seq=seq),
        lambda: frame(JOINED, [[rng.randrange(1, 9), rng.randint(1, 2)]], 0, seq=seq),
        lambda: frame(LEFT, [rng.randrange(1, 9)], seq=seq),
        lambda: frame(MEMBERS_REPLY, [member(1)], rng.random() < 0.5, seq=seq),
        lambda: frame(NODES_REPLY, [], seq=seq),
        lambda: frame(NOTIFIED, [1, 1, True, 1, []], rng.randrange(9), seq=seq),
        lambda: frame(DONE, seq=seq),
        lambda: frame(ERROR, rng.randint(1, 12), "no", seq=seq),
        lambda: frame(rng.randrange(200), seq=seq, major=rng.choice([1, 1, 2])),
    ]
    return rng.choice(what)()


def ask(rng, driver, given):
    group = rng.choice([GROUP, OTHER])
    what = [
        lambda: calls.JoinCall(group, lambda n: None, rng.randint(1, 2), None, rng.random() < 0.3, 2.0),
        lambda: calls.LeaveCall(group, rng.randint(1, 3), 1.0),
        lambda: calls.MembersCall(group, False, 1.0),
        lambda: calls.NodesCall(0.3),
        lambda: calls.NotifyCall(1, group, 1, rng.random() < 0.5, 1.0),
        lambda: calls.WatchCall(rng.choice([group, calls.EVERY_GROUP]), lambda event: None, 1.0),
    ]
    given.append(driver.ask(rng.choice(what)()))


class Chaos(unittest.TestCase):
    def run_one(self, seed):
        rng = random.Random(seed)
        driver = Driver([A, B], inbox=rng.choice([2, 1000])).start()
        given, numbers, told = [], {}, {}
        for _ in range(300):
            dice = rng.random()
            if dice < 0.3:
                driver.hear(say(rng))
            elif dice < 0.6:
                self.behave(rng, driver)
            elif dice < 0.7:
                ask(rng, driver, given)
            elif dice < 0.75:
                driver.session.unsendable(driver.now)
                driver.act()
            elif dice < 0.8:
                driver.refuse_connection()
            elif dice < 0.82 and given:
                driver.session.abandon(driver.now, rng.choice(given))
                driver.act()
            else:
                driver.wait(rng.choice([0.01, 0.2, 1.5]))
            ready = driver.entries[: rng.randrange(4)]
            for entry in ready:
                if entry.number:  # items of one session are given out one by one, without a hole or a repeat
                    self.assertEqual(entry.number, numbers.get(entry.epoch, 0) + 1)
                    numbers[entry.epoch] = entry.number
            driver.handle(len(ready))
            for each in driver.sent:
                if each.kind == HEARTBEAT:
                    self.assertLessEqual(each.fields[0], max(numbers.values(), default=0))
                elif each.seq:  # one number, one request, within a session
                    key = (each.token, driver.session.counters["sessions"], each.seq)
                    self.assertEqual(told.setdefault(key, each.kind), each.kind)
        self.serve_well(driver, given)

    def behave(self, rng, driver):
        """What a good node might do now."""
        node = driver.session.node.id
        if driver.session.state is State.greeting:
            token = driver.sent[0].token
            resumed = bool(token) and rng.random() < 0.8
            how = {"node": rng.choice([node.name or "a", "b"]), "handover": rng.choice([0, 9000, 9000])}
            how |= {"node": node.name} if resumed else {}
            driver.hear(welcome(token if resumed else rng.randrange(7, 99), resumed, **how))
        elif rng.random() < 0.1:
            driver.hear(frame(MOVE, node=node.name or "a", life=node.incarnation))
        elif rng.random() < 0.5:
            self.answer(driver, rng.randrange(3))
        else:
            first = driver.session._stream.taken + 1
            told = notification(first, [rng.randrange(1, 400)], **numbers(rng))
            what = [(DELIVERIES, [told, told]), (GAP, 1), (NODE_HEARTBEAT,)]
            driver.hear(frame(*rng.choice(what), node=node.name or "a", life=node.incarnation, seq=first))

    def serve_well(self, driver, given):
        """From here on the node is a good one, and the worker is of use again."""
        for _ in range(200):
            driver.handle()
            if driver.session.state is State.greeting:
                life = LIFE + 1 + len(driver.opened)
                driver.hear(welcome(100 + len(driver.opened), node="n", life=life, handover=9000))
            elif driver.session.state is State.attached and self.answer(driver) == 0:
                break
            driver.wait(0.1, alive=True)
        driver.wait(3.5, alive=True)
        self.assertEqual(driver.session.state, State.attached)
        self.assertTrue(all(call.future.done() for call in given))
        call = driver.ask(calls.NodesCall(5.0))
        self.answer(driver)
        self.assertEqual(call.future.result(0), [])

    def answer(self, driver, most=1000):
        """Answers so many requests; how many there were."""
        node = driver.session.node.id
        requests = [each for each in driver.sent if each.seq][:most]
        driver.sent = [each for each in driver.sent if each not in requests]
        for each in requests:
            replies = {
                50: lambda: (JOINED, [[each.seq * 100, each.fields[1]]], 0),
                51: lambda: (LEFT, each.fields[1]),
                52: lambda: (MEMBERS_REPLY, [], True),
                54: lambda: (NODES_REPLY, []),
                56: lambda: (NOTIFIED, [0, 0, False, 0, []], each.fields[5]),
                80: lambda: (JOINED, [[each.seq * 10**6 + 9 * i, j[0]] for i, j in enumerate(each.fields[2])], 0),
            }
            reply = replies.get(each.kind, lambda: (DONE,))()
            driver.hear(frame(*reply, node=node.name, life=node.incarnation, seq=each.seq))
        return len(requests)

    def test_any_node(self):
        for seed in range(150):
            with self.subTest(seed=seed):
                self.run_one(seed)


if __name__ == "__main__":
    unittest.main()
