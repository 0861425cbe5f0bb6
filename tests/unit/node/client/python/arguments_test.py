#!/usr/bin/env python3
"""Every argument of every public call, with every hostile value: bad_request, and nothing is sent."""

import asyncio
import decimal
import fractions
import inspect
import unittest

from support import A, GROUP, NoHandlers, NoTasks, OwnLoop

import muster
from muster import Error, ErrorCode, Kind, MemberId, NodeId
from muster.outcome import Outcome
from muster.watches import Watch


class Index:
    """As numpy.int64: a number by its methods, but no int."""

    def __index__(self):
        return 2

    __int__ = __index__

    def __float__(self):
        return 2.0

    def __le__(self, other):
        return True

    __lt__ = __ge__ = __gt__ = __le__


class Truth:
    """As numpy.bool_."""

    def __bool__(self):
        return True


class Liar(str):
    """A text that is another one for each method."""

    def encode(self, *_):
        raise RuntimeError("meant")

    __str__ = __repr__ = __hash__ = encode


class Raises:
    def __getattr__(self, name):
        raise RuntimeError(name)

    def __repr__(self):
        raise RuntimeError("two\nlines")

    __str__ = __bool__ = __eq__ = __iter__ = __len__ = __call__ = __repr__
    __hash__ = None


class Classless:
    """isinstance asks for `__class__` and lets its exception through."""

    @property
    def __class__(self):
        raise RuntimeError("meant")

    def __bool__(self):
        raise RuntimeError("meant")

    __index__ = __int__ = __float__ = __len__ = __bool__


class Pretender:
    """Says that it is an int, a text, a group and so on."""

    def __init__(self, kind):
        self.kind = kind

    @property
    def __class__(self):
        return self.kind


class BrokenDict(dict):
    def items(self):
        raise KeyError("meant")


async def coroutine(_):
    pass


def generator(_):
    yield


async def async_generator(_):
    yield


class AsyncCallable:
    async def __call__(self, _):
        pass


def endless():
    while True:
        yield MemberId(NodeId("a", 1), 1)


HOSTILE = [
    *(None, True, False, 0, 1, -1, 2**64, 10**5000, -(10**5000), 1.5, 0.0, -0.0, -1.0, 1e300),
    *(float("nan"), float("inf"), -float("inf"), 2j, decimal.Decimal(2), fractions.Fraction(2), Index(), Truth()),
    *("", "x", "1", "x" * 300, "\ud800", "a\0b", "two\nlines", Liar("x"), b"x", bytearray(b"x"), memoryview(b"x")),
    *([], [1], ["a", "b"], (), ("a",), ("a", "b"), ("a", "b", "c"), ("", "b"), ("a", 1), ("a", "\ud800"), (b"a", b"b")),
    *(("a" * 256, "b"), ("a", None), {"a": 1}, {1: "a"}, {"a": "\ud800"}, {"a": "x" * 256}, {b"a": b"b"}),
    *({str(i): "" for i in range(17)}, BrokenDict(a="b"), {1, 2}, object(), object, Raises(), Kind, Kind.created),
    *(
        [None],
        [Raises()],
        [MemberId("a", 1)],
        [MemberId(NodeId("a", []), 1)],
        [MemberId(NodeId("a", 1), 1.5)],
        endless(),
    ),
    *(coroutine, generator, async_generator, AsyncCallable(), MemberId(NodeId("a", 1), 1), range(3), NotImplemented),
    *(type("L", (list,), {})(), [[[[]]]], lambda: None, print),
    *(Classless(), [Classless()], (Classless(), "b"), {"a": Classless()}, {Classless(): "a"}),
    *(Pretender(kind) for kind in (bool, int, float, str, tuple, list, dict, MemberId, Watch)),
]


def is_a(value, kinds):
    return issubclass(type(value), kinds)


def is_int(value, least, most):
    return is_a(value, int) and not is_a(value, bool) and least <= value <= most


