"""A session that the worker leaves because its node asked for it (PROTOCOL.md, "Moving")."""

from dataclasses import dataclass

LONGEST_MOVE = 5.0  # seconds until the old session is resumed if no other node takes the worker


@dataclass
class Moving:
    """Its connection stays open, so that its members stay until the next node has them. Nothing is accepted from it."""

    token: int
    epoch: int  # of its stream
    handled: int  # the last item of that stream that was handled
    heartbeat: float  # seconds
    until: float
    beat_at: float  # when the next heartbeat is due
    has_arrived: bool = False  # whether another node has welcomed the worker

    def next_deadline(self) -> float:
        return self.beat_at if self.has_arrived else min(self.beat_at, self.until)
