"""The server's side of the engine: runs, who watches them, the line, and the supervision of the engine processes.

A run is shared: who asks for what is under way already joins it. A page holds a `Job`, its handle on a run. Nothing here knows Streamlit,
attacks or torch.
"""

import atexit
import functools
import itertools
import logging
import os
import pickle
import secrets
import threading
import time
import weakref
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from segviz.engine import kept
from segviz.engine.channel import Channel, Hear, Process
from segviz.engine.messages import Assign, Ended, Fetch, Fetched, FromWorker, Hello, Memory, Start, State, Stop, Told, Turn, Warm
from segviz.engine.ray_channel import RayChannel
from segviz.engine.view import LiveView, plain
from segviz.engine.waits import Waits

__all__ = ["Engine", "Job", "SharedRun", "State", "engine"]

T = TypeVar("T")

MAX_LIVE = 32
"""Runs that take turns on one device; further ones wait in line."""

GRACE_SECONDS = 10.0
"""How long an owner may be away (a reload, a short break of the connection) before the run is given up."""

STEP_SECONDS = 300.0
"""A step that takes longer is taken for one that never returns, its process is ended; SEGVIZ_STEP_SECONDS sets another limit."""

START_SECONDS = 300.0
"""How long an engine process may take to start."""

FETCH_SECONDS = 5.0
"""How long a page waits for a snapshot before it makes do with the one before."""

PICTURES = 24
"""Pictures of one run that are kept for who is yet to ask for them, beside those of the newest view."""

TICK_SECONDS = 0.25

LOST = (
    "The engine ended unexpectedly, and this run was lost with it: it was at turn, and its model may have ended the process or taken more "
    "memory than there is. Press Run to start it again."
)
LOST_AGAIN = "The engine ended unexpectedly, and this run was lost with it, for the third time. Press Run to start it again."
TOO_LONG = (
    "The run was ended because one step took longer than {:.0f} s: its model may never return. Take a smaller picture or another model."
)
NO_ENGINE = "The engine cannot be started; the server's log tells more."

logger = logging.getLogger(__name__)


class SharedRun:
    """A computation that one or more pages watch; `id` is its address, which cannot be guessed."""

    def __init__(self, engine: "Engine", key: str | None, work: bytes, view: bytes, uploads: bytes, keep: str):
        self.id = secrets.token_urlsafe(18)
        self.key, self.work, self.view, self.uploads, self.keep = key, work, view, uploads, keep
        self.engine = engine
        self.state = State.WAITING
        self.error: str | None = None
        self.stopping = False
        self.jobs: list[Job[Any]] = []
        self.attempts = 0
        self.version = 0
        """Grows with everything that there is to tell."""
        self.news: dict[str, Any] = {}
        """The view in full: what the engine told, put together."""
        self.pictures: OrderedDict[str, bytes] = OrderedDict()
        self.listeners: set[Callable[[], None]] = set()
        self.device: Device | None = None
        self.given = self.began = 0.0
        """When a device got it, and when its first turn came."""
        self.first_news = 0.0, 0.0
        """When they came, and how much was done by then."""
        self._result: tuple[bytes, Any] = (b"", None)
        self._fetched: tuple[int, Any] = (-1, None)

    @property
    def active(self) -> bool:
        """Whether it still waits or runs."""
        return self.state in (State.WAITING, State.RUNNING)

    @property
    def owner(self) -> str:
        """Whose share of the device it has: that of who has watched it longest."""
        return self.jobs[0].owner if self.jobs else ""

    def finish(self, state: State, error: str | None, snapshot: bytes = b"") -> None:
        """Move to a final state."""
        self.error, self._result = error, (snapshot, None)
        if snapshot:
            self._fetched = -1, None
        self.state = state
        self.engine.ended[state] += 1
        # The run lives from here on as long as somebody holds a job of it.
        self.jobs.clear()
        self.touch()

    def put(self, result: Any) -> None:
        """Have a result that was computed before."""
        self._result = b"", result
        self.state = State.DONE

    def latest(self) -> Any:
        """The newest snapshot: asked of the engine while the run is under way, for good once it has ended. None if there is none."""
        if not self.active:
            data, value = self._result
            if data:
                value = pickle.loads(data)
                self._result = b"", value
            return value if value is not None else self._fetched[1]
        version = self.version
        if self._fetched[0] != version:
            found = self.engine.fetch(self)
            if found:
                self._fetched = version, pickle.loads(found)
        return self._fetched[1]

    def seconds_to_go(self) -> float | None:
        """How long it will take still, if it goes on as it has; None as long as nobody knows."""
        since, begun = self.first_news
        done, total = self.news.get("done", 0), self.news.get("total", 0)
        if self.state is not State.RUNNING or not begun < done < total:
            return None
        return (time.monotonic() - since) * (total - done) / float(done - begun)

    def touch(self) -> None:
        """There is something to tell."""
        self.version += 1
        for listener in tuple(self.listeners):
            listener()

    def tell(self, told: Told) -> None:
        """Put the engine's news to those before."""
        if not self.news:
            self.first_news = time.monotonic(), told.view["done"]
        series = {f"{one['panel']}/{one['name']}": one for one in self.news.get("series", ())}
        grown = []
        for new in told.view["series"]:
            old = series.get(f"{new['panel']}/{new['name']}")
            start = new["from"] if old is not None else 0
            before = (old["x"][:start], old["y"][:start]) if old is not None else ((), ())
            grown.append(new | {"from": 0, "x": (*before[0], *new["x"]), "y": (*before[1], *new["y"])})
        self.news = told.view | {"series": grown}
        for name, data in told.pictures.items():
            self.pictures[name] = data
            self.pictures.move_to_end(name)
        shown = {file for fact in self.news["pictures"].values() for file in (fact["src"], fact.get("preview"))}
        spare = [name for name in self.pictures if name not in shown]
        for name in spare[: max(len(spare) - PICTURES, 0)]:
            del self.pictures[name]
        self.touch()


