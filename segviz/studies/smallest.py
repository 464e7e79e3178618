"""The smallest eps that breaks it: by bisection, image by image, for every model and attack of a study."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from segviz.deferred import torch
from segviz.models.load import default_device
from segviz.studies.cell import StoppedError, compute
from segviz.studies.counts import accuracies, mious
from segviz.studies.grid import GridPoint, Study, cells
from segviz.studies.store import CellResult, Store, key_of
from segviz.studies.table import Pairs
from segviz.types import UserError

MEASURES = ("iou_ratio", "pixel_accuracy")


@dataclass(frozen=True)
class Damage:
    """When a picture counts as broken: its `measure` is at most `level`, in [0,1].

    "iou_ratio" is the mIoU of the image under the attack over that of the clean one, "pixel_accuracy" its pixel accuracy.
    Raises UserError for an unknown measure and a level out of range.
    """

    measure: str = "iou_ratio"
    level: float = 0.5

    def __post_init__(self) -> None:
        if self.measure not in MEASURES:
            raise UserError(f"Unknown measure '{self.measure}'. Known: {', '.join(MEASURES)}.")
        if not 0 <= self.level < 1:
            raise UserError(f"The damage is {self.level:g}; it must lie between 0 and 1, 1 excluded.")

    def value(self, result: CellResult, clean: bool = False) -> float:
        """The measure of a result, or of its clean picture; an IoU ratio is 0 where the clean mIoU is."""
        now = result.clean if clean else result.adversarial
        if self.measure == "pixel_accuracy":
            return float(accuracies(now))
        whole = float(mious(result.clean))
        return float(mious(now)) / whole if whole > 0 else 0.0


@dataclass(frozen=True)
class Found:
    """The smallest eps in grey levels that breaks one image; None where even the largest does not, or where there is an `error`.

    0 means that the clean picture counts as broken already. `trials` are the (eps, value of the measure) that were looked at.
    """

    image: str
    eps: float | None
    trials: tuple[tuple[float, float], ...]
    error: str = ""


@dataclass(frozen=True)
class Search:
    """Where a search stands: `found` by point, whose eps is the largest that is tried, image by image as far as they are done.

    `done` of `total` bisections are done; `computed` is how many runs were not stored before.
    """

    found: dict[GridPoint, tuple[Found, ...]]
    done: int
    total: int
    computed: int
    seconds: float


def search(
    study: Study,
    store: Store,
    damage: Damage,
    tolerance: float = 1.0,
    stopped: Callable[[], bool] = lambda: False,
    device: torch.device | None = None,
) -> Iterator[Search]:
    """Bisect, for every point and image of a study, the smallest eps that does the damage; yields after every iteration.

    The eps tried are multiples of `tolerance` (grey levels) up to the largest eps of the study. For the norm "linf", results are whole grey
    levels, so a tolerance below 1 tells nothing more. A larger eps is taken to do at least as much damage, as bisection needs. Every run is
    a cell and stored as such, so a search goes on where it stopped. Once `stopped` says yes, no further cell is computed, and the search
    ends where the first one is missing. Raises UserError as `run`, and for a tolerance that is not above 0.
    """
    # Long: what is shown after every iteration belongs to all of it.
    if not tolerance > 0:
        raise UserError("The tolerance must be above 0 grey levels.")
    start = time.perf_counter()
    count = max(round(max(study.eps) / tolerance), 1)
    todo = cells(replace(study, eps=(count * tolerance,)))
    found: dict[GridPoint, tuple[Found, ...]] = {cell.point: () for cell in todo}
    done = computed = 0
    yield Search(dict(found), done, len(todo), computed, 0.0)
    for cell in todo:
        trials: list[tuple[float, float]] = []
        error = ""
        # Broken at `high` steps of the tolerance, not at `low`; count + 1 stands for "not even at the largest".
        low, high = 0, count + 1
        while high - low > 1 and not error:
            middle = count if high > count else (low + high) // 2
            trial = replace(cell, settings=replace(cell.settings, eps=middle * tolerance))
            key = key_of(trial)
            result = store.get(key)
            if result is None:
                if stopped():
                    return
                computing = compute([trial], device or default_device(), stopped)
                try:
                    while True:
                        try:
                            next(computing)
                        except StopIteration as end:
                            (result,) = end.value
                            break
                        yield Search(dict(found), done, len(todo), computed, time.perf_counter() - start)
                except StoppedError:
                    return
                store.put(key, result)
                computed += 1
            error = result.error
            if error:
                break
            if damage.value(result, clean=True) <= damage.level:
                high = 0
                break
            trials.append((middle * tolerance, damage.value(result)))
            low, high = (low, middle) if trials[-1][1] <= damage.level else (middle, high)
        eps = None if error or high > count else high * tolerance
        found[cell.point] = (*found[cell.point], Found(cell.image.name, eps, tuple(trials), error))
        done += 1
        yield Search(dict(found), done, len(todo), computed, time.perf_counter() - start)


def found_in(pairs: Pairs, damage: Damage) -> dict[GridPoint, tuple[Found, ...]]:
    """What a study that was run tells: of its eps the smallest that does the damage, image by image; by point, whose eps is the largest.

    Images with a result at every eps count.
    """
    largest = max((point.settings.eps for point in pairs), default=0.0)
    groups: dict[GridPoint, list[tuple[float, list[CellResult | None]]]] = {}
    for point, of_point in pairs.items():
        place = replace(point, settings=replace(point.settings, eps=largest))
        groups.setdefault(place, []).append((point.settings.eps, [result for _, result in of_point]))
    found: dict[GridPoint, tuple[Found, ...]] = {}
    for place, by_eps in groups.items():
        images = []
        for results in zip(*(results for _, results in sorted(by_eps, key=lambda one: one[0])), strict=True):
            there = [result for result in results if result is not None and not result.error]
            if len(there) == len(results):
                trials = tuple(zip(sorted(eps for eps, _ in by_eps), map(damage.value, there), strict=True))
                clean = damage.value(there[0], clean=True) <= damage.level
                eps = 0.0 if clean else next((eps for eps, value in trials if value <= damage.level), None)
                images.append(Found(there[0].image, eps, trials))
        found[place] = tuple(images)
    return found


def cumulative(found: Sequence[Found]) -> tuple[tuple[float, float], ...]:
    """The curve of (eps, share of images in [0,1] that an eps of at most this breaks), by rising eps; images with errors do not count."""
    counted = [one for one in found if not one.error]
    broken = sorted({one.eps for one in counted if one.eps is not None})
    return tuple((eps, sum(one.eps is not None and one.eps <= eps for one in counted) / len(counted)) for eps in broken)
