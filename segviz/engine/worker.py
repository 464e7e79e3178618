"""The engine process: it alone computes runs. Started as `python -m segviz.engine.worker` by the server, whom it talks to by its pipes.

One thread advances the runs, a step at a time, in fair turns; another listens, so that Stop and questions are heard during a step. When
the pipe is closed, because the server has ended however it may have, the process ends at once.
"""

import contextlib
import logging
import os
import pickle
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import torch

from segviz.engine import kept
from segviz.engine.messages import Assign, Ended, Fetch, Fetched, FromWorker, Hello, Memory, Start, State, Stop, Told, ToWorker, Turn, Warm
from segviz.engine.telling import Teller
from segviz.engine.turns import Turns
from segviz.engine.view import LiveView
from segviz.types import UserError

OUT_OF_MEMORY = "The device is out of memory. Wait until other runs have ended, or take a smaller picture."
FAULT = "The run failed because of a fault in the program; the server's log tells more. Please report it."
EXITED = "The run was ended because its model tried to end the whole program."
SWITCHED = "The run was ended because its model changed {} for the whole program."

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Switches:
    """What torch keeps for the whole process, or for the thread that computes, and a model must leave alone."""

    gradients: bool
    number_type: torch.dtype
    deterministic: bool
    threads: int

    @staticmethod
    def now() -> "Switches":
        """As they are."""
        return Switches(
            torch.is_grad_enabled() and not torch.is_inference_mode_enabled(),
            torch.get_default_dtype(),
            torch.are_deterministic_algorithms_enabled(),
            torch.get_num_threads(),
        )

    def changed(self) -> str:
        """What is no longer as it was, in words; empty if all is."""
        words = {
            "gradients": "whether gradients are computed",
            "number_type": "the default number type",
            "deterministic": "the choice of algorithms",
            "threads": "the number of threads",
        }
        now = Switches.now()
        return " and ".join(text for name, text in words.items() if getattr(self, name) != getattr(now, name))

    def restore(self) -> None:
        """Set them back."""
        torch.set_grad_enabled(self.gradients)
        torch.set_default_dtype(self.number_type)
        torch.use_deterministic_algorithms(self.deterministic)
        torch.set_num_threads(self.threads)


def lacks_memory(error: Exception) -> bool:
    """Whether an error says that memory could not be had, of the GPU or of the machine."""
    texts = ("can't allocate memory", "bad_alloc")
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or any(text in str(error) for text in texts)


class OwnRun:
    """One run under way."""

    def __init__(self, start: Start):
        self.id, self.start = start.run, start
        self.stopping = self.abandoned = False
        self.latest: Any = None
        self.teller = Teller()
        self._present: Callable[..., LiveView] | None = None
        self._arguments: tuple[Any, ...] = ()
        self._iterator: Iterator[Any] | None = None

    def advance(self) -> tuple[State, str | None] | None:
        """Take one step; says how the run ended, if it did. Errors become messages."""
        try:
            if self._iterator is None:
                self._present = pickle.loads(self.start.view)
                function, self._arguments = pickle.loads(self.start.work)
                self._iterator = function(*self._arguments, stopped=lambda: self.stopping)
            self.latest = next(self._iterator)
        except StopIteration:
            return State.STOPPED if self.stopping else State.DONE, None
        except UserError as error:
            return State.FAILED, OUT_OF_MEMORY if lacks_memory(error) else str(error)
        except Exception as error:
            if lacks_memory(error):
                self._iterator = None
                if torch.cuda.is_available():
                    torch.cuda.empty_cache()
                return State.FAILED, OUT_OF_MEMORY
            logger.exception("A run failed")
            return State.FAILED, FAULT
        except (SystemExit, KeyboardInterrupt, GeneratorExit):
            return State.FAILED, EXITED
        return None

    def view(self, last: bool = False) -> tuple[dict[str, Any], dict[str, bytes]] | None:
        """What there is to tell now; a view that cannot be made is the log's affair."""
        if self.latest is None or self._present is None:
            return None
        try:
            return self.teller.tell(self._present(self.latest, *self._arguments), last)
        except Exception:
            logger.exception("A run could not be shown")
            return None

    def snapshot(self) -> bytes:
        """The newest snapshot, pickled."""
        return b"" if self.latest is None else pickle.dumps(self.latest, pickle.HIGHEST_PROTOCOL)


