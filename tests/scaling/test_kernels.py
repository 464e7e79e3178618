"""Every scaler against direct calls of its library."""

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from segviz.scaling.kernels import SCALERS, scaler
from segviz.types import UserError

OPENCV = {"nearest": 0, "linear": 1, "cubic": 2, "area": 3, "lanczos": 4, "linear-exact": 5, "nearest-exact": 6}
PILLOW = {"nearest": 0, "lanczos": 1, "linear": 2, "cubic": 3, "box": 4, "hamming": 5}


def in_floats(key: str, grey: np.ndarray, height: int, width: int) -> np.ndarray:
    """The library's own float pipeline on one channel."""
    library, kernel, *antialias = key.split("-", 2) if "exact" not in key else (key.split("-")[0], key.split("-", 1)[1])
    if library == "opencv":
        return cv2.resize(grey.astype(np.float64), (width, height), interpolation=OPENCV[kernel])
    if library == "pillow":
        return np.asarray(Image.fromarray(grey.astype(np.float32)).resize((width, height), PILLOW[kernel]))
    mode = {"linear": "bilinear", "cubic": "bicubic"}.get(kernel, kernel)
    return F.interpolate(torch.tensor(grey)[None, None].float(), (height, width), mode=mode, antialias=bool(antialias))[0, 0].numpy()


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (96, 80, 3), dtype=np.uint8)


@pytest.mark.parametrize("size", [(24, 20), (37, 31)])
@pytest.mark.parametrize("key", SCALERS)
def test_matrices_are_the_librarys_float_pipeline(picture, key, size):
    left, right = SCALERS[key].matrices((96, 80), size)
    assert (left.shape, right.shape) == ((size[0], 96), (80, size[1]))
    assert np.allclose(left.sum(1), 1)
    assert np.allclose(right.sum(0), 1)
    grey = picture[..., 0]
    assert np.abs(left @ grey @ right - in_floats(key, grey, *size)).max() < 1e-3


@pytest.mark.parametrize("key", [key for key in SCALERS if key not in ("pillow-cubic", "pillow-lanczos")])
def test_resize_differs_from_the_matrices_by_the_librarys_rounding(picture, key):
    """The two that are left out cut values off at 0 and 255 between their passes."""
    left, right = SCALERS[key].matrices((96, 80), (37, 31))
    scaled = SCALERS[key].resize(picture, (37, 31))
    calculated = np.stack([left @ picture[..., channel] @ right for channel in range(3)], 2).clip(0, 255)
    assert (scaled.dtype, scaled.shape) == (np.uint8, (37, 31, 3))
    assert np.abs(scaled - calculated).max() <= 1.25
    assert np.array_equal(SCALERS[key].resize(picture[..., 1], (37, 31)), scaled[..., 1])


def test_antialias_is_where_every_pixel_counts():
    for each in SCALERS.values():
        left, _ = each.matrices((192, 192), (12, 12))
        assert left.any(0).all() == each.antialias, each.title


def test_scalers_by_name():
    assert scaler("opencv", "linear") is SCALERS["opencv-linear"]
    assert scaler("torch", "cubic").antialias is False
    assert scaler("torch", "cubic", antialias=True) is SCALERS["torch-cubic-antialias"]
    assert scaler("pillow", "lanczos").antialias
    assert SCALERS["torch-linear-antialias"].title == "torch linear, antialiased"
    assert all(each.key == key for key, each in SCALERS.items())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("magick", "linear"), "opencv, pillow, torch"),
        (("pillow", "area"), "nearest, box, linear, hamming, cubic, lanczos"),
        (("pillow", "linear", False), "always with antialiasing"),
        (("opencv", "cubic", True), "always without antialiasing"),
    ],
)
def test_unknown_scalers_are_named(arguments, message):
    with pytest.raises(UserError, match=message):
        scaler(*arguments)
