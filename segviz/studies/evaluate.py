"""Clean and adversarial accuracy of a model over a data-set folder."""

import math
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from segviz import metrics
from segviz.attacks.catalog import build_attack
from segviz.attacks.goals import build_goal
from segviz.attacks.loop import run
from segviz.data.label_sets import LabelSet
from segviz.lab import Picture, open_picture, to_tensor
from segviz.models.adapt import RelabelledSegmenter
from segviz.models.segmenter import Segmenter
from segviz.models.zoo import ModelEntry
from segviz.settings import Settings
from segviz.types import UserError


@dataclass(frozen=True)
class SetFigures:
    """Agreement with the label maps over a data set; rates in [0,1].

    `miou` and `iou` come from one confusion matrix over all labelled pixels (None for a class in neither labels nor predictions);
    `nmiou` is the mean over images of each image's mIoU (Halmosi et al., "Trying Harder Pays Off", ECCV 2024, 2407.09150).
    """

    miou: float
    nmiou: float
    pixel_accuracy: float
    iou: tuple[float | None, ...]


@dataclass(frozen=True)
class Evaluation:
    """Figures over a data set; `linf` is the largest change of any value in grey levels, `gradient_evaluations` is per image."""

    images: int
    clean: SetFigures
    adversarial: SetFigures | None
    iou_ratio: float | None
    linf: float | None
    gradient_evaluations: int
    seconds: float


BATCH = 8


def evaluate(
    pairs: list[tuple[Path, Path]], entry: ModelEntry, model: Segmenter, settings: Settings | None, progress: Callable[[int], object]
) -> Evaluation:
    """Figures of `model` over pairs of photo and label map, and under the attack in `settings` if there is one.

    Adversarial figures are those of the 8-bit results. `progress` is told how many images each finished batch held. Images of one size
    are attacked together; what comes out does not depend on that. Raises UserError for bad pictures, label maps and settings.
    """
    start = time.perf_counter()
    classes = len(model.label_set.classes)
    clean, adversarial = [], []
    linf, gradient_evaluations = 0.0, 0
    for batch in same_size_batches(pairs, entry):
        x = torch.cat([to_tensor(picture.pixels, model.mean.device) for picture in batch])
        labels = torch.stack([torch.from_numpy(picture.labels) for picture in batch]).to(x.device).long()
        with torch.no_grad():
            prediction = model(x).argmax(1)
        clean.append(metrics.confusion_matrix(prediction, labels, classes).cpu())
        if settings is not None:
            reference = prediction if settings.against == "prediction" else labels
            goal = build_goal(settings, reference, prediction, model.label_set)
            step = deque(run(build_attack(settings, *x.shape[2:]), model, x, goal), maxlen=1).pop()
            adversarial.append(metrics.confusion_matrix(step.prediction, labels, classes).cpu())
            linf = max(linf, metrics.linf(step.x_adv, x).max().item())
            gradient_evaluations = step.gradient_evaluations
        progress(len(batch))
    before = set_figures(torch.cat(clean))
    after = set_figures(torch.cat(adversarial)) if settings is not None else None
    return Evaluation(
        images=sum(map(len, clean)),
        clean=before,
        adversarial=after,
        iou_ratio=after.miou / before.miou if after is not None and before.miou > 0 else None,
        linf=linf if settings is not None else None,
        gradient_evaluations=gradient_evaluations,
        seconds=time.perf_counter() - start,
    )


def in_label_set(entry: ModelEntry, model: Segmenter, stored: LabelSet | None, wanted: LabelSet | None) -> tuple[ModelEntry, Segmenter]:
    """Entry and model for label maps whose ids are those of `stored` (None: of the model), read in the label set `wanted`.

    Without `wanted` the model keeps its label set if it reads such ids, else it is read in `stored`. Raises UserError where a translation
    is not meaningful.
    """
    if wanted is None:
        wanted = model.label_set if stored is None or stored.vocabulary == model.label_set.vocabulary else stored
    if stored is not None and stored.vocabulary != wanted.vocabulary:
        raise UserError(f"Label maps of {stored.name} cannot be read as {wanted.name}.")
    if wanted == model.label_set:
        return entry, model
    return replace(entry, label_set=wanted), RelabelledSegmenter(model, wanted)


def same_size_batches(pairs: list[tuple[Path, Path]], entry: ModelEntry) -> Iterator[list[Picture]]:
    """The pairs as pictures, those of one size in batches of at most BATCH."""

    def size(pair: tuple[Path, Path]) -> tuple[int, int]:
        with Image.open(pair[0]) as photo:
            return photo.size

    for _, group in groupby(sorted(pairs, key=size), key=size):
        same = list(group)
        for first in range(0, len(same), BATCH):
            batch = [open_picture(photo.stem, photo, labels, entry) for photo, labels in same[first : first + BATCH]]
            # Photos that lie on their side by EXIF come out in another shape than their neighbours.
            for _, alike in groupby(sorted(batch, key=lambda picture: picture.pixels.shape), key=lambda picture: picture.pixels.shape):
                yield list(alike)


def set_figures(counts: Tensor) -> SetFigures:
    """Figures from confusion matrices per image (N,C,C)."""
    total = counts.sum(0)
    iou = tuple(None if math.isnan(value) else value for value in metrics.class_iou(total).tolist())
    nmiou = metrics.mean_iou(counts).nanmean().item()
    return SetFigures(metrics.mean_iou(total).item(), nmiou, metrics.pixel_accuracy(total).item(), iou)
