"""What is known of one attack on one picture: plain records of numpy arrays, which pages and files read without torch."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from segviz.settings import Settings
from segviz.types import UNSAID, VOID, Reading


@dataclass(frozen=True)
class Picture:
    """A photo at working size, `pixels` (H,W,3) uint8, with `labels` (H,W) uint8 class indices (255 void) if it has a label map.

    `original` is the size (width, height) that the photo came in; `notices` say what about photo and label map looks misread, `reading` is
    what a person said of how the label map is read.
    """

    name: str
    pixels: np.ndarray
    labels: np.ndarray | None
    original: tuple[int, int]
    notices: tuple[str, ...] = ()
    reading: Reading = UNSAID


MARGIN = 0.02
"""Share of pixels by which one attack must beat another before that is said to be a sign of masked gradients."""


@dataclass(frozen=True)
class LeftOut:
    """A picture that does not count in a run, by name, and why in words for the user."""

    picture: str
    why: str


@dataclass(frozen=True)
class Figures:
    """How well a prediction of one picture agrees with the reference labels; rates in [0,1].

    `iou` has a value per class, None for a class in neither map; `miou` is the mean of the others: the mIoU of this one image.
    """

    miou: float
    pixel_accuracy: float
    iou: tuple[float | None, ...]


@dataclass(frozen=True)
class Doubt:
    """How sure a network is of each pixel, maps (H,W) uint8.

    `second` is the class of the second highest probability, `margin` by how much the first one's is higher (255 = 1), `entropy` that of all
    probabilities as a share of the largest possible one, the logarithm of the number of classes (255 = 1).
    """

    second: np.ndarray
    margin: np.ndarray
    entropy: np.ndarray


@dataclass(frozen=True)
class Frame:
    """What is on screen at one iteration: `pixels` (H,W,3) uint8, `prediction` (H,W) uint8, `confidence` (H,W) uint8 (255 = 1).

    `doubt` says more of how sure the network was; None of looks that were kept before it was asked for.
    """

    index: int
    pixels: np.ndarray
    prediction: np.ndarray
    confidence: np.ndarray
    doubt: Doubt | None = None


@dataclass(frozen=True)
class Point:
    """One point of the curves; `loss`, `success`, `stage` and `member` as in `Step`, `miou` and `pixel_accuracy` of this image in [0,1].

    `gradients` is the number of gradient evaluations that came before it.
    """

    index: int
    loss: float
    success: float
    pixel_accuracy: float
    miou: float
    gradients: int = 0
    stage: int = 0
    member: str = ""


@dataclass(frozen=True)
class Outcome:
    """The 8-bit result of one attack of a suite; `success` as in `Step`, rates in [0,1].

    `gradients` and `passes` are the `gradient_evaluations` and `passes` of a Step, of this attack alone.
    """

    member: str
    success: float
    pixel_accuracy: float
    miou: float
    gradients: int
    passes: int = 0


@dataclass(frozen=True)
class Report:
    """The result, measured on the 8-bit adversarial image.

    `linf` in grey levels, `l2` on the [0,1] scale, `psnr` in dB (None where nothing changed); `success` is the share of counted pixels
    that are as the goal wants them; `seconds` is the time spent attacking, without waiting for a turn. `smallest`, of attacks that look
    for the smallest perturbation: for each of THRESHOLDS the smallest L-inf norm, in grey levels before rounding, at which that share of
    the counted pixels was as the goal wants them, None where it never was. `strongest` is the iteration whose iterate became the result;
    in a stage that starts at the strongest one of a larger ball it may be the iteration where that one was found.
    `gradient_evaluations` and `passes` as in `Step`; the look at the result counts among the passes.
    """

    adversarial: Figures
    iou_ratio: float | None
    success: float
    linf: float
    l2: float
    psnr: float | None
    iterations: int
    gradient_evaluations: int
    seconds: float
    stopped: bool
    smallest: tuple[float | None, ...] = ()
    strongest: int = 0
    passes: int = 0


@dataclass(frozen=True)
class Trajectory:
    """Everything known of a run at one moment; immutable.

    `reference` (H,W) uint8 are the labels that figures refer to: the label map, or the model's clean prediction if `own_prediction`,
    void outside the region to break.
    `target` (H,W) uint8 is the map to reach, None for the goal "break". `frames` holds at most about 40 iterations, evenly spread,
    `curve` all of them. `outcomes` are the results of a suite's attacks so far. `warnings` are what must be read beside the figures. Once
    the run has ended, `report` and `final` hold the result.
    """

    settings: Settings
    picture: Picture
    reference: np.ndarray
    own_prediction: bool
    target: np.ndarray | None
    device: str
    clean: Figures
    curve: tuple[Point, ...]
    frames: tuple[Frame, ...]
    final: Frame | None = None
    report: Report | None = None
    outcomes: tuple[Outcome, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def whole_reference(self) -> np.ndarray:
        """The labels (H,W) uint8 that regions refer to: `reference` without a region to break."""
        return self.frames[0].prediction if self.own_prediction or self.picture.labels is None else self.picture.labels


def gathered(notices: Iterable[tuple[str, Sequence[str]]]) -> tuple[str, ...]:
    """What is to be said of many pictures, by name: every notice once, with how many pictures it is of and the first of them."""
    names: dict[str, list[str]] = {}
    count = 0
    for name, said in notices:
        count += 1
        for notice in said:
            names.setdefault(notice, []).append(name)
    if count <= 1:
        return tuple(names)
    first = {notice: ", ".join(of[:3]) + (", ..." if len(of) > 3 else "") for notice, of in names.items()}
    return tuple(f"{len(of)} of {count} pictures ({first[notice]}): {notice}" for notice, of in names.items())


def still_loss(curve: Sequence[Point]) -> bool:
    """Whether the loss of a run hardly moves, as where there is no useful gradient."""
    losses = [point.loss for point in curve]
    return max(losses) - min(losses) < 0.01 * max(abs(losses[0]), 1e-6)


def lost_again(curve: Sequence[Point]) -> str:
    """How much of what a run had won it lost again with more steps, in words; empty where it did not."""
    wins = [point.success for point in curve]
    if wins[-1] >= max(wins) - 2.5 * MARGIN:
        return ""
    return f"More steps made it weaker: it had won {max(wins):.1%} of the pixels and ended at {wins[-1]:.1%}."


def signs_of_no_gradient(trajectory: Trajectory) -> tuple[str, ...]:
    """Signs that an attack which has ended was led astray by its gradients, so that its failure says little of the model's robustness.

    After Athalye, Carlini & Wagner (ICML 2018, 1802.00420, Sec. 3.1) and Carlini et al. (1902.06705). Nothing is said of attacks that begin
    anew, that look for the smallest perturbation, whose iterates win and lose in turns, or that had won from the start or might change less
    than a grey level.
    """
    curve, report, settings = trajectory.curve, trajectory.report, trajectory.settings
    if (
        report is None
        or len(curve) < 2
        or settings.eps < 1
        or report.smallest
        or curve[0].success > 0.95
        or not report.gradient_evaluations
    ):
        return ()
    found = []
    if still_loss(curve):
        found.append("The loss of the attack hardly moves: it gets no useful gradient.")
    if curve[-1].stage == 0 and not trajectory.outcomes and (lost := lost_again(curve)):
        found.append(lost)
    return tuple(f"Masked gradients? {sign} That the model withstands it says little." for sign in found)


def figures_of_counts(counts: np.ndarray) -> Figures:
    """Figures from the confusion matrix (C,C) of one picture: rows are labels, columns predictions."""
    hits = counts.diagonal()
    union = counts.sum(0) + counts.sum(1) - hits
    iou = tuple(float(hit / whole) if whole else None for hit, whole in zip(hits, union, strict=True))
    known = [value for value in iou if value is not None]
    labelled = counts.sum()
    return Figures(sum(known) / len(known) if known else math.nan, float(hits.sum() / labelled) if labelled else math.nan, iou)


def figures_of_frame(frame: Frame, reference: np.ndarray, classes: int) -> Figures:
    """Figures of a stored iteration against reference labels (H,W) uint8, whose void pixels (255) do not count."""
    labelled = reference != VOID
    cell = reference[labelled].astype(np.int64) * classes + frame.prediction[labelled]
    return figures_of_counts(np.bincount(cell, minlength=classes * classes).reshape(classes, classes))
