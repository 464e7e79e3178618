"""A scaling attack from source to consequences: hidden picture, attack image, every library's view of it, maps, prevention, detection."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from segviz.attacks.catalog import iterations_of
from segviz.data.images import Photo, read_photo
from segviz.data.samples import samples
from segviz.deferred import torch
from segviz.fields import check_all, like, setting
from segviz.lab import attack_picture, to_tensor
from segviz.records import Frame, Picture
from segviz.scaling import detection
from segviz.scaling.attack import Scaled, attack
from segviz.scaling.kernels import SCALERS, Scaler
from segviz.scaling.prevention import FILTERS, SAFE, adaptive_attack, read_pixels
from segviz.settings import FIELDS, Settings
from segviz.types import UserError

if TYPE_CHECKING:
    from segviz.models.segmenter import Segmenter

HIDDEN = ("photo", "adversarial", "colour")
MAX_SIDE = 2048
"""Longer side, in pixels, up to which a picture is taken as it is; one that is larger is refused, never scaled."""

MIN_TARGET = 32
ROUNDING = 2
"""Grey levels beyond the slack that still count as the same picture: libraries round the same weights differently."""

TRIED = ("opencv-area", "pillow-box", "pillow-linear", "torch-linear-antialias")
"""The safe scalings that stand for all of `SAFE`, which the grid holds anyhow."""

CROP = 256
ANY_SIZE = (10**6, 10**6)
"""Of a picture that is not chosen yet: whether a target size fits it is seen later."""


@dataclass(frozen=True)
class ScalingSettings:
    """What is hidden in what, and for which scaling.

    `image` and `other` are keys of samples (or of one's own picture); `hidden` is "photo" (`other`), "adversarial" (the source itself,
    attacked at the target size by `attack` with `eps` grey levels and `steps`) or "colour" (`colour`, as #rrggbb). `scaler` is a
    key of `SCALERS`, `size` the target, "/4" for a quarter of either side or "128x96" (width x height), `slack` in grey levels,
    `share` the part of each block that the adaptive attack on the filters overwrites. Raises UserError for a value out of range.
    """

    model: str = like(FIELDS["model"], "voc7-lraspp")
    image: str = like(FIELDS["image"], "horses")
    hidden: str = setting("photo", choices=lambda: HIDDEN, label="Hide in it")
    other: str = setting("chelsea", label="Photo to hide")
    colour: str = setting("#1c7ed6", pattern="#[0-9a-fA-F]{6}", form="a colour as #rrggbb", label="Colour to hide")
    scaler: str = setting("opencv-linear", choices=lambda: SCALERS, label="Scaling")
    size: str = setting("/8", verify=lambda text: target_size(text, ANY_SIZE), label="Target size")
    slack: float = setting(
        1.0,
        low=0,
        high=64,
        unit="grey levels",
        link="eps",
        label="Slack, in grey levels",
        tip="How far any value of the scaled picture may be from the hidden picture. More slack, less visible.",
        step=0.5,
        usual=16,
    )
    attack: str = like(FIELDS["attack"], "pgd")
    eps: float = setting(
        8.0,
        low=0,
        high=255,
        unit="grey levels",
        link="attack_eps",
        label="Its epsilon, in n/255",
        tip="Largest change of any value of the scaled picture. The slack below comes on top of it.",
        step=1.0,
        usual=32,
    )
    steps: int = like(FIELDS["steps"], 20)
    share: float = setting(
        0.75,
        low=0,
        high=1,
        label="Overwritten by the adaptive attack",
        tip="Share of the pixels that a reconstruction filter trusts, into which the attack on it writes the hidden picture.",
        step=0.05,
        usual=1,
    )

    def __post_init__(self) -> None:
        check_all(self)


@dataclass(frozen=True)
class ScalerCell:
    """What one scaler makes of the attack image: a look at it, at the target size, and errors to the hidden picture in grey levels.

    `map_share` is the share of its pixels in [0,1] to which the model gives the same class as in the hidden picture. `hidden_share` says
    where the picture lies on the way from what the scaler makes of the source (0) to the hidden picture (1): the least-squares
    coefficient. `reads` is the share of the source's pixels in [0,1] that the scaler reads. `works` means within the slack and `ROUNDING`.
    """

    key: str
    frame: Frame
    map_share: float
    max_error: float
    mean_error: float
    hidden_share: float
    reads: float
    works: bool


@dataclass(frozen=True)
class Prevented:
    """An attack image against a prevention: a look at what comes out, at the target size.

    Errors are means over all values, in grey levels: `to_hidden`, and `to_source` to what the same scaling makes of the source;
    `hidden_share` and `map_share` as in `ScalerCell`.
    """

    title: str
    adaptive: bool
    frame: Frame
    map_share: float
    to_hidden: float
    to_source: float
    hidden_share: float


@dataclass(frozen=True)
class ScalingStudy:
    """Everything known of a scaling attack at one moment; immutable.

    `source` (H,W,3) uint8; `size` (h,w) of the target; `stage` says in words what is done next and `progress` in [0,1] how far it all is.
    `honest` and `hidden` (h,w,3) uint8 are what the scaler makes of the source, and what it is to make of the attack image. `frames` are
    looks of the model, by name: "source" and "attack" at full size, "honest", "scaled" and "hidden" at the target size. `scores` of each
    detector are those of the source and of the attack image. `notes` are what did not apply, in words.
    """

    settings: ScalingSettings
    source: np.ndarray
    size: tuple[int, int]
    stage: str
    progress: float
    honest: np.ndarray
    hidden: np.ndarray | None = None
    result: Scaled | None = None
    grid: tuple[ScalerCell, ...] = ()
    frames: Mapping[str, Frame] = field(default_factory=dict)
    adaptive: np.ndarray | None = None
    prevention: tuple[Prevented, ...] = ()
    scores: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def adaptive_psnr(self) -> float:
        """Peak signal-to-noise ratio, in dB, of the adaptive attack image against the source; inf where there is none."""
        if self.adaptive is None:
            return math.inf
        error = detection.mse(self.adaptive, self.source)
        return 10 * math.log10(255**2 / error) if error > 0 else math.inf

    @property
    def ended(self) -> bool:
        """Whether everything was done."""
        return self.progress >= 1


def open_full_size(name: str, photo: bytes) -> Picture:
    """A photo at its own size, which scaling attacks need; raises UserError as `read_photo`, and for one larger than `MAX_SIDE`."""
    return full_size(name, read_photo(photo, None))


def full_size(name: str, read: Photo) -> Picture:
    """As `open_full_size`, of a photo that has been read."""
    if max(read.original) > MAX_SIDE:
        raise UserError(
            f"The picture is {read.original[0]}x{read.original[1]}. Here pictures are taken as they are, up to {MAX_SIDE} px on the longer "
            "side. Crop it or scale it down first."
        )
    return Picture(name, read.pixels, None, read.original, read.notices)


def sample_full_size(key: str) -> Picture:
    """A sample photo at its own size; raises UserError for an unknown key."""
    if key not in samples():
        raise UserError(f"Unknown sample '{key}'. Known: {', '.join(samples())}.")
    return full_size(key, read_photo(samples()[key].photo, MAX_SIDE))


def target_size(text: str, full: tuple[int, int], least: int = MIN_TARGET) -> tuple[int, int]:
    """The target (h,w) that "/RATIO" or "WIDTHxHEIGHT" means for a picture of the size `full` (H,W).

    Raises UserError where it cannot be read, is not smaller than the picture on both sides, or has a side below `least`.
    """
    if ratio := re.fullmatch(r"/(\d+(?:\.\d+)?)", text):
        if float(ratio[1]) <= 0:
            raise UserError("The ratio must be above 1.")
        size = (round(full[0] / float(ratio[1])), round(full[1] / float(ratio[1])))
    elif sides := re.fullmatch(r"(\d+)x(\d+)", text):
        size = (int(sides[2]), int(sides[1]))
    else:
        raise UserError(f"'{text}' is no target size. Write a ratio such as /4, or WIDTHxHEIGHT.")
    if size[0] >= full[0] or size[1] >= full[1]:
        raise UserError(f"The target {size[1]}x{size[0]} must be smaller than the picture, {full[1]}x{full[0]}, on both sides.")
    if min(size) < least:
        raise UserError(f"The target would be {size[1]}x{size[0]}; its sides need at least {least} px. Take a smaller ratio.")
    return size


def middle_of(pixels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A photo as the hidden picture: its middle in the shape of the target `size` (h,w), scaled to it (Pillow, Lanczos, antialiased)."""
    height, width = pixels.shape[:2]
    scale = min(height / size[0], width / size[1])
    tall, wide = min(size[0] * scale, height), min(size[1] * scale, width)
    box = ((width - wide) / 2, (height - tall) / 2, (width + wide) / 2, (height + tall) / 2)
    return np.array(Image.fromarray(pixels).resize((size[1], size[0]), Image.Resampling.LANCZOS, box=box))


def look(model: Segmenter, pixels: np.ndarray) -> Frame:
    """What a model sees in a picture (H,W,3) uint8."""
    with torch.no_grad():
        confidence, prediction = model(to_tensor(pixels, model.mean.device)).softmax(1)[0].max(0)
    return Frame(0, pixels, prediction.byte().cpu().numpy(), (confidence * 255).round().byte().cpu().numpy())


def agreement(one: Frame, other: Frame) -> float:
    """Share of the pixels in [0,1] that two looks of one size give the same class."""
    return float((one.prediction == other.prediction).mean())


def hidden_share(scaled: np.ndarray, honest: np.ndarray, hidden: np.ndarray) -> float:
    """Where a picture lies between two others: the b in [0,1] that makes honest + b (hidden - honest) nearest to `scaled`."""
    way = hidden.astype(np.float64) - honest
    length = float(np.square(way).sum())
    return min(max(float((way * (scaled - honest.astype(np.float64))).sum()) / length, 0.0), 1.0) if length > 0 else 1.0


def cell_of(scaler: Scaler, study: ScalingStudy, model: Segmenter) -> ScalerCell:
    """What a scaler makes of the attack image of a study."""
    assert study.hidden is not None
    assert study.result is not None
    frame = look(model, scaler.resize(study.result.pixels, study.size))
    error = np.abs(frame.pixels.astype(np.int16) - study.hidden)
    return ScalerCell(
        key=scaler.key,
        frame=frame,
        map_share=agreement(frame, study.frames["hidden"]),
        max_error=float(error.max()),
        mean_error=float(error.mean()),
        hidden_share=hidden_share(frame.pixels, scaler.resize(study.source, study.size), study.hidden),
        reads=float(read_pixels(scaler, (study.source.shape[0], study.source.shape[1]), study.size).mean()),
        works=bool(error.max() <= study.settings.slack + ROUNDING),
    )


def prevented(title: str, adaptive: bool, given: np.ndarray, scaler: Scaler, study: ScalingStudy, model: Segmenter) -> Prevented:
    """How an attack image, `given` (H,W,3) uint8 after its filter if there is one, fares with a scaler."""
    assert study.hidden is not None
    frame, honest = look(model, scaler.resize(given, study.size)), scaler.resize(study.source, study.size)
    return Prevented(
        title=title,
        adaptive=adaptive,
        frame=frame,
        map_share=agreement(frame, study.frames["hidden"]),
        to_hidden=float(np.abs(frame.pixels.astype(np.int16) - study.hidden).mean()),
        to_source=float(np.abs(frame.pixels.astype(np.int16) - honest).mean()),
        hidden_share=hidden_share(frame.pixels, honest, study.hidden),
    )


def flat(colour: str, size: tuple[int, int]) -> np.ndarray:
    """A picture (h,w,3) uint8 of one colour, #rrggbb."""
    return np.full((*size, 3), list(bytes.fromhex(colour[1:])), np.uint8)


def adversarial_version(
    settings: ScalingSettings, scaled: np.ndarray, model: Segmenter, stopped: Callable[[], bool]
) -> Iterator[tuple[float, np.ndarray | None]]:
    """Attack a scaled picture (h,w,3) uint8 as `settings` say; yields how far it is in [0,1], at the end with the 8-bit result."""
    run = Settings(model=settings.model, attack=settings.attack, eps=settings.eps, steps=settings.steps, against="prediction")
    picture = Picture("source", scaled, None, (scaled.shape[1], scaled.shape[0]))
    for trajectory in attack_picture(run, picture, model, stopped, max_frames=1):
        done = trajectory.curve[-1].index / max(iterations_of(run), 1)
        yield done, None if trajectory.final is None else trajectory.final.pixels


def scaling_study(
    settings: ScalingSettings, source: np.ndarray, other: np.ndarray | None, model: Segmenter, stopped: Callable[[], bool] = lambda: False
) -> Iterator[ScalingStudy]:
    """Make the attack image, then find out what it does; yields a ScalingStudy after every part of the work.

    `source` and `other` (needed where `settings` hide a photo) are (H,W,3) uint8. `stopped` is asked before every part; once it says yes,
    the attack under way ends with what it reached, and nothing follows. Raises UserError as `target_size` and the attacks do.
    """
    # Long: the parts of the work in their order, each of which shows itself.
    scaler = SCALERS[settings.scaler]
    full = (source.shape[0], source.shape[1])
    size = target_size(settings.size, full)
    honest = scaler.resize(source, size)
    study = ScalingStudy(settings, source, size, "Looking at the source", 0.0, honest)
    yield study
    study = replace(study, frames={"source": look(model, source)}, progress=0.03)
    yield study
    frames = {**study.frames, "honest": look(model, honest)}
    study = replace(study, frames=frames, stage="Making the hidden picture", progress=0.05)
    yield study

    if settings.hidden == "adversarial":
        hidden = honest
        for done, last in adversarial_version(settings, honest, model, stopped):
            hidden = hidden if last is None else last
            yield replace(study, stage="Attacking the scaled picture", progress=0.05 + 0.3 * done)
    elif settings.hidden == "photo":
        if other is None:
            raise UserError("Choose the photo to hide.")
        hidden = middle_of(other, size)
    else:
        hidden = flat(settings.colour, size)
    frames = {**frames, "hidden": look(model, hidden)}
    study = replace(study, hidden=hidden, frames=frames, stage="Solving for the attack image", progress=0.35)
    yield study
    if stopped():
        return

    result = None
    for step in attack(source, hidden, scaler, settings.slack, stopped):
        result = step.result
        told = f"Solving: iteration {step.iteration}, off the slack by {step.violation:.2g} grey levels"
        yield replace(study, stage=told)
    assert result is not None
    image = result.pixels
    study = replace(study, result=result, stage="Scaling with every library", progress=0.6)
    yield study
    for number, each in enumerate(SCALERS.values(), 1):
        if stopped():
            return
        grid = (*study.grid, cell_of(each, study, model))
        study = replace(study, grid=grid, progress=0.6 + 0.1 * number / len(SCALERS))
        yield study

    frames = {**study.frames, "attack": look(model, image), "scaled": look(model, scaler.resize(image, size))}
    study = replace(study, frames=frames, stage="Trying what prevents it", progress=0.75)
    yield study
    marked = read_pixels(scaler, full, size)
    for key in TRIED:
        if stopped():
            return
        study = replace(study, prevention=(*study.prevention, prevented(SAFE[key].title, False, image, SAFE[key], study, model)))
        yield study
    study = replace(study, adaptive=adaptive_attack(source, hidden, marked, settings.share), progress=0.8)
    assert study.adaptive is not None
    for adaptive, attacked in ((False, image), (True, study.adaptive)):
        for one in FILTERS.values():
            if stopped():
                return
            try:
                given = one.apply(attacked, marked, size, 0)
            except UserError as error:
                study = replace(study, notes=tuple(dict.fromkeys((*study.notes, str(error)))))
                continue
            row = prevented(f"{one.title}, then {scaler.title}", adaptive, given, scaler, study, model)
            study = replace(study, prevention=(*study.prevention, row), progress=study.progress + 0.03)
            yield study

    study = replace(study, stage="Asking the detectors", progress=0.95)
    yield study
    if stopped():
        return
    of_source, of_attack = (detection.scores(pixels, scaler, size) for pixels in (source, image))
    yield replace(study, scores={key: (of_source[key], of_attack[key]) for key in of_source}, stage="Done", progress=1.0)


@dataclass(frozen=True)
class DetectionStudy:
    """Scores of the samples as they are and with hidden pictures, at one moment; immutable.

    `settings` as `detection_settings` gives them. `benign` and `attacked` hold the scores of each picture by detector; `done` of `total`
    pictures are scored.
    """

    settings: ScalingSettings
    total: int
    done: int = 0
    benign: tuple[Mapping[str, float], ...] = ()
    attacked: tuple[Mapping[str, float], ...] = ()

    @property
    def finished(self) -> bool:
        """Whether all pictures are scored."""
        return self.done == self.total

    def values(self, key: str) -> tuple[list[float], list[float]]:
        """The benign and the attacked scores of a detector."""
        benign, attacked = ([one[key] for one in side if key in one] for side in (self.benign, self.attacked))
        return benign, attacked


def detection_settings(study: ScalingStudy) -> ScalingSettings:
    """What of a study's settings matters for measuring the detectors on the samples; the rest is as by default."""
    settings = study.settings
    kept = {"photo": (), "colour": ("colour",), "adversarial": ("model", "attack", "eps", "steps")}[settings.hidden]
    ratio = max(study.source.shape[:2]) / max(study.size)
    size = settings.size if settings.size.startswith("/") else f"/{ratio:.2f}"
    same = {name: getattr(settings, name) for name in ("hidden", "scaler", "slack", *kept)}
    return replace(ScalingSettings(), size=size, **same)


def crops_of(pixels: np.ndarray, side: int = CROP) -> list[np.ndarray]:
    """A photo whole, and its four corners and its middle as squares of `side` pixels."""
    height, width = pixels.shape[:2]
    bottom, right = height - side, width - side
    corners = ((0, 0), (0, right), (bottom, 0), (bottom, right), (bottom // 2, right // 2))
    return [pixels, *(np.ascontiguousarray(pixels[row : row + side, column : column + side]) for row, column in corners)]


def detection_study(
    settings: ScalingSettings,
    photos: Mapping[str, np.ndarray],
    model: Segmenter,
    stopped: Callable[[], bool] = lambda: False,
    side: int = CROP,
) -> Iterator[DetectionStudy]:
    """Score the crops, of `side` pixels, of `photos` (H,W,3) uint8 by name, and attack images of each crop.

    These hide what `settings` say: two other photos, an adversarial version, or a colour. Yields a DetectionStudy after every picture and
    while it is made. Crops of a photo overlap, so that the scores are not independent. `stopped` as in `scaling_study`.
    """
    scaler, names = SCALERS[settings.scaler], list(photos)
    jobs = [(number, crop) for number, name in enumerate(names) for crop in crops_of(photos[name], side)]
    each = 2 if settings.hidden == "photo" else 1
    study = DetectionStudy(settings, total=len(jobs) * (1 + each))
    yield study
    for turn, (number, crop) in enumerate(jobs):
        size = target_size(settings.size, (crop.shape[0], crop.shape[1]), least=1)
        study = replace(study, benign=(*study.benign, detection.scores(crop, scaler, size)), done=study.done + 1)
        yield study
        hidden: list[np.ndarray] = []
        if settings.hidden == "photo":
            others = (names[(number + 1 + (turn + k) % (len(names) - 1)) % len(names)] for k in range(each))
            hidden = [middle_of(photos[other], size) for other in others]
        elif settings.hidden == "colour":
            hidden = [flat(settings.colour, size)]
        else:
            for _, last in adversarial_version(settings, scaler.resize(crop, size), model, stopped):
                yield study
                hidden = [] if last is None else [last]
        for picture in hidden:
            if stopped():
                return
            result = None
            for step in attack(crop, picture, scaler, settings.slack, stopped):
                result = step.result
                if result is None:
                    yield study
            if stopped():
                return
            assert result is not None
            study = replace(study, attacked=(*study.attacked, detection.scores(result.pixels, scaler, size)), done=study.done + 1)
            yield study
