"""Waiting for what a test cannot know the time of."""

import time
from collections.abc import Callable

LIMIT = 600.0
"""Seconds after which a test gives up: no test is about time, and the machine may have other things to do."""


def wait_until(condition: Callable[[], bool], seconds: float = LIMIT) -> None:
    """Wait for what takes an unknown time, and longer beside other work."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.005)
