"""How far something long is, on standard error: what it prints on standard output stays as it is."""

import shutil
import sys
import time

BETWEEN = 15.0  # seconds between lines, where they are not rewritten


def duration(seconds):
    """"42 s", "7 min", "3 h 12 min"; rounded, since it is an estimate."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"


class Progress:
    """On a terminal one line that is rewritten; elsewhere a line every so often, for logs."""

    def __init__(self, name, out=None, between=BETWEEN, clock=time.monotonic):
        self.name, self.between, self.clock = name, between, clock
        self.out = out or sys.stderr
        self.rewrites = self.out.isatty()
        self.begin = self.told = clock()
        self.is_shown = False  # a line that is to be rewritten stands there

    def show(self, part, text="", at_once=False):
        """`part`: 0 to 1, how much of it is done. `at_once`: a line of its own, whenever the last one was."""
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
        """Before anything else is printed, and at the end."""
        if self.is_shown:
            self.out.write("\r\x1b[K")
            self.out.flush()
        self.is_shown = False

    def _line(self, part, took, text):
        words = [f"{self.name}: {100 * part:.0f} %", duration(took)]
        if 0 < part < 1 and took >= 1:
            words.append(f"some {duration(took * (1 - part) / part)} left")
        return ", ".join(words) + (f"; {text}" if text else "")
