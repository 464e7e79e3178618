"""The one loop under all bounded gradient attacks."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from segviz.attacks.constraints import GREY_LEVELS, Constraint
from segviz.attacks.losses import cross_entropy
from segviz.types import Goal, Step

PixelLoss = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Attack:
    """A bounded attack as data.

    x_{t+1} = P( x_t + alpha * steepest(gradient of the loss at x_t) ), P the projection of `constraint`; the sign of the loss is turned
    for a targeted goal. `steps` iterations from the clean image, or from a random point of the ball if `random_start`; the whole is
    done `restarts` times, each from its own random point. `alpha` is in units of the constraint's norm on the [0,1] scale.
    Raises ValueError for several restarts without a random start: they would all be the same.
    """

    constraint: Constraint
    alpha: float
    steps: int
    loss: PixelLoss = cross_entropy
    random_start: bool = False
    restarts: int = 1
    seed: int = 0

    def __post_init__(self) -> None:
        if self.restarts > 1 and not self.random_start:
            raise ValueError("Several restarts need a random start.")


def run(attack: Attack, model: nn.Module, x: Tensor, goal: Goal) -> Iterator[Step]:
    """Attack the images `x` (N,3,H,W), 8-bit values in [0,1], and yield a Step per iteration.

    The first Step is the clean image; the last one is the strongest iterate of each image (the one with most pixels as the goal wants
    them, ties to the later one), rounded to 8 bits within the constraint and predicted again. In between come the iterates 1, 2, ... in
    full precision. One iteration costs one forward and one backward pass. Whoever iterates may stop at any Step and turn it into a
    result with `conclude`.

    `model` maps images to logits (N,C,H,W); only the input gets a gradient. All state is per image: the outcome does not depend on
    which images share a batch. Raises ValueError where `x` is not an 8-bit image or shapes disagree.
    """
    if (x * GREY_LEVELS - torch.round(x * GREY_LEVELS)).abs().max() > 1e-3 or x.min() < 0 or x.max() > 1:
        raise ValueError("x must hold 8-bit values: multiples of 1/255 in [0,1].")
    if goal.labels.shape != x.shape[:1] + x.shape[2:]:
        raise ValueError(f"labels are {tuple(goal.labels.shape)}, images {tuple(x.shape)}: expected (N,H,W) and (N,3,H,W).")

    sign = -1.0 if goal.targeted else 1.0

    def look(x_adv: Tensor, previous: Step | None, with_gradient: bool) -> tuple[Step, Tensor]:
        """One forward pass at `x_adv` and, if wanted, one backward pass; without it the gradient is empty."""
        with torch.set_grad_enabled(with_gradient):
            x_adv = x_adv.detach().requires_grad_(with_gradient)
            logits = model(x_adv)
            loss = mean_over_counted(attack.loss(logits, goal.safe_labels), goal)
            gradient = torch.autograd.grad(sign * loss.sum(), x_adv)[0] if with_gradient else x_adv.new_empty(0)
        return record(x_adv.detach(), logits.detach(), loss.detach(), goal, previous), gradient

    step, gradient = look(x, None, with_gradient=attack.steps > 0 and not attack.random_start)
    yield step
    generator = torch.Generator().manual_seed(attack.seed)
    index = spent = 0
    for _ in range(attack.restarts if attack.steps > 0 else 0):
        x_adv = x
        if attack.random_start:
            x_adv = attack.constraint.random_point(x, generator)
            step, gradient = look(x_adv, step, with_gradient=True)
        for iteration in range(1, attack.steps + 1):
            ahead = torch.add(x_adv, attack.constraint.steepest(gradient), alpha=attack.alpha)
            x_adv = attack.constraint.project(ahead, x)
            index, spent = index + 1, spent + 1
            step, gradient = look(x_adv, step, with_gradient=iteration < attack.steps)
            step = replace(step, index=index, gradient_evaluations=spent)
            yield step
    yield conclude(step, attack, model, x, goal)


@torch.no_grad()
def conclude(step: Step, attack: Attack, model: nn.Module, x: Tensor, goal: Goal) -> Step:
    """The result of an attack that ended at `step`: its best iterates, rounded to 8 bits within the constraint, predicted again."""
    x_adv = attack.constraint.to_8bit(step.best, x)
    logits = model(x_adv)
    result = record(x_adv, logits, mean_over_counted(attack.loss(logits, goal.safe_labels), goal), goal, None)
    return replace(result, index=step.index, gradient_evaluations=step.gradient_evaluations, concluded=True)


def mean_over_counted(pixel_loss: Tensor, goal: Goal) -> Tensor:
    """Loss per pixel (N,H,W) to its mean over each image's counted pixels (N,); 0 where none counts."""
    return (pixel_loss * goal.weight).sum((1, 2))


def record(x_adv: Tensor, logits: Tensor, loss: Tensor, goal: Goal, previous: Step | None) -> Step:
    """A Step for one forward pass; its best iterates are those of `previous` where `x_adv` is not at least as strong."""
    prediction = logits.argmax(1)
    success = goal.success(prediction)
    best, best_success = x_adv, success
    if previous is not None:
        better = success >= previous.best_success
        best = torch.where(better.view(-1, 1, 1, 1), x_adv, previous.best)
        best_success = torch.where(better, success, previous.best_success)
    return Step(0, x_adv, logits, prediction, loss, success, best, best_success, 0)
