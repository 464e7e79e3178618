"""A certificate for a segmentation map: what no change within a radius can flip, by randomised smoothing.

SegCertify (Fischer, Baader & Vechev, Scalable Certified Segmentation via Randomized Smoothing, ICML 2021, 2107.00228).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from segviz.deferred import torch
from segviz.fields import check_all, like, setting
from segviz.lab import check_label_map, label_tensor, to_tensor
from segviz.models.load import computed_on
from segviz.records import Figures, Picture, gathered
from segviz.settings import FIELDS
from segviz.types import VOID, UserError

if TYPE_CHECKING:
    from torch import Tensor

    from segviz.models.segmenter import Segmenter

ABSTAINED = VOID
"""What a certified map holds where nothing is certified."""
BATCH = 4
"""Noisy looks that are taken together."""
RADII = tuple(round(0.5 + 0.05 * number, 2) for number in range(10))
"""The tau at which the certified accuracy is drawn over the radius."""


@dataclass(frozen=True)
class CertifySettings:
    """How a certificate is made, with the paper's values.

    `sigma` is the standard deviation of the noise on the [0,1] scale. `first_looks` noisy looks (the paper's n0) choose a class for each
    pixel, `looks` further ones (n) test whether more than the share `tau` of all noisy looks sees it; with probability 1 - `alpha` no
    pixel of the picture is certified in vain. Raises UserError for a value out of range.
    """

    model: str = like(FIELDS["model"], "voc7-lraspp")
    image: str = like(FIELDS["image"], "chelsea")
    sigma: float = setting(
        0.25,
        low=0,
        high=2,
        above=True,
        help="standard deviation of the noise on the [0,1] scale",
        label="Noise σ, of 1",
        tip="Standard deviation of the noise that is put on the picture, white being 1. More noise, larger radius, less seen.",
        step=0.01,
        usual=0.5,
    )
    tau: float = setting(
        0.75,
        low=0.5,
        high=0.99,
        help="share of all noisy looks that must see a class",
        label="Share of looks τ",
        tip="A pixel is certified if more than this share of all noisy looks sees its class. More, larger radius, fewer pixels.",
        step=0.01,
        usual=0.99,
    )
    first_looks: int = setting(
        10, low=1, high=1000, link="n0", option="n0", help="noisy looks that choose the class", label="Looks that choose", step=1
    )
    looks: int = setting(
        100,
        low=1,
        high=100_000,
        link="n",
        option="n",
        help="noisy looks that test it",
        label="Looks that test",
        marks=(100, 200, 500, 1000),
    )
    alpha: float = setting(
        0.001,
        low=0,
        high=0.5,
        above=True,
        help="probability of any error in a picture",
        label="Error rate α",
        tip="The probability that any pixel of the picture is certified in vain.",
        step=0.001,
    )
    seed: int = like(FIELDS["seed"], 0)

    def __post_init__(self) -> None:
        check_all(self)

    @property
    def radius(self) -> float:
        """The certified radius: the L2 norm, on the [0,1] scale, below which no change flips a certified pixel (Theorem 4.1)."""
        return radius_of(self.sigma, self.tau)


def radius_of(sigma: float, tau: float) -> float:
    """sigma times the quantile of the normal distribution at tau."""
    return sigma * NormalDist().inv_cdf(tau)


def root_mean_square(radius: float, height: int, width: int) -> float:
    """An L2 radius on the [0,1] scale as the root mean square over all values of a picture, in grey levels: the eps of attacks in L2."""
    return 255 * radius / math.sqrt(3 * height * width)


@lru_cache(maxsize=16)
def chance_of_more(looks: int, tau: float) -> np.ndarray:
    """Probability that at least k of `looks` see a class that each sees with probability `tau`, for k from 0 to `looks`.

    The p-value of the one-sided exact binomial test at k hits, of the hypothesis that no more than the share tau sees the class.
    """
    k = np.arange(looks + 1)
    factorials = np.array([math.lgamma(number + 1) for number in range(looks + 1)])
    logarithms = factorials[-1] - factorials - factorials[::-1] + k * math.log(tau) + (looks - k) * math.log1p(-tau)
    # From the small end, so that small values are not lost in large ones.
    return np.minimum(np.exp(logarithms)[::-1].cumsum()[::-1], 1.0)


def holm(p: np.ndarray, alpha: float) -> np.ndarray:
    """Which hypotheses Holm's step-down correction rejects (bool, as `p`): with probability 1 - `alpha` none of them in vain.

    The smallest p-value is held against alpha / m, the next one against alpha / (m - 1), and so on to the first that is larger.
    """
    order = np.argsort(p, axis=None, kind="stable")
    small = p.ravel()[order] <= alpha / np.arange(p.size, 0, -1)
    rejected = np.zeros(p.size, bool)
    rejected[order[: p.size if small.all() else int(small.argmin())]] = True
    return rejected.reshape(p.shape)


def least_looks(pixels: int, tau: float, alpha: float) -> int:
    """The looks below which nothing is certified in a picture of so many pixels, even where all of them agree."""
    return math.ceil(math.log(alpha / pixels) / math.log(tau))


@dataclass(frozen=True)
class Certificate:
    """A certificate at one moment; immutable.

    `reference` (H,W) uint8 are the labels that figures refer to: the label map, or the clean prediction if `own_prediction`. `clean`
    (H,W) uint8 is what the network makes of the picture without noise. `top` (H,W) uint8 is the class that most of the `first` looks saw,
    `hits` (H,W) int32 in how many of the `looks` after those it was seen. `stopped` says that it ended before all looks were taken.
    """

    settings: CertifySettings
    picture: Picture
    reference: np.ndarray
    own_prediction: bool
    device: str
    clean: np.ndarray
    classes: int
    top: np.ndarray
    hits: np.ndarray
    first: int = 0
    looks: int = 0
    seconds: float = 0.0
    stopped: bool = False
    warnings: tuple[str, ...] = ()

    @property
    def ended(self) -> bool:
        """Whether all looks were taken, or it was stopped."""
        return self.stopped or self.looks == self.settings.looks

    def certified(self, tau: float | None = None) -> np.ndarray:
        """The certified map (H,W) uint8, `ABSTAINED` where nothing is certified, by the looks so far; `tau` by default the settings'."""
        if self.looks == 0:
            return np.full_like(self.top, ABSTAINED)
        p = chance_of_more(self.looks, self.settings.tau if tau is None else tau)[self.hits]
        return np.where(holm(p, self.settings.alpha), self.top, np.uint8(ABSTAINED))

    @property
    def abstained(self) -> float:
        """Share of the pixels at which nothing is certified."""
        return float((self.certified() == ABSTAINED).mean())

    def figures_of(self, labels: np.ndarray) -> Figures:
        """Figures of a map (H,W) uint8; where it abstains, a pixel counts as missed, in no class's favour (Sec. 6 of the paper)."""
        return figures_with_abstention(table_with_abstention(labels, self.reference, self.classes))

    def accuracy_by_radius(self) -> tuple[tuple[float, float], ...]:
        """(radius on the [0,1] scale, certified pixel accuracy) for each of `RADII`, each a certificate of its own of the same looks."""
        return tuple((radius_of(self.settings.sigma, tau), self.figures_of(self.certified(tau)).pixel_accuracy) for tau in RADII)


def table_with_abstention(certified: np.ndarray, reference: np.ndarray, classes: int) -> np.ndarray:
    """Counts (C,C+1) of labelled pixels: rows are labels, columns certified classes, the last one abstention."""
    labelled = reference != VOID
    seen = np.where(certified == ABSTAINED, classes, certified)[labelled]
    cells = reference[labelled].astype(np.int64) * (classes + 1) + seen
    return np.bincount(cells, minlength=classes * (classes + 1)).reshape(classes, classes + 1)


def figures_with_abstention(counts: np.ndarray) -> Figures:
    """Figures from the counts of `table_with_abstention`."""
    hits = counts[:, :-1].diagonal()
    union = counts.sum(1) + counts[:, :-1].sum(0) - hits
    iou = tuple(float(hit / whole) if whole else None for hit, whole in zip(hits, union, strict=True))
    known = [value for value in iou if value is not None]
    labelled = counts.sum()
    return Figures(sum(known) / len(known) if known else math.nan, float(hits.sum() / labelled) if labelled else math.nan, iou)


STOPPED = (
    "Stopped before all looks were taken. Of the looks that there are this is a certificate only if what they showed was not the reason to"
    " stop."
)


def certify(
    settings: CertifySettings, picture: Picture, model: Segmenter, stopped: Callable[[], bool] = lambda: False
) -> Iterator[Certificate]:
    """Certify the map of one picture, and yield what is known after the clean look and after every few noisy ones.

    What is certified is the smoothed network, whose answer at a pixel is the class that it sees there most often under noise; the noise
    is not clipped. Once `stopped` says yes, it ends with the looks that there are. Raises UserError where even looks that all agree
    would certify nothing.
    """
    check_label_map(picture)
    height, width = picture.pixels.shape[:2]
    least = least_looks(height * width, settings.tau, settings.alpha)
    if settings.looks < least:
        raise UserError(
            f"{settings.looks} looks certify nothing of {width}x{height} pixels, even if all agree. Take at least {least}, a lower share"
            " of looks or a higher error rate."
        )
    began = time.perf_counter()
    x = to_tensor(picture.pixels, model.mean.device)
    at = before_noise(settings, picture, model, x)
    votes = np.zeros((at.classes, height, width), np.int32)
    generator = torch.Generator().manual_seed(settings.seed)
    while not at.ended:
        # The time that somebody else had the device does not count.
        at = replace(at, seconds=at.seconds + time.perf_counter() - began)
        yield at
        began = time.perf_counter()
        if stopped():
            at = replace(at, stopped=True, warnings=(*at.warnings, STOPPED))
        elif at.first < settings.first_looks:
            for seen in noisy_looks(model, x, settings.sigma, min(BATCH, settings.first_looks - at.first), generator):
                votes += seen == np.arange(at.classes).reshape(-1, 1, 1)
                at = replace(at, first=at.first + 1)
            at = replace(at, top=votes.argmax(0).astype(np.uint8))
        else:
            maps = noisy_looks(model, x, settings.sigma, min(BATCH, settings.looks - at.looks), generator)
            at = replace(at, hits=at.hits + (maps == at.top).sum(0, dtype=np.int32), looks=at.looks + len(maps))
    yield replace(at, seconds=at.seconds + time.perf_counter() - began)


def before_noise(settings: CertifySettings, picture: Picture, model: Segmenter, x: Tensor) -> Certificate:
    """A certificate of the picture `x` (1,3,H,W) before its first noisy look."""
    with torch.no_grad():
        clean = model(x).argmax(1)[0].byte().cpu().numpy()
    own = picture.labels is None
    return Certificate(
        settings,
        picture,
        reference=clean if own else label_tensor(picture).byte().numpy(),
        own_prediction=own,
        device=computed_on(x.device),
        clean=clean,
        classes=len(model.label_set.classes),
        top=clean,
        hits=np.zeros(clean.shape, np.int32),
        warnings=picture.notices + model.notices,
    )


def noisy_looks(model: Segmenter, x: Tensor, sigma: float, count: int, generator: torch.Generator) -> np.ndarray:
    """What the model sees of `x` (1,3,H,W) under `count` draws of noise, as class maps (count,H,W) uint8; drawn one after the other."""
    noise = torch.cat([torch.randn(x.shape, generator=generator) for _ in range(count)]).to(x.device)
    with torch.no_grad():
        return model(x + sigma * noise).argmax(1).byte().cpu().numpy()


@dataclass(frozen=True)
class CertifiedSet:
    """Certificates of a data set, added up: `counts` (C,C+1) as in `table_with_abstention`, `abstained` the share of all pixels."""

    pictures: int
    counts: np.ndarray
    abstained: float
    warnings: tuple[str, ...] = ()

    @property
    def figures(self) -> Figures:
        """Certified pixel accuracy and mIoU of the data set."""
        return figures_with_abstention(self.counts)


def added_up(certificates: Sequence[Certificate]) -> CertifiedSet:
    """Certificates of one model as those of a data set; each picture has the error rate for itself."""
    maps = [one.certified() for one in certificates]
    tables = [table_with_abstention(one, other.reference, other.classes) for one, other in zip(maps, certificates, strict=True)]
    pixels = sum(one.size for one in maps)
    abstained = sum(int((one == ABSTAINED).sum()) for one in maps) / pixels
    return CertifiedSet(len(maps), np.sum(tables, 0), abstained, gathered((one.picture.name, one.warnings) for one in certificates))
