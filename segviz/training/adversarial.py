"""Adversarial training: part of every batch is attacked, with the attacks of the catalogue, before the network learns from it."""

import copy

import torch
import torch.nn.functional as F
from torch import Tensor

from segviz.attacks.catalog import build_attack
from segviz.attacks.goals import build_goal
from segviz.attacks.loop import Attack
from segviz.attacks.objectives import Problem
from segviz.models.fold import fold
from segviz.models.segmenter import Segmenter
from segviz.settings import Settings
from segviz.types import VOID

ADVERSARIES = ("pgd", "segpgd", "eroseg")
"""PGD-AT (Madry et al., 1706.06083), SegPGD-AT (Gu et al., 2207.12391), EroSeg-AT (Song et al., 2601.14950, in our formalisation)."""

N_FGSM = "n-fgsm"
NOISE = 2.0
"""Radius of N-FGSM's noise in units of eps (de Jorge et al., 2202.01181, Sec. 5)."""


def adversarial_batch(model: Segmenter, x: Tensor, labels: Tensor, settings: Settings, fraction: float) -> Tensor:
    """The batch `x` (N,3,H,W) in [0,1], brought to 8-bit values, with its first `fraction` attacked against `labels` (N,H,W).

    The attack sees the network in eval mode. An attacked picture is the last iterate, as in the papers, in 8-bit values; which iterate is
    the strongest is not looked at, since that takes passes through the network from which nothing is learned.
    """
    x = (x * 255).round() / 255
    attacked = round(fraction * len(x))
    if attacked == 0:
        return x
    some, truth = x[:attacked], labels[:attacked]
    goal = build_goal(settings, truth, truth, model.label_set)
    attack = build_attack(settings, *x.shape[2:], label_set=model.label_set)
    assert isinstance(attack, Attack)
    network = attacked_network(model)
    objective = attack.objective(Problem(network, some, goal, settings.seed, attack.class_pixels))
    rule = attack.rule(attack.constraint, attack.alpha, attack.steps)
    x_adv = some
    if attack.random_start:
        x_adv = attack.constraint.random_point(some, torch.Generator().manual_seed(settings.seed))
    for iteration in range(1, attack.steps + 1):
        x_adv = rule.step(x_adv, objective(x_adv, iteration, attack.steps, with_gradient=True), some)
    x_adv = attack.constraint.to_8bit(x_adv, some)
    return torch.cat([x_adv, x[attacked:]]).detach()


def n_fgsm_batch(model: Segmenter, x: Tensor, labels: Tensor, eps: float, seed: int, fraction: float) -> Tensor:
    """The batch `x` (N,3,H,W) in [0,1] with its first `fraction` attacked by N-FGSM against `labels` (N,H,W); `eps` in grey levels.

    One step of eps along the sign of the gradient, from uniform noise of `NOISE` * eps that stays in the picture: only [0,1] bounds the
    sum, not the ball. One pass is enough, and the noise keeps training from what a single step otherwise ends in, robustness against
    itself alone (de Jorge et al., 2202.01181, Eq. 5). The attack sees the network in eval mode.
    """
    attacked = round(fraction * len(x))
    if attacked == 0:
        return x
    radius = eps / 255
    noise = torch.rand(x[:attacked].shape, generator=torch.Generator().manual_seed(seed)).to(x.device)
    noisy = (x[:attacked] + NOISE * radius * (2 * noise - 1)).requires_grad_()
    loss = F.cross_entropy(attacked_network(model)(noisy), labels[:attacked], ignore_index=VOID, reduction="sum")
    (gradient,) = torch.autograd.grad(loss, noisy)
    x_adv = (noisy.detach() + radius * gradient.sign()).clamp(0, 1)
    return torch.cat([x_adv, x[attacked:]])


def attacked_network(model: Segmenter) -> Segmenter:
    """A copy of the network in training as an attack sees it: in eval mode, frozen and folded."""
    network = copy.deepcopy(model).eval().requires_grad_(False)
    fold(network)
    return network
