"""One meaning of cost: what a Step says was spent is what passed through the network, counted there."""

import pytest
import torch
from torch import Tensor

from segviz.attacks.catalog import build_attack, gradients_of
from segviz.attacks.rows import ATTACKS
from segviz.defences.catalog import passes_of_key, wrap
from segviz.models.segmenter import Segmenter
from segviz.settings import Settings
from segviz.types import Goal, StepKind

VARIANTS = [(key, variant) for key, entry in ATTACKS.items() for variant in entry.variants or [""]]


class Meter:
    """Counts forward and backward passes through a network."""

    def __init__(self, network: Segmenter):
        self.forwards = self.backwards = 0
        network.encoder.register_forward_pre_hook(self.count)

    def count(self, _: object, inputs: tuple[Tensor]) -> tuple[Tensor]:
        self.forwards += 1
        if not inputs[0].requires_grad:
            return inputs
        seen = inputs[0].view_as(inputs[0])
        seen.register_hook(self.count_backward)
        return (seen,)

    def count_backward(self, _: Tensor) -> None:
        self.backwards += 1


def picture(size: int = 12) -> Tensor:
    return torch.randint(60, 200, (1, 3, size, size), generator=torch.Generator().manual_seed(5)).double() / 255


def spent(settings: Settings, network: Segmenter, wrapper: str = "") -> tuple[Meter, list]:
    model = wrap(network, wrapper) if wrapper else network
    x = picture()
    with torch.no_grad():
        goal = Goal(model(x).argmax(1))
    meter = Meter(network)
    return meter, list(build_attack(settings, 12, 12).run(model, x, goal))


@pytest.mark.parametrize(("key", "variant"), VARIANTS)
def test_passes_are_those_through_the_network(smooth, key, variant):
    settings = Settings(attack=key, variant=variant, eps=3, steps=4)
    meter, steps = spent(settings, smooth)
    assert steps[-1].gradient_evaluations == meter.backwards
    assert steps[-1].passes == meter.forwards + meter.backwards


@pytest.mark.parametrize("wrapper", ["multiscale", "scales-flip", "random-noise", "median"])
@pytest.mark.parametrize("transforms", [(), ("momentum",), ("si",), ("eot-noise", "multiscale")])
def test_looks_of_models_and_transforms_multiply(smooth, wrapper, transforms):
    settings = Settings(attack="pgd", eps=3, steps=3, transforms=transforms)
    meter, steps = spent(settings, smooth, wrapper)
    assert steps[-1].gradient_evaluations == meter.backwards == gradients_of(settings) * passes_of_key(f"any+{wrapper}")
    assert steps[-1].passes == meter.forwards + meter.backwards


def test_members_of_a_suite_add_up(smooth):
    _, steps = spent(Settings(attack="sea", eps=3, steps=4), smooth)
    members = [step for step in steps if step.kind is StepKind.MEMBER_RESULT]
    assert steps[-1].passes == members[-1].passes
    assert steps[-1].gradient_evaluations == members[-1].gradient_evaluations
    assert [step.passes for step in members] == sorted(step.passes for step in members)


def test_dag_stops_paying_for_a_picture_that_is_won(smooth):
    meter, steps = spent(Settings(attack="dag", eps=60, steps=400), smooth)
    first = next(step for step in steps if step.success.item() >= 0.99)
    assert 0 < first.index < 390
    assert steps[-1].gradient_evaluations == first.index == meter.backwards
    assert meter.forwards == first.index + 2
    assert steps[-1].index == 400
    assert torch.equal(steps[-2].x_adv, first.x_adv)
