"""A second network that sees the pictures of an attack on a first one, step by step."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from segviz.deferred import torch
from segviz.lab import doubt_of, share_map, to_tensor
from segviz.records import Frame, Point, Trajectory, figures_of_frame
from segviz.types import VOID

if TYPE_CHECKING:
    from segviz.models.segmenter import Segmenter


def as_seen_by(key: str, witness: Segmenter, attack: Iterable[Trajectory]) -> Iterator[Trajectory]:
    """The snapshots of an attack on another model as `witness`, whose key is `key`, sees its pictures, in 8-bit values.

    Maps, figures and curves are those of the witness, at the iterations whose pictures are stored; loss, change, gradients and time are the
    attack's. Where the attack refers to the prediction of its own model, the witness's figures refer to its own. Both models have the same
    classes. `success` is the share of referenced pixels that have the target's class, or without a target another class than the reference.
    """
    seen: dict[int, Frame] = {}
    for snapshot in attack:
        for frame in snapshot.frames:
            if frame.index not in seen:
                seen[frame.index] = seen_in(witness, frame)
        final = None if snapshot.final is None else seen_in(witness, snapshot.final)
        yield retold(snapshot, key, len(witness.label_set.classes), seen, final)


def seen_in(witness: Segmenter, frame: Frame) -> Frame:
    """The picture of a frame with the witness's map and confidence."""
    with torch.no_grad():
        probabilities = witness(to_tensor(frame.pixels, witness.mean.device))[0].softmax(0)
    prediction = probabilities.argmax(0).byte().cpu().numpy()
    return replace(frame, prediction=prediction, confidence=share_map(probabilities.amax(0)), doubt=doubt_of(probabilities))


def retold(snapshot: Trajectory, key: str, classes: int, seen: dict[int, Frame], final: Frame | None) -> Trajectory:
    """The snapshot with what the witness saw in its pictures."""
    frames = tuple(seen[frame.index] for frame in snapshot.frames)
    reference = snapshot.reference
    if snapshot.own_prediction:
        reference = np.where(reference == VOID, reference, frames[0].prediction)

    def told(point: Point, frame: Frame) -> Point:
        figures, won = figures_of_frame(frame, reference, classes), won_share(snapshot, reference, frame)
        return replace(point, miou=figures.miou, pixel_accuracy=figures.pixel_accuracy, success=won)

    points = {point.index: point for point in snapshot.curve}
    curve = tuple(told(points[frame.index], frame) for frame in frames if frame.index in points)
    clean, report = figures_of_frame(frames[0], reference, classes), snapshot.report
    if report is not None and final is not None:
        figures = figures_of_frame(final, reference, classes)
        ratio = figures.miou / clean.miou if clean.miou > 0 else None
        report = replace(report, adversarial=figures, iou_ratio=ratio, success=won_share(snapshot, reference, final))
    return replace(
        snapshot,
        settings=replace(snapshot.settings, model=key),
        reference=reference,
        clean=clean,
        curve=curve,
        frames=frames,
        final=final,
        report=report,
        outcomes=(),
        warnings=(),
    )


def won_share(snapshot: Trajectory, reference: np.ndarray, frame: Frame) -> float:
    """Share of the referenced pixels that are as the goal wants them."""
    counted = reference != VOID
    won = frame.prediction != reference if snapshot.target is None else frame.prediction == snapshot.target
    return float(won[counted].mean())
