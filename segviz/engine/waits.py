"""How long what people wait for took on this machine, so that the next one can be told."""

import contextlib
import json
import os

from segviz.models.fetch import cache_folder


class Waits:
    """Seconds that each kind of wait took last, kept in a file of the cache folder."""

    def __init__(self) -> None:
        self._path = cache_folder() / "waits.json"
        self._seconds: dict[str, float] = {}
        with contextlib.suppress(OSError, ValueError, AttributeError):
            found = json.loads(self._path.read_text(encoding="utf-8")).items()
            self._seconds = {str(name): float(seconds) for name, seconds in found}

    def took(self, what: str, seconds: float) -> None:
        """Note how long a wait took."""
        self._seconds[what] = round(seconds, 1)
        with contextlib.suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            written = self._path.with_suffix(f".{os.getpid()}")
            written.write_text(json.dumps(self._seconds), encoding="utf-8")
            written.replace(self._path)

    def seconds(self, what: str) -> float | None:
        """How long that wait took last; None if nobody knows."""
        return self._seconds.get(what)

    def told(self, what: str) -> str:
        """The same as words to put behind what the wait is for; empty if nobody knows."""
        seconds = self.seconds(what)
        return "" if seconds is None else f" ({max(round(seconds), 1)} s the last time)"
