"""What the server and an engine process say to each other."""

from dataclasses import dataclass, field
from enum import Enum
from typing import Any


class State(Enum):
    """Where a run stands; the last four are final."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    STOPPED = "stopped"
    ABANDONED = "abandoned"
    FAILED = "failed"


@dataclass(frozen=True)
class Start:
    """Take a run up. `work` is a pickle of a function and its arguments, `view` one of the function that says what to show of a snapshot.

    `environment` are the variables of the server that begin with SEGVIZ_, `uploads` a pickle of its uploaded models by key. The result of a
    run that ends by itself is written to the file `keep` unless that is empty.
    """

    run: str
    owner: str
    work: bytes
    view: bytes
    keep: str = ""
    environment: dict[str, str] = field(default_factory=dict)
    uploads: bytes = b""


@dataclass(frozen=True)
class Stop:
    """End a run within its step, with the result of what it reached; at once and without one if `abandon`."""

    run: str
    abandon: bool = False


@dataclass(frozen=True)
class Assign:
    """The run now counts for another owner."""

    run: str
    owner: str


@dataclass(frozen=True)
class Fetch:
    """Send the newest snapshot of a run."""

    run: str
    request: int


@dataclass(frozen=True)
class Warm:
    """Load a model while there is nothing else to do."""

    model: str


@dataclass(frozen=True)
class Hello:
    """The process is ready; it and its like have so many devices."""

    devices: int


@dataclass(frozen=True)
class Turn:
    """A run is about to take a step."""

    run: str


@dataclass(frozen=True)
class Told:
    """News of a run: what has changed in its view, and pictures by file name."""

    run: str
    view: dict[str, Any]
    pictures: dict[str, bytes]


@dataclass(frozen=True)
class Fetched:
    """The newest snapshot, pickled; empty if there is none yet."""

    request: int
    snapshot: bytes


@dataclass(frozen=True)
class Ended:
    """A run has ended in a final `state`, `snapshot` is its last one (empty: none), pickled.

    `spoilt` says that it left the process in a state in which others should not be computed.
    """

    run: str
    state: State
    error: str | None
    snapshot: bytes
    spoilt: bool = False


@dataclass(frozen=True)
class Memory:
    """The models in the memory of a process, by key with their bytes, least recently used first, and the bytes that they may take.

    `device` is the name that a person knows its device by, `pace` the seconds that a gradient evaluation of the model took there that was
    loaded first; empty and 0 as long as nobody knows.
    """

    models: tuple[tuple[str, int], ...]
    budget: int
    device: str = ""
    pace: float = 0.0


ToWorker = Start | Stop | Assign | Fetch | Warm
FromWorker = Hello | Turn | Told | Fetched | Ended | Memory
