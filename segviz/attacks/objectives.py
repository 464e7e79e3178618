"""Objectives: what an attack differentiates. Each looks at an iterate and says in which direction its goal lies.

An objective is made anew for every run from the model, the clean images and the goal, and may remember what it needs of them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor, nn

from segviz.attacks.losses import Look, PixelLoss, cross_entropy
from segviz.attacks.transforms import TransformEntry, samples_of, views_of
from segviz.types import Goal


@dataclass(frozen=True)
class Problem:
    """What a run is about: the `model`, the clean images `x` (N,3,H,W) in [0,1], the `goal`, and the seed of its random numbers.

    `class_pixels` as in `Look`.
    """

    model: nn.Module
    x: Tensor
    goal: Goal
    seed: int = 0
    class_pixels: Tensor | None = None

    @property
    def sign(self) -> float:
        """1 where the loss is to grow (untargeted), -1 where it is to shrink."""
        return -1.0 if self.goal.targeted else 1.0


@dataclass(frozen=True)
class Seen:
    """One look at an iterate: its `logits` (N,C,H,W), the `prediction` (N,H,W) that they make, and the `loss` (N,).

    `gradient` (N,3,H,W) points to where the attack wants to go. `progress` (N,) grows as the attack succeeds; adaptive update rules steer
    by it.
    """

    logits: Tensor
    prediction: Tensor
    loss: Tensor
    progress: Tensor
    gradient: Tensor


class Objective(Protocol):
    """`cost` is the number of gradient evaluations (backward passes) that one look with gradient takes, `gradient_passes` that of all
    passes that its gradient takes beside the one forward pass of a look, `setup` that of the forward passes before the first look."""

    @property
    def cost(self) -> int: ...

    @property
    def gradient_passes(self) -> int: ...

    @property
    def setup(self) -> int: ...

    def __call__(self, x_adv: Tensor, iteration: int, steps: int, with_gradient: bool) -> Seen:
        """Look at `x_adv`, for iteration `iteration` (from 1) of `steps`; without `with_gradient` the gradient is empty."""
        ...


ObjectiveBuilder = Callable[[Problem], Objective]


@dataclass(frozen=True)
class PixelObjective:
    """The mean of a pixel loss over the counted pixels: one forward and one backward pass.

    `track` is the loss that measures progress, which differs from `loss` where that one is no measure (masked losses).
    """

    problem: Problem
    loss: PixelLoss = cross_entropy
    track: PixelLoss | None = None
    cost: int = 1
    gradient_passes: int = 1
    setup: int = 0

    def __call__(self, x_adv: Tensor, iteration: int, steps: int, with_gradient: bool) -> Seen:
        problem = self.problem
        with torch.set_grad_enabled(with_gradient):
            x_adv = x_adv.detach().requires_grad_(with_gradient)
            look = Look(problem.model(x_adv), problem.goal, iteration, steps, problem.class_pixels)
            loss = look.mean(self.loss(look))
        gradient = problem.sign * torch.autograd.grad(loss.sum(), x_adv)[0] if with_gradient else loss.new_empty(0)
        with torch.no_grad():
            progress = problem.sign * (loss if self.track is None else look.mean(self.track(look)))
        return Seen(look.logits.detach(), look.prediction, loss.detach(), progress.detach(), gradient)


def pixelwise(loss: PixelLoss, track: PixelLoss | None = None) -> ObjectiveBuilder:
    """Objective of a pixel loss."""
    return lambda problem: PixelObjective(problem, loss, track)


CROSS_ENTROPY = pixelwise(cross_entropy)


class TransformedObjective:
    """The mean of a pixel loss whose gradient is taken through input transforms.

    Logits, loss and progress are those of the untransformed images. Where a transform changes what the network sees, that takes a
    forward pass of its own beside the `cost` gradient evaluations; transforms that only filter the gradient share one. Random numbers
    come from the problem's seed and go on from look to look.
    """

    def __init__(self, problem: Problem, transforms: Sequence[TransformEntry], loss: PixelLoss, track: PixelLoss | None = None):
        self.problem, self.transforms, self.loss = problem, transforms, loss
        self.plain = PixelObjective(problem, loss, track)
        self.has_views = any(entry.view is not None for entry in transforms)
        self.filters = [entry.new_filter() for entry in transforms if entry.new_filter is not None]
        self.generator = torch.Generator().manual_seed(problem.seed)
        self.cost = samples_of(transforms)
        self.gradient_passes = 2 * self.cost if self.has_views else 1
        self.setup = 0

    def __call__(self, x_adv: Tensor, iteration: int, steps: int, with_gradient: bool) -> Seen:
        seen = self.plain(x_adv, iteration, steps, with_gradient and not self.has_views)
        if not with_gradient:
            return seen
        gradient = self.mean_gradient(x_adv, iteration, steps) if self.has_views else seen.gradient
        for gradient_filter in self.filters:
            gradient = gradient_filter(gradient, iteration)
        return replace(seen, gradient=gradient)

    def mean_gradient(self, x_adv: Tensor, iteration: int, steps: int) -> Tensor:
        """Ascent gradient (N,3,H,W), mean over all samples of the views."""
        problem = self.problem
        total = torch.zeros_like(x_adv)
        for forward in views_of(self.transforms, problem.model, self.generator):
            with torch.enable_grad():
                free = x_adv.detach().requires_grad_()
                look = Look(forward(free), problem.goal, iteration, steps, problem.class_pixels)
                loss = look.mean(self.loss(look))
            total += torch.autograd.grad(loss.sum(), free)[0]
        return total * (problem.sign / self.cost)


def transformed(transforms: Sequence[TransformEntry], loss: PixelLoss, track: PixelLoss | None = None) -> ObjectiveBuilder:
    """Objective of a pixel loss with its gradient taken through input transforms."""
    return lambda problem: TransformedObjective(problem, transforms, loss, track)
