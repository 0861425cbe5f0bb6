"""The logger "muster", whose lines come from the worker's own threads."""

import logging
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    Adapter = logging.LoggerAdapter[logging.Logger]
else:
    Adapter = logging.LoggerAdapter


class Log(Adapter):
    """What a program's logging handlers and filters raise loses the line. It must not end a thread of the worker."""

    def log(self, level: int, msg: object, *args: Any, **kwargs: Any) -> None:
        try:
            super().log(level, msg, *args, **kwargs)
        except Exception:
            pass


log = Log(logging.getLogger("muster"), {})