def is_text(value, most=255):
    try:
        return is_a(value, str) and len(str.encode(value)) <= most
    except UnicodeEncodeError:
        return False


def is_group(value):
    return is_a(value, tuple) and len(value) == 2 and all(is_text(part) and str.__len__(part) for part in value)


def is_function(value):
    refused = generator, async_generator
    return callable(value) and not any(value is one for one in refused)


GOOD = {  # parameter: (a good value, whether another value is good)
    "group": (GROUP, is_group),
    "handler": (print, is_function),
    "count": (1, lambda value: is_int(value, 1, 65_536)),
    "what": (1, lambda value: is_int(value, 1, 65_536) or is_a(value, (list, tuple)) and not value),
    "meta": ({"a": "b"}, lambda value: value is None),
    "visible": (True, lambda value: is_a(value, bool)),
    "wait": (True, lambda value: is_a(value, bool)),
    "timeout": (5.0, lambda value: is_a(value, (int, float)) and value is not True and 0 < value <= 86_400),
    "kind": (Kind.created, lambda value: is_int(value, 1, 3)),
    "data": (None, None),  # nearly everything can be sent
    "watch": (Watch(GROUP, print), lambda value: False),
}
WITHOUT = {"connect", "close"}  # tested by themselves: they do not ask


class Loop(OwnLoop):
    """Counts what is asked. Nothing is answered."""

    def __init__(self):
        super().__init__()
        self.asked = 0

    def ask(self, call):
        self.asked += 1
        call.fail(Error(ErrorCode.unreachable, "sent"))

    def unwatch(self, watch):
        self.asked += 1
        found = Outcome()
        found.set_result(None)
        return found


def verbs(kind):
    """(name, its parameters) of each public call of a worker."""
    for name, function in inspect.getmembers(kind, inspect.isfunction):
        if not name.startswith("_") and name not in WITHOUT:
            yield name, [each for each in inspect.signature(function).parameters if each != "self"]


def same(a, b):
    return a is b


class Calls(unittest.TestCase):
    """One table for both workers: what one refuses, the other one refuses, too."""

    def workers(self):
        self.loop = Loop()
        threaded = muster.Worker(None, self.loop, NoHandlers())
        self.addCleanup(threaded.close)
        yield threaded, lambda result: result
        yield muster.aio.Worker(None, self.loop, NoTasks()), asyncio.run

    def answer(self, worker, run, name, arguments):
        """The code of the error that the call or its future has, or None."""

        async def awaited(made):
            made = await made
            return (await made) if asyncio.isfuture(made) else made

        async def called():
            return await awaited(getattr(worker, name)(**arguments))

        try:
            if isinstance(worker, muster.aio.Worker):
                run(called())
            else:
                result = getattr(worker, name)(**arguments)
                if hasattr(result, "result"):
                    result.result(0)
        except Error as error:
            self.assertNotIn("\n", error.text)
            self.assertLess(len(error.text), 400)
            return error.code.name
        return None

    def test_every_argument_of_every_call(self):
        tried = 0
        for worker, run in self.workers():
            for name, parameters in verbs(type(worker)):
                for parameter in parameters:
                    self.assertIn(parameter, GOOD, f"{name} has a new parameter: say which values it takes")
                    good, is_good = GOOD[parameter]
                    for value in HOSTILE:
                        if is_good is None:
                            continue
                        arguments = {each: GOOD[each][0] for each in parameters} | {parameter: value}
                        fits = is_good(value)
                        if parameter == "handler":
                            fits = fits and not self.is_async(worker, value) or (value is None and name == "join")
                        tried += 1
                        before = self.loop.asked
                        with self.subTest(type(worker).__module__, call=name, parameter=parameter, number=tried):
                            code = self.answer(worker, run, name, arguments)
                            if fits:
                                self.assertIn(code, (None, "unreachable"), muster.errors.shown(value))
                            else:
                                self.assertEqual(code, "bad_request", muster.errors.shown(value))
                                self.assertEqual(self.loop.asked, before, "it was sent")
        self.assertGreater(tried, 2000)

    def is_async(self, worker, value):
        """Coroutine functions are good handlers of the asyncio worker only."""
        is_coroutine = value is coroutine or is_a(value, AsyncCallable)
        return is_coroutine and not isinstance(worker, muster.aio.Worker)

    def test_async_handlers_are_refused_by_the_threaded_worker(self):
        threaded = next(self.workers())[0]
        for handler in (coroutine, AsyncCallable()):
            for name in ("join", "watch", "watch_all"):
                group = {} if name == "watch_all" else {"group": GROUP}
                with self.assertRaisesRegex(Error, "bad_request: .*muster.aio.Worker"):
                    getattr(threaded, name)(handler=handler, **group)

    def test_data_whose_own_code_fails_is_refused(self):
        for worker, run in self.workers():
            bad = (BrokenDict(a=1), object(), Raises(), 2**64, "\ud800", decimal.Decimal(1), {"a": [Index()]})
            for data in (*bad, Classless(), [Classless()]):
                for name in ("notify_created", "post"):
                    arguments = {"group": GROUP, "data": data} | ({"kind": Kind.created} if name == "post" else {})
                    self.assertEqual(
                        self.answer(worker, run, name, arguments), "bad_request", muster.errors.shown(data)
                    )

    def test_copies_are_refused(self):
        import copy
        import pickle

        for worker, _ in self.workers():
            for make in (copy.copy, copy.deepcopy, pickle.dumps):
                with self.assertRaisesRegex(TypeError, "connect one in each process"):
                    make(worker)


