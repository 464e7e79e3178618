"""Downloads of weights in the background, one thread each, so that they keep nobody's run waiting."""

import logging
import threading

from segviz.models.entry import ModelEntry
from segviz.models.fetch import fetch
from segviz.types import UserError

logger = logging.getLogger(__name__)


class Download:
    """One download; for reading: bytes `done` of `total` (None while unknown), `error` a message for the user once it has failed."""

    def __init__(self, entry: ModelEntry):
        self.entry = entry
        self.done = 0
        self.total: int | None = entry.size
        self.error: str | None = None
        self._thread = threading.Thread(target=self._run, name=f"segviz-download-{entry.key}", daemon=True)
        self._thread.start()

    @property
    def active(self) -> bool:
        """Whether it is under way."""
        return self._thread.is_alive()

    def _run(self) -> None:
        assert self.entry.url is not None
        assert self.entry.file is not None
        try:
            fetch(self.entry.url, self.entry.file, self.entry.sha256, self._progress)
        except UserError as error:
            self.error = str(error)
        except Exception:
            logger.exception("A download failed")
            self.error = "The download failed because of a fault in the program; the server's log tells more. Please report it."

    def _progress(self, done: int, total: int | None) -> None:
        self.done, self.total = done, total or self.total


class Downloads:
    """The downloads of this server, at most one per model."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_key: dict[str, Download] = {}

    def start(self, entry: ModelEntry) -> Download:
        """The download of an entry's weights, begun unless it is under way."""
        with self._lock:
            download = self._by_key.get(entry.key)
            if download is None or not download.active:
                download = self._by_key[entry.key] = Download(entry)
            return download

    def of(self, entry: ModelEntry) -> Download | None:
        """The latest download of an entry, if there was one."""
        with self._lock:
            return self._by_key.get(entry.key)
