"""Running a study: missing cells are computed, stored ones are not, and whoever iterates sees it grow."""

import time
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import torch

from segviz.data.images import read_photo
from segviz.defences.load import load_model
from segviz.lab import to_tensor
from segviz.models.load import default_device
from segviz.models.zoo import model_entry
from segviz.studies import ray_engine
from segviz.studies.cell import LARGEST, StoppedError, compute
from segviz.studies.gallery import seconds_per_pass
from segviz.studies.grid import Study
from segviz.studies.ledger import Ledger, Progress
from segviz.studies.store import CellResult, Store
from segviz.types import UserError

ENGINES = ("local", "ray")

PATIENCE_SECONDS = 0.02
"""How long a run waits before it looks again at cells that someone else is computing."""


@dataclass(frozen=True)
class Cost:
    """What is still to do: `cells` of `total`, their gradient evaluations, and about how many seconds they take here.

    `unmeasured` are models that are still to be downloaded, so that the time of the others stands for theirs (0 if there are none).
    """

    cells: int
    total: int
    gradients: int
    seconds: float
    unmeasured: tuple[str, ...] = ()


def run(
    study: Study,
    store: Store,
    engine: str = "local",
    stopped: Callable[[], bool] = lambda: False,
    device: torch.device | None = None,
    largest: int | None = None,
) -> Iterator[Progress]:
    """Compute the missing cells of a study and yield where it stands: at once, after every iteration, and after every batch of cells.

    `engine` is "local", or "ray" for the workers of Ray. Once `stopped` says yes, the run ends without the cells under way; what is done
    stays in the store, and the next run goes on from there. Local runs of the same cells at the same time, here or in other processes,
    share them. `device` and `largest` are as in `compute`, by default what this machine has. A cell that the settings do not fit is stored
    with its error. Raises UserError where models or pictures are missing or the store cannot be written.
    """
    if engine not in ENGINES:
        raise UserError(f"Unknown engine '{engine}'. Known: {', '.join(ENGINES)}.")
    ledger = Ledger(study, store)
    yield ledger.progress()
    if engine == "ray":
        yield from ray_engine.work_on_ray(ledger, store, stopped)
        return
    yield from work_here(ledger, store, device or default_device(), stopped, largest)


def work_here(
    ledger: Ledger, store: Store, device: torch.device, stopped: Callable[[], bool], largest: int | None = None
) -> Iterator[Progress]:
    """Compute in this process what the ledger has to do."""
    most = largest or (LARGEST if device.type == "cuda" else 1)
    while batch := ledger.take(most):
        if stopped():
            return
        with ExitStack() as claims:
            mine = [pair for pair in batch if claims.enter_context(store.claim(pair[1]))]
            # Someone else is at these: another process, another visitor, or a cell of the same content.
            ledger.put_off([pair for pair in batch if pair not in mine])
            if not mine:
                time.sleep(PATIENCE_SECONDS)
                yield ledger.progress()
                continue
            there = {key: result for _, key in mine if (result := store.get(key)) is not None}
            missing = [pair for pair in mine if pair[1] not in there]
            if missing:
                computing = compute([cell for cell, _ in missing], device, stopped, most)
                try:
                    results = yield from watched(computing, ledger)
                except StoppedError:
                    return
                for (_, key), result in zip(missing, results, strict=True):
                    store.put(key, result)
                    there[key] = result
        ledger.book(mine, [there[key] for _, key in mine])
        yield ledger.progress()


def watched(computing: Generator[int, None, list[CellResult]], ledger: Ledger) -> Generator[Progress, None, list[CellResult]]:
    """What `compute` returns, with the progress of the whole run on the way."""
    while True:
        try:
            under_way = next(computing)
        except StopIteration as end:
            return end.value
        yield ledger.progress(under_way)


def cost(study: Study, store: Store) -> Cost:
    """What a study would cost now; the time from its cells that are stored, else from one gradient of each model measured here."""
    ledger = Ledger(study, store)
    left = sum(ledger.left.values())
    unmeasured = []
    for cell in {line[0][0].source: line[0][0] for line in ledger.pending.values()}.values():
        if cell.source in ledger.spent:
            continue
        if model_entry(cell.source).state == "to be downloaded":
            unmeasured.append(cell.source)
        else:
            ledger.seconds[cell.source], ledger.spent[cell.source] = calibrated(cell.source, cell.image.photo), 1
    return Cost(sum(map(len, ledger.pending.values())), ledger.total, left, ledger.seconds_left() or 0.0, tuple(unmeasured))


@lru_cache(maxsize=64)
def calibrated(model: str, photo: Path) -> float:
    """Seconds of one gradient evaluation of a model on a photo, measured here once."""
    device = default_device()
    _, gradient = seconds_per_pass(load_model(model, device), to_tensor(read_photo(photo, model_entry(model).working_size).pixels, device))
    return gradient
