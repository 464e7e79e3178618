"""The certificate: its statistics against scipy, its soundness against what really flips a pixel."""

import math
from collections import deque
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn

from segviz.data.label_sets import plain_label_set
from segviz.records import Picture
from segviz.studies.certify import (
    ABSTAINED,
    Certificate,
    CertifySettings,
    added_up,
    certify,
    chance_of_more,
    holm,
    least_looks,
    root_mean_square,
)
from segviz.types import UserError


class Pixelwise(nn.Module):
    """Logits from a layer or two of small convolutions, with the face that a certificate needs."""

    notices = ()

    def __init__(self, *layers: nn.Module, classes: int):
        super().__init__()
        self.layers = nn.Sequential(*layers)
        self.register_buffer("mean", torch.zeros(1))
        self.label_set = plain_label_set("small", [f"class {number}" for number in range(classes)])

    def forward(self, x):
        return self.layers(x)


def picture_of(height: int, width: int, labels: np.ndarray | None = None) -> Picture:
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    return Picture("noise", pixels, labels, (width, height))


def ended(settings: CertifySettings, picture: Picture, model) -> Certificate:
    return deque(certify(settings, picture, model), maxlen=1).pop()


@pytest.mark.parametrize(("looks", "tau"), [(1, 0.5), (10, 0.75), (100, 0.75), (300, 0.9)])
def test_the_test_of_a_pixel_is_the_exact_binomial_one(looks, tau):
    ours = chance_of_more(looks, tau)
    theirs = [stats.binomtest(hits, looks, tau, alternative="greater").pvalue for hits in range(looks + 1)]
    np.testing.assert_allclose(ours, theirs, rtol=1e-9)


def test_holm_rejects_step_by_step_until_the_first_that_is_too_large():
    """Worked out by hand: 0.001 <= 0.05/4, 0.015 <= 0.05/3, 0.03 > 0.05/2; what comes after does not count, small or not."""
    p = np.array([[0.03, 0.001], [0.04, 0.015]])
    assert holm(p, 0.05).tolist() == [[False, True], [False, True]]
    assert holm(np.full((2, 2), 0.05 / 4), 0.05).all()
    assert not holm(np.full((2, 2), 0.05 / 3), 0.05).any()


def test_holm_keeps_to_its_error_rate_where_no_hypothesis_is_false():
    """Uniform p-values: some rejection in at most the share alpha of all trials."""
    rng = np.random.default_rng(0)
    errors = sum(holm(rng.uniform(size=50), 0.1).any() for _ in range(2000))
    assert stats.binomtest(errors, 2000, 0.1, alternative="greater").pvalue > 0.001


def test_a_certified_pixel_of_a_linear_network_is_at_least_the_radius_from_where_it_flips():
    """Under noise its class changes where the plane of the network does, so that the distance to that is known exactly."""
    layer = nn.Conv2d(3, 2, 1)
    nn.init.constant_(layer.bias, 0)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[1.0, -0.7, 0.2], [0.1, 0.6, -0.1]]).view(2, 3, 1, 1))
    model = Pixelwise(layer, classes=2)
    picture = picture_of(40, 40)
    settings = CertifySettings(sigma=0.2, tau=0.75, looks=400)
    found = ended(settings, picture, model)
    normal = (layer.weight[0] - layer.weight[1]).detach().view(3).double().numpy()
    distance = (picture.pixels / 255 @ normal) / np.linalg.norm(normal)
    certified = found.certified()
    kept = certified != ABSTAINED
    assert (certified[kept] == (distance[kept] < 0)).all()
    assert (np.abs(distance[kept]) >= settings.radius).all()
    # It abstains at few of those that lie well beyond, and at all within.
    assert kept[np.abs(distance) > 2.5 * settings.radius].mean() > 0.95
    assert settings.radius == pytest.approx(0.2 * stats.norm.ppf(0.75))


