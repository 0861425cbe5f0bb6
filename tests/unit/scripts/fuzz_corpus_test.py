#!/usr/bin/env python3
"""The kept corpora of the fuzzers as text: every byte comes back, and every file is one."""

import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[3] / "scripts"))

import fuzz  # noqa: E402


class Corpora(unittest.TestCase):
    def test_every_byte_comes_back(self):
        everything = bytes(range(256))
        for data in (everything, everything + 400 * b"a", b"\\n\n\\\\x41\\x0a", b"0x41", b"0x", b""):
            line = fuzz.escaped(data)
            self.assertTrue(line.isascii() and (line.isprintable() or line == ""))
            self.assertEqual(fuzz.unescaped(line), data)

    def test_what_is_printable_stays_readable(self):
        self.assertEqual(fuzz.escaped(b'name = "a"\n'), 'name = "a"\\n')

    def test_each_target_has_some_small_inputs_once_each(self):
        for target in fuzz.TARGETS:
            lines = [fuzz.escaped(data) for kind in ("by_hand", "learned")
                     for data in fuzz.inputs_of(fuzz.KEPT / f"{target}.{kind}")]
            self.assertGreater(len(lines), 5, target)
            self.assertLessEqual(len(lines), 300, target)
            self.assertEqual(len(set(lines)), len(lines), target)
            for line in lines:
                self.assertLessEqual(len(fuzz.unescaped(line)), fuzz.MAX_LEN[target])


if __name__ == "__main__":
    unittest.main()
