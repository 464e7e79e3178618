"""PDPGD, primal-dual proximal gradient descent: a Lagrangian with one multiplier per pixel, Adam and the prox of the L-inf norm."""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from segviz.attacks.min_norm import Advance, MinimumNormAttack, prox_linf
from segviz.types import Goal, Step

BETA_1, BETA_2, ADAM_EPS = 0.9, 0.999, 1e-8


@dataclass(frozen=True)
class PDPGD(MinimumNormAttack):
    """Matyasko & Chau, 2021 (2106.01538), brought to segmentation by Rony et al., CVPR 2023 (2206.07179), for the L-inf norm.

    Saddle point of  lambda_0 |r|_inf + sum_j lambda_j softplus(m_j),  lambda on the simplex, m_j the margin of counted pixel j (negative
    where the pixel is as the goal wants it).

    - Primal: an Adam step of size theta on the softplus term, then the prox of  lambda_0 / sum_j lambda_j * |r|_inf  in Adam's diagonal
      metric, with x + r in [0,1]. theta falls geometrically from `lr` to `lr` * `lr_decrease`.
    - Dual: log(lambda_j / lambda_0) += theta_dual * sign(m_j), within +-log `ratio_min`; theta_dual falls linearly from `dual_lr` to
      `dual_lr` * `dual_lr_decrease`. The primal step sees the moving average (`dual_ema`) of lambda.

    The multipliers start with sum_j lambda_j = lambda_0. Defaults are those of Rony et al., as used by Halmosi, Mohos & Jelasity, ECCV
    2024 (2407.09150). The published code approximates the prox by up to five inner iterations that stop on the whole batch; here it is
    exact. There is no constraint masking: all counted pixels are wanted, more than `threshold` asks for.
    """

    steps: int = 500
    lr: float = 0.01
    lr_decrease: float = 0.01
    dual_lr: float = 0.1
    dual_lr_decrease: float = 0.1
    dual_ema: float = 0.9
    ratio_min: float = 1e-12

    def start(self, x: Tensor, goal: Goal) -> Advance:
        return PDPGDSearch(self, x, goal).advance


class PDPGDSearch:
    """State of a run, per image: perturbation, moments, multipliers."""

    def __init__(self, attack: PDPGD, x: Tensor, goal: Goal):
        self.attack, self.x, self.counted = attack, x, goal.counted
        self.r = torch.zeros_like(x)
        self.mean = torch.zeros_like(x)
        self.square = torch.zeros_like(x)
        self.log_ratio = -goal.pixels.to(x).log().view(-1, 1, 1).expand(goal.labels.shape)
        self.multipliers = self.simplex()

    def simplex(self) -> Tensor:
        """lambda (N, 1 + H*W), lambda_0 first; 0 for pixels that do not count."""
        log_ratio = self.log_ratio.masked_fill(~self.counted, -torch.inf).flatten(1)
        return F.pad(log_ratio, (1, 0)).softmax(1)

    def advance(self, x_adv: Tensor, logits: Tensor, margins: Tensor, step: Step) -> Tensor:
        attack, i = self.attack, step.index
        if i > 0:
            self.multipliers = self.multipliers.lerp(self.simplex(), 1 - attack.dual_ema)
        norm_multiplier, pixel_multipliers = self.multipliers[:, 0], self.multipliers[:, 1:]
        lagrangian = F.softplus(margins).mul(pixel_multipliers.view_as(margins)).sum()
        gradient = torch.autograd.grad(lagrangian, x_adv)[0]

        self.mean = self.mean.lerp(gradient, 1 - BETA_1)
        self.square = self.square.lerp(gradient.square(), 1 - BETA_2)
        metric = (self.square / (1 - BETA_2 ** (i + 1))).sqrt() + ADAM_EPS
        theta = attack.lr * attack.lr_decrease ** (i / attack.steps)
        ahead = self.r - theta / (1 - BETA_1 ** (i + 1)) * self.mean / metric
        weight = theta * norm_multiplier / pixel_multipliers.sum(1).clamp(min=1e-30)
        self.r = prox_linf(ahead, weight, metric, self.x)

        left = 1 - i / max(attack.steps - 1, 1)
        theta_dual = attack.dual_lr * (attack.dual_lr_decrease + left * (1 - attack.dual_lr_decrease))
        bound = -math.log(attack.ratio_min)
        self.log_ratio = (self.log_ratio + theta_dual * margins.detach().sign()).clamp(-bound, bound)
        return (self.x + self.r).clamp(0, 1)
