"""What keeps a hidden picture from appearing: safe scaling and reconstruction filters; and the attack that reckons with the filters.

Source: Quiring, Klein, Arp, Johns & Rieck, "Adversarial Preprocessing: Understanding and Preventing Image-Scaling Attacks in Machine
Learning", USENIX Security 2020.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from segviz.scaling.kernels import SCALERS, Scaler
from segviz.types import UserError

CHUNK = 2**15
"""Pixels that are restored at a time; bounds the memory that their windows take."""


def read_pixels(scaler: Scaler, full: tuple[int, int], size: tuple[int, int]) -> np.ndarray:
    """The pixels (H,W) bool of a picture of the size `full` (H,W) that have a weight in its scaling to `size` (h,w)."""
    left, right = scaler.matrices(full, size)
    rows, columns = np.abs(left).max(0) > 1e-6, np.abs(right).max(1) > 1e-6
    return np.outer(rows, columns)


SAFE = {key: scaler for key, scaler in SCALERS.items() if scaler.antialias}
"""The safe scalers: every pixel counts, in area and box uniformly, so that nothing can be hidden without being seen."""


def median_filter(pixels: np.ndarray, marked: np.ndarray, size: tuple[int, int], seed: int = 0) -> np.ndarray:
    """Replace each marked pixel by the median of the unmarked pixels in its window, per channel; of an even number the lower middle.

    `pixels` (H,W,3) uint8, `marked` (H,W) bool as of `read_pixels`, `size` (h,w) that it will be scaled to. The window reaches
    floor(ratio / 2) pixels, and at least one, to each side. Nothing is random: `seed` is there as in `random_filter`.
    Raises UserError where a window has no unmarked pixel.
    """

    def lower_middle(values: np.ndarray, clean: np.ndarray) -> np.ndarray:
        ordered = np.sort(np.where(clean[..., None], values.astype(np.int16), 256), axis=1)
        middle = (clean.sum(1) - 1) // 2
        return np.take_along_axis(ordered, middle[:, None, None], 1)[:, 0]

    return restored(pixels, marked, size, lower_middle)


def random_filter(pixels: np.ndarray, marked: np.ndarray, size: tuple[int, int], seed: int = 0) -> np.ndarray:
    """Replace each marked pixel by an unmarked one of its window, chosen uniformly; all three channels come from the same pixel.

    Parameters and errors as of `median_filter`.
    """
    generator = np.random.default_rng(seed)

    def any_clean(values: np.ndarray, clean: np.ndarray) -> np.ndarray:
        draw = np.where(clean, generator.random(clean.shape), -1.0).argmax(1)
        return values[np.arange(len(values)), draw]

    return restored(pixels, marked, size, any_clean)


def reach(full: tuple[int, int], size: tuple[int, int]) -> tuple[int, int]:
    """How far a filter's window reaches up and down, and to the left and right, in pixels."""
    down, across = (max(math.floor(full[axis] / size[axis] / 2), 1) for axis in (0, 1))
    return down, across


def restored(
    pixels: np.ndarray, marked: np.ndarray, size: tuple[int, int], choose: Callable[[np.ndarray, np.ndarray], np.ndarray]
) -> np.ndarray:
    """`pixels` with what `choose` makes of the windows (n,k,3) of the marked pixels and of what is unmarked there (n,k) bool."""
    height, width = marked.shape
    down, across = reach((height, width), size)
    window_rows, window_columns = (grid.ravel() for grid in np.mgrid[-down : down + 1, -across : across + 1])
    rows, columns = np.nonzero(marked)
    result = pixels.copy()
    for first in range(0, len(rows), CHUNK):
        part = slice(first, first + CHUNK)
        near_rows, near_columns = rows[part, None] + window_rows, columns[part, None] + window_columns
        inside = (near_rows >= 0) & (near_rows < height) & (near_columns >= 0) & (near_columns < width)
        near_rows, near_columns = near_rows.clip(0, height - 1), near_columns.clip(0, width - 1)
        clean = inside & ~marked[near_rows, near_columns]
        if not clean.any(1).all():
            raise UserError(
                "This scaling reads so many pixels that a filter finds no untouched ones to restore from. Take a larger ratio, or scale by "
                "area."
            )
        result[rows[part], columns[part]] = choose(pixels[near_rows, near_columns], clean)
    return result


@dataclass(frozen=True)
class Filter:
    """A reconstruction filter; `apply` takes and returns what `median_filter` does."""

    title: str
    apply: Callable[[np.ndarray, np.ndarray, tuple[int, int], int], np.ndarray]


FILTERS = {"median": Filter("Median filter", median_filter), "random": Filter("Random filter", random_filter)}


def adaptive_attack(pixels: np.ndarray, hidden: np.ndarray, marked: np.ndarray, share: float) -> np.ndarray:
    """A picture that passes a reconstruction filter: the hidden picture is written into the unmarked pixels, (H,W,3) uint8.

    `pixels` (H,W,3) uint8 is the source, `hidden` (h,w,3) uint8 the picture to appear, `marked` (H,W) bool what the filter replaces. The
    paper overwrites up to half of each window against the median filter and up to three quarters against the random one. How the pixels
    are chosen is ours: each pixel of the hidden picture has the block of pixels that lie over it, and its value goes to the `share` of the
    block's unmarked pixels, and one more, that are nearest to it already; marked pixels stay, as the filter replaces them. Windows reach
    beyond their block, so that against the median, too, half of a block is not enough where the hidden picture is rough. It can be
    seen wherever the hidden picture differs from the source.
    """
    height, width = marked.shape
    rows, columns = np.nonzero(~marked)
    owner_rows = (rows + 0.5) * hidden.shape[0] // height
    owner_columns = (columns + 0.5) * hidden.shape[1] // width
    owners = (owner_rows * hidden.shape[1] + owner_columns).astype(np.int64)
    wished = hidden.reshape(-1, 3)[owners]
    distance = np.abs(pixels[rows, columns].astype(np.int16) - wished).sum(1)
    order = np.lexsort((distance, owners))
    counts = np.bincount(owners, minlength=hidden.shape[0] * hidden.shape[1])
    rank = np.arange(len(order)) - np.repeat(counts.cumsum() - counts, counts)
    taken = order[rank <= share * counts[owners[order]]]
    result = pixels.copy()
    result[rows[taken], columns[taken]] = wished[taken]
    return result
