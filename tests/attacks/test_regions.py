"""Regions: what the text means, and that nothing outside changes."""

import numpy as np
import pytest
import torch
from PIL import Image

from segviz.attacks.catalog import build_attack
from segviz.attacks.constraints import L2, Linf
from segviz.attacks.regions import Within, inside, region_mask
from segviz.attacks.rows import ATTACKS
from segviz.data.label_sets import VOC7
from segviz.data.samples import samples
from segviz.lab import to_tensor
from segviz.settings import Settings
from segviz.types import Goal, UserError


def test_polygons_are_in_per_cent():
    left = inside("0,0 50,0 50,100 0,100", 10, 20)
    assert left[:, :10].all()
    assert not left[:, 10:].any()
    right = inside("50,0 100,0 100,100 50,100", 10, 20)
    assert np.array_equal(right, ~left)
    two = inside("0,0 20,0 20,20 0,20|80,80 100,80 100,100 80,100", 50, 50)
    assert two[5, 5]
    assert two[45, 45]
    assert not two[25, 25]
    assert 0.06 < two.mean() < 0.1


@pytest.mark.parametrize("text", ["", "0,0 1,1", "a,b c,d e,f", "1 2 3", "0,0 nan,1 5,5", "0,0,0 1,1,1 2,2,2"])
def test_broken_polygons_get_a_message(text):
    with pytest.raises(UserError, match="at least three corners"):
        inside(text, 10, 10)


def test_classes():
    labels = torch.tensor([[[0, 1], [1, 3]]])
    assert region_mask("class:cat", labels, VOC7).tolist() == [[[False, True], [True, False]]]
    assert region_mask("outside:cat", labels, VOC7).tolist() == [[[True, False], [False, True]]]
    with pytest.raises(UserError, match="no class 'tree'"):
        region_mask("class:tree", labels, VOC7)
    assert not region_mask("class:sheep", labels, VOC7).any()
    assert region_mask("", labels, VOC7).all()
    with pytest.raises(UserError, match="no region"):
        region_mask("circle:1,2", labels, VOC7)


@pytest.mark.parametrize("inner", [Linf(5 / 255), L2(0.4)])
def test_nothing_outside_changes_and_the_whole_budget_goes_inside(inner):
    x = torch.full((1, 3, 8, 8), 0.5).mul(255).round().div(255)
    mask = torch.from_numpy(np.eye(8, dtype=bool)).view(1, 1, 8, 8)
    constraint = Within(inner, mask)
    far = x + torch.randn(x.shape, generator=torch.Generator().manual_seed(0))
    for image in (
        constraint.project(far, x),
        constraint.to_8bit(constraint.project(far, x), x),
        constraint.random_point(x, torch.Generator().manual_seed(1)),
        x + 0.01 * constraint.steepest(far - x),
    ):
        assert torch.equal(torch.where(mask, x, image), x)
        assert (image != x).any()
    change = constraint.project(far, x) - x
    size = change.abs().max() if isinstance(inner, Linf) else change.norm()
    assert size == pytest.approx(inner.eps, rel=1e-4)


@pytest.mark.parametrize("key", list(ATTACKS))
def test_every_attack_stays_in_its_region(model, key):
    with Image.open(samples()["chelsea"].photo) as photo:
        x = to_tensor(np.array(photo.convert("RGB").resize((96, 64))), torch.device("cpu"))
    region = torch.zeros(1, 64, 96, dtype=torch.bool)
    region[:, 10:50, 20:70] = True
    settings = Settings(attack=key, eps=16, steps=8)
    *_, result = build_attack(settings, 64, 96, region=region).run(model, x, Goal(model(x).argmax(1)))
    changed = (result.x_adv != x).any(1)
    assert not changed[~region].any()
    assert changed[region].any()
