"""Which pixels a scaling reads, the reconstruction filters, and the attack on them."""

import numpy as np
import pytest

from segviz.scaling.kernels import SCALERS
from segviz.scaling.prevention import FILTERS, SAFE, adaptive_attack, median_filter, random_filter, read_pixels
from segviz.types import UserError

FULL, SIZE = (48, 64), (12, 16)


@pytest.fixture
def smooth():
    """A picture of gentle slopes (H,W,3) uint8, as a photo has them."""
    rows, columns = np.mgrid[: FULL[0], : FULL[1]]
    return np.stack([60 + rows, 60 + columns, 180 - rows // 2 - columns // 2], 2).astype(np.uint8)


@pytest.mark.parametrize(("key", "share"), [("opencv-nearest", 1 / 16), ("opencv-linear", 1 / 4), ("torch-linear", 1 / 4)])
def test_pixels_that_are_not_read_can_be_anything(key, share, smooth):
    scaler = SCALERS[key]
    marked = read_pixels(scaler, FULL, SIZE)
    assert marked.mean() == share
    other = np.where(marked[..., None], smooth, 255 - smooth)
    assert np.array_equal(scaler.resize(other, SIZE), scaler.resize(smooth, SIZE))


def test_safe_scalers_read_every_pixel():
    assert {"opencv-area", "pillow-box", "pillow-linear", "torch-linear-antialias"} <= set(SAFE)
    for scaler in SAFE.values():
        assert read_pixels(scaler, FULL, SIZE).all()


def test_median_is_the_lower_middle_of_the_unmarked_window():
    pixels = np.zeros((9, 9, 3), np.uint8)
    pixels[..., 0] = np.arange(81).reshape(9, 9)
    marked = np.zeros((9, 9), bool)
    marked[4, 4] = marked[4, 5] = True
    found = median_filter(pixels, marked, (3, 3))
    # Around (4,4), one pixel to each side: 30 31 32 39 48 49 50, of seven the fourth; around (4,5) 31 32 33 42 49 50 51.
    assert (found[4, 4, 0], found[4, 5, 0]) == (39, 42)
    marked[5, 5] = True
    # Six remain around (4,4), 30 31 32 39 48 49: the third.
    assert median_filter(pixels, marked, (3, 3))[4, 4, 0] == 32
    assert np.array_equal(found[~marked], pixels[~marked])


def test_random_filter_takes_whole_unmarked_neighbours_and_repeats_itself(smooth):
    marked = read_pixels(SCALERS["opencv-linear"], FULL, SIZE)
    poisoned = np.where(marked[..., None], np.uint8(255), smooth)
    found = random_filter(poisoned, marked, SIZE, seed=1)
    assert (found != 255).all()
    assert np.array_equal(found, random_filter(poisoned, marked, SIZE, seed=1))
    assert not np.array_equal(found, random_filter(poisoned, marked, SIZE, seed=2))
    clean = {tuple(colour) for colour in smooth[~marked]}
    assert {tuple(colour) for colour in found[marked]} <= clean


@pytest.mark.parametrize("name", FILTERS)
def test_filters_bring_the_source_back_and_the_adaptive_attack_passes_them(name, smooth):
    scaler = SCALERS["opencv-linear"]
    marked = read_pixels(scaler, FULL, SIZE)
    hidden = np.full((*SIZE, 3), (250, 10, 30), np.uint8)
    honest = scaler.resize(smooth, SIZE).astype(int)
    attacked = np.where(marked[..., None], hidden[0, 0], smooth)
    assert np.array_equal(scaler.resize(attacked, SIZE), hidden)

    def off(picture):
        scaled = scaler.resize(FILTERS[name].apply(picture, marked, SIZE, 0), SIZE).astype(int)
        return np.abs(scaled - honest).mean(), np.abs(scaled - hidden).mean()

    assert off(attacked)[0] < 2
    adaptive = adaptive_attack(smooth, hidden, marked, 0.75)
    assert off(adaptive)[1] < (1 if name == "median" else 40)
    assert np.array_equal(adaptive[marked], smooth[marked])
    assert (adaptive != smooth).any(2)[~marked].mean() == pytest.approx(10 / 12)


def test_filters_say_where_nothing_is_left_to_restore_from(smooth):
    marked = read_pixels(SCALERS["opencv-area"], FULL, SIZE)
    with pytest.raises(UserError, match="larger ratio"):
        median_filter(smooth, marked, SIZE)
