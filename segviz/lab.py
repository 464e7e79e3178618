"""One attack on one picture, from settings to a result measured on 8-bit values."""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from segviz import metrics
from segviz.attacks.catalog import build_attack, check_settings, rounding_notice
from segviz.attacks.goals import build_goal, class_index, classes_of, fitted
from segviz.attacks.regions import confined, region_mask
from segviz.data.images import read_photo
from segviz.data.label_maps import LabelMap, read_label_map, read_map
from segviz.data.samples import Sample, samples
from segviz.deferred import torch
from segviz.models.load import computed_on
from segviz.models.zoo import ModelEntry
from segviz.records import (
    Doubt,
    Figures,
    Frame,
    LeftOut,
    Outcome,
    Picture,
    Point,
    Report,
    Trajectory,
    figures_of_counts,
    signs_of_no_gradient,
)
from segviz.settings import Settings
from segviz.types import UNSAID, VOID, Goal, Step, StepKind, UserError

if TYPE_CHECKING:
    from torch import Tensor

    from segviz.attacks.loop import Runnable
    from segviz.models.segmenter import Segmenter

MAX_FRAMES = 40
DRAWS = 8
"""Draws of a random defence by which results are judged, but for one picture in the lab, which shows one draw."""


def open_picture(name: str, photo: Path | bytes, labels: Path | bytes | None, entry: ModelEntry) -> Picture:
    """Read a photo and, if given, its label map for a model; raises UserError as `read_photo`, `read_label_map` and label sets do."""
    read = read_photo(photo, entry.working_size)
    found = None if labels is None else read_label_map(labels, read, entry.label_set)
    indices, notices = (None, ()) if found is None else (found.indices, found.notices)
    reading = UNSAID if found is None else entry.label_set.reading
    return Picture(name, read.pixels, indices, read.original, read.notices + notices, reading)


def read_target_map(source: Path | bytes, entry: ModelEntry) -> LabelMap:
    """A map to reach, of any size, in the classes of the model; raises UserError as `read_map` does."""
    return read_map(source, entry.label_set)


def sample_picture(key: str, entry: ModelEntry) -> Picture:
    """A sample photo with its label map if the model's classes can be read from it; raises UserError for an unknown key."""
    if key not in samples():
        raise UserError(f"Unknown sample '{key}'. Known: {', '.join(samples())}.")
    return opened_sample(key, samples()[key], entry)


@functools.lru_cache(maxsize=64)
def opened_sample(key: str, sample: Sample, entry: ModelEntry) -> Picture:
    """A sample photo as `sample_picture`, read once for all who ask: every run of a page's script does."""
    return open_picture(key, sample.photo, labels_of_sample(sample, entry), entry)


def labels_of_sample(sample: Sample, entry: ModelEntry) -> Path | None:
    """The sample's label map, None where the model's classes are of another vocabulary, so that it has no truth there."""
    return sample.labels if sample.vocabulary == entry.label_set.vocabulary else None


def to_tensor(pixels: np.ndarray, device: torch.device) -> Tensor:
    """(H,W,3) uint8 to a batch of one, (1,3,H,W) float in [0,1]."""
    x = torch.from_numpy(pixels).to(device).permute(2, 0, 1).unsqueeze(0).float() / 255
    return x.contiguous(memory_format=torch.channels_last)


@dataclass(frozen=True)
class Task:
    """Pictures of one shape, ready to be attacked together.

    `numbers` say which they are of those that were given. `x` (N,3,H,W) in [0,1]; `labels` (N,H,W) the label maps, 255 everywhere for a
    picture without one; `clean` (N,H,W) the attacked model's predictions; `reference` (N,H,W) the labels that the attack is about, the
    label map or the clean prediction; `region` (N,H,W) bool where the pictures may change, `judged` where they are to break. `labels` and
    `reference` are 255 elsewhere.
    """

    pictures: tuple[Picture, ...]
    numbers: tuple[int, ...]
    x: Tensor
    labels: Tensor
    clean: Tensor
    reference: Tensor
    goal: Goal
    region: Tensor
    judged: Tensor
    attack: Runnable


