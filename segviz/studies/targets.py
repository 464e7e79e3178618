"""One target map for several pictures: all of them are attacked towards it, side by side."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from segviz import metrics
from segviz.attacks.catalog import rounding_notice
from segviz.deferred import torch
from segviz.lab import Task, batch_of, prepare
from segviz.records import Picture
from segviz.settings import GIVEN, Settings
from segviz.studies.target_maps import TargetMap
from segviz.types import Step, StepKind

if TYPE_CHECKING:
    from torch import Tensor

    from segviz.models.segmenter import Segmenter

PASSED = 0.9
"""Target accuracy from which on a picture counts as turned."""

MAX_VICTIMS = 8


@dataclass(frozen=True)
class Moment:
    """How far one picture is at one iteration; rates in [0,1].

    Pixel accuracy and mIoU of this image with respect to the `target` map, to the `original` prediction (of the clean picture) and to
    the `true` labels, the three that CosPGD reports (2302.02213); the last are None without a label map. Pixels that are void in a map
    do not count. `target_accuracy` is the attack's success. `loss` as in `Step`, `gradients` the gradient evaluations before it.
    """

    index: int
    gradients: int
    loss: float
    target_accuracy: float
    target_miou: float
    original_accuracy: float
    original_miou: float
    true_accuracy: float | None
    true_miou: float | None


@dataclass(frozen=True)
class Result:
    """The strongest iterate in 8-bit values: its figures, `linf` in grey levels, `psnr` in dB (None where nothing changed).

    `seconds` is the time spent on attacking the batch that the picture was part of, without waiting for a turn; `gradient_evaluations`
    and `passes` as in `Step`.
    """

    moment: Moment
    linf: float
    psnr: float | None
    seconds: float
    stopped: bool
    gradient_evaluations: int = 0
    passes: int = 0


@dataclass(frozen=True)
class Victim:
    """One picture at one moment; immutable.

    `clean`, `target` and `prediction` (H,W) uint8 are the model's map of the clean picture, the map to reach (255 void) and the model's
    map of `pixels` (H,W,3) uint8, the newest iterate or, once there is a `result`, that one; None before the first look.
    `curve` has every iteration, the clean picture first. `error` says why the picture cannot be attacked towards this target, `warnings`
    what must be read beside its figures.
    """

    picture: Picture
    clean: np.ndarray | None = None
    target: np.ndarray | None = None
    pixels: np.ndarray | None = None
    prediction: np.ndarray | None = None
    curve: tuple[Moment, ...] = ()
    result: Result | None = None
    error: str | None = None
    warnings: tuple[str, ...] = ()

    @property
    def spent(self) -> int:
        """Gradient evaluations so far; -1 before the first look."""
        return self.curve[-1].gradients if self.curve else -1

    @property
    def now(self) -> Moment | None:
        """The newest figures: those of the 8-bit result once it is there."""
        return self.result.moment if self.result is not None else self.curve[-1] if self.curve else None

    @property
    def there_before(self) -> bool:
        """Whether the clean picture has a target accuracy of PASSED or more already, which is no success of the attack."""
        return bool(self.curve) and self.curve[0].target_accuracy >= PASSED

    @property
    def passed(self) -> int | None:
        """The first iteration with a target accuracy of PASSED or more, None while there is none and where it was `there_before`."""
        if self.there_before:
            return None
        return next((moment.index for moment in self.curve if moment.target_accuracy >= PASSED), None)


def morph(
    settings: Settings, target: TargetMap | None, pictures: Sequence[Picture], model: Segmenter, stopped: Callable[[], bool] = lambda: False
) -> Iterator[tuple[Victim, ...]]:
    """Attack the pictures towards their target maps and yield where each of them stands, in their order, after every step.

    Pictures of one size are attacked as one batch, and come out as they would alone. Batches take turns: the next step is that of the
    one that has spent the fewest gradient evaluations. A picture that `prepare` leaves out gets an error and the others go on.
    Without a target the clean pictures are looked at, and that is all. Once `stopped` says yes, each picture's result of what was
    reached is its next and last one. Raises UserError where the settings do not fit the attack or the model.
    """
    victims = [Victim(picture, warnings=picture.notices + model.notices + rounding_notice(settings)) for picture in pictures]
    sizes = [picture.pixels.shape for picture in pictures]
    batches = [[number for number, size in enumerate(sizes) if size == one] for one in dict.fromkeys(sizes)]
    waiting = [(batch, morph_batch(settings, target, [pictures[number] for number in batch], model, stopped)) for batch in batches]
    while waiting:
        turn = min(waiting, key=lambda run: max(victims[number].spent for number in run[0]))
        batch, run = turn
        moved = next(run, None)
        if moved is None:
            waiting.remove(turn)
            continue
        for number, victim in zip(batch, moved, strict=True):
            victims[number] = victim
        yield tuple(victims)


def morph_batch(
    settings: Settings, target: TargetMap | None, pictures: Sequence[Picture], model: Segmenter, stopped: Callable[[], bool]
) -> Iterator[list[Victim]]:
    """As `morph`, for pictures of one size."""
    seconds, resumed = 0.0, time.perf_counter()
    with torch.no_grad():
        clean = model(batch_of(pictures, model.mean.device)).argmax(1)
    of_all = model.notices + rounding_notice(settings)
    victims = [
        Victim(picture, clean=array(seen), pixels=picture.pixels, prediction=array(seen), warnings=picture.notices + of_all)
        for picture, seen in zip(pictures, clean, strict=True)
    ]
    if target is None:
        yield victims
        return
    task, left_out = prepare(replace(settings, goal=GIVEN), pictures, model, lambda clean_map: target.for_picture(clean_map, model), clean)
    able = () if task is None else task.numbers
    for number, lacking in zip([number for number in range(len(pictures)) if number not in able], left_out, strict=True):
        victims[number] = replace(victims[number], error=lacking.why)
    if task is None:
        yield victims
        return
    for number, wanted in zip(able, task.goal.labels, strict=True):
        victims[number] = replace(victims[number], target=array(wanted))
    x, goal, attack = task.x, task.goal, task.attack
    references = (goal.labels, task.clean, task.labels)
    steps = attack.run(model, x, goal)
    step = next(steps)
    while True:
        moments = moments_of(step, references, len(model.label_set.classes))
        for place, number in enumerate(able):
            result = None
            if step.kind is StepKind.RESULT:
                result = victim_result(step, place, moments[place], task, seconds + time.perf_counter() - resumed)
            victims[number] = replace(
                victims[number],
                pixels=array(255 * step.x_adv[place].permute(1, 2, 0)),
                prediction=array(step.prediction[place]),
                curve=victims[number].curve if result is not None else (*victims[number].curve, moments[place]),
                result=result,
            )
        seconds += time.perf_counter() - resumed
        yield list(victims)
        if step.kind is StepKind.RESULT:
            return
        resumed = time.perf_counter()
        step = attack.conclude(step, model, x, goal) if stopped() else next(steps)


def victim_result(step: Step, place: int, moment: Moment, task: Task, seconds: float) -> Result:
    """The result of the picture at one place of a batch, after `seconds` of attacking."""
    psnr = metrics.psnr(step.x_adv, task.x)[place].item()
    return Result(
        moment=moment,
        linf=metrics.linf(step.x_adv, task.x)[place].item(),
        psnr=psnr if math.isfinite(psnr) else None,
        seconds=seconds,
        stopped=step.index < task.attack.iterations,
        gradient_evaluations=step.gradient_evaluations,
        passes=step.passes,
    )


def array(values: Tensor) -> np.ndarray:
    """Class indices or grey levels as uint8."""
    return values.round().byte().cpu().numpy() if values.is_floating_point() else values.byte().cpu().numpy()


def moments_of(step: Step, references: tuple[Tensor, Tensor, Tensor], classes: int) -> list[Moment]:
    """Figures of each picture of a step against the target map, the original prediction and the label map (N,H,W)."""
    rates = []
    for reference in references:
        counts = metrics.confusion_matrix(step.prediction, reference, classes)
        rates += [metrics.pixel_accuracy(counts).tolist(), metrics.mean_iou(counts).tolist()]
    moments = []
    for loss, target_accuracy, target_miou, original_accuracy, original_miou, true_accuracy, true_miou in zip(
        step.loss.tolist(), *rates, strict=True
    ):
        # nan where the label map is missing.
        known = math.isfinite(true_accuracy)
        moments.append(
            Moment(
                step.index,
                step.gradient_evaluations,
                loss,
                target_accuracy,
                target_miou,
                original_accuracy,
                original_miou,
                true_accuracy if known else None,
                true_miou if known else None,
            )
        )
    return moments


RATES = ("target_accuracy", "target_miou", "original_accuracy", "original_miou", "true_accuracy", "true_miou")
"""The rates of a Moment by name."""


def mean_of(moments: Sequence[Moment], rate: str) -> float | None:
    """Mean of one of RATES over those pictures that have it; None where none has."""
    values = [value for value in (getattr(moment, rate) for moment in moments) if value is not None]
    return sum(values) / len(values) if values else None


def mean_curve(victims: Sequence[Victim], rate: str) -> list[float | None]:
    """Mean over the pictures of one of RATES, at every iteration that all of those that can be attacked have reached."""
    return [mean_of(moments, rate) for moments in zip(*(victim.curve for victim in victims if victim.error is None), strict=False)]


def mean_now(victims: Sequence[Victim], rate: str) -> float | None:
    """Mean of one of RATES over the newest figures of the pictures."""
    return mean_of([victim.now for victim in victims if victim.now is not None], rate)