class Job(Generic[T]):
    """A page's handle on a run. Everything but `stop` is for reading; `error` is a message for the user.

    `left` says that this page stopped watching a run that others watch on, `before` that the result was computed before.
    """

    def __init__(self, owner: str, run: SharedRun, present: Callable[[], bool], lane: str, before: bool = False):
        self.owner, self.run, self.present, self.lane, self.before = owner, run, present, lane, before
        self.id = secrets.token_hex(16)
        self.left = False
        self.seen = time.monotonic()
        self._away = False
        self._last: T | None = None

    @property
    def state(self) -> State:
        """Where it stands."""
        if self._away:
            return State.ABANDONED
        return State.STOPPED if self.left else self.run.state

    @property
    def active(self) -> bool:
        """Whether the job still waits or runs."""
        return self.state in (State.WAITING, State.RUNNING)

    @property
    def error(self) -> str | None:
        """Why it could not go on."""
        return None if self.left or self._away else self.run.error

    @property
    def latest(self) -> T | None:
        """The newest snapshot; of a run that this page has left, the newest when it was first asked for afterwards."""
        if self.left and self._last is None:
            self._last = self.run.latest()
        return self._last if self.left else self.run.latest()

    @property
    def stopping(self) -> bool:
        """Whether it was asked to end."""
        return self.left or self.run.stopping

    def stop(self) -> None:
        """Ask the run to end; it ends within one step, with the result of what it reached. If others watch it, only this page leaves."""
        self.run.engine.stop(self)

    def leave(self, away: bool = False) -> None:
        """Watch no more: by the user's wish, or because the page is `away`."""
        self.left, self._away = not away, away


@dataclass
class StepTimes:
    """How many steps all runs have taken, and the seconds of all of them."""

    count: int = 0
    seconds: float = 0.0


@dataclass
class Device:
    """An engine process and what it has to do; `turn` is the run whose step began at `since`."""

    number: int | None
    channel: Channel
    runs: dict[str, SharedRun] = field(default_factory=dict)
    turn: SharedRun | None = None
    since: float = 0.0
    ready: bool = False
    gone: bool = False
    memory: Memory = field(default_factory=lambda: Memory((), 0))


Connect = Callable[[Hear, int | None], Channel]
ENGINES: dict[str, Connect] = {"": Process, "local": Process, "ray": RayChannel}
"""How engines are reached, by what SEGVIZ_ENGINE says."""


def connect(hear: Hear, device: int | None) -> Channel:
    """An engine as SEGVIZ_ENGINE says, on this machine unless it says so."""
    named = os.environ.get("SEGVIZ_ENGINE", "")
    if named not in ENGINES:
        logger.error("SEGVIZ_ENGINE=%s is unknown, and engines run on this machine. Known: local, ray.", named)
    return ENGINES.get(named, Process)(hear, device)


CONNECT: Connect = connect
"""How an engine is reached unless another way is given."""