def prepare(
    settings: Settings,
    pictures: Sequence[Picture],
    model: Segmenter,
    target_for: Callable[[Tensor], Tensor] | None = None,
    clean: Tensor | None = None,
) -> tuple[Task | None, tuple[LeftOut, ...]]:
    """What an attack on pictures of one shape needs, for those that it can be made on, and why it cannot for the others.

    A picture is left out if its label map is void everywhere, if it lacks the classes that the goal speaks of (the labels for "class", the
    model's prediction for "remove" and "swap"), if there is no target map for it, and if a region holds none of its pixels, or that to
    break none that counts. The task is None where all are left out. `target_for` gives the map (H,W) of the goal "map" for a clean
    prediction (H,W). `clean` (N,H,W) are the model's predictions where they are known already. Raises UserError for settings that fit no
    picture: an unknown class, text that is no region, an attack that cannot do what is wished.
    """
    # Long: what each picture lacks is told from all that is prepared.
    for name in classes_of(settings):
        class_index(model.label_set, name)
    x = batch_of(pictures, model.mean.device)
    if clean is None:
        with torch.no_grad():
            clean = model(x).argmax(1)
    labels = torch.stack([label_tensor(picture) for picture in pictures]).to(x.device)
    own = torch.tensor([settings.against == "prediction" or picture.labels is None for picture in pictures], device=x.device)
    reference = torch.where(own.view(-1, 1, 1), clean, labels)
    region = region_mask(settings.region, reference, model.label_set)
    judged = region_mask(settings.break_region, reference, model.label_set)
    numbers: list[int] = []
    goals: list[Goal] = []
    left_out: list[LeftOut] = []
    for number, picture in enumerate(pictures):
        try:
            check_label_map(picture)
            given = None if target_for is None else target_for(clean[number]).unsqueeze(0)
            goal = build_goal(settings, reference[number : number + 1], clean[number : number + 1], model.label_set, given)
            check_region(settings.region, region[number])
            if settings.break_region:
                goal = goal_within(goal, settings.break_region, judged[number : number + 1])
        except UserError as error:
            left_out.append(LeftOut(picture.name, str(error)))
        else:
            numbers.append(number)
            goals.append(goal)
    # An attack that cannot do what is wished is told even where no picture fits.
    check_settings(settings)
    if not numbers:
        return None, tuple(left_out)
    kept = tuple(pictures[number] for number in numbers)
    if left_out:
        x, labels, clean, reference = batch_of(kept, x.device), labels[numbers], clean[numbers], reference[numbers]
        region, judged = region[numbers], judged[numbers]
    if settings.break_region:
        labels, reference = confined(labels, judged), confined(reference, judged)
    attack = build_attack(settings, *x.shape[2:], label_set=model.label_set, region=region if settings.region else None)
    return Task(kept, tuple(numbers), x, labels, clean, reference, joined(goals), region, judged, attack), tuple(left_out)


def check_label_map(picture: Picture) -> None:
    """Raise UserError where the picture's label map is void everywhere."""
    if picture.labels is not None and (picture.labels == VOID).all():
        raise UserError(
            "The label map is void everywhere, so there is nothing to attack or measure. Choose another one or none; if it is a "
            "mask, say of which class (--mask-class CLASS)."
        )


def check_region(region: str, mask: Tensor) -> None:
    """Raise UserError where the `mask` of a region is empty."""
    if not mask.any():
        raise UserError(f"The region '{region}' holds no pixel of the picture. Choose or draw another one.")


def goal_within(goal: Goal, region: str, mask: Tensor) -> Goal:
    """The goal of one picture in a region to break alone, whose pixels are `mask` (1,H,W); raises UserError where none of them counts."""
    check_region(region, mask)
    confined_goal = replace(goal, labels=confined(goal.labels, mask))
    if not confined_goal.counted.any():
        raise UserError(f"The region to break '{region}' holds no pixel that counts for the goal. Choose or draw another one.")
    return confined_goal


def joined(goals: Sequence[Goal]) -> Goal:
    """The goals of single pictures, which all come from the same settings, as the goal of a batch."""
    masks = [goal.mask for goal in goals if goal.mask is not None]
    return Goal(torch.cat([goal.labels for goal in goals]), goals[0].targeted, torch.cat(masks) if masks else None)


def nothing_left(left_out: Sequence[LeftOut]) -> UserError:
    """What to raise where a run has left out all its pictures."""
    if len(left_out) == 1:
        return UserError(left_out[0].why)
    first = left_out[0]
    return UserError(f"No picture of the data set can be used: {len(left_out)} are left out. The first, {first.picture}: {first.why}")


def label_tensor(picture: Picture) -> Tensor:
    """The picture's label map (H,W) as int64; 255 everywhere where it has none."""
    return torch.full(picture.pixels.shape[:2], VOID) if picture.labels is None else torch.from_numpy(picture.labels).long()


