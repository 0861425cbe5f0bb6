#!/usr/bin/env python3
"""Workers that lose and change nodes at any moment, at nodes that keep their word: each notification comes once."""

import random
import unittest

from support import DELIVERIES, GOODBYE, GROUP, HEARTBEAT, HELLO, JOIN, JOINED, MOVE, NODE_HEARTBEAT, NOTIFIED, NOTIFY
from support import REJOIN, Driver, frame, notification, welcome

from muster import calls
from muster.session import State

ADDRESSES = {f"127.0.0.1:{7000 + i}": name for i, name in enumerate("abc")}
STEPS = 250


class ModelSession:
    def __init__(self, token, life):
        self.token, self.life = token, life
        self.members = []  # their numbers
        self.stream = []  # what was not acknowledged
        self.first = 1  # the number of the first of these
        self.sent = 0  # the last item sent over the present connection
        self.replies = {}


class ModelNode:
    """Has what a node promises, without links: a notify is at once in the streams of all sessions of the cluster."""

    def __init__(self, cluster, name, life):
        self.cluster, self.name, self.life = cluster, name, life
        self.sessions = {}  # by token
        self.notices = []  # of GROUP
        self.numbers = iter(range(1, 1 << 30))

    def say(self, kind, *fields, seq=0):
        return frame(kind, *fields, node=self.name, life=self.life, seq=seq)

    def hello(self, driver, sent):
        token, received, life = sent.fields
        session = self.sessions.get(token)
        if session and self.cluster.rng.random() < 0.7:
            self.acknowledge(session, received)
            session.sent = received
            return [welcome(token, True, node=self.name, life=self.life, handover=30_000)]
        self.sessions.pop(token, None)
        token = next(self.cluster.tokens)
        self.sessions[token] = ModelSession(token, life)
        return [welcome(token, node=self.name, life=self.life, handover=30_000)]

    def acknowledge(self, session, received):
        while session.first <= received:
            session.stream.pop(0)
            session.first += 1
        session.sent = max(session.sent, session.first - 1)  # it was sent over an earlier connection

    def request(self, session, sent):
        """The reply; each request is executed once."""
        if sent.seq not in session.replies:
            execute = {JOIN: self.join, REJOIN: self.rejoin, NOTIFY: self.notify}[sent.kind]
            session.replies[sent.seq] = self.say(*execute(session, sent.fields), seq=sent.seq)
        return [session.replies[sent.seq]]

    def join(self, session, fields):
        session.members.append(next(self.numbers))
        return JOINED, [[session.members[-1], 1]], 0

    def rejoin(self, session, fields):
        after = {tuple(node): position for node, position in fields[1]}
        reply = self.join(session, fields)
        nodes = list(self.cluster.nodes.values())
        self.cluster.rng.shuffle(nodes)  # between nodes there is no order
        for node in nodes:
            session.stream += [one for one in node.notices if one[1] > after.get((node.name, node.life), 0)]
        return reply

    def notify(self, session, fields):
        number = len(self.notices) + 1
        told = (self, number, fields[2], (session.life, fields[5]), fields[6])
        self.notices.append(told)
        for each in self.cluster.sessions():
            if each.members:
                each.stream.append(told)
        return NOTIFIED, [3, 1, False, 0, []], self.cluster.settled(session.life)

    def items(self, session, count):
        """The next so many items of the stream."""
        first = session.sent + 1
        told = session.stream[first - session.first : first - session.first + count]
        session.sent += len(told)
        return [self.say(DELIVERIES, [self.item(session, *one) for one in told], seq=first)] if told else []

    def item(self, session, node, number, data, call, repeated):
        item = notification(None, session.members, number, of=(node.name, node.life), group_seq=number, call=call)
        item[2], item[-1] = data, repeated
        return item


