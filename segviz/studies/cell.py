"""Computing cells: one attack on a batch of pictures, measured as the attack lab measures it, image by image."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from segviz import metrics
from segviz.attacks.catalog import members_of
from segviz.attacks.regions import confined
from segviz.data.label_sets import label_set_named
from segviz.defences.load import load_model
from segviz.deferred import cv2, torch
from segviz.lab import Task, counts_by_draw, judges_of, maps_by_draw, open_picture, prepare, smallest_of, stored_iterations
from segviz.models.load import device_name
from segviz.models.zoo import ModelEntry, model_entry
from segviz.records import Picture
from segviz.studies.evaluate import in_label_set, success_of
from segviz.studies.grid import Cell, ImageRef
from segviz.studies.store import NO_DRAWS, SIZE_EDGES, CellResult, CurvePoint, failed
from segviz.types import VOID, Step, StepKind, UserError

if TYPE_CHECKING:
    from torch import Tensor

    from segviz.models.segmenter import Segmenter

EARLY = (1, 2, 3, 5, 7, 10, 15, 20, 30, 50)
"""Iterations that every curve has a point at, beside those that are evenly spread."""

SPREAD = 30

LARGEST = 64
"""Pictures in a batch on a GPU, as far as memory allows. A CPU gains nothing from batches, so it takes one picture at a time."""

Key = tuple[str, str, tuple[int, ...]]
LIMITS: dict[Key, int] = {}
"""The largest batch that fitted into memory, by device, model and shape of the pictures; only what had to be halved is in here."""


class StoppedError(Exception):
    """The run was stopped; the cell has no result."""


@dataclass(frozen=True)
class Subject:
    """Models as a cell looks at them: the one that is judged and, of a transfer attack, the `source` that the attack sees."""

    entry: ModelEntry
    model: Segmenter
    source: Segmenter | None


@dataclass(frozen=True)
class BatchLook:
    """The strongest iterates of a batch after `index` iterations: their `success` (N,) and confusion matrices `counts` (N,C,C)."""

    index: int
    gradients: int
    stage: int
    member: str
    success: Tensor
    counts: Tensor


@dataclass(frozen=True)
class Course:
    """What a batch's run went through: the judging model's `clean` predictions, the `labels` that it is judged by (both (N,H,W)), the
    `looks` of the curve, the counts (N,C,C) of the results of a suite's `members`, the gradient evaluations of each, and the seconds."""

    clean: Tensor
    labels: Tensor
    looks: tuple[BatchLook, ...]
    members: list[Tensor]
    gradients: tuple[int, ...]
    seconds: float


def subject_of(cell: Cell, device: torch.device) -> Subject:
    """Load the models of a cell; raises UserError where that is not possible or their classes do not fit the labels."""
    stored = None if cell.image.sample else cell.image.stored
    wanted = label_set_named(cell.label_set) if cell.label_set else None
    entry, model = in_label_set(model_entry(cell.settings.model), load_model(cell.settings.model, device), stored, wanted)
    if not cell.row.source:
        return Subject(entry, model, None)
    _, source = in_label_set(model_entry(cell.row.source), load_model(cell.row.source, device), stored, wanted)
    if source.label_set.classes != model.label_set.classes:
        raise UserError(f"{cell.row.source} and {cell.settings.model} have different classes, so pictures do not transfer between them.")
    return Subject(entry, model, source)


def picture_of(image: ImageRef, entry: ModelEntry) -> Picture:
    """A picture at the model's working size; a sample without its label map where the model's classes are of another vocabulary."""
    stored = image.stored.vocabulary if image.stored is not None else entry.label_set.vocabulary
    labels: Path | None = None if image.sample and stored != entry.label_set.vocabulary else image.labels
    return open_picture(image.name, image.photo, labels, entry)


