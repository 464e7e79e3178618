"""What does not depend on the precision that somebody set for the whole process."""

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from segviz.attacks.catalog import build_attack
from segviz.attacks.rows import ATTACKS
from segviz.attacks.transforms import TRANSFORMS
from segviz.data.label_sets import VOC7
from segviz.lab import attack_picture, sample_picture
from segviz.models.load import load_entry
from segviz.models.segmenter import Segmenter
from segviz.models.zoo import MODELS
from segviz.settings import Settings
from segviz.types import Goal


@pytest.fixture
def double() -> Iterator[None]:
    """The default precision is float64 for one test."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.fixture
def net(smooth) -> Segmenter:
    return smooth.float()


def picture() -> Tensor:
    return torch.randint(40, 216, (1, 3, 12, 16), generator=torch.Generator().manual_seed(1)).float() / 255


def last_of(net: Segmenter, settings: Settings) -> Tensor:
    x = picture()
    *_, step = build_attack(settings, 12, 16, label_set=VOC7).run(net, x, Goal(net(x).argmax(1)))
    assert step.x_adv.dtype == step.best.dtype == torch.float32
    return step.x_adv


VARIANTS = [(key, variant) for key, entry in ATTACKS.items() for variant in entry.variants or [""]]


@pytest.mark.parametrize(("key", "variant"), VARIANTS)
def test_attacks_are_the_same_whatever_the_default_precision(net, key, variant):
    settings = [Settings(attack=key, variant=variant, norm=norm, eps=4, steps=5) for norm in ATTACKS[key].norms]
    wanted = [last_of(net, one) for one in settings]
    torch.set_default_dtype(torch.float64)
    try:
        found = [last_of(net, one) for one in settings]
    finally:
        torch.set_default_dtype(torch.float32)
    for one, other in zip(wanted, found, strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("transform", TRANSFORMS)
@pytest.mark.usefixtures("double")
def test_transforms_work_in_double_precision(net, transform):
    last_of(net, Settings(attack="pgd", steps=2, transforms=(transform,)))


@pytest.mark.usefixtures("double")
def test_the_lab_works_in_double_precision():
    entry = MODELS["voc7-lraspp"]
    *_, done = attack_picture(Settings(steps=1), sample_picture("chelsea", entry), load_entry(entry, torch.device("cpu")))
    assert done.report.adversarial.miou < done.clean.miou
