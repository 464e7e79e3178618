"""Clean and adversarial accuracy of a model over a data-set folder."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from segviz import metrics
from segviz.attacks.catalog import members_of, rounding_notice
from segviz.data.images import picture_size
from segviz.data.label_sets import LabelSet
from segviz.deferred import torch
from segviz.lab import Task, counts_by_draw, judges_of, maps_by_draw, nothing_left, one_class_everywhere, open_picture, prepare
from segviz.models.zoo import ModelEntry
from segviz.records import LeftOut, Picture, gathered
from segviz.settings import Settings
from segviz.studies import worst_case
from segviz.studies.counts import accuracies, class_ious, constant_miou, mious
from segviz.types import THRESHOLDS, Goal, UserError

if TYPE_CHECKING:
    from torch import Tensor

    from segviz.attacks.loop import Runnable
    from segviz.models.segmenter import Segmenter


@dataclass(frozen=True)
class SetFigures:
    """Agreement with the label maps over a data set; rates in [0,1].

    `miou` and `iou` come from one confusion matrix over all labelled pixels (None for a class in neither labels nor predictions);
    `nmiou` is the mean over images of each image's mIoU (Halmosi et al., "Trying Harder Pays Off", ECCV 2024, 2407.09150);
    `image_accuracy` is the mean over images of each image's pixel accuracy, where `pixel_accuracy` pools the pixels of all images.
    """

    miou: float
    nmiou: float
    pixel_accuracy: float
    image_accuracy: float
    iou: tuple[float | None, ...]


@dataclass(frozen=True)
class MemberFigures:
    """One attack of a suite: its own figures, and the share of images on which its accuracy is lowest (`wins`, ties shared)."""

    name: str
    figures: SetFigures
    wins: float
    gradient_evaluations: int
    seconds: float
    passes: int = 0


@dataclass(frozen=True)
class SmallestNorm:
    """`median` over the images of the smallest L-inf norm, in grey levels before rounding, with which at least `threshold` of the counted
    pixels are as the goal wants them; images that never got there count as infinitely large (None for an infinite median).

    `reached` is the number of images that got there.
    """

    threshold: float
    reached: int
    median: float | None


@dataclass(frozen=True)
class Evaluation:
    """Figures over a data set; `linf` is the largest change of any value in grey levels, `gradient_evaluations`
    and `passes` are those of a Step, of the image that took most.

    `constant_miou` is the mIoU that a map of the most frequent class alone would have: a model that is left with less knows nothing of
    the pictures any more. `success` is the mean over images of the share of counted pixels that are as the goal wants them.

    Of a suite, `adversarial` is the worst case over its `members`: the accuracies with the attack that lowers each image's accuracy most,
    the NmIoU with the one that lowers its mIoU most, and mIoU and IoU with the choice of `worst_case.greedy_miou`.
    A random defence is judged by several draws, which are counted together; `clean_by_draw` and, but for a suite, `adversarial_by_draw` are
    the mIoU of each draw alone, empty where nothing is random.
    `smallest` is there for an attack that looks for the smallest perturbation. Figures are over `images` images; those `left_out` do not
    count. `warnings` are what must be read beside the figures.
    """

    images: int
    clean: SetFigures
    constant_miou: float
    adversarial: SetFigures | None
    iou_ratio: float | None
    success: float | None
    linf: float | None
    gradient_evaluations: int
    seconds: float
    members: tuple[MemberFigures, ...] = ()
    smallest: tuple[SmallestNorm, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    warnings: tuple[str, ...] = ()
    passes: int = 0
    clean_by_draw: tuple[float, ...] = ()
    adversarial_by_draw: tuple[float, ...] = ()


BATCH = 8


def evaluate(
    pairs: list[tuple[Path, Path]],
    entry: ModelEntry,
    model: Segmenter,
    settings: Settings | None,
    progress: Callable[[int], object],
    until_won: bool = False,
) -> Evaluation:
    """Figures of `model` over pairs of photo and label map, and under the attack in `settings` if there is one.

    Adversarial figures are those of the 8-bit results. `progress` is told how many images each finished batch held. Images of one size
    are attacked together on a GPU; what comes out does not depend on that, but for rounding there. Images that `prepare` leaves out count
    in no figure. With `until_won`, an attack ends where it has won every counted pixel; what it costs is then the most that it took for
    any image. Raises UserError for bad pictures, label maps and settings, and where every image is left out.
    """
    # Long: an evaluation has many figures.
    start = time.perf_counter()
    runs = [MemberRun(name) for name in (members_of(settings) if settings is not None else ())]
    clean: list[Tensor] = []
    judges, classes = judges_of(model), len(model.label_set.classes)
    left_out: list[LeftOut] = []
    notices: list[tuple[str, tuple[str, ...]]] = []
    # A CPU gains nothing from batches, and alone a picture is the same to the last bit whatever the others are.
    largest = 1 if model.mean.device.type == "cpu" else BATCH
    for batch in same_size_batches(pairs, entry, largest):
        progress(len(batch))
        notices += [(picture.name, picture.notices) for picture in batch]
        task, lacking = prepare(settings or CLEAN, batch, model)
        left_out += lacking
        if task is None:
            continue
        clean.append(counts_by_draw(maps_by_draw(judges, task.clean, task.x), task.labels, classes))
        if settings is not None:
            for run, attack in zip(runs, attacks_of(task.attack), strict=True):
                run.add(attack, task, model, judges, until_won)
    if not clean:
        raise nothing_left(left_out)
    by_draw = torch.cat(clean, 1)
    counts = by_draw.sum(0).numpy()
    before, after = set_figures(counts), worst_of(runs)
    adversarial = mious_of_draws(torch.cat(runs[0].counts, 1)) if len(runs) == 1 else ()
    return Evaluation(
        images=len(counts),
        clean=before,
        constant_miou=constant_miou(counts.sum(0)),
        adversarial=after,
        iou_ratio=after.miou / before.miou if after is not None and before.miou > 0 else None,
        success=torch.stack([torch.cat(run.success) for run in runs]).amax(0).mean().item() if runs else None,
        linf=max(run.linf for run in runs) if runs else None,
        gradient_evaluations=sum(run.spent for run in runs),
        seconds=time.perf_counter() - start,
        members=members_by_wins(runs) if len(runs) > 1 else (),
        smallest=smallest_norms(torch.cat(runs[0].smallest)) if len(runs) == 1 and runs[0].smallest else (),
        left_out=tuple(left_out),
        warnings=model.notices
        + gathered(notices)
        + one_class_in_all(by_draw.sum((0, 1)), model)
        + (() if settings is None else rounding_notice(settings))
        + drawn_notice(mious_of_draws(by_draw), "clean")
        + drawn_notice(adversarial, "under attack"),
        passes=sum(run.passes for run in runs),
        clean_by_draw=mious_of_draws(by_draw),
        adversarial_by_draw=adversarial,
    )


def mious_of_draws(counts: Tensor) -> tuple[float, ...]:
    """The data set's mIoU of each of several draws from confusion matrices (draws,N,C,C); empty for one."""
    return tuple(mious(counts.sum(1).numpy()).tolist()) if len(counts) > 1 else ()


