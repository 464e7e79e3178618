"""Adversarial training: part of every batch is attacked, with the attacks of the catalogue, before the network learns from it."""

from collections import deque

import torch
from torch import Tensor

from segviz.attacks.catalog import build_attack
from segviz.attacks.goals import build_goal
from segviz.models.segmenter import Segmenter
from segviz.settings import Settings

ADVERSARIES = ("pgd", "segpgd", "eroseg")
"""PGD-AT (Madry et al., 1706.06083), SegPGD-AT (Gu et al., 2207.12391), EroSeg-AT (Song et al., 2601.14950, in our formalisation)."""


def attack_batch(model: Segmenter, x: Tensor, labels: Tensor, settings: Settings, fraction: float) -> Tensor:
    """The batch `x` (N,3,H,W) in [0,1], brought to 8-bit values, with its first `fraction` attacked against `labels` (N,H,W).

    The network is put into eval mode. An attacked picture is the strongest of its iterates, as users of the attack get it.
    """
    x = (x * 255).round() / 255
    attacked = round(fraction * len(x))
    if attacked == 0:
        return x
    model.eval()
    some, truth = x[:attacked], labels[:attacked]
    goal = build_goal(settings, truth, truth, model.label_set)
    attack = build_attack(settings, *x.shape[2:], label_set=model.label_set)
    final = deque(attack.run(model, some, goal), maxlen=1).pop()
    return torch.cat([final.x_adv, x[attacked:]]).detach()
