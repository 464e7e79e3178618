"""The server's end of an engine process: start it, talk to it, end it."""

import contextlib
import os
import pickle
import queue
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Protocol

from segviz.engine.messages import FromWorker, ToWorker
from segviz.places import CODE


class Channel(Protocol):
    """A way to an engine."""

    def send(self, message: ToWorker) -> None:
        """Send a message; returns at once, also if the engine does not listen or is no more."""

    def end(self) -> None:
        """End the engine at once, whatever it is doing."""


Hear = Callable[[FromWorker | None], None]
"""Called with every message of an engine, and with None once there will be none any more."""


class Process:
    """An engine in a process of its own; `device` is the number of the GPU that it gets, None for all there are."""

    def __init__(self, hear: Hear, device: int | None = None):
        environment = dict(os.environ)
        environment["PYTHONPATH"] = os.pathsep.join([str(CODE), *filter(None, [environment.get("PYTHONPATH")])])
        # A thread that waits for the others sleeps, in place of keeping a core from whoever has work for it, as the pages have.
        environment.setdefault("OMP_WAIT_POLICY", "PASSIVE")
        if device is not None:
            visible = [name for name in environment.get("CUDA_VISIBLE_DEVICES", "").split(",") if name]
            environment["CUDA_VISIBLE_DEVICES"] = visible[device] if device < len(visible) else str(device)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "segviz.engine.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            # Ctrl-C is for the server; it ends this process by closing the pipe.
            start_new_session=True,
        )
        self._hear = hear
        self._outgoing: queue.SimpleQueue[ToWorker | None] = queue.SimpleQueue()
        for work in (self._write, self._read):
            threading.Thread(target=work, name="segviz-engine", daemon=True).start()

    @property
    def pid(self) -> int:
        """Its number in the system."""
        return self._process.pid

    def send(self, message: ToWorker) -> None:
        """Send a message; returns at once."""
        self._outgoing.put(message)

    def end(self) -> None:
        """Kill the process."""
        self._outgoing.put(None)
        self._process.kill()
        self._process.wait()

    def _write(self) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(OSError, ValueError):
            while (message := self._outgoing.get()) is not None:
                pickle.dump(message, self._process.stdin, pickle.HIGHEST_PROTOCOL)
                self._process.stdin.flush()

    def _read(self) -> None:
        assert self._process.stdout is not None
        with contextlib.suppress(OSError, EOFError, pickle.UnpicklingError):
            while True:
                self._hear(pickle.load(self._process.stdout))
        self._process.wait()
        self._hear(None)