def test_two_hundred_attacks_within_the_radius_flip_no_certified_pixel():
    """L2 attacks through the noise (EOT); a flip is told by fresh looks. Several radii away they do flip pixels."""
    torch.manual_seed(0)
    model = Pixelwise(nn.Conv2d(3, 8, 3, padding=1), nn.Tanh(), nn.Conv2d(8, 3, 3, padding=1), classes=3).requires_grad_(False)
    picture = picture_of(8, 8)
    settings = CertifySettings(sigma=0.3, tau=0.7, looks=300)
    found = ended(settings, picture, model)
    certified = torch.from_numpy(found.certified()).long()
    kept = certified != ABSTAINED
    assert 0.2 < kept.float().mean() < 1
    x = torch.from_numpy(picture.pixels).permute(2, 0, 1).float() / 255

    def shares(pictures: torch.Tensor, looks: int, seed: int) -> torch.Tensor:
        noise = 0.3 * torch.randn((len(pictures), looks, *x.shape), generator=torch.Generator().manual_seed(seed))
        seen = model((pictures[:, None] + noise).flatten(0, 1)).argmax(1).view(len(pictures), looks, 8, 8)
        return (seen == certified).float().mean(1)

    def attacked(radius: float, count: int) -> torch.Tensor:
        """Each attack aims at one certified pixel, from a random point of the sphere."""
        places = kept.nonzero()[torch.arange(count) % int(kept.sum())]
        change = torch.randn((count, *x.shape), generator=torch.Generator().manual_seed(1))
        for step in range(4):
            change = (radius * change / change.flatten(1).norm(dim=1).view(-1, 1, 1, 1)).requires_grad_()
            noise = 0.3 * torch.randn((count, 8, *x.shape), generator=torch.Generator().manual_seed(step))
            chances = model((x + change[:, None] + noise).flatten(0, 1)).softmax(1).view(count, 8, 3, 8, 8).mean(1)
            rows = torch.arange(count)
            loss = chances[rows, certified[places[:, 0], places[:, 1]], places[:, 0], places[:, 1]].sum()
            (gradient,) = torch.autograd.grad(loss, change)
            change = change.detach() - radius * gradient / gradient.flatten(1).norm(dim=1).view(-1, 1, 1, 1)
        return x + radius * change / change.flatten(1).norm(dim=1).view(-1, 1, 1, 1)

    # Of 200 looks at a pixel that half of all see so, fewer than 0.3 do in one of ten million cases.
    assert (shares(attacked(settings.radius, 200), 200, 5)[:, kept] > 0.3).all()
    assert (shares(attacked(6 * settings.radius, 40), 200, 5)[:, kept] < 0.3).any()


def test_more_is_known_with_every_look_and_stopping_says_so():
    model = Pixelwise(nn.Conv2d(3, 2, 1), classes=2)
    settings = CertifySettings(first_looks=6, looks=70)
    looks = list(certify(settings, picture_of(6, 6), model))
    assert [(one.first, one.looks) for one in looks[:4]] == [(0, 0), (4, 0), (6, 0), (6, 4)]
    assert (looks[1].certified() == ABSTAINED).all()
    assert (looks[-1].looks, looks[-1].ended, looks[-1].stopped) == (70, True, False)
    assert looks[-1].warnings == ()
    asked = iter([False, False, True])
    broken = deque(certify(settings, picture_of(6, 6), model, stopped=lambda: next(asked)), maxlen=1).pop()
    assert broken.stopped
    assert "Stopped" in broken.warnings[0]


def test_pixels_at_which_it_abstains_count_as_missed():
    labels = np.array([[0, 0, 1, 1], [0, 0, 1, 255]], np.uint8)
    hits = np.full((2, 4), 100, np.int32)
    hits[0, 0] = hits[1, 2] = 50
    top = np.array([[0, 0, 1, 0], [0, 0, 1, 1]], np.uint8)
    settings = CertifySettings()
    found = Certificate(settings, picture_of(2, 4, labels), labels, False, "CPU", top, 2, top, hits, first=10, looks=100)
    figures = found.figures_of(found.certified())
    assert figures.pixel_accuracy == pytest.approx(4 / 7)
    assert figures.iou == (pytest.approx(3 / 5), pytest.approx(1 / 3))
    assert found.abstained == 2 / 8
    both = added_up([found, found])
    assert both.pictures == 2
    assert both.warnings == ()
    said = added_up([replace(found, warnings=("odd",)), found]).warnings
    assert said == (f"1 of 2 pictures ({found.picture.name}): odd",)
    assert both.figures == figures
    radii, accuracies = zip(*found.accuracy_by_radius(), strict=True)
    assert radii[0] == 0
    assert list(radii) == sorted(radii)
    assert list(accuracies) == sorted(accuracies, reverse=True)


def test_too_few_looks_to_certify_anything_are_told():
    assert least_looks(48 * 64, 0.75, 0.001) == math.ceil(math.log(0.001 / (48 * 64)) / math.log(0.75))
    with pytest.raises(UserError, match="Take at least 52"):
        next(certify(CertifySettings(looks=51), picture_of(48, 64), Pixelwise(nn.Conv2d(3, 2, 1), classes=2)))


def test_the_radius_in_the_unit_of_attacks():
    change = np.full((3, 6, 5), 2.0)
    assert root_mean_square(float(np.linalg.norm(change)) / 255, 6, 5) == pytest.approx(2.0)