class Worker:
    """The runs of this process. `receive` waits for a message and raises EOFError at the end; `send` sends one."""

    def __init__(self, receive: Callable[[], ToWorker], send: Callable[[FromWorker], None], end: Callable[[], None]):
        self._receive, self._send, self._end = receive, send, end
        self._changed = threading.Condition()
        self._turns = Turns()
        self._runs: dict[str, OwnRun] = {}
        self._warm = ""
        self._pace = 0.0
        self._closed = False

    def listen(self) -> None:
        """Hear what the server says until it says nothing any more."""
        with contextlib.suppress(EOFError, OSError):
            while True:
                self._hear(self._receive())
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._end()

    def _hear(self, message: ToWorker) -> None:
        with self._changed:
            if isinstance(message, Start):
                adopt(message)
                self._runs[message.run] = OwnRun(message)
                self._turns.add(message.run, message.owner)
            elif isinstance(message, Warm):
                self._warm = message.model
            elif isinstance(message, Assign):
                self._turns.assign(message.run, message.owner)
            elif isinstance(message, Stop) and message.run in self._runs:
                self._runs[message.run].stopping = True
                self._runs[message.run].abandoned |= message.abandon
            run = self._runs.get(message.run) if isinstance(message, Fetch) else None
            self._changed.notify()
        if isinstance(message, Fetch):
            self._send(Fetched(message.request, run.snapshot() if run is not None else b""))

    def work(self) -> None:
        """Advance the runs, and wait for some while there are none; returns once the server has gone or a run has spoilt this process."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or self._runs or self._warm)
                if self._closed:
                    return
                run = self._runs[self._turns.next()] if self._runs else None
                warm, self._warm = self._warm, ""
            if warm:
                self._pace = load(warm) or self._pace
                self._send(memory(self._pace))
            if run is not None and not self._step(run):
                return

    def _step(self, run: OwnRun) -> bool:
        """One step of a run; says whether this process may go on."""
        self._send(Turn(run.id))
        switches, began = Switches.now(), time.perf_counter()
        ended = (State.ABANDONED, None) if run.abandoned else run.advance()
        changed = switches.changed()
        if changed:
            # Not at every step: to set the choice of algorithms alone imports a compiler, which takes a second.
            switches.restore()
        spoilt = bool(changed) or (ended is not None and ended[1] == EXITED)
        if changed:
            ended = State.FAILED, SWITCHED.format(changed)
        news = run.view(last=ended is not None)
        if news is not None:
            self._send(Told(run.id, *news))
        if ended is not None:
            self._send(Ended(run.id, *ended, snapshot=run.snapshot(), spoilt=spoilt))
            self._send(memory(self._pace))
            if run.start.keep and ended[0] is State.DONE:
                threading.Thread(target=kept.write, args=(Path(run.start.keep), run.latest), daemon=True).start()
        with self._changed:
            self._turns.charge(run.id, time.perf_counter() - began)
            if ended is not None:
                self._turns.remove(run.id)
                del self._runs[run.id]
        return not spoilt


def adopt(start: Start) -> None:
    """Have the server's variables and uploaded models here."""
    for name in [name for name in os.environ if name.startswith("SEGVIZ_") and name not in start.environment]:
        del os.environ[name]
    os.environ.update(start.environment)
    if start.uploads:
        from segviz.models import uploads

        uploads.UPLOADED.update(pickle.loads(start.uploads))


def load(model: str) -> float:
    """Have a model in memory, and its code warmed up, before anybody asks for it; returns the seconds that a gradient then takes."""
    from segviz.defences.load import load_model
    from segviz.models.load import default_device

    with contextlib.suppress(UserError):
        device = default_device()
        network = load_model(model, device)
        x = torch.zeros(1, 3, 224, 320, device=device, requires_grad=True)
        torch.autograd.grad(network(x).sum(), x)
        began = time.perf_counter()
        # To read a number waits for the device.
        torch.autograd.grad(network(x).sum(), x)[0].sum().item()
        return time.perf_counter() - began
    return 0.0


def memory(pace: float = 0.0) -> Memory:
    """What is in memory here."""
    from segviz.models.load import CACHE, default_device, device_name, loaded

    return Memory(tuple((model.entry.key, model.bytes) for model in loaded()), CACHE.budget, device_name(default_device()), pace)


def available_memory() -> int:
    """Bytes that this machine can still give; all it has where the system does not tell."""
    with contextlib.suppress(OSError, StopIteration):
        lines = Path("/proc/meminfo").read_text().splitlines()
        return 1024 * int(next(line.split()[1] for line in lines if line.startswith("MemAvailable:")))
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def limit_memory() -> None:
    """Have a model that exhausts the memory get an error, before the system ends something else."""
    with contextlib.suppress(ImportError, OSError, ValueError):
        Path("/proc/self/oom_score_adj").write_text("500")
    with contextlib.suppress(ImportError, OSError, ValueError, AttributeError):
        import resource

        if not torch.cuda.is_available():
            here = available_memory()
            for file in (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes")):
                if file.is_file() and file.read_text().strip().isdecimal():
                    here = min(here, int(file.read_text()))
            limit = int(0.8 * here)
            resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))


def write_to(stream: BinaryIO) -> Callable[[FromWorker], None]:
    """Sends messages down a pipe, from any thread; a pipe that is closed is found out by who listens."""
    lock = threading.Lock()

    def send(message: FromWorker) -> None:
        data = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
        with lock, contextlib.suppress(OSError, ValueError):
            stream.write(data)
            stream.flush()

    return send


def main() -> None:
    """Serve until the pipe is closed. What models print goes to the log, as the pipe is not for them."""
    receiving, sending = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    with contextlib.suppress(AttributeError, OSError):
        os.nice(5)
    limit_memory()
    send = write_to(sending)
    # Nothing of torch is to be taken down in order: it aborts if one of its threads is at work.
    worker = Worker(lambda: pickle.load(receiving), send, lambda: os._exit(0))
    send(Hello(max(torch.cuda.device_count(), 1)))
    threading.Thread(target=worker.listen, name="segviz-listen", daemon=True).start()
    worker.work()
    sending.flush()
    os._exit(0)


if __name__ == "__main__":
    sys.modules["segviz.engine.worker"] = sys.modules["__main__"]
    logging.basicConfig(level=logging.WARNING, format="engine: %(message)s")
    main()
