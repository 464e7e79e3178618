"""Detectors of scaling attacks: each gives a picture a score, higher for a more likely attack; ROC curves of such scores.

Sources: Kim et al., "Decamouflage: A Framework to Detect Image-Scaling Attacks on Convolutional Neural Networks", DSN 2021
(2010.03735): down-and-up, minimum filter, centred spectrum points; Xiao et al., "Seeing is Not
Believing: Camouflage Attacks on Image Scaling Algorithms", USENIX Security 2019: colour histograms; Quiring et al., "On the
Detection of Image-Scaling Attacks in Machine Learning", ACSAC 2023: maximum filter, clean filter, peaks of the spectrum.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from segviz import metrics
from segviz.deferred import cv2, torch
from segviz.scaling.kernels import Scaler
from segviz.scaling.prevention import median_filter, read_pixels
from segviz.types import UserError

BINS = 64
"""Bins per channel of a colour histogram; ours."""

NEIGHBOURHOOD = 8
"""How far around an expected peak of the spectrum its surroundings are looked at, in frequencies; ours."""

Score = Callable[[np.ndarray, Scaler, tuple[int, int]], float]


@dataclass(frozen=True)
class Detector:
    """A detector: `score` of a picture (H,W,3) uint8 that is to be scaled by a scaler to a size (h,w), higher for a more likely attack.

    `score` raises UserError where the detector does not apply to that scaling. `ours` says what we filled in.
    """

    title: str
    summary: str
    source: str
    score: Score
    ours: str = ""


def mse(one: np.ndarray, other: np.ndarray) -> float:
    """Mean squared difference of two pictures of one shape, in grey levels squared."""
    return float(np.square(one.astype(np.float32) - other).mean())


def picture_ssim(one: np.ndarray, other: np.ndarray) -> float:
    """Structural similarity of two pictures (H,W,3) uint8, as `segviz.metrics.ssim`."""
    a, b = (torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 255 for picture in (one, other))
    return metrics.ssim(a, b).item()


def down_and_up(pixels: np.ndarray, scaler: Scaler, size: tuple[int, int]) -> np.ndarray:
    """The picture scaled down and, by the same library and kernel, up again."""
    height, width = pixels.shape[:2]
    return scaler.resize(scaler.resize(pixels, size), (height, width))


def smallest_near(pixels: np.ndarray) -> np.ndarray:
    """The minimum of each 3x3 window, per channel."""
    return cv2.erode(pixels, np.ones((3, 3), np.uint8))


def largest_near(pixels: np.ndarray) -> np.ndarray:
    """The maximum of each 3x3 window, per channel."""
    return cv2.dilate(pixels, np.ones((3, 3), np.uint8))


def histogram_distance(pixels: np.ndarray, scaler: Scaler, size: tuple[int, int]) -> float:
    """One minus the cosine of the colour histograms of the picture and of its scaled version, in [0,1]."""
    before, after = histogram(pixels), histogram(scaler.resize(pixels, size))
    return float(1 - before @ after / np.sqrt((before @ before) * (after @ after)))


def histogram(pixels: np.ndarray) -> np.ndarray:
    """Shares of the values of each channel in `BINS` bins, one channel after the other."""
    values = pixels.reshape(-1, 3) // (256 // BINS)
    return np.concatenate([np.bincount(values[:, channel], minlength=BINS) for channel in range(3)]) / len(values)


def clean_difference(pixels: np.ndarray, scaler: Scaler, size: tuple[int, int]) -> float:
    """Mean squared difference, after scaling, between the picture and its version restored by the median filter."""
    marked = read_pixels(scaler, pixels.shape[:2], size)
    return mse(scaler.resize(pixels, size), scaler.resize(median_filter(pixels, marked, size), size))


def spectrum_peaks(pixels: np.ndarray, scaler: Scaler, size: tuple[int, int]) -> float:
    """By how many decibels the spectrum of the grey picture stands out at the frequencies that a scaling grid leaves, on average.

    An attack writes at the grid of the output pixels, so that its spectrum repeats at multiples of their numbers (h,w). At each such
    frequency the largest magnitude of 3x3 is compared with the median of its surroundings. Raises UserError below a ratio of 2, where no
    such frequency is in the spectrum.
    """
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY).astype(np.float32)
    height, width = grey.shape
    # A smooth window, as otherwise the jump between opposite edges of the picture is a cross in the spectrum, through some of the peaks.
    grey = (grey - grey.mean()) * np.outer(np.hanning(height), np.hanning(width))
    decibels = 20 * np.log10(np.abs(np.fft.fft2(grey)) + 1e-3)
    repeats = [range(int(full / 2 / small + 1e-9) + 1) for full, small in zip((height, width), size, strict=True)]
    places = [(down * size[0], sign * across * size[1]) for down, across in product(*repeats) for sign in ((1, -1) if across else (1,))]
    places = [place for place in places if place != (0, 0)]
    if not places:
        raise UserError("Below a ratio of 2 a scaling leaves no peaks in the spectrum.")
    standing_out = []
    for row, column in places:
        near = decibels.take(range(row - 1, row + 2), 0, mode="wrap").take(range(column - 1, column + 2), 1, mode="wrap")
        around = decibels.take(range(row - NEIGHBOURHOOD, row + NEIGHBOURHOOD + 1), 0, mode="wrap").take(
            range(column - NEIGHBOURHOOD, column + NEIGHBOURHOOD + 1), 1, mode="wrap"
        )
        standing_out.append(near.max() - np.median(around))
    return float(np.mean(standing_out))


KIM, XIAO, QUIRING = "Kim et al., Decamouflage, DSN 2021", "Xiao et al., USENIX Security 2019", "Quiring et al., ACSAC 2023"

DETECTORS = {
    "down-up-mse": Detector(
        "Down and up, MSE",
        "Mean squared difference to the picture scaled down and up again. PSNR orders pictures the same way.",
        KIM,
        lambda pixels, scaler, size: mse(pixels, down_and_up(pixels, scaler, size)),
    ),
    "down-up-ssim": Detector(
        "Down and up, SSIM",
        "One minus the structural similarity to the picture scaled down and up again.",
        KIM,
        lambda pixels, scaler, size: 1 - picture_ssim(pixels, down_and_up(pixels, scaler, size)),
    ),
    "minimum-mse": Detector(
        "Minimum filter, MSE",
        "Mean squared difference to the picture after a 3x3 minimum filter.",
        KIM,
        lambda pixels, scaler, size: mse(pixels, smallest_near(pixels)),
    ),
    "minimum-ssim": Detector(
        "Minimum filter, SSIM",
        "One minus the structural similarity to the picture after a 3x3 minimum filter.",
        KIM,
        lambda pixels, scaler, size: 1 - picture_ssim(pixels, smallest_near(pixels)),
    ),
    "maximum-mse": Detector(
        "Maximum filter, MSE",
        "Mean squared difference to the picture after a 3x3 maximum filter.",
        QUIRING,
        lambda pixels, scaler, size: mse(pixels, largest_near(pixels)),
    ),
    "histogram": Detector(
        "Colour histogram",
        "One minus the cosine of the colour histograms of the picture and of its scaled version.",
        XIAO,
        histogram_distance,
        ours=f"{BINS} bins per channel.",
    ),
    "clean": Detector(
        "Clean filter",
        "Mean squared difference, after scaling, to the picture restored by the median filter.",
        QUIRING,
        clean_difference,
    ),
    "spectrum": Detector(
        "Spectrum peaks",
        "Decibels by which the spectrum stands out where a scaling grid leaves its peaks.",
        f"{KIM}; {QUIRING}",
        spectrum_peaks,
        ours="the comparison with the median of the surroundings, and the smooth window.",
    ),
}


def scores(pixels: np.ndarray, scaler: Scaler, size: tuple[int, int]) -> dict[str, float]:
    """The score of every detector that applies, by its key."""
    found = {}
    for key, detector in DETECTORS.items():
        try:
            found[key] = detector.score(pixels, scaler, size)
        except UserError:
            continue
    return found


@dataclass(frozen=True)
class Roc:
    """A receiver operating characteristic: rates in [0,1] for every threshold, from the strictest to the most lenient, and the area."""

    false_positive_rate: tuple[float, ...]
    true_positive_rate: tuple[float, ...]
    auc: float


def detector_roc(benign: Sequence[float], attacked: Sequence[float]) -> Roc:
    """The curve of "attacked from this score on" over all thresholds; ties count half in the area.

    Raises ValueError where either side has no score.
    """
    if not benign or not attacked:
        raise ValueError("A ROC curve needs scores of benign and of attacked pictures.")
    thresholds = np.unique([*benign, *attacked])[::-1]
    below = [[0.0, *((np.asarray(side)[None] >= thresholds[:, None]).mean(1))] for side in (benign, attacked)]
    area = float(np.trapezoid(below[1], below[0]))
    return Roc(tuple(float(rate) for rate in below[0]), tuple(float(rate) for rate in below[1]), area)


def threshold_at(benign: Sequence[float], rate: float = 0.01) -> float:
    """The lowest score that at most the share `rate` of the benign pictures exceeds; a picture counts as attacked above it.

    Of fewer than 1 / `rate` pictures that is the largest score among them.
    """
    ordered = sorted(benign)
    return ordered[len(ordered) - 1 - int(rate * len(ordered))]