def drawn_notice(by_draw: Sequence[float], when: str) -> tuple[str, ...]:
    """How far the draws of a random defence lie apart, given the mIoU of each."""
    if not by_draw:
        return ()
    low, high = min(by_draw), max(by_draw)
    return (f"The defence draws at random. Figures are over {len(by_draw)} draws, whose mIoU {when} goes from {low:.1%} to {high:.1%}.",)


def one_class_in_all(counts: Tensor, model: Segmenter) -> tuple[str, ...]:
    """What is to be said where the clean maps of a data set are of one class alone; `counts` (C,C) are its pixels, rows labels."""
    return one_class_everywhere(counts.sum(0).nonzero(), counts.sum(1).nonzero(), model)


@dataclass
class MemberRun:
    """What one attack, alone or of a suite, has done to the images so far, batch by batch: confusion matrices (draws,N,C,C), `success`
    (N,), smallest norms (N, len(THRESHOLDS)) in grey levels; the largest `linf`, and gradient evaluations `spent` and `passes`
    per image, and seconds."""

    name: str
    counts: list[Tensor] = field(default_factory=list)
    success: list[Tensor] = field(default_factory=list)
    smallest: list[Tensor] = field(default_factory=list)
    linf: float = 0.0
    spent: int = 0
    passes: int = 0
    seconds: float = 0.0

    def add(self, attack: Runnable, task: Task, model: Segmenter, judges: Sequence[Segmenter], until_won: bool) -> None:
        """Attack one more batch."""
        from segviz.attacks.loop import Attack

        begun = time.perf_counter()
        if until_won and isinstance(attack, Attack):
            attack = replace(attack, until_won=True)
        step = deque(attack.run(model, task.x, task.goal), maxlen=1).pop()
        maps = maps_by_draw(judges, step.prediction, step.x_adv)
        self.counts.append(counts_by_draw(maps, task.labels, len(model.label_set.classes)))
        self.success.append(success_of(maps, task.goal))
        self.linf = max(self.linf, metrics.linf(step.x_adv, task.x).max().item())
        self.spent = max(self.spent, step.gradient_evaluations)
        self.passes = max(self.passes, step.passes)
        if step.smallest is not None:
            self.smallest.append(step.smallest.cpu() * 255)
        self.seconds += time.perf_counter() - begun


