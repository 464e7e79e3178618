"""FSPGD's loss against loops over places, and the layers that it can look at."""

import pytest
import torch
from torch import nn

from segviz.attacks.objectives import Problem
from segviz.attacks.similarity import Similarity
from segviz.types import Goal, UserError


class SmallNet(nn.Module):
    """An encoder with a level of features and one beside, and a head."""

    feature_layer = "encoder"

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(2)
        self.encoder, self.unused = nn.Conv2d(3, 5, 3, padding=1).double(), nn.Conv2d(3, 5, 1).double()
        self.head = nn.Conv2d(5, 4, 1).double()
        self.requires_grad_(False)

    def forward(self, x):
        return self.head(self.encoder(x).tanh())


@pytest.fixture
def net():
    return SmallNet()


def problem_of(net, height: int = 4, width: int = 5) -> Problem:
    x = torch.randint(0, 256, (2, 3, height, width), generator=torch.Generator().manual_seed(1)).double() / 255
    return Problem(net, x, Goal(net(x).argmax(1)), 0, None)


def worked_out(clean, now, iteration: int, steps: int) -> float:
    """The loss of one image from its features (C,H,W), place by place."""
    f, g = (one.flatten(1).T for one in (clean, now))
    share, places = (iteration - 1) / steps, len(f)
    away = sum(torch.dot(f[j], g[j]) / (f[j].norm() * g[j].norm()) for j in range(places)) / places
    alike = [(i, j) for i in range(places) for j in range(places) if i != j and torch.dot(f[i], f[j]) / (f[i].norm() * f[j].norm()) > 0.5]
    assert 0 < len(alike) < places * (places - 1)
    inside = sum(torch.dot(g[i], g[j]) for i, j in alike) / len(alike) / 2
    return float(-share * away - (1 - share) * inside)


@pytest.mark.parametrize("iteration", [1, 3, 4])
def test_loss_is_that_of_the_paper_place_by_place(net, iteration):
    problem = problem_of(net)
    x_adv = problem.x + 0.05 * torch.sin(torch.arange(problem.x.numel()).double()).view_as(problem.x)
    seen = Similarity()(problem)(x_adv, iteration, 4, with_gradient=True)
    clean, now = net.encoder(problem.x), net.encoder(x_adv)
    for image in range(2):
        assert seen.loss[image].item() == pytest.approx(worked_out(clean[image], now[image], iteration, 4))
    step = 1e-6 * seen.gradient.sign()
    further = Similarity()(problem)(x_adv + step, iteration, 4, with_gradient=False).loss - seen.loss
    torch.testing.assert_close(further, (seen.gradient * step).sum((1, 2, 3)), rtol=1e-3, atol=1e-12)


def test_layers_that_cannot_be_looked_at_are_told(net):
    with pytest.raises(UserError, match="gives no map of features"):
        Similarity("unused")(problem_of(net))
    with pytest.raises(UserError, match="5000 places"):
        Similarity()(problem_of(net, 50, 100))
