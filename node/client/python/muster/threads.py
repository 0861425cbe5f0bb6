"""The threads that sessions run on, or wait for."""

import threading
from collections.abc import Callable


class Serving(threading.Thread):
    """Others depend on it, so it never waits for a worker: the garbage collector may close any worker on any thread."""

    def __init__(self, run: Callable[..., None], name: str, *arguments: object) -> None:
        super().__init__(target=run, args=arguments, name=f"muster {name}", daemon=True)


def may_wait() -> bool:
    """Whether the caller's thread may wait for a worker."""
    return not isinstance(threading.current_thread(), Serving)
