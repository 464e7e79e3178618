"""The promises that every row of the catalogue keeps, on a small network in float64 and on the bundled one."""

import itertools
import re

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from segviz.attacks.catalog import build_attack, gradients_of, iterations_of
from segviz.attacks.rows import ATTACKS
from segviz.data.samples import samples
from segviz.lab import to_tensor
from segviz.settings import Settings
from segviz.types import VOID, Goal, StepKind

ROWS = [(key, norm) for key, entry in ATTACKS.items() for norm in entry.norms]
VARIANTS = [(key, variant) for key, entry in ATTACKS.items() for variant in entry.variants or [""]]


class SmallNet(nn.Module):
    """Two convolutions with a nonlinearity; in float64 a batch rounds as its images do alone."""

    feature_layer = "encoder"

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.encoder = nn.Conv2d(3, 6, 3, padding=1).double()
        self.head = nn.Conv2d(6, 5, 3, padding=1).double()
        self.requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        return self.head((4 * self.encoder(x)).tanh())


@pytest.fixture(scope="module")
def net() -> SmallNet:
    return SmallNet()


@pytest.fixture(scope="module")
def images() -> Tensor:
    return torch.randint(0, 256, (2, 3, 10, 14), generator=torch.Generator().manual_seed(8)).double() / 255


def goal_of(net: nn.Module, images: Tensor) -> Goal:
    """The network's own prediction, with void pixels in one of the images."""
    labels = net(images).argmax(1)
    labels[1, :3] = VOID
    return Goal(labels)


def sizes(result: Tensor, x: Tensor, norm: str) -> Tensor:
    delta = ((result - x) * 255).round().double()
    return delta.abs().amax((1, 2, 3)) if norm == "linf" else delta.flatten(1).square().mean(1).sqrt()


@pytest.mark.parametrize(("key", "norm"), ROWS)
@pytest.mark.parametrize("eps", [0.0, 0.6, 5.0])
def test_the_result_is_an_8bit_picture_in_the_ball_that_was_predicted_again(net, images, key, norm, eps):
    settings = Settings(attack=key, norm=norm, eps=eps, steps=4)
    goal = goal_of(net, images)
    *_, step = build_attack(settings, 10, 14).run(net, images, goal)
    levels = step.x_adv * 255
    assert (levels - levels.round()).abs().max() < 1e-3
    assert step.x_adv.min() >= 0
    assert step.x_adv.max() <= 1
    assert (sizes(step.x_adv, images, norm) <= eps + 1e-6).all()
    prediction = net(step.x_adv).argmax(1)
    assert torch.equal(step.prediction, prediction)
    torch.testing.assert_close(step.success, goal.success(prediction))
    if eps < 0.5:
        assert torch.equal((step.x_adv * 255).round(), (images * 255).round())


@pytest.mark.parametrize(("key", "variant"), VARIANTS)
def test_images_together_come_out_as_alone(net, images, key, variant):
    settings = Settings(attack=key, variant=variant, eps=6, steps=7)
    goal = goal_of(net, images)
    together = list(build_attack(settings, 10, 14).run(net, images, goal))
    for image in range(2):
        only = slice(image, image + 1)
        alone = list(build_attack(settings, 10, 14).run(net, images[only], Goal(goal.labels[only])))
        for batch_step, single in zip(together, alone, strict=True):
            torch.testing.assert_close(batch_step.x_adv[only], single.x_adv, atol=1e-9, rtol=0)
            torch.testing.assert_close(batch_step.loss[only], single.loss)


@pytest.mark.parametrize(("key", "variant"), VARIANTS)
def test_steps_are_counted_and_the_best_is_never_lost(net, images, key, variant):
    settings = Settings(attack=key, variant=variant, eps=6, steps=6)
    goal = goal_of(net, images)
    first, *between, last = build_attack(settings, 10, 14).run(net, images, goal)
    assert torch.equal(first.x_adv, images)
    assert first.gradient_evaluations == 0
    iterates = [step for step in between if step.kind is StepKind.ITERATE]
    assert [step.index for step in iterates] == list(range(1, iterations_of(settings) + 1))
    assert last.gradient_evaluations == gradients_of(settings)
    assert last.kind is StepKind.RESULT
    spent = [step.gradient_evaluations for step in iterates]
    assert spent == sorted(spent)
    assert (spent[0] > 0) == (ATTACKS[key].family not in ("noise", "gradient-free"))


@pytest.mark.parametrize(("key", "variant"), VARIANTS)
def test_the_same_seed_gives_the_same_result(net, images, key, variant):
    goal = goal_of(net, images)
    results = [
        list(build_attack(Settings(attack=key, variant=variant, eps=6, steps=3, seed=5), 10, 14).run(net, images, goal)) for _ in "12"
    ]
    assert torch.equal(results[0][-1].x_adv, results[1][-1].x_adv)


@pytest.mark.parametrize("key", list(ATTACKS))
def test_a_run_may_end_at_any_step(net, images, key):
    attack = build_attack(Settings(attack=key, eps=3, steps=5), 10, 14)
    goal = goal_of(net, images)
    total = len(list(attack.run(net, images, goal)))
    for count in sorted({0, 1, total // 3, total // 2, total - 2}):
        step = next(itertools.islice(attack.run(net, images, goal), count, None))
        result = attack.conclude(step, net, images, goal)
        assert result.kind is StepKind.RESULT
        assert (sizes(result.x_adv, images, "linf") <= 3).all()
        assert result.gradient_evaluations == step.gradient_evaluations


@pytest.mark.parametrize("key", [key for key, entry in ATTACKS.items() if entry.takes_target])
def test_a_target_map_is_approached(net, images, key):
    """Towards the map of the other image; every targeted attack gets nearer than the clean image is."""
    target = net(images).argmax(1).flip(0)
    steps = 25 if ATTACKS[key].family == "bounded" else 150
    settings = Settings(attack=key, goal="everywhere", target="cat", eps=60, steps=steps)
    first, *_, last = build_attack(settings, 10, 14).run(net, images, Goal(target, targeted=True))
    assert (last.success > first.success + 0.05).all()


@pytest.mark.parametrize("key", [key for key, entry in ATTACKS.items() if entry.family != "noise"])
def test_the_bundled_model_breaks(model, key):
    with Image.open(samples()["chelsea"].photo) as photo:
        x = to_tensor(np.array(photo.convert("RGB").resize((128, 96))), torch.device("cpu"))
    goal = Goal(model(x).argmax(1))
    steps = 30 if ATTACKS[key].family in ("smallest", "gradient-free") else 8
    *_, step = build_attack(Settings(attack=key, eps=8, steps=steps), 96, 128).run(model, x, goal)
    assert step.success.item() > 0.03


KNOWN = """
    alpha arg big Big cap cdot cos cup delta eta frac gamma hat in infty lambda le leftarrow mathbf mathrm max min mu nabla ne quad rho sim
    sqrt sum text textstyle tfrac times to varepsilon ! % , { | }
"""


@pytest.mark.parametrize("key", list(ATTACKS))
def test_formulas_hold_no_broken_commands(key):
    """Control characters and commands run together with what follows them would be drawn as garbage."""
    formula = ATTACKS[key].formula
    assert formula.isprintable()
    commands = set(re.findall(r"\\([A-Za-z]+|.)", formula))
    assert commands - set(KNOWN.split()) - {" "} == set()
