"""Running a study: missing cells are computed, stored ones are not, and whoever iterates sees it grow."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from dataclasses import dataclass

from segviz.deferred import torch
from segviz.models.load import default_device, device_name
from segviz.models.zoo import model_entry
from segviz.studies import ray_engine
from segviz.studies.cell import LARGEST, StoppedError, compute
from segviz.studies.grid import Study
from segviz.studies.ledger import Ledger, Progress
from segviz.studies.store import CellResult, Store
from segviz.types import UserError

ENGINES = ("local", "ray")

PATIENCE_SECONDS = 0.02
"""How long a run waits before it looks again at cells that someone else is computing."""


@dataclass(frozen=True)
class Cost:
    """What is still to do: `cells` of `total`, their gradient evaluations, and about how many seconds they take, None where nobody knows.

    `downloads` are models that are to be downloaded first, which is not in the seconds.
    """

    cells: int
    total: int
    gradients: int
    seconds: float | None
    downloads: tuple[str, ...] = ()


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
    device = device or default_device()
    ledger = Ledger(study, store, device_name(device))
    yield ledger.progress()
    if engine == "ray":
        yield from ray_engine.work_on_ray(ledger, store, stopped)
        return
    yield from work_here(ledger, store, device, stopped, largest)


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


def cost(study: Study, store: Store, device: str = "", pace: float = 0.0) -> Cost:
    """What a study would cost now on the device of that name, where a gradient evaluation of the usual model takes `pace` seconds.

    The time is taken from the cells that are stored, for models without any from `pace`; None as long as neither is known.
    """
    ledger = Ledger(study, store, device)
    left = sum(ledger.left.values())
    seconds = 0.0 if not left else ledger.seconds_left(pace)
    away = {line[0][0].source: None for line in ledger.pending.values()}
    downloads = tuple(key for key in away if model_entry(key).state == "to be downloaded")
    return Cost(sum(map(len, ledger.pending.values())), ledger.total, left, seconds, downloads)
