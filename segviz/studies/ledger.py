"""What a run of a study has to do, what it has done, and how long the rest will take."""

import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from segviz.defences.catalog import evaluations_of
from segviz.studies.grid import Cell, GridPoint, Study, cells, images_of
from segviz.studies.store import CellResult, Store, file_hash, key_of


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
    """What a run has to do and has done, and how long each model takes per gradient evaluation on the device of that name."""

    def __init__(self, study: Study, store: Store, device: str):
        keyed = keyed_cells(study)
        stored = [(cell, store.get(key)) for cell, key in keyed]
        self.total = len(keyed)
        self.reused = self.done = sum(result is not None for _, result in stored)
        self.failed = sum(result is not None and result.error != "" for _, result in stored)
        self.pending: dict[GridPoint, deque[tuple[Cell, str]]] = {}
        for (cell, key), (_, result) in zip(keyed, stored, strict=True):
            if result is None:
                self.pending.setdefault(cell.point, deque()).append((cell, key))
        self.all_gradients = sum(evaluations_of(cell.settings, cell.row.source) for cell, _ in keyed)
        self.left = {point: evaluations_of(point.settings, point.row.source) * len(line) for point, line in self.pending.items()}
        self.seconds: dict[str, float] = {}
        self.spent: dict[str, int] = {}
        self.start = time.perf_counter()
        self.newest: tuple[tuple[Cell, CellResult], ...] = ()
        for cell, result in stored:
            if result is not None and result.device == device:
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
            self.left[cell.point] -= evaluations_of(cell.settings, cell.row.source)
            self._time(cell, result)

    def _time(self, cell: Cell, result: CellResult) -> None:
        if not result.error:
            self.seconds[cell.source] = self.seconds.get(cell.source, 0) + result.seconds
            self.spent[cell.source] = self.spent.get(cell.source, 0) + max(result.gradient_evaluations, 1)

    def seconds_left(self, usual: float = 0.0) -> float | None:
        """Seconds that the rest takes one cell after the other, by what each model took so far; None where nothing is known.

        `usual` are those of a gradient evaluation of a model of which nothing is stored, as long as no other is known.
        """
        if not self.spent and not usual:
            return None
        usual = sum(self.seconds.values()) / sum(self.spent.values()) if self.spent else usual
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
