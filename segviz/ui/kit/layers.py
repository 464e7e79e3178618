"""The layers of the viewer, drawn from a trajectory and one of its frames."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from segviz import draw
from segviz.attacks.regions import pixels_of_region
from segviz.data.label_sets import PERSON2, LabelSet
from segviz.draw import MapLook
from segviz.models.zoo import model_entry
from segviz.records import Frame, Trajectory
from segviz.settings import Settings
from segviz.ui.kit.pictures import png_of

PERTURBATION, PERTURBATION_RGB, FLIPPED = "Perturbation", "Perturbation RGB", "Flipped pixels"
SIX = ("Input", "Adversarial", PERTURBATION, "Clean map", "Adversarial map", FLIPPED)

BASIC = (*SIX[:3], PERTURBATION_RGB, *SIX[3:], "Clean confidence", "Adversarial confidence")
"""The layers that every run has."""

IN_A_CALL = "Video call"
FLIP_TIME, SPECTRUM = "Flip time", "Spectrum of the perturbation"
ENTROPY, MARGIN_OF_CLASS, SECOND = "entropy", "margin", "second-best class"


def layers_of(
    trajectory: Trajectory, frame: Frame, label_set: LabelSet, shown: set[int] | None, look: MapLook
) -> dict[str, Callable[[], np.ndarray]]:
    """Name of each layer to a function that draws it as (H,W,3) uint8; maps show the classes in `shown` (None: all)."""
    photo, clean, settings = trajectory.picture.pixels, trajectory.frames[0], trajectory.settings
    scale = draw.full_scale(settings.eps, settings.norm)

    def drawn_map(labels: np.ndarray) -> np.ndarray:
        return draw.seen_map(labels, label_set, photo, look, shown)

    def drawn_region(region: str) -> np.ndarray:
        return draw.within(pixels_of_region(region, trajectory.whole_reference, label_set), photo)

    found: dict[str, Callable[[], np.ndarray]] = {
        "Input": lambda: photo,
        "Adversarial": lambda: frame.pixels,
        PERTURBATION: lambda: draw.perturbation(frame.pixels, photo, scale),
        PERTURBATION_RGB: lambda: draw.perturbation_rgb(frame.pixels, photo, scale),
        "Clean map": lambda: drawn_map(clean.prediction),
        "Adversarial map": lambda: drawn_map(frame.prediction),
        FLIPPED: lambda: draw.flipped(clean.prediction, frame.prediction, photo),
        "Clean confidence": lambda: draw.heat(clean.confidence),
        "Adversarial confidence": lambda: draw.heat(frame.confidence),
    }
    if not trajectory.own_prediction:
        found["Label map"] = lambda: drawn_map(trajectory.reference)
    if settings.region:
        found["Region"] = partial(drawn_region, settings.region)
    if settings.break_region:
        found["Region to break"] = partial(drawn_region, settings.break_region)
    if label_set.classes == PERSON2.classes:
        for name, back in (("blurred", draw.out_of_focus), ("replaced", draw.blue_wall)):
            found[f"{IN_A_CALL}, {name}"] = partial(in_a_call, photo, clean, back)
            found[f"{IN_A_CALL}, {name}, attacked"] = partial(in_a_call, frame.pixels, frame, back)
    found |= doubt_layers(clean, frame, drawn_map)
    if trajectory.settings.steps > 0:
        found[FLIP_TIME] = partial(drawn_flip_times, trajectory)
        found[SPECTRUM] = lambda: draw.spectrum(frame.pixels, photo)
    target = trajectory.target
    if target is not None:
        found["Target map"] = lambda: drawn_map(target)
    return found


def doubt_layers(clean: Frame, frame: Frame, drawn_map: Callable[[np.ndarray], np.ndarray]) -> dict[str, Callable[[], np.ndarray]]:
    """How sure the network was, before and after, as far as it was asked."""
    found: dict[str, Callable[[], np.ndarray]] = {}
    for name, doubt in (("Clean", clean.doubt), ("Adversarial", frame.doubt)):
        if doubt is not None:
            found[f"{name} {ENTROPY}"] = partial(draw.heat, doubt.entropy)
            found[f"{name} {MARGIN_OF_CLASS}"] = partial(draw.heat, doubt.margin)
            found[f"{name} {SECOND}"] = partial(drawn_map, doubt.second)
    return found


def drawn_flip_times(trajectory: Trajectory) -> np.ndarray:
    """When each pixel first left its class, as far as iterations are stored."""
    clean, *others = trajectory.frames
    last = trajectory.curve[-1].index
    looks = [(frame.index / max(last, 1), frame.prediction) for frame in others]
    if trajectory.final is not None:
        looks.append((1.0, trajectory.final.prediction))
    return draw.flip_times(clean.prediction, looks, trajectory.picture.pixels)


def in_a_call(picture: np.ndarray, frame: Frame, back: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """What the other side of a call would see: the picture (H,W,3) uint8 where the network sees a person, else what `back` makes of it.

    The two are mixed by the network's probability of a person, as such programs do.
    """
    certainty = frame.confidence.astype(np.float32) / 255
    person = np.where(frame.prediction == PERSON2.classes.index("person"), certainty, 1 - certainty)
    return draw.mixed(picture, back(picture), person)


def layer_title(layer: str, settings: Settings) -> str:
    """Name of a layer on screen, with the scale of a perturbation."""
    scale = draw.full_scale(settings.eps, settings.norm)
    if layer == PERTURBATION:
        return f"{layer}: blue −{scale} … white 0 … red +{scale} of 255, mean of RGB"
    if layer == FLIPPED:
        return f"{layer}: orange where the class is not that of the clean map"
    if layer == FLIP_TIME:
        return f"{layer}: dark early … yellow late"
    if layer == SPECTRUM:
        return "Spectrum: low frequencies centred, log"
    if layer.endswith(ENTROPY):
        return f"{layer}: dark sure … yellow not"
    if layer.endswith(MARGIN_OF_CLASS):
        return f"{layer}: dark 0 … yellow 1"
    if layer == PERTURBATION_RGB:
        return f"{layer}: ×{127.5 / scale:.3g} about grey"
    return layer


def read_out(frame: Frame) -> bytes:
    """Class and confidence of every pixel as the PNG that the viewer reads: R is the class, G the confidence."""
    return png_of(np.dstack([frame.prediction, frame.confidence, np.zeros_like(frame.prediction)]))


def label_set_of(trajectory: Trajectory) -> LabelSet:
    """The label set of the model that made the run."""
    return model_entry(trajectory.settings.model).label_set