class Cluster:
    """Three nodes, and three workers that all notify one group and are in it."""

    def __init__(self, seed):
        self.rng = random.Random(seed)
        self.tokens = iter(range(1, 1 << 30))
        self.lives = iter(range(1, 1 << 30))
        self.nodes = {name: ModelNode(self, name, next(self.lives)) for name in ADDRESSES.values()}
        self.drivers, self.seen, self.asked, self.gaps = [], [], [], []
        addresses = list(ADDRESSES)
        for i in range(3):
            driver = Driver(addresses[i:] + addresses[:i], life=900 + i, on_gap=self.gaps.append)
            self.drivers.append(driver.start())
            self.seen.append([])
            self.asked.append([])
            handler = lambda n, seen=self.seen[-1]: seen.append((n.data))  # noqa: E731
            driver.ask(calls.JoinCall(GROUP, handler, 1, None, False, 600.0))
        while not all(self.are_settled(driver) for driver in self.drivers):
            self.serve_all()

    def sessions(self):
        return [session for node in self.nodes.values() for session in node.sessions.values()]

    def settled(self, life):
        """Calls that every worker has accepted can be lost no more."""
        highest = []
        for driver in self.drivers:
            accepted = driver.session._parts.roster.positions._groups.get(GROUP)
            its_calls = accepted.calls.get(life) if accepted else None
            highest.append(its_calls.highest if its_calls else 0)
        return self.rng.randint(0, min(highest))

    def are_settled(self, driver):
        """Whether it is attached, and has its members."""
        is_attached = driver.session.state is State.attached and not driver.session._requests.is_restoring()
        return is_attached and not driver.session._requests._in_flight

    def node_of(self, driver):
        return self.nodes.get(ADDRESSES[driver.opened[-1]])

    def serve(self, driver, most=1000):
        """The node at the other end takes so many frames."""
        self.take_aside(driver)
        for _ in range(most):
            if driver.session.state not in (State.greeting, State.attached) or not driver.sent:
                return
            node, sent = self.node_of(driver), driver.sent.pop(0)
            session = node.sessions.get(sent.token)
            if sent.kind == HELLO:
                driver.hear(*node.hello(driver, sent))
            elif session is None:
                return self.cut(driver)
            elif sent.kind == HEARTBEAT:
                node.acknowledge(session, sent.fields[0])
            elif sent.kind == GOODBYE:
                del node.sessions[sent.token]
            else:
                driver.hear(*node.request(session, sent))

    def take_aside(self, driver):
        """Goodbyes over connections that were set aside."""
        for sent in (driver.aside or []) + driver.left:
            for node in self.nodes.values():
                if sent.kind == GOODBYE:
                    node.sessions.pop(sent.token, None)

    def deliver(self, driver, count):
        if driver.session.state is State.attached:
            node = self.node_of(driver)
            session = node.sessions.get(driver.session._token)
            if session:
                driver.hear(*node.items(session, count))

    def cut(self, driver):
        if driver.session.state is State.attached:
            driver.session.unsendable(driver.now)
            driver.act()

    def kill(self, name):
        self.nodes[name] = ModelNode(self, name, next(self.lives))
        for driver in self.drivers:
            if driver.session.state in (State.greeting, State.attached) and ADDRESSES[driver.opened[-1]] == name:
                self.cut(driver)
                if driver.session.state is State.greeting and self.rng.random() < 0.5:
                    driver.refuse_connection()

    def post(self, i):
        number = len(self.asked[i])
        self.asked[i].append(self.drivers[i].ask(calls.NotifyCall(1, GROUP, [i, number], False, 600.0)))

    def tell(self, i, *fields):
        driver = self.drivers[i]
        if driver.session.state is State.attached:
            node = driver.session.node.id
            driver.hear(frame(*fields, node=node.name, life=node.incarnation))

    def serve_all(self):
        for driver in self.drivers:
            self.serve(driver)
            self.deliver(driver, 50)
            driver.handle()
            driver.wait(0.05, alive=True)

    def step(self):
        i = self.rng.randrange(3)
        driver, dice = self.drivers[i], self.rng.random()
        if dice < 0.3:
            self.post(i)
        elif dice < 0.5:
            self.serve(driver, self.rng.randint(1, 5))
        elif dice < 0.7:
            self.deliver(driver, self.rng.randint(1, 5))
        elif dice < 0.8:
            driver.handle(self.rng.randint(0, 3))
        elif dice < 0.84:
            self.cut(driver)
        elif dice < 0.87:
            self.tell(i, MOVE)
        elif dice < 0.92:
            self.tell(i, NODE_HEARTBEAT, self.settled(900 + i))
        elif dice < 0.94:
            self.kill(self.rng.choice("abc"))
        else:
            driver.wait(self.rng.choice([0.05, 0.3]), alive=True)


class Promises(unittest.TestCase):
    def test_each_notification_comes_once_and_in_order(self):
        moves = repeated = 0
        for seed in range(60):
            with self.subTest(seed=seed):
                cluster = Cluster(seed)
                for _ in range(STEPS):
                    cluster.step()
                for _ in range(400):
                    cluster.serve_all()
                for i, asked in enumerate(cluster.asked):
                    self.assertEqual({str(call.future.error()) for call in asked if call.future.error()}, set())
                    self.assertTrue(all(call.future.done() for call in asked))
                    for seen in cluster.seen:
                        self.assertEqual([n for of, n in seen if of == i], list(range(len(asked))))
                self.assertEqual(cluster.gaps, [])
                moves += sum(driver.session.counters["moves"] for driver in cluster.drivers)
                repeated += sum(driver.session.all_counters().get("repeated_calls", 0) for driver in cluster.drivers)
        self.assertGreater(moves, 50)
        self.assertGreater(repeated, 100)


if __name__ == "__main__":
    unittest.main()
