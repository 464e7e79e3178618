"""Jobs and the worker that advances them.

One thread owns the device. It takes the runs that are under way in turns, one step each, so that thirty users all see something happen;
pages only read immutable snapshots. Nothing here knows Streamlit or attacks: a job is a function that returns an iterator.
"""

import logging
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterator
from enum import Enum
from typing import Any, Generic, TypeVar

import torch

from segviz.types import UserError

T = TypeVar("T")

MAX_LIVE = 8
"""Runs that take turns; further ones wait in line."""

GRACE_SECONDS = 10.0
"""How long an owner may be away (a reload, a short break of the connection) before the run is given up."""

logger = logging.getLogger(__name__)


class State(Enum):
    """Where a job stands; the last four are final."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    STOPPED = "stopped"
    ABANDONED = "abandoned"
    FAILED = "failed"


class Job(Generic[T]):
    """One run. Everything but `stop` is for reading; `latest` is the newest snapshot, `error` a message for the user."""

    def __init__(self, owner: str, start: Callable[[Callable[[], bool]], Iterator[T]], present: Callable[[], bool]):
        self.owner = owner
        self.id = uuid.uuid4().hex
        self.state = State.WAITING
        self.latest: T | None = None
        self.error: str | None = None
        self._start, self._present = start, present
        self._iterator: Iterator[T] | None = None
        self._stop = threading.Event()
        self._seen = time.monotonic()

    @property
    def active(self) -> bool:
        """Whether the job still waits or runs."""
        return self.state in (State.WAITING, State.RUNNING)

    def stop(self) -> None:
        """Ask the run to end; it ends within one step, with the result of what it reached."""
        self._stop.set()

    @property
    def stopping(self) -> bool:
        """Whether `stop` was called."""
        return self._stop.is_set()

    def dismiss(self) -> bool:
        """End the job if its owner has gone for good, or stopped it before it began; says whether it did."""
        now = time.monotonic()
        if self._present():
            self._seen = now
        if now - self._seen > GRACE_SECONDS:
            self.end(State.ABANDONED)
        elif self.stopping and self.state is State.WAITING:
            self.end(State.STOPPED)
        return not self.active

    def advance(self) -> None:
        """Take one step and publish its snapshot; ends the job on the last step and on errors, which it turns into messages."""
        try:
            if self._iterator is None:
                self.state = State.RUNNING
                self._iterator = self._start(self._stop.is_set)
            self.latest = next(self._iterator)
        except StopIteration:
            self.end(State.STOPPED if self.stopping else State.DONE)
        except UserError as error:
            self.end(State.FAILED, str(error))
        except torch.OutOfMemoryError:
            self.end(State.FAILED, "The device is out of memory. Wait until other runs have ended, or take a smaller picture.")
            torch.cuda.empty_cache()
        except Exception:
            logger.exception("A run failed")
            self.end(State.FAILED, "The run failed because of a fault in the program; the server's log tells more. Please report it.")

    def end(self, state: State, error: str | None = None) -> None:
        """Move to a final state and let go of the run."""
        self.error = error
        self._iterator = None
        self.state = state


class Engine:
    """The queue and its worker thread, which starts with the first job and lives as long as the process."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: deque[Job[Any]] = deque()
        self._live: deque[Job[Any]] = deque()
        self._thread: threading.Thread | None = None

    def submit(self, owner: str, start: Callable[[Callable[[], bool]], Iterator[T]], present: Callable[[], bool] = lambda: True) -> Job[T]:
        """Queue a run: `start` gets a function that says whether to stop, and returns an iterator of snapshots.

        An owner has one job at a time: an earlier one that is still active is stopped. `present` says whether the owner is still
        there; both are called on the worker thread.
        """
        job = Job(owner, start, present)
        with self._changed:
            for earlier in (*self._waiting, *self._live):
                if earlier.owner == owner:
                    earlier.stop()
            self._waiting.append(job)
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="segviz-engine", daemon=True)
                self._thread.start()
            self._changed.notify()
        return job

    def ahead_of(self, job: Job[Any]) -> int:
        """How many runs are served before this one: the live ones and those in front of it in line; 0 once it runs."""
        with self._changed:
            waiting = list(self._waiting)
            return len(self._live) + waiting.index(job) if job in waiting else 0

    def active(self) -> int:
        """Number of runs that wait or run."""
        with self._changed:
            return len(self._waiting) + len(self._live)

    def _work(self) -> None:
        while True:
            job = self._next()
            if job is None:
                continue
            job.advance()
            with self._changed:
                self._live.remove(job)
                if job.active:
                    self._live.append(job)

    def _next(self) -> Job[Any] | None:
        """The job whose turn it is; waits until there are jobs, and dismisses those that nobody waits for (None if all were such)."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._live)
            for queue in (self._waiting, self._live):
                for job in [job for job in queue if job.dismiss()]:
                    queue.remove(job)
            while self._waiting and len(self._live) < MAX_LIVE:
                # A newcomer goes first, so that its user sees something at once.
                self._live.appendleft(self._waiting.popleft())
            return self._live[0] if self._live else None
