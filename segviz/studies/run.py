"""Running a study: missing cells are computed, stored ones are not, and whoever iterates sees it grow."""

import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import torch

from segviz.attacks.catalog import gradients_of
from segviz.data.images import read_photo
from segviz.lab import device_name, to_tensor
from segviz.models.load import default_device, load_model
from segviz.models.zoo import model_entry
from segviz.studies.cell import LARGEST, StoppedError, compute
from segviz.studies.gallery import seconds_per_pass
from segviz.studies.grid import Cell, Point, Study, cells, images_of
from segviz.studies.store import CellResult, Store, file_hash, key_of
from segviz.types import UserError

ENGINES = ("local", "ray")

PATIENCE_SECONDS = 0.02
"""How long a run waits before it looks again at cells that someone else is computing."""


@dataclass(frozen=True)
class Progress:
    """Where a study stands: cells `done` of `total`, of which `reused` were stored before and `failed` ended with an error.

    `seconds` since the start; `eta` seconds to go, None before the first computed cell; `newest` is what was computed last.
    `gradients` of `all_gradients` gradient evaluations are done, those of the cells under way included.
    """

    done: int
    total: int
    reused: int
    failed: int
    seconds: float
    eta: float | None
    newest: tuple[tuple[Cell, CellResult], ...] = ()
    gradients: int = 0
    all_gradients: int = 0


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


Keyed = tuple[tuple[Cell, str], ...]


def keyed_cells(study: Study) -> Keyed:
    """All cells of a study with the keys of their results; raises UserError as `cells`."""
    images = images_of(study)
    # The keys are remembered while no file of the pictures has changed.
    return _keyed(study, tuple((file_hash(ref.photo), file_hash(ref.labels) if ref.labels else "") for ref in images))


@lru_cache(maxsize=8)
def _keyed(study: Study, _files: tuple[tuple[str, str], ...]) -> Keyed:
    return tuple((cell, key_of(cell)) for cell in cells(study))


class Ledger:
    """What a run has to do and has done, and how long each model takes per gradient evaluation."""

    def __init__(self, study: Study, store: Store):
        keyed = keyed_cells(study)
        stored = [(cell, store.get(key)) for cell, key in keyed]
        self.total = len(keyed)
        self.reused = self.done = sum(result is not None for _, result in stored)
        self.failed = sum(result is not None and result.error != "" for _, result in stored)
        self.pending: dict[Point, deque[tuple[Cell, str]]] = {}
        for (cell, key), (_, result) in zip(keyed, stored, strict=True):
            if result is None:
                self.pending.setdefault(cell.point, deque()).append((cell, key))
        self.all_gradients = sum(gradients_of(cell.settings) for cell, _ in keyed)
        self.left = {point: gradients_of(point.settings) * len(line) for point, line in self.pending.items()}
        self.seconds: dict[str, float] = {}
        self.spent: dict[str, int] = {}
        self.start = time.perf_counter()
        self.newest: tuple[tuple[Cell, CellResult], ...] = ()
        here = device_name(default_device())
        for cell, result in stored:
            if result is not None and result.device == here:
                self._time(cell, result)

    def take(self, most: int) -> list[tuple[Cell, str]]:
        """The next cells, at most `most` of one point; the points take turns, so that all curves grow evenly. Empty at the end."""
        while self.pending:
            point, line = next(iter(self.pending.items()))
            batch = [line.popleft() for _ in range(min(most, len(line)))]
            del self.pending[point]
            if line:
                self.pending[point] = line
            return batch
        return []

    def put_off(self, batch: Sequence[tuple[Cell, str]]) -> None:
        """Put cells that were taken at the end again."""
        for cell, key in batch:
            self.pending.setdefault(cell.point, deque()).append((cell, key))

    def book(self, batch: Sequence[tuple[Cell, str]], results: Sequence[CellResult]) -> None:
        """Count what was computed."""
        self.done += len(batch)
        self.failed += sum(result.error != "" for result in results)
        self.newest = tuple((cell, result) for (cell, _), result in zip(batch, results, strict=True))
        for cell, result in self.newest:
            self.left[cell.point] -= gradients_of(cell.settings)
            self._time(cell, result)

    def _time(self, cell: Cell, result: CellResult) -> None:
        if not result.error:
            self.seconds[cell.source] = self.seconds.get(cell.source, 0) + result.seconds
            self.spent[cell.source] = self.spent.get(cell.source, 0) + max(result.gradient_evaluations, 1)

    def seconds_left(self) -> float | None:
        """Seconds that the rest takes one cell after the other, by what each model took so far; None where nothing is known."""
        if not self.spent:
            return None
        usual = sum(self.seconds.values()) / sum(self.spent.values())
        pace = {model: self.seconds[model] / self.spent[model] for model in self.spent}
        return sum(left * pace.get(point.row.source or point.settings.model, usual) for point, left in self.left.items())

    def progress(self, under_way: int = 0, workers: int = 1) -> Progress:
        """Where the run stands, `under_way` gradient evaluations into cells that are not done."""
        left = sum(self.left.values())
        eta = self.seconds_left() if self.done > self.reused or not left else None
        return Progress(
            done=self.done,
            total=self.total,
            reused=self.reused,
            failed=self.failed,
            seconds=time.perf_counter() - self.start,
            eta=None if eta is None else eta / workers,
            newest=self.newest,
            gradients=self.all_gradients - left + under_way,
            all_gradients=self.all_gradients,
        )


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
        from segviz.studies import ray_engine

        yield from ray_engine.work(ledger, store, stopped)
        return
    yield from work(ledger, store, device or default_device(), stopped, largest)


def work(ledger: Ledger, store: Store, device: torch.device, stopped: Callable[[], bool], largest: int | None = None) -> Iterator[Progress]:
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
