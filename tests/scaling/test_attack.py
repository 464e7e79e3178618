"""The whole attack on photos, measured with the real libraries."""

import numpy as np
import pytest
from PIL import Image

from segviz.places import ASSETS
from segviz.scaling import solver
from segviz.scaling.attack import MAX_SIDE, attack, finish
from segviz.scaling.kernels import SCALERS
from segviz.scaling.solver import Verdict
from segviz.types import UserError


def photo(name: str, height: int, width: int) -> np.ndarray:
    return np.array(Image.open(ASSETS / "samples" / name).convert("RGB").resize((width, height), Image.Resampling.LANCZOS))


SOURCE = photo("chelsea.png", 128, 112)
VULNERABLE = [key for key, each in SCALERS.items() if not each.antialias]


@pytest.mark.parametrize("size", [(32, 28), (43, 37)])
@pytest.mark.parametrize("key", VULNERABLE)
def test_eight_bit_picture_keeps_the_slack_in_the_real_library(key, size):
    target = photo("astronaut.png", *size)
    for eps in (0, 1, 2.5):
        result = finish(attack(SOURCE, target, SCALERS[key], eps))
        out = SCALERS[key].resize(result.pixels, size)
        error = np.abs(out.astype(int) - target)
        assert error.max() <= eps + 0.5
        assert (result.feasible, result.verdict) == (True, Verdict.OPTIMAL)
        assert np.array_equal(result.scaled, out)
        assert (result.max_error, result.mean_error) == (error.max(), pytest.approx(error.mean()))
        assert result.changed_pixels == (result.pixels != SOURCE).any(2).mean()
        assert result.linf == np.abs(result.pixels.astype(int) - SOURCE).max()


@pytest.mark.parametrize("key", ["pillow-box", "pillow-linear", "pillow-cubic", "pillow-lanczos", "opencv-area", "torch-linear-antialias"])
def test_antialiased_kernels_show_the_hidden_picture(key):
    target = photo("astronaut.png", 32, 28)
    shown = finish(attack(SOURCE, target, SCALERS[key], 1))
    hidden = finish(attack(SOURCE, target, SCALERS["opencv-nearest"], 1))
    assert shown.psnr < 12 < 16 < hidden.psnr
    assert shown.changed_pixels > 0.95
    assert hidden.changed_pixels < 0.07


def test_larger_ratios_hide_better():
    psnr = [finish(attack(SOURCE, photo("astronaut.png", 128 // r, 112 // r), SCALERS["opencv-linear"], 1)).psnr for r in (2, 4, 8)]
    assert psnr == sorted(psnr)


def test_what_is_out_of_reach_is_reported():
    target = 255 * (np.indices((32, 28)).sum(0) % 2)[..., None].repeat(3, 2).astype(np.uint8)
    result = finish(attack(SOURCE, target, SCALERS["pillow-linear"], 1))
    assert result.verdict is Verdict.INFEASIBLE
    assert not result.feasible
    assert np.array_equal(result.missed, (np.abs(result.scaled.astype(int) - target) > 1.5).any(2))
    figures = result.figures()
    assert (figures["feasible"], figures["verdict"], figures["missed_pixels"]) == (False, "infeasible", result.missed.sum())


def test_same_picture_needs_no_change():
    target = SCALERS["torch-linear"].resize(SOURCE, (32, 28))
    result = finish(attack(SOURCE, target, SCALERS["torch-linear"], 1))
    assert np.array_equal(result.pixels, SOURCE)
    assert (result.psnr, result.ssim, result.changed_pixels) == (None, pytest.approx(1), 0)


def test_a_single_pixel_and_the_same_size():
    for size in ((1, 1), SOURCE.shape[:2]):
        result = finish(attack(SOURCE, photo("astronaut.png", *size), SCALERS["opencv-cubic"], 1))
        assert result.feasible


def test_progress_and_stop(monkeypatch):
    target = photo("astronaut.png", 43, 37)
    monkeypatch.setattr(solver, "LOOK_EVERY", 1)
    looks = list(attack(SOURCE, target, SCALERS["opencv-lanczos"], 0))
    assert len(looks) > 5
    assert looks[0].violation > looks[3].violation > looks[-1].violation
    assert [look.result is None for look in looks] == [True] * (len(looks) - 1) + [False]
    seen = []
    for look in attack(SOURCE, target, SCALERS["opencv-lanczos"], 0, stopped=lambda: len(seen) == 2):
        seen.append(look)
    assert len(seen) == 3
    assert seen[-1].result.verdict is Verdict.STOPPED
    assert not seen[-1].result.feasible


def test_closed_form_in_parts_is_the_same_and_stops(monkeypatch):
    target = photo("astronaut.png", 32, 28)
    whole = finish(attack(SOURCE, target, SCALERS["opencv-linear"], 1))
    monkeypatch.setattr(solver, "VALUES_AT_ONCE", 28 * 3 * 4 * 10)
    assert np.array_equal(finish(attack(SOURCE, target, SCALERS["opencv-linear"], 1)).pixels, whole.pixels)
    stopped = list(attack(SOURCE, target, SCALERS["opencv-linear"], 1, stopped=lambda: True))
    assert len(stopped) == 1
    assert stopped[0].result.verdict is Verdict.STOPPED
    assert (stopped[0].pixels[64:] == SOURCE[64:]).all()


@pytest.mark.parametrize(
    ("source", "target", "eps", "message"),
    [
        ((MAX_SIDE + 1, 40), (20, 20), 1, "megapixels"),
        ((4000, 4000), (20, 20), 1, "megapixels"),
        ((40, 40), (20, 41), 1, "larger source"),
        ((40, 40), (20, 20), -1, "eps"),
        ((40, 40), (20, 20), float("nan"), "eps"),
    ],
)
def test_impossible_requests(source, target, eps, message):
    with pytest.raises(UserError, match=message):
        finish(attack(np.zeros((*source, 3), np.uint8), np.zeros((*target, 3), np.uint8), SCALERS["opencv-linear"], eps))
