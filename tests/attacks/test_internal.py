"""Attacks on internal representations: gradients from the formulas, the layer, and that the representation really moves."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torch import nn

from segviz.attacks.catalog import build_attack
from segviz.attacks.internal import InternalObjective, captured, layer_of
from segviz.attacks.objectives import Problem
from segviz.data.samples import samples
from segviz.lab import to_tensor
from segviz.settings import Settings
from segviz.types import Goal, UserError


class TinyNet(nn.Module):
    """An encoder of one convolution and a head of another, in float64."""

    feature_layer = "encoder"

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.encoder = nn.Conv2d(3, 4, 3, padding=1).double()
        self.head = nn.Conv2d(4, 3, 1).double()
        self.requires_grad_(False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.encoder(x).tanh())


@pytest.fixture
def problem() -> Problem:
    x = torch.randint(0, 256, (2, 3, 5, 6), generator=torch.Generator().manual_seed(2)).double() / 255
    return Problem(TinyNet(), x, Goal(torch.ones(2, 5, 6, dtype=torch.long)), seed=4)


def gradient_of(loss, x):
    free = x.clone().requires_grad_()
    return torch.autograd.grad(loss(free).sum(), free)[0]


def towards(problem):
    net, x = problem.model, problem.x
    u = torch.rand(4 * 5 * 6, generator=torch.Generator().manual_seed(4)).double()
    return lambda x_adv: F.cosine_similarity(net.encoder(x_adv).flatten(1), u.expand(len(x), -1))


def entropy(problem):
    return lambda x_adv: F.cross_entropy(problem.model(x_adv), problem.goal.labels, reduction="none").mean((1, 2))


def test_direction(problem):
    seen = InternalObjective(problem, "", "direction", with_labels=False)(problem.x, 1, 5, with_gradient=True)
    torch.testing.assert_close(seen.gradient, gradient_of(towards(problem), problem.x))
    torch.testing.assert_close(seen.loss, towards(problem)(problem.x))


def test_away_shifts_the_clean_representation_at_the_first_step_alone(problem):
    net = problem.model
    clean = net.encoder(problem.x).flatten(1)
    objective = InternalObjective(problem, "encoder", "away", with_labels=False)
    first = objective(problem.x, 1, 5, with_gradient=True)
    torch.testing.assert_close(
        first.gradient, gradient_of(lambda x: 1 - F.cosine_similarity(net.encoder(x).flatten(1), clean + 1e-5), problem.x)
    )
    assert first.gradient.abs().max() > 0
    moved = problem.x + 0.1
    second = objective(moved, 2, 5, with_gradient=True)
    torch.testing.assert_close(second.gradient, gradient_of(lambda x: 1 - F.cosine_similarity(net.encoder(x).flatten(1), clean), moved))


def test_cira_plus_adds_the_labels(problem):
    seen = InternalObjective(problem, "", "sum", with_labels=True)(problem.x, 1, 5, with_gradient=True)
    both = gradient_of(lambda x: entropy(problem)(x) + towards(problem)(x), problem.x)
    torch.testing.assert_close(seen.gradient, both)
    objective = InternalObjective(problem, "", "normalised", with_labels=True)
    parts = [F.normalize(gradient_of(loss(problem), problem.x), dim=1) for loss in (entropy, towards)]
    torch.testing.assert_close(objective(problem.x, 1, 5, with_gradient=True).gradient, parts[0] + parts[1])
    assert objective.cost == 2


def test_any_named_layer_and_a_clear_message_for_others(problem, model):
    assert layer_of(model, "encoder.blocks.4") is model.encoder.blocks[4]
    with pytest.raises(UserError, match=r"no layer 'nowhere'.*encoder"):
        layer_of(model, "nowhere")
    with pytest.raises(UserError, match="no layer ''"):
        layer_of(nn.Conv2d(3, 2, 1), "")


def test_hooks_are_gone_after_the_look(problem):
    with captured(problem.model.encoder) as kept:
        problem.model(problem.x)
    problem.model(problem.x)
    assert len(kept) == 1


@pytest.mark.parametrize(("key", "variant"), [("cira", "direction"), ("cira", "away"), ("cira-plus", "normalised"), ("cira-plus", "sum")])
def test_the_representation_of_the_bundled_model_moves(model, key, variant):
    """At 4/255 the encoder's output turns by far more than random signs of the same size turn it, and the map breaks."""
    with Image.open(samples()["chelsea"].photo) as photo:
        x = to_tensor(np.array(photo.convert("RGB").resize((160, 112))), torch.device("cpu"))
    labels = model(x).argmax(1)
    *_, result = build_attack(Settings(attack=key, variant=variant, eps=4, steps=8), 112, 160).run(model, x, Goal(labels))
    random_signs = torch.randn(x.shape, generator=torch.Generator().manual_seed(0)).sign()

    def turned(x_adv):
        clean, now = (model.features(image)[32].flatten(1) for image in (x, x_adv))
        return 1 - F.cosine_similarity(clean, now).item()

    assert turned(result.x_adv) > 5 * turned((x + 4 / 255 * random_signs).clamp(0, 1))
    assert result.success.item() > 0.05
    assert result.gradient_evaluations == (16 if variant == "normalised" else 8)
