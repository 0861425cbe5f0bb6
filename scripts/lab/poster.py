"""Notifications that are numbered, and what became of them at each member."""

import threading
import time
from collections import Counter


class Poster:
    """Posts the numbers 0, 1, 2, … at a steady rate."""

    def __init__(self, post, rate, patience):
        """`post(number)` returns a future. `rate`: a second. `patience`: seconds that one may take."""
        self.sent = 0
        self.errors = []
        self._post, self._rate, self._patience = post, rate, patience
        self._reports = []
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        begin = time.monotonic()
        while not self._is_over.is_set():
            while self.sent < (time.monotonic() - begin) * self._rate:
                self._reports.append(self._post(self.sent))
                self.sent += 1
            self._settle(False)
            time.sleep(0.005)

    def _settle(self, wait):
        while self._reports and (wait or self._reports[0].done()):
            if error := self._reports.pop(0).exception(self._patience):
                self.errors.append(str(error))

    def end(self):
        """The errors of all posts."""
        self._is_over.set()
        self._thread.join(self._patience)
        self._settle(True)
        return self.errors


def problems_of(seen, gaps, count):
    """What is wrong with a member that saw these numbers, in order, and was told of these gaps, when the numbers below
    `count` were posted: {what: (how many, examples)}.
    """
    times = Counter(seen)
    found = {
        "lost": [number for number in range(count) if number not in times],
        "doubled": [number for number, often in times.items() if often > 1],
        "late": [late for early, late in zip(seen, seen[1:]) if late < early],
        "gaps": gaps,
    }
    return {what: (len(which), which[:5]) for what, which in found.items() if which}
