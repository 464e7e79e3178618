"""DAG, the dense adversary generation of Xie et al.: steps along the gradient of all pixels that are still as they were."""

from dataclasses import dataclass

import torch
from torch import Tensor

from segviz.attacks.min_norm import Advance, MinimumNormAttack
from segviz.types import Goal, Step


@dataclass(frozen=True)
class DAG(MinimumNormAttack):
    """Xie et al., "Adversarial Examples for Semantic Segmentation and Object Detection", ICCV 2017 (1703.08603), Algorithm 1.

    The active set T_m holds the counted pixels that are not yet as the goal wants them. With u the logits and l' the target,

        r_m = sum_{n in T_m} grad( u_{l'_n} - u_{pred_n} ),    x_{m+1} = clip_[0,1]( x_m + gamma * r_m / |r_m|_inf ).

    Without a target, each pixel is pulled from its label y to the best other class, grad( max_{k != y} u_k - u_y ), the form in which
    Rony et al., CVPR 2023 (2206.07179) and Halmosi, Mohos & Jelasity, ECCV 2024 (2407.09150) evaluate it. The two agree: the prediction
    of an active pixel is the best class that is not its target.

    `gamma` is the L-inf length of a step on the [0,1] scale: 0.001 and 0.003 in Halmosi et al., with 200 steps; 0.5/255 in Xie et al.
    An image rests as soon as it has reached `threshold`, and once all images of a batch rest, the Steps that are left repeat the last one
    and take no pass through the network. The norm is never made smaller again, and a step spends its length only at the
    pixel of the largest gradient, so what is found is an upper bound. Where the threshold is not reached, the result is the best iterate;
    the code behind the published numbers returns the clean image there.
    """

    steps: int = 200
    gamma: float = 0.001

    def rests(self, step: Step) -> bool:
        return bool((step.success >= self.threshold).all())

    def start(self, x: Tensor, goal: Goal) -> Advance:
        def advance(x_adv: Tensor, logits: Tensor, margins: Tensor, step: Step) -> Tensor:
            active = goal.counted & (margins >= 0)
            r = -torch.autograd.grad((margins * active).sum(), x_adv)[0]
            length = self.gamma * (step.success < self.threshold).to(r) / r.abs().amax((1, 2, 3)).clamp(min=1e-12)
            return (step.x_adv + length.view(-1, 1, 1, 1) * r).clamp(0, 1)

        return advance
