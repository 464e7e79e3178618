"""Why a pixel has its class: gradients with known answers, how far they reach, and the same pixel in two pictures."""

import numpy as np
import pytest
import torch
from torch import nn

from segviz import draw
from segviz.data.label_sets import VOC7
from segviz.models.segmenter import Segmenter
from segviz.studies.why import explain, why
from segviz.types import UserError

PHOTO = np.random.default_rng(0).integers(0, 256, (12, 16, 3), np.uint8)


@pytest.fixture(scope="module")
def linear() -> Segmenter:
    """Scores that are a 3 x 3 convolution of the picture: everything about them is known."""
    torch.manual_seed(0)
    return Segmenter(nn.Conv2d(3, 7, 3, padding=1), nn.Identity(), (0.0,) * 3, (1.0,) * 3, VOC7).eval().requires_grad_(False)


def test_of_a_convolution_the_kernel_comes_out(linear):
    found = explain(linear, PHOTO, 5, 7)
    scores = linear(torch.from_numpy(PHOTO).permute(2, 0, 1)[None] / 255)[0, :, 7, 5]
    assert found.label == scores.argmax()
    assert found.confidence == pytest.approx(float(scores.softmax(0).max()), abs=1e-6)
    kernel = linear.encoder.weight[found.label]
    expected = np.zeros((12, 16), np.float32)
    expected[6:9, 4:7] = kernel.abs().sum(0)
    np.testing.assert_allclose(found.gradient, expected, rtol=1e-5)
    expected[6:9, 4:7] = (kernel * torch.from_numpy(PHOTO[6:9, 4:7]).permute(2, 0, 1) / 255).sum(0)
    np.testing.assert_allclose(found.integrated, expected, rtol=1e-4, atol=1e-6)
    assert (found.reach(0.999), found.touched) == (1, 9 / (12 * 16))


class Square(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x**2


def test_integrated_gradients_add_up_to_what_the_score_rose_by():
    """Of scores that are quadratic in the picture, where midpoints are exact."""
    torch.manual_seed(1)
    network = Segmenter(nn.Conv2d(3, 7, 5, padding=2), Square(), (0.0,) * 3, (1.0,) * 3, VOC7).eval().requires_grad_(False)
    found = explain(network, PHOTO, 8, 6)
    assert found.rise != pytest.approx(0, abs=1e-3)
    assert found.integrated.sum() == pytest.approx(found.rise, rel=1e-4)
    assert (found.reach(0.999), found.touched) == (2, 25 / (12 * 16))


def test_the_same_pixel_in_two_pictures_one_after_the_other(linear):
    answers = list(why(linear, (PHOTO, 255 - PHOTO), 3, 4, lambda: False))
    assert [len(answer) for answer in answers] == [1, 2]
    assert answers[1][1].label == explain(linear, 255 - PHOTO, 3, 4).label
    assert list(why(linear, (PHOTO,), 3, 4, lambda: True)) == []


@pytest.mark.parametrize(("x", "y"), [(16, 0), (0, 12), (-1, 3)])
def test_a_pixel_outside_the_picture_is_told_so(linear, x, y):
    with pytest.raises(UserError, match="outside the picture"):
        explain(linear, PHOTO, x, y)


def test_the_photo_is_lit_where_weights_are_large_and_dark_elsewhere():
    weights = np.zeros((12, 16))
    weights[3:5, 3:9] = 1
    lit = draw.lit(weights, PHOTO)
    brightest = draw.heat(np.array([[255]], np.uint8))[0, 0].astype(int)
    assert np.abs(lit[3:5, 3:9] - brightest).max() <= 1
    assert (lit[8:] == draw.grey(PHOTO)[8:] // 2).all()
