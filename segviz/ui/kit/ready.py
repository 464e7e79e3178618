"""What visitors need next is made ready in the background, once the first of them has his page: it takes all that small computers have."""

import threading
import time
from importlib import import_module

from segviz.engine.jobs import engine
from segviz.settings import Settings


class Ready:
    """One piece of work in the background."""

    def __init__(self) -> None:
        self._at = float("inf")
        self._timer: threading.Timer | None = None

    @property
    def serving(self) -> bool:
        """Whether there is a server, whose pages browsers draw; not so where tests run their scripts."""
        return self._timer is not None

    def within(self, seconds: float) -> None:
        """Have it begin after so many seconds."""
        self._at, self._timer = time.monotonic() + seconds, threading.Timer(seconds, begin)
        self._timer.daemon = True
        self._timer.start()

    def sooner(self, seconds: float) -> None:
        """Have what is to begin later than in so many seconds begin then."""
        if self._timer is not None and time.monotonic() + seconds < self._at:
            self._timer.cancel()
            self.within(seconds)


def begin() -> None:
    """Import OpenCV, and have the engine load the default model."""
    import_module("cv2")
    engine().start(warm=Settings().model)


ready = Ready()
"""The one of this server."""