def compute(
    cells: Sequence[Cell], device: torch.device, stopped: Callable[[], bool] = lambda: False, largest: int | None = None
) -> Generator[int, None, list[CellResult]]:
    """Compute cells of one point, which differ in their image only; the results are in their order.

    Yields, after every iteration, the gradient evaluations of the batch under way, over its pictures. Pictures of one shape go together, as
    many as memory allows: at most `largest`, by default `LARGEST` on a GPU and one on a CPU, and half as many after every time that memory
    did not suffice. What comes out does not depend on that, but for rounding on a GPU. A cell that the settings do not fit gets a result
    with an `error`. Raises StoppedError once `stopped` says yes, UserError for models that cannot be loaded, and OutOfMemoryError where not
    even one picture fits.
    """
    subject = subject_of(cells[0], device)
    limit = largest or (LARGEST if device.type == "cuda" else 1)
    results: dict[int, CellResult] = {}
    pictures: dict[int, Picture] = {}
    for number, cell in enumerate(cells):
        try:
            pictures[number] = picture_of(cell.image, subject.entry)
        except UserError as error:
            results[number] = failed(cell.image.name, str(error))
    while waiting := [number for number in pictures if number not in results]:
        shape = pictures[waiting[0]].pixels.shape
        place = (str(device), f"{cells[0].settings.model} {cells[0].row.source}", shape)
        most = min(limit, LIMITS.get(place, limit))
        batch = [number for number in waiting if pictures[number].pixels.shape == shape][:most]
        try:
            found = yield from attack_batch(cells[0], [pictures[number] for number in batch], subject, stopped)
        except torch.OutOfMemoryError:
            if len(batch) == 1:
                raise
            LIMITS[place] = len(batch) // 2
            continue
        except UserError as error:
            found = [failed(pictures[number].name, str(error)) for number in batch]
        results |= dict(zip(batch, found, strict=True))
    return [results[number] for number in range(len(cells))]


def attack_batch(
    cell: Cell, pictures: Sequence[Picture], subject: Subject, stopped: Callable[[], bool]
) -> Generator[int, None, list[CellResult]]:
    """Attack pictures of one shape with the settings of `cell`; yields and raises as `compute`, UserError also as `prepare`."""
    seconds, resumed = 0.0, time.perf_counter()
    settings, model, source = cell.settings, subject.model, subject.source
    attacked = source or model
    classes = len(model.label_set.classes)
    task, left_out = prepare(settings, pictures, attacked)
    if task is None:
        return [failed(lacking.picture, lacking.why) for lacking in left_out]
    x, goal, attack, device = task.x, task.goal, task.attack, task.x.device
    with torch.no_grad():
        clean = task.clean if source is None else model(x).argmax(1)
    own = torch.tensor([picture.labels is None for picture in task.pictures], device=device)
    labels = confined(torch.where(own.view(-1, 1, 1), clean, task.labels), task.judged)
    judges = judges_of(model)
    kept = stored_iterations(attack.iterations, SPREAD) | set(EARLY)
    leading = torch.zeros(len(x), classes, classes, dtype=torch.int64, device=device)
    looks: list[BatchLook] = []
    members: list[Tensor] = []
    gradients: list[int] = []
    for step in attack.run(attacked, x, goal):
        if step.kind is StepKind.MEMBER_RESULT:
            maps = maps_by_draw(judges, seen_by(model, source, step), step.x_adv)
            members.append(counts_by_draw(maps, labels, classes).sum(0))
            gradients.append(step.gradient_evaluations - sum(gradients))
        elif step.kind is not StepKind.RESULT and source is None:
            ahead = (step.x_adv == step.best).flatten(1).all(1)
            leading = torch.where(ahead.view(-1, 1, 1), metrics.confusion_matrix(step.prediction, labels, classes), leading)
            if step.index in kept:
                spent = step.gradient_evaluations
                looks.append(BatchLook(step.index, spent, step.stage, step.member, step.best_success.cpu(), leading.cpu()))
        seconds += time.perf_counter() - resumed
        yield step.gradient_evaluations * len(x)
        if step.kind is not StepKind.RESULT and stopped():
            raise StoppedError
        resumed = time.perf_counter()
    course = Course(clean, labels, tuple(looks), members, tuple(gradients), seconds + time.perf_counter() - resumed)
    found = batch_results(task, step, course, subject, tuple(members_of(settings)))
    there, lacking = dict(zip(task.numbers, found, strict=True)), iter(left_out)
    return [there[number] if number in there else failed(picture.name, next(lacking).why) for number, picture in enumerate(pictures)]