def batch_of(pictures: Sequence[Picture], device: torch.device) -> Tensor:
    """Pictures of one shape as (N,3,H,W) float in [0,1]."""
    return torch.cat([to_tensor(picture.pixels, device) for picture in pictures])


def attack_picture(
    settings: Settings,
    picture: Picture,
    model: Segmenter,
    stopped: Callable[[], bool] = lambda: False,
    max_frames: int = MAX_FRAMES,
    target_map: np.ndarray | None = None,
) -> Iterator[Trajectory]:
    """Run the attack and yield a Trajectory after the clean look, after every iteration, and with the result.

    `stopped` is asked before every iteration; once it says yes, the result of what was reached is the next and last one.
    At most `max_frames` iterations are stored beside the clean look. `target_map` (h,w) uint8 class indices is the map of the goal "map",
    resized to the picture by nearest neighbour.
    Raises UserError where the settings do not fit the attack, the model or the picture.
    """
    seconds, resumed = 0.0, time.perf_counter()
    device = model.mean.device
    classes = len(model.label_set.classes)
    target_for = None if target_map is None else lambda clean: fitted(torch.from_numpy(target_map).to(device), *clean.shape)
    task, left_out = prepare(settings, [picture], model, target_for)
    if task is None:
        raise nothing_left(left_out)
    x, reference, goal, attack = task.x, task.reference, task.goal, task.attack
    kept = stored_iterations(attack.iterations, max_frames)

    steps = attack.run(model, x, goal)
    step = next(steps)
    trajectory = opening(settings, task, step, classes, model)
    strongest = 0
    while step.kind is not StepKind.RESULT:
        seconds += time.perf_counter() - resumed
        yield trajectory
        resumed = time.perf_counter()
        step = attack.conclude(step, model, x, goal) if stopped() else next(steps)
        if step.kind is StepKind.MEMBER_RESULT:
            result = figures_of(step.prediction, reference, classes)
            gradients = step.gradient_evaluations - sum(outcome.gradients for outcome in trajectory.outcomes)
            passes = step.passes - sum(outcome.passes for outcome in trajectory.outcomes)
            outcome = Outcome(step.member, step.success.item(), result.pixel_accuracy, result.miou, gradients, passes)
            trajectory = replace(trajectory, outcomes=(*trajectory.outcomes, outcome))
        elif step.kind is StepKind.ITERATE:
            if torch.equal(step.x_adv, step.best):
                strongest = step.index
            point = point_of(step, figures_of(step.prediction, reference, classes))
            frames = trajectory.frames + ((frame_of(step),) if step.index in kept else ())
            trajectory = replace(trajectory, curve=(*trajectory.curve, point), frames=frames)
    report = report_of(step, task, trajectory.clean, strongest, seconds + time.perf_counter() - resumed)
    trajectory = replace(trajectory, final=frame_of(step), report=report)
    of_late = tuple(notice for notice in model.notices if notice not in trajectory.warnings)
    yield replace(trajectory, warnings=trajectory.warnings + of_late + signs_of_no_gradient(trajectory))


ONE_DRAW = (
    f"The defence draws at random, and these are the figures of one draw. Defences, Transfer and data sets are judged by {DRAWS} draws."
)


def opening(settings: Settings, task: Task, step: Step, classes: int, model: Segmenter) -> Trajectory:
    """The clean look at one picture."""
    (picture,) = task.pictures
    clean = figures_of(step.prediction, task.reference, classes)
    return Trajectory(
        settings=settings,
        picture=picture,
        reference=task.reference[0].byte().cpu().numpy(),
        own_prediction=picture.labels is None or settings.against == "prediction",
        target=task.goal.labels[0].byte().cpu().numpy() if task.goal.targeted else None,
        device=computed_on(task.x.device),
        clean=clean,
        curve=(point_of(step, clean),),
        frames=(frame_of(step),),
        warnings=picture.notices
        + model.notices
        + one_class_everywhere(task.clean, task.labels, model)
        + rounding_notice(settings)
        + (() if model.judged(1) is model else (ONE_DRAW,)),
    )


def judges_of(model: Segmenter) -> list[Segmenter]:
    """The model as it judges, with `DRAWS` draws if it draws random numbers, else alone."""
    return [model] if model.judged(1) is model else [model.judged(draw) for draw in range(DRAWS)]


