#!/usr/bin/env python3
"""The kept corpora of the fuzzers as text: every byte comes back, and every file is one."""

import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[3] / "scripts"))

import fuzz  # noqa: E402


class Corpora(unittest.TestCase):
    def test_every_byte_comes_back(self):
        everything = bytes(range(256)) + b"\\n\n\\\\x41\\x0a"
        line = fuzz.escaped(everything)
        self.assertTrue(line.isascii() and line.isprintable())
        self.assertEqual(fuzz.unescaped(line), everything)

    def test_what_is_printable_stays_readable(self):
        self.assertEqual(fuzz.escaped(b'name = "a"\n'), 'name = "a"\\n')

    def test_each_target_has_some_small_inputs_once_each(self):
        for target in fuzz.TARGETS:
            lines = [fuzz.escaped(data) for kind in ("by_hand", "learned")
                     for data in fuzz.inputs_of(fuzz.KEPT / f"{target}.{kind}")]
            if target not in ("core", "session"):  # these begin with nothing
                self.assertGreater(len(lines), 5, target)
            self.assertLessEqual(len(lines), 250, target)
            self.assertEqual(len(set(lines)), len(lines), target)
            for line in lines:
                self.assertLessEqual(len(fuzz.unescaped(line)), fuzz.MAX_LEN[target])


if __name__ == "__main__":
    unittest.main()