class Engine:
    """All runs of this server. The processes start with the first run, or with `start`, and end with the server."""

    def __init__(self, connect: Connect | None = None):
        self._connect = connect or CONNECT
        self._lock = threading.RLock()
        self._line: list[SharedRun] = []
        self._devices: list[Device] = []
        self._number = 1
        self._deaths = 0
        self._addresses: weakref.WeakValueDictionary[str, SharedRun] = weakref.WeakValueDictionary()
        self._requests: dict[int, tuple[threading.Event, list[bytes]]] = {}
        self._numbers = itertools.count()
        self._ticker: threading.Thread | None = None
        self._closed = False
        self._warm = ""
        self.ended: Counter[State] = Counter()
        self.steps = StepTimes()
        self._waits = Waits()
        self._freed = time.monotonic()
        atexit.register(self.close)

    def start(self, warm: str = "") -> None:
        """Start the processes and have them load the model `warm`, if any, before somebody asks for it."""
        with self._lock:
            self._warm = warm or self._warm
            if not self._devices and not self._closed:
                self._add(None)
            if self._ticker is None:
                self._ticker = threading.Thread(target=self._tick, name="segviz-supervisor", daemon=True)
                self._ticker.start()

    def submit(
        self,
        owner: str,
        function: Callable[..., Iterator[T]],
        arguments: tuple[Any, ...] = (),
        present: Callable[[], bool] = lambda: True,
        view: Callable[..., LiveView] = plain,
        *,
        lane: str = "",
        key: str | None = None,
        keep: bool = False,
        again: bool = False,
        uploads: bytes = b"",
    ) -> Job[T]:
        """Queue a run: `function` gets the arguments and `stopped`, which says whether to end, and returns an iterator of snapshots.

        The function is importable, its arguments and snapshots can be pickled, and `view` says what is to be shown of
        a snapshot: it gets that and the same arguments. Of an
        owner, one job of each `lane` is active at a time: an earlier one is stopped. `present` says whether the owner is still there. Runs
        of the same `key` are the same: who asks for one that is under way joins it, and of one that is kept gets the result at once, unless
        it is to be computed `again`; `keep` has the result kept.
        """
        self.start()
        with self._lock:
            for run in self.runs():
                for job in [job for job in run.jobs if (job.owner, job.lane) == (owner, lane)]:
                    job.stop()
        kept_at = kept.kept_file(key) if key and keep and kept.limit() else None
        result = kept.restore(kept_at) if kept_at is not None and not again and self._like(key) is None else None
        with self._lock:
            run = self._like(key) or SharedRun(
                self, key, pickle.dumps((function, arguments)), pickle.dumps(view), uploads, str(kept_at or "")
            )
            job = Job[T](owner, run, present, lane, before=result is not None)
            self._addresses[run.id] = run
            if result is not None:
                run.put(result)
                return job
            run.jobs.append(job)
            if len(run.jobs) == 1:
                self._line.append(run)
                self._dispatch()
        return job

    def _like(self, key: str | None) -> SharedRun | None:
        """The run of that key that is under way and not about to end."""
        return next((run for run in self.runs() if key and run.key == key and not run.stopping), None)

    def runs(self) -> list[SharedRun]:
        """The runs that wait or are under way, those that are served first in front."""
        with self._lock:
            return [*(run for device in self._devices for run in device.runs.values()), *self._line]

    def run_at(self, address: str) -> SharedRun | None:
        """The run of an address, as long as it is under way or somebody shows it."""
        return self._addresses.get(address)

    def ahead_of(self, of: "Job[Any] | SharedRun") -> int:
        """How many runs are served before this one: the live ones and those in front of it in line; 0 once it runs."""
        run = of.run if isinstance(of, Job) else of
        runs = self.runs()
        return runs.index(run) if run.state is State.WAITING and run in runs else 0

    def wait_of(self, run: SharedRun) -> str:
        """What a run that has nothing to show yet waits for, in words; empty once it has."""
        with self._lock:
            device = run.device
            if run.news or not run.active:
                return ""
            if run.state is State.RUNNING:
                return f"Loading the model …{self._waits.told('model')}"
            if device is None:
                each, place = self._waits.seconds("place"), self._line.index(run) + 1 if run in self._line else 1
                about = "" if each is None else f", about {max(round(each * place), 1)} s"
                return f"Waiting in line: {self.ahead_of(run)} runs are served first{about}."
            if not device.ready:
                return f"The engine is starting …{self._waits.told('start')}"
            if not device.memory.budget:
                return f"The engine is loading its first model …{self._waits.told('model')}"
            others = len(device.runs) - 1
            return f"Waiting for a turn beside {others} other run{'' if others == 1 else 's'} …{self._waits.told('turn')}"

    def active(self) -> int:
        """Number of runs that wait or run."""
        return len(self.runs())

    def in_line(self) -> int:
        """Number of runs that wait for a place on a device."""
        return len(self._line)

    def alive(self) -> bool:
        """Whether runs can be made: there is a process, or there will be one with the first run."""
        with self._lock:
            return not self._closed and (self._ticker is None or any(not device.gone for device in self._devices))

    def process(self) -> int | None:
        """The number in the system of the first engine process, None where there is none."""
        with self._lock:
            return next((getattr(device.channel, "pid", None) for device in self._devices), None)

    def memory(self) -> tuple[Memory, ...]:
        """What each device said last of the models in its memory."""
        with self._lock:
            return tuple(device.memory for device in self._devices if device.memory.budget)

    def stop(self, job: Job[Any]) -> None:
        """End the run of a job, or only its watching if others watch too: a page that was reloaded is no other."""
        with self._lock:
            run = job.run
            if not job.active:
                return
            if any(other.present() for other in run.jobs if other is not job):
                job.leave()
                self._depart(job)
                return
            run.stopping = True
            if run in self._line:
                self._line.remove(run)
                run.finish(State.STOPPED, None)
                self._dispatch()
            elif run.device is not None:
                run.device.channel.send(Stop(run.id))
                run.touch()

    def fetch(self, run: SharedRun) -> bytes:
        """The newest snapshot of a run, pickled; empty if there is none or it does not come in time."""
        with self._lock:
            device = run.device
            # Before its first turn there is nothing to wait for.
            if device is None or run.state is not State.RUNNING:
                return b""
            number, arrived, found = next(self._numbers), threading.Event(), list[bytes]()
            self._requests[number] = arrived, found
            device.channel.send(Fetch(run.id, number))
        arrived.wait(FETCH_SECONDS)
        self._requests.pop(number, None)
        return found[0] if found else b""

    def close(self) -> None:
        """End the processes."""
        with self._lock:
            self._closed = True
            for device in self._devices:
                device.channel.end()

    def _add(self, number: int | None) -> None:
        """Have a process for a device."""

        def hear(message: FromWorker | None) -> None:
            with self._lock:
                if message is None:
                    self._on_end(device)
                elif not device.gone:
                    self._on(device, message)

        with self._lock:
            # Whatever the process says waits for the lock, until `device` is there.
            device = Device(number, self._connect(hear, number), since=time.monotonic())
            self._devices.append(device)
            if self._warm:
                device.channel.send(Warm(self._warm))
            self._dispatch()

    def _dispatch(self) -> None:
        """Hand runs to the devices that have room; who has fewest under way comes first, then who waited longest."""
        while self._line:
            here = [one for one in self._devices if not one.gone]
            # An engine that is only about to start may be long in coming, as one of a machine that was lost.
            device = min([one for one in here if one.ready] or here, key=lambda one: len(one.runs), default=None)
            if device is None or len(device.runs) >= MAX_LIVE:
                break
            owners = [run.owner for one in self._devices for run in one.runs.values()]
            run = min(self._line, key=lambda one: owners.count(one.owner))
            self._line.remove(run)
            device.runs[run.id], run.device, run.given = run, device, time.monotonic()
            said = {name: value for name, value in os.environ.items() if name.startswith("SEGVIZ_")}
            device.channel.send(Start(run.id, run.owner, run.work, run.view, run.keep, said, run.uploads))
        self._touch_all()

    def _touch_all(self) -> None:
        """What runs wait for, everybody's place in line, or the number of others under way may have changed."""
        for run in self.runs():
            run.touch()

    def _on(self, device: Device, message: FromWorker) -> None:
        if isinstance(message, Hello):
            device.ready, self._deaths = True, 0
            self._waits.took("start", time.monotonic() - device.since)
            self._touch_all()
            if self._number < message.devices and device.number is None:
                self._number = message.devices
                for number in range(1, message.devices):
                    self._add(number)
        elif isinstance(message, Memory):
            device.memory = message
            self._touch_all()
        elif isinstance(message, Fetched):
            arrived, found = self._requests.pop(message.request, (threading.Event(), []))
            found.append(message.snapshot)
            arrived.set()
        elif isinstance(message, Turn | Told | Ended):
            run = device.runs.get(message.run)
            if run is None:
                return
            if isinstance(message, Turn):
                self._count_step(device)
                device.turn, device.since = run, time.monotonic()
                if run.state is State.WAITING:
                    run.state, run.began = State.RUNNING, time.monotonic()
                    if len(device.runs) > 1:
                        self._waits.took("turn", run.began - run.given)
                    run.touch()
            elif isinstance(message, Told):
                # A model that is in memory makes nobody wait.
                if not run.news and (waited := time.monotonic() - run.began) > 0.5:
                    self._waits.took("model", waited)
                run.tell(message)
            else:
                device.gone = message.spoilt
                self._end(device, run, message.state, message.error, message.snapshot)
                if message.spoilt:
                    self._renew(device)

    def _end(self, device: Device, run: SharedRun, state: State, error: str | None, snapshot: bytes = b"") -> None:
        """A run of a device has ended."""
        del device.runs[run.id]
        run.device = None
        if device.turn is run:
            self._count_step(device)
            device.turn = None
        run.finish(state, error, snapshot)
        if self._line:
            self._waits.took("place", time.monotonic() - self._freed)
        self._freed = time.monotonic()
        self._dispatch()

    def _count_step(self, device: Device) -> None:
        """The step at turn, if any, is over."""
        if device.turn is not None:
            self.steps.count += 1
            self.steps.seconds += time.monotonic() - device.since

    def _renew(self, device: Device) -> None:
        """End a process and have a new one; what else it was computing begins again, which gives the same result."""
        device.gone = True
        self._devices.remove(device)
        device.channel.end()
        self._take_back(device)
        if not self._closed:
            self._add(device.number)

    def _take_back(self, device: Device) -> None:
        """Put the runs of a device that is no more back in front of the line."""
        for run in reversed(device.runs.values()):
            run.device, run.state = None, State.WAITING
            self._line.insert(0, run)
        device.runs.clear()

    def _on_end(self, device: Device) -> None:
        """A process has ended: the run at turn is lost with it, and the others begin again, but not for ever."""
        if device.gone or self._closed:
            return
        device.gone = True
        self._deaths += not device.ready
        logger.error("An engine process ended unexpectedly")
        for run in list(device.runs.values()):
            run.attempts += 1
            if run is device.turn or run.attempts > 2:
                self._end(device, run, State.FAILED, LOST if run is device.turn else LOST_AGAIN)
        if self._deaths < 3:
            self._renew(device)
            return
        self._deaths = 0
        self._devices.remove(device)
        self._take_back(device)
        if not self._devices:
            for run in self._line:
                run.finish(State.FAILED, NO_ENGINE)
            self._line.clear()
        self._dispatch()

    def _depart(self, job: Job[Any]) -> None:
        """One of several watchers has gone."""
        run = job.run
        run.jobs.remove(job)
        if run.device is not None:
            run.device.channel.send(Assign(run.id, run.owner))
        run.touch()

    def _tick(self) -> None:
        """Look, as long as the server lives, for steps that never return and for owners who have gone."""
        while not self._closed:
            time.sleep(TICK_SECONDS)
            try:
                self._watch_steps()
                self._watch_owners()
            except Exception:
                logger.exception("The supervision of the engine failed")

    def _watch_steps(self) -> None:
        limit = step_seconds()
        with self._lock:
            for device in list(self._devices):
                waited = time.monotonic() - device.since
                if not device.ready and waited > START_SECONDS:
                    device.channel.end()
                elif device.turn is not None and waited > limit:
                    device.gone = True
                    self._end(device, device.turn, State.FAILED, TOO_LONG.format(limit))
                    self._renew(device)

    def _watch_owners(self) -> None:
        now = time.monotonic()
        for run in self.runs():
            for job in list(run.jobs):
                if run.listeners or job.present():
                    job.seen = now
            with self._lock:
                for job in [job for job in run.jobs if run.active and now - job.seen > GRACE_SECONDS]:
                    if len(run.jobs) > 1:
                        job.leave(away=True)
                        self._depart(job)
                    elif run in self._line:
                        self._line.remove(run)
                        run.finish(State.ABANDONED, None)
                        self._dispatch()
                    elif run.device is not None:
                        run.device.channel.send(Stop(run.id, abandon=True))


_making = threading.Lock()


def engine() -> Engine:
    """The one engine of this server, also for visitors who come at the same moment."""
    with _making:
        return _engine()


@functools.cache
def _engine() -> Engine:
    return Engine()


def step_seconds() -> float:
    """How long a step may take: SEGVIZ_STEP_SECONDS, or the default where that is no number."""
    text = os.environ.get("SEGVIZ_STEP_SECONDS", "")
    return float(text) if text.isdecimal() else STEP_SECONDS


@contextmanager
def listening(run: SharedRun, listener: Callable[[], None]) -> Iterator[None]:
    """Have `listener` called, on any thread, whenever a run has something to tell."""
    run.listeners.add(listener)
    try:
        yield
    finally:
        run.listeners.discard(listener)