def maps_by_draw(judges: Sequence[Segmenter], first: Tensor, x: Tensor) -> Tensor:
    """What each judge makes of images `x` (N,3,H,W), as class maps (draws,N,H,W); `first` (N,H,W) are those of the first of them."""
    with torch.no_grad():
        return torch.stack([first, *(judge(x).argmax(1) for judge in judges[1:])])


def counts_by_draw(maps: Tensor, labels: Tensor, classes: int) -> Tensor:
    """Confusion matrices (draws,N,C,C) of class maps (draws,N,H,W) against `labels` (N,H,W)."""
    return torch.stack([metrics.confusion_matrix(one, labels, classes).cpu() for one in maps])


def one_class_everywhere(clean: Tensor, labels: Tensor, model: Segmenter) -> tuple[str, ...]:
    """What is to be said where clean maps (N,H,W) are of one class alone, unless so are label maps (N,H,W)."""
    seen, meant = clean.unique(), labels[labels != VOID].unique()
    if len(seen) > 1 or torch.equal(seen, meant):
        return ()
    return (
        f"The model sees {model.label_set.classes[int(seen)]} everywhere before any attack. The picture may show nothing else that it "
        "knows; or it is fed otherwise than it was trained, and wants BGR (channels = 'bgr'), values of 0 to 255 (input_range = 255), or "
        "other statistics (mean, std).",
    )


def report_of(step: Step, task: Task, clean: Figures, strongest: int, seconds: float) -> Report:
    """The report of a run on one picture that ended with `step`."""
    adversarial = figures_of(step.prediction, task.reference, len(clean.iou))
    psnr = metrics.psnr(step.x_adv, task.x).item()
    return Report(
        adversarial=adversarial,
        iou_ratio=adversarial.miou / clean.miou if clean.miou > 0 else None,
        success=step.success.item(),
        linf=metrics.linf(step.x_adv, task.x).item(),
        l2=metrics.l2(step.x_adv, task.x).item(),
        psnr=psnr if math.isfinite(psnr) else None,
        iterations=step.index,
        gradient_evaluations=step.gradient_evaluations,
        seconds=seconds,
        stopped=step.index < task.attack.iterations,
        smallest=smallest_of(step),
        strongest=strongest,
        passes=step.passes,
    )


def stored_iterations(total: int, frames: int = MAX_FRAMES) -> set[int]:
    """Iterations to keep a Frame of: all of them up to `frames`, else that many, evenly spread, with first and last."""
    return set(np.linspace(0, total, min(total, frames) + 1).round().astype(int).tolist())


def figures_of(prediction: Tensor, reference: Tensor, classes: int) -> Figures:
    """Figures of one picture, from maps (1,H,W)."""
    return figures_of_counts(metrics.confusion_matrix(prediction, reference, classes)[0].cpu().numpy())


def frame_of(step: Step) -> Frame:
    """The first image of a Step in 8-bit values."""
    pixels = (step.x_adv[0] * 255).round().byte().permute(1, 2, 0).cpu().numpy()
    probabilities = step.logits[0].softmax(0)
    confidence = share_map(probabilities.amax(0))
    return Frame(step.index, pixels, step.prediction[0].byte().cpu().numpy(), confidence, doubt_of(probabilities))


def doubt_of(probabilities: Tensor) -> Doubt | None:
    """How sure a network is, from the probabilities (C,H,W) of its classes; None where it has one class alone."""
    classes = probabilities.shape[0]
    if classes < 2:
        return None
    highest, which = probabilities.topk(2, 0)
    entropy = torch.special.entr(probabilities).sum(0) / math.log(classes)
    return Doubt(which[1].byte().cpu().numpy(), share_map(highest[0] - highest[1]), share_map(entropy.clamp(max=1)))


def share_map(share: Tensor) -> np.ndarray:
    """A map (H,W) in [0,1] as uint8 with 255 for 1."""
    return (share * 255).round().byte().cpu().numpy()


def point_of(step: Step, figures: Figures) -> Point:
    """The first image of a Step as a point of the curves."""
    return Point(
        index=step.index,
        loss=step.loss[0].item(),
        success=step.success[0].item(),
        pixel_accuracy=figures.pixel_accuracy,
        miou=figures.miou,
        gradients=step.gradient_evaluations,
        stage=step.stage,
        member=step.member,
    )


def smallest_of(step: Step, image: int = 0) -> tuple[float | None, ...]:
    """The smallest norms of one image of a Step, in grey levels; empty where the attack does not look for them."""
    if step.smallest is None:
        return ()
    return tuple(norm * 255 if math.isfinite(norm) else None for norm in step.smallest[image].tolist())