class Connecting(unittest.TestCase):
    def test_every_option(self):
        bad_texts = [value for value in HOSTILE if not is_a(value, str)]
        table = {
            "nodes": [v for v in HOSTILE if v is not object]
            + [[A, 5], [A, b"x"], ["\ud800:1"], [A] * 2000, [Liar("x")]],
            "name": [*bad_texts, "\ud800", "a b", "a\0b", "x" * 300],
            "scope": [*bad_texts, "", "\ud800", "x" * 65],
            "timeout": [v for v in HOSTILE if not GOOD["timeout"][1](v)],
            "inbox": [v for v in HOSTILE if not is_int(v, 1, 10**6000)],
            "on_gap": [v for v in HOSTILE if v is not None and not is_function(v)] + [coroutine, generator],
            "on_attachment": [v for v in HOSTILE if v is not None and not is_function(v)] + [AsyncCallable()],
            "in_order": [v for v in HOSTILE if not is_a(v, bool)],
            "listed_only": [v for v in HOSTILE if not is_a(v, bool)],
            "key": [v for v in HOSTILE if v is not None],
            "keys": [v for v in HOSTILE if v is not None],
        }
        parameters = set(inspect.signature(muster.Worker.connect).parameters)
        self.assertEqual(parameters, set(table), "say which values a new option refuses")
        self.assertEqual(set(inspect.signature(muster.aio.Worker.connect).parameters), parameters)
        for option, values in table.items():
            for value in values:
                options = {"nodes": [A], option: value}
                if option in ("key", "keys"):
                    options |= {"key": "/nowhere", "keys": "/nowhere"} | {option: value}
                with self.subTest(option), self.assertRaises(Error, msg=muster.errors.shown(value)) as caught:
                    muster.Worker.connect(**options)
                self.assertEqual(caught.exception.code, ErrorCode.bad_request)
                self.assertNotIn("\n", caught.exception.text)

    def test_addresses_as_people_write_them(self):
        from muster.address import parse_address

        for text in (f" {A} ", f"tcp://{A}", f"\ttcp://{A}\n"):
            self.assertEqual(str(parse_address(text)), A)
        for text in (f"n@tcp://{A}", f"tcp://n@{A}", f" n@{A}"):
            self.assertEqual((str(parse_address(text)), parse_address(text).name), (A, "n"))


if __name__ == "__main__":
    unittest.main()