def success_of(maps: Tensor, goal: Goal) -> Tensor:
    """The share of pixels won (N,) in class maps (draws,N,H,W), mean over the draws."""
    return torch.stack([goal.success(one) for one in maps]).mean(0).cpu()


def worst_of(runs: Sequence[MemberRun]) -> SetFigures | None:
    """Figures of one attack, the worst case over several, None without any."""
    if not runs:
        return None
    counts = torch.stack([torch.cat(run.counts, 1).sum(0) for run in runs]).numpy()
    return worst_figures(counts) if len(runs) > 1 else set_figures(counts[0])


def members_by_wins(runs: Sequence[MemberRun]) -> tuple[MemberFigures, ...]:
    """The attacks of a suite, in its order."""
    counts = torch.stack([torch.cat(run.counts, 1).sum(0) for run in runs]).numpy()
    shares = worst_case.wins(counts).tolist()
    return tuple(
        MemberFigures(run.name, set_figures(its), share, run.spent, run.seconds, run.passes)
        for run, its, share in zip(runs, counts, shares, strict=True)
    )


CLEAN = Settings(steps=0)
"""What is prepared where nothing is attacked: every picture with a label that is not void counts."""


def attacks_of(attack: Runnable) -> list[Runnable]:
    """The members of a suite, or the attack alone."""
    from segviz.attacks.suite import Suite

    return [member for _, member in attack.members] if isinstance(attack, Suite) else [attack]


def in_label_set(entry: ModelEntry, model: Segmenter, stored: LabelSet | None, wanted: LabelSet | None) -> tuple[ModelEntry, Segmenter]:
    """Entry and model for label maps whose ids are those of `stored` (None: of the model), read in the label set `wanted`.

    Without `wanted` the model keeps its label set if such ids can be read in it, else it is read in `stored`. Raises UserError where a
    translation is not meaningful.
    """
    if stored is not None:
        try:
            wanted = (wanted or model.label_set).for_files_of(stored)
        except UserError:
            if wanted is not None:
                raise
            wanted = stored
    if wanted is None:
        return entry, model
    if wanted.classes == model.label_set.classes:
        return replace(entry, label_set=wanted), model
    from segviz.models.adapt import RelabelledSegmenter

    return replace(entry, label_set=wanted), RelabelledSegmenter(model, wanted)


def worst_figures(counts: np.ndarray) -> SetFigures:
    """The worst case over attacks, as in `Evaluation`, from confusion matrices (attacks,N,C,C)."""
    by_accuracy = set_figures(worst_case.chosen(counts, worst_case.lowest_accuracy(counts)))
    by_image_miou = set_figures(worst_case.chosen(counts, worst_case.lowest_image_miou(counts)))
    greedy = set_figures(worst_case.chosen(counts, worst_case.greedy_miou(counts)))
    return SetFigures(greedy.miou, by_image_miou.nmiou, by_accuracy.pixel_accuracy, by_accuracy.image_accuracy, greedy.iou)


def smallest_norms(norms: Tensor) -> tuple[SmallestNorm, ...]:
    """From the smallest norms of each image (N, len(THRESHOLDS)) in grey levels, inf where a threshold was not reached."""
    medians = norms.double().quantile(0.5, dim=0, interpolation="higher").tolist()
    reached = norms.isfinite().sum(0).tolist()
    rows = zip(THRESHOLDS, reached, medians, strict=True)
    return tuple(SmallestNorm(threshold, count, median if math.isfinite(median) else None) for threshold, count, median in rows)


def same_size_batches(pairs: list[tuple[Path, Path]], entry: ModelEntry, largest: int) -> Iterator[list[Picture]]:
    """The pairs as pictures, those of one size in batches of at most `largest`."""

    def size(pair: tuple[Path, Path]) -> tuple[int, int]:
        return picture_size(pair[0])

    for _, group in groupby(sorted(pairs, key=size), key=size):
        same = list(group)
        for first in range(0, len(same), largest):
            batch = [open_picture(photo.stem, photo, labels, entry) for photo, labels in same[first : first + largest]]
            # Photos that lie on their side by EXIF come out in another shape than their neighbours.
            for _, alike in groupby(sorted(batch, key=lambda picture: picture.pixels.shape), key=lambda picture: picture.pixels.shape):
                yield list(alike)


def set_figures(counts: np.ndarray) -> SetFigures:
    """Figures from confusion matrices per image (N,C,C)."""
    total = counts.sum(0)
    iou = tuple(None if math.isnan(value) else value for value in class_ious(total).tolist())
    nmiou, image_accuracy = float(np.nanmean(mious(counts))), float(np.nanmean(accuracies(counts)))
    return SetFigures(float(mious(total)), nmiou, float(accuracies(total)), image_accuracy, iou)
