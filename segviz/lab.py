"""One attack on one picture, from settings to a result measured on 8-bit values."""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from segviz import metrics
from segviz.attacks.catalog import build_attack
from segviz.attacks.goals import build_goal, fitted
from segviz.attacks.regions import region_mask
from segviz.data.images import Photo, naming, read_ids, read_label_map, read_photo
from segviz.data.samples import Sample, samples
from segviz.models.segmenter import Segmenter
from segviz.models.zoo import ModelEntry
from segviz.records import Figures, Frame, Outcome, Picture, Point, Report, Trajectory, figures_of_counts
from segviz.settings import Settings
from segviz.types import VOID, Step, UserError

MAX_FRAMES = 40


def open_picture(name: str, photo: Path | bytes, labels: Path | bytes | None, entry: ModelEntry) -> Picture:
    """Read a photo and, if given, its label map for a model; raises UserError as `read_photo`, `read_label_map` and label sets do."""
    read = read_photo(photo, entry.working_size)
    return Picture(name, read.pixels, None if labels is None else label_indices(labels, read, entry), read.original)


def label_indices(labels: Path | bytes, photo: Photo, entry: ModelEntry) -> np.ndarray:
    """A stored label map as class indices of the model (H,W) uint8."""
    stored = read_label_map(labels, photo)
    with naming(labels):
        return entry.label_set.from_stored(stored)


def read_target_map(source: Path | bytes, entry: ModelEntry) -> np.ndarray:
    """A map to reach, of any size, as class indices of the model (h,w) uint8; raises UserError as `read_ids` and label sets do."""
    stored = read_ids(source)
    with naming(source):
        return entry.label_set.from_stored(stored)


def sample_picture(key: str, entry: ModelEntry) -> Picture:
    """A sample photo with its label map if the model's classes can be read from it; raises UserError for an unknown key."""
    if key not in samples():
        raise UserError(f"Unknown sample '{key}'. Known: {', '.join(samples())}.")
    sample = samples()[key]
    return open_picture(key, sample.photo, labels_of_sample(sample, entry), entry)


def labels_of_sample(sample: Sample, entry: ModelEntry) -> Path | None:
    """The sample's label map, None where the model's classes are of another vocabulary, so that it has no truth there."""
    return sample.labels if sample.vocabulary == entry.label_set.vocabulary else None


def to_tensor(pixels: np.ndarray, device: torch.device) -> Tensor:
    """(H,W,3) uint8 to a batch of one, (1,3,H,W) float in [0,1]."""
    x = torch.from_numpy(pixels).to(device).permute(2, 0, 1).unsqueeze(0).float() / 255
    return x.contiguous(memory_format=torch.channels_last)


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
    x = to_tensor(picture.pixels, device)
    with torch.no_grad():
        clean_prediction = model(x).argmax(1)
    own_prediction = picture.labels is None or settings.against == "prediction"
    if picture.labels is None or own_prediction:
        reference = clean_prediction
    else:
        reference = torch.from_numpy(picture.labels).to(device).long().unsqueeze(0)
        if (reference == VOID).all():
            raise UserError("Every pixel of the label map is void (255), so there is nothing to attack or measure.")
    given = None if target_map is None else fitted(torch.from_numpy(target_map).to(device), *picture.pixels.shape[:2]).unsqueeze(0)
    goal = build_goal(settings, reference, clean_prediction, model.label_set, given)
    region = region_mask(settings.region, reference, model.label_set)
    if not region.any():
        raise UserError(f"The region '{settings.region}' holds no pixel of the picture. Choose or draw another one.")
    attack = build_attack(settings, *picture.pixels.shape[:2], label_set=model.label_set, region=region if settings.region else None)
    kept = stored_iterations(attack.iterations, max_frames)

    steps = attack.run(model, x, goal)
    step = next(steps)
    clean = figures_of(step.prediction, reference, classes)
    trajectory = Trajectory(
        settings=settings,
        picture=picture,
        reference=reference[0].byte().cpu().numpy(),
        own_prediction=own_prediction,
        target=goal.labels[0].byte().cpu().numpy() if goal.targeted else None,
        device=device_name(device),
        clean=clean,
        curve=(point_of(step, clean),),
        frames=(frame_of(step),),
    )
    strongest = 0
    while not step.concluded:
        seconds += time.perf_counter() - resumed
        yield trajectory
        resumed = time.perf_counter()
        step = attack.conclude(step, model, x, goal) if stopped() else next(steps)
        if step.closing:
            result = figures_of(step.prediction, reference, classes)
            outcome = Outcome(step.member, step.success.item(), result.pixel_accuracy, result.miou, step.gradient_evaluations)
            trajectory = replace(trajectory, outcomes=(*trajectory.outcomes, outcome))
        elif not step.concluded:
            if torch.equal(step.x_adv, step.best):
                strongest = step.index
            point = point_of(step, figures_of(step.prediction, reference, classes))
            frames = trajectory.frames + ((frame_of(step),) if step.index in kept else ())
            trajectory = replace(trajectory, curve=(*trajectory.curve, point), frames=frames)
    adversarial = figures_of(step.prediction, reference, classes)
    psnr = metrics.psnr(step.x_adv, x).item()
    report = Report(
        adversarial=adversarial,
        iou_ratio=adversarial.miou / clean.miou if clean.miou > 0 else None,
        success=step.success.item(),
        linf=metrics.linf(step.x_adv, x).item(),
        l2=metrics.l2(step.x_adv, x).item(),
        psnr=psnr if math.isfinite(psnr) else None,
        iterations=step.index,
        gradient_evaluations=step.gradient_evaluations,
        seconds=seconds + time.perf_counter() - resumed,
        stopped=step.index < attack.iterations,
        smallest=smallest_of(step),
        strongest=strongest,
    )
    yield replace(trajectory, final=frame_of(step), report=report)


def stored_iterations(total: int, frames: int = MAX_FRAMES) -> set[int]:
    """Iterations to keep a Frame of: all of them up to `frames`, else that many, evenly spread, with first and last."""
    return set(np.linspace(0, total, min(total, frames) + 1).round().astype(int).tolist())


def figures_of(prediction: Tensor, reference: Tensor, classes: int) -> Figures:
    """Figures of one picture, from maps (1,H,W)."""
    return figures_of_counts(metrics.confusion_matrix(prediction, reference, classes)[0].cpu().numpy())


def frame_of(step: Step) -> Frame:
    """The first image of a Step in 8-bit values."""
    pixels = (step.x_adv[0] * 255).round().byte().permute(1, 2, 0).cpu().numpy()
    confidence = (step.logits[0].softmax(0).amax(0) * 255).round().byte().cpu().numpy()
    return Frame(step.index, pixels, step.prediction[0].byte().cpu().numpy(), confidence)


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


def smallest_of(step: Step) -> tuple[float | None, ...]:
    """The smallest norms of the first image of a Step, in grey levels; empty where the attack does not look for them."""
    if step.smallest is None:
        return ()
    return tuple(norm * 255 if math.isfinite(norm) else None for norm in step.smallest[0].tolist())


def device_name(device: torch.device) -> str:
    """The name a person knows the device by."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
