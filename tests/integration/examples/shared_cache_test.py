#!/usr/bin/env python3
"""Caches in processes that are nodes themselves: once `set` has told them, no cache has the old value."""

import re
import signal
import unittest

from support import Case, free_port


class SharedCache(Case):
    def setUp(self):
        super().setUp()
        self.database = self.folder / "prices"
        self.database.mkdir()
        self.web_1, self.web_2 = self.cache("web-1"), self.cache("web-2")
        for cache in (self.web_1, self.web_2):
            cache.wait("^ready at ")

    def cache(self, name):
        places = {
            "web-1": name,
            "127.0.0.1:7400": f"127.0.0.1:{free_port()}",
            "/srv/prices": str(self.database),
            "127.0.0.1:7100": self.a.address,
        }
        return self.example("shared_cache", places=places)

    def test_nobody_has_the_old_value(self):
        self.assertEqual(self.web_1.say("set apple 1"), "told 2 of 2")
        for number in range(2, 30):
            for cache in (self.web_1, self.web_2):
                self.assertEqual(cache.say("get apple"), f"read {number - 1}")
                self.assertEqual(cache.say("get apple"), f"cached {number - 1}")
            setter = (self.web_1, self.web_2)[number % 2]
            self.assertEqual(setter.say(f"set apple {number}"), "told 2 of 2")
        self.assertEqual(self.web_1.say("get pear"), "read ")
        self.assertRegex(self.web_1.say("get ../secret"), "^say ")

    def test_one_that_comes_later_and_one_that_dies(self):
        self.assertEqual(self.web_1.say("set apple 1"), "told 2 of 2")
        third = self.cache("web-3")
        third.wait("^ready at ")
        self.assertEqual(third.say("get apple"), "read 1")
        self.assertEqual(self.web_1.say("set apple 2"), "told 3 of 3")
        self.assertEqual(third.say("get apple"), "read 2")
        third.signal(signal.SIGKILL)
        self.until(lambda: self.web_1.say("set apple 3") == "told 2 of 2", "the dead one is forgotten")

    def test_one_that_hangs_is_told_when_it_is_back(self):
        self.assertEqual(self.web_1.say("set apple 1"), "told 2 of 2")
        self.assertEqual(self.web_2.say("get apple"), "read 1")
        self.web_2.signal(signal.SIGSTOP)
        said = self.web_1.say("set apple 2")
        self.assertTrue(re.fullmatch("told 1 of 2, web-2 not: (timeout|node_down)", said), said)
        self.web_2.signal(signal.SIGCONT)
        self.until(lambda: self.web_2.say("get apple").endswith(" 2"), "it has the new value")


if __name__ == "__main__":
    unittest.main()
