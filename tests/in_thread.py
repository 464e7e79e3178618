"""An engine on a thread of the test's own process: as the real one, but it sees what the test has patched, and starts at once."""

import pickle
import queue
import threading
from typing import ClassVar

from segviz.engine.channel import Hear
from segviz.engine.messages import Hello
from segviz.engine.worker import Worker


class InThread:
    """A channel whose messages are pickled as they are between processes."""

    started: ClassVar[list["InThread"]] = []

    def __init__(self, hear: Hear, device: int | None = None):
        self._incoming: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._hear = hear
        worker = Worker(self._receive, self._tell, lambda: None)
        self._worker = threading.Thread(target=self._work, args=(worker,), name="segviz-engine", daemon=True)
        self._worker.start()
        threading.Thread(target=worker.listen, daemon=True).start()
        self.started.append(self)

    def _work(self, worker: Worker) -> None:
        self._tell(Hello(1))
        worker.work()
        self._hear(None)

    def _tell(self, message) -> None:
        self._hear(pickle.loads(pickle.dumps(message)))

    def _receive(self):
        data = self._incoming.get()
        if not data:
            raise EOFError
        return pickle.loads(data)

    def send(self, message) -> None:
        self._incoming.put(pickle.dumps(message))

    def end(self) -> None:
        self._incoming.put(b"")

    def wait(self) -> None:
        """Wait until the step under way is done: torch aborts the interpreter if it ends in the middle of one."""
        self._worker.join(60)