def batch_results(task: Task, step: Step, course: Course, subject: Subject, names: tuple[str, ...]) -> list[CellResult]:
    """The results of a batch whose run ended with `step`; `names` are those of a suite's attacks."""
    # Long: a result has many fields.
    model, x = subject.model, task.x
    classes = len(model.label_set.classes)
    prediction = seen_by(model, subject.source, step)
    judges = judges_of(model)
    maps = maps_by_draw(judges, prediction, step.x_adv)
    success = success_of(maps, task.goal).tolist()
    by_draw = counts_by_draw(maps, course.labels, classes)
    adversarial = by_draw.sum(0)
    before = counts_by_draw(maps_by_draw(judges, course.clean, x), course.labels, classes).sum(0)
    agreement = counts_by_draw(maps, confined(course.clean, task.judged), classes).sum(0)
    linf = metrics.linf(step.x_adv, x).tolist()
    truth, before_map, after_map = (tensor.byte().cpu().numpy() for tensor in (course.labels, course.clean, prediction))
    counts = torch.stack([look.counts for look in course.looks]) if course.looks else adversarial.new_zeros(0, *adversarial.shape)
    accuracy, miou = metrics.pixel_accuracy(counts), metrics.mean_iou(counts)
    return [
        CellResult(
            image=picture.name,
            classes=model.label_set.classes,
            clean=before[n].numpy(),
            adversarial=adversarial[n].numpy(),
            agreement=agreement[n].numpy(),
            members=(torch.stack(course.members)[:, n] if course.members else adversarial[:0]).numpy(),
            hits=counts[:, n].diagonal(dim1=-2, dim2=-1).numpy(),
            labelled=counts[:, n].sum(-1).numpy(),
            predicted=counts[:, n].sum(-2).numpy(),
            sizes=size_counts(truth[n], before_map[n], after_map[n], classes),
            member_names=names if course.members else (),
            member_gradients=course.gradients,
            curve=tuple(
                CurvePoint(
                    index=look.index,
                    gradients=look.gradients,
                    success=look.success[n].item(),
                    pixel_accuracy=accuracy[at, n].item(),
                    miou=miou[at, n].item(),
                    stage=look.stage,
                    member=look.member,
                )
                for at, look in enumerate(course.looks)
            ),
            own_prediction=picture.labels is None,
            success=success[n],
            linf=linf[n],
            gradient_evaluations=step.gradient_evaluations,
            seconds=course.seconds / len(x),
            width=x.shape[3],
            height=x.shape[2],
            device=device_name(x.device),
            smallest=smallest_of(step, n),
            notices=picture.notices + tuple(dict.fromkeys(model.notices + (() if subject.source is None else subject.source.notices))),
            passes=step.passes,
            draws=by_draw[:, n].numpy() if len(judges) > 1 else NO_DRAWS,
        )
        for n, picture in enumerate(task.pictures)
    ]


def seen_by(model: Segmenter, source: Segmenter | None, step: Step) -> Tensor:
    """What `model` predicts (N,H,W) for the pictures of a Step, which came from the attack on `source`, or on itself if that is None."""
    if source is None:
        return step.prediction
    with torch.no_grad():
        return model(step.x_adv).argmax(1)


def size_counts(labels: np.ndarray, clean: np.ndarray, adversarial: np.ndarray, classes: int) -> np.ndarray:
    """`CellResult.sizes` (C, len(SIZE_EDGES), 4) int64 from maps (H,W) uint8; components are connected over sides and corners."""
    counts = np.zeros((classes, len(SIZE_EDGES), 4), np.int64)
    for index in np.unique(labels[labels != VOID]):
        number, component = cv2.connectedComponents((labels == index).astype(np.uint8), connectivity=8)
        area, before, after = (
            np.bincount(component[where], minlength=number)[1:] for where in (component > 0, clean == index, adversarial == index)
        )
        bins = np.searchsorted(SIZE_EDGES, area, side="right") - 1
        np.add.at(counts[index], bins, np.stack([np.ones_like(area), area, before, after], 1))
    return counts
