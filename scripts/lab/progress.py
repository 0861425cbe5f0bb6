"""Progress of a long run, on standard error, so that standard output has only results."""

import shutil
import sys
import time

BETWEEN = 15.0  # seconds between lines if standard error is not a terminal


def duration(seconds):
    """"42 s", "7 min", "3 h 12 min"; rounded, because it is an estimate."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"


class Progress:
    """Rewrites one line on a terminal; elsewhere prints a line from time to time, for logs."""

    def __init__(self, name, out=None, between=BETWEEN, clock=time.monotonic):
        self.name, self.between, self.clock = name, between, clock
        self.out = out or sys.stderr
        self.rewrites = self.out.isatty()
        self.begin = self.told = clock()
        self.is_shown = False  # the terminal shows a line that must be cleared

    def show(self, part, text="", at_once=False):
        """`part`: the finished part, 0 to 1. `at_once`: print a line now."""
        now = self.clock()
        if now - self.told < (0.2 if self.rewrites else self.between) and not at_once:
            return
        self.told = now
        line = self._line(min(max(part, 0.0), 1.0), now - self.begin, text)
        if self.rewrites:
            self.out.write(f"\r\x1b[K{line[:shutil.get_terminal_size().columns - 1]}")
            self.is_shown = True
        else:
            self.out.write(line + "\n")
        self.out.flush()

    def clear(self):
        """Call it before other output, and at the end."""
        if self.is_shown:
            self.out.write("\r\x1b[K")
            self.out.flush()
        self.is_shown = False

    def _line(self, part, took, text):
        words = [f"{self.name}: {100 * part:.0f} %", duration(took)]
        if 0 < part < 1 and took >= 1:
            words.append(f"some {duration(took * (1 - part) / part)} left")
        return ", ".join(words) + (f"; {text}" if text else "")
