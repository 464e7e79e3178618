"""What a server allows its visitors, as environment variables say."""

import os
import time
from collections import defaultdict, deque
from dataclasses import dataclass, field

from segviz.types import UserError


@dataclass(frozen=True)
class Limit:
    """A limit: the environment variable that sets it, and what holds where that is unset or no whole number above 0; 0 for no limit."""

    variable: str
    default: int

    @property
    def value(self) -> int:
        """The limit now."""
        text = os.environ.get(self.variable, "")
        return (int(text) if text.isdecimal() else 0) or self.default


PICTURE_PIXELS = Limit("SEGVIZ_PICTURE_PIXELS", 40_000_000)
RUNS_PER_USER = Limit("SEGVIZ_RUNS_PER_USER", 0)
UPLOADS_PER_HOUR = Limit("SEGVIZ_UPLOADS_PER_HOUR", 0)
HOUR = 3600.0


@dataclass
class Uploads:
    """Who has uploaded what in the last hour; the same file again is no other upload."""

    seen: dict[str, deque[tuple[float, int]]] = field(default_factory=lambda: defaultdict(deque))

    def check(self, user: str, data: bytes) -> None:
        """Count an upload; raises UserError for one too many, which does not count."""
        most, now, files = UPLOADS_PER_HOUR.value, time.monotonic(), self.seen[user]
        while files and now - files[0][0] > HOUR:
            files.popleft()
        mark = hash(data)
        if not most or any(mark == other for _, other in files):
            return
        if len(files) >= most:
            told = "one upload" if most == 1 else f"{most} uploads"
            minutes = max(round((HOUR - (now - files[0][0])) / 60), 1)
            raise UserError(f"This server takes {told} per hour from you. Try again in {minutes} min.")
        files.append((now, mark))


def check_runs(active: int) -> None:
    """Raise UserError where a user who has so many runs under way may not start another one."""
    most = RUNS_PER_USER.value
    if most and active >= most:
        runs = "one run" if most == 1 else f"{most} runs"
        raise UserError(f"This server makes {runs} at a time for you. Wait for one to end, or press Stop on it.")
