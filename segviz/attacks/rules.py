"""Update rules: how an attack goes from one iterate to the next. Each run of a rule is an object of its own, with state per image."""

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

from segviz.attacks.constraints import Constraint
from segviz.attacks.objectives import Seen


class Rule(Protocol):
    def step(self, x_adv: Tensor, seen: Seen, x: Tensor) -> Tensor:
        """The next iterate (N,3,H,W) within the constraint, from the present one, what was seen there, and the clean images."""
        ...


RuleBuilder = Callable[[Constraint, float, int], Rule]
"""Makes a rule from the constraint, the step size alpha in the constraint's norm on the [0,1] scale, and the number of steps."""


class SteepestStep:
    """x_{t+1} = P(x_t + alpha * steepest(g_t)); for L-inf the steepest direction is the sign of the gradient (Madry et al., 2018)."""

    def __init__(self, constraint: Constraint, alpha: float, steps: int):
        self.constraint, self.alpha = constraint, alpha

    def step(self, x_adv: Tensor, seen: Seen, x: Tensor) -> Tensor:
        ahead = torch.add(x_adv, self.constraint.steepest(seen.gradient), alpha=self.alpha)
        return self.constraint.project(ahead, x)


class ProjectedAdam:
    """Adam's step on the perturbation, then the projection: PAdam of Halmosi, Mohos & Jelasity, ECCV 2024 (2407.09150).

    m and v are the running means of g and g^2 (Kingma & Ba, 2015, Alg. 1). `amsgrad` keeps the largest v so far (Reddi et al., 2018).
    Without `correct_second`, v is used as it is, which makes the first steps long: the projected Adam of Halmosi & Jelasity's first
    paper (2306.14217), with beta2 = 0.99.
    """

    def __init__(self, alpha: float, constraint: Constraint, beta1: float, beta2: float, amsgrad: bool, correct_second: bool):
        self.alpha, self.constraint = alpha, constraint
        self.beta1, self.beta2, self.amsgrad, self.correct_second = beta1, beta2, amsgrad, correct_second
        self.t = 0

    def step(self, x_adv: Tensor, seen: Seen, x: Tensor) -> Tensor:
        g = seen.gradient
        if self.t == 0:
            self.m, self.v, self.largest = torch.zeros_like(g), torch.zeros_like(g), torch.zeros_like(g)
        self.t += 1
        self.m = torch.lerp(g, self.m, self.beta1)
        self.v = torch.lerp(g.square(), self.v, self.beta2)
        if self.amsgrad:
            self.largest = torch.maximum(self.largest, self.v)
        second = self.largest if self.amsgrad else self.v
        scale = (1 - self.beta2**self.t) ** 0.5 if self.correct_second else 1.0
        direction = self.m / (1 - self.beta1**self.t) / (second.sqrt() / scale + 1e-8)
        return self.constraint.project(torch.add(x_adv, direction, alpha=self.alpha), x)


def padam(constraint: Constraint, alpha: float, steps: int) -> Rule:
    """PAdam: AMSGrad with the usual betas (2407.09150)."""
    return ProjectedAdam(alpha, constraint, beta1=0.9, beta2=0.999, amsgrad=True, correct_second=True)


def uncorrected_adam(constraint: Constraint, alpha: float, steps: int) -> Rule:
    """The projected Adam of CIRA (2306.14217)."""
    return ProjectedAdam(alpha, constraint, beta1=0.9, beta2=0.99, amsgrad=False, correct_second=False)


class AutoStep:
    """APGD: steps with momentum whose size halves where they stop helping (Croce & Hein, ICML 2020, 2003.01690, Alg. 1).

    z = P(x_t + eta s_t),  x_{t+1} = P(x_t + a (z - x_t) + (1 - a)(x_t - x_{t-1})) with a = 1 at first, then 0.75, and s_t the steepest
    direction. At checkpoints an image's eta is halved, and its run goes on from its best point so far, if progress grew in at most
    75 % of the steps since the last checkpoint (condition 1), or if eta was not halved at the last checkpoint and the best progress
    has not changed since (condition 2). The first period is 22 % of the steps, each further one 3 % of them shorter, at least 6 %.
    `alpha` is the first eta, 2 eps as published. Where the paper writes "fewer than" in condition 1, its code, followed here, has "at
    most".
    """

    def __init__(self, constraint: Constraint, alpha: float, steps: int):
        self.constraint, self.alpha = constraint, alpha
        self.period = max(int(0.22 * steps), 1)
        self.shortest = max(int(0.06 * steps), 1)
        self.shortening = max(int(0.03 * steps), 1)
        self.since_check = 0
        self.t = 0
        self.last_progress = torch.empty(0)

    def step(self, x_adv: Tensor, seen: Seen, x: Tensor) -> Tensor:
        gradient, progress = seen.gradient, seen.progress
        if self.t == 0:
            self.eta = torch.full_like(progress, self.alpha)
            self.grown = torch.zeros_like(progress)
            self.best, self.best_gradient, self.best_progress = x_adv, gradient, progress
            self.checked_progress, self.halved = progress, torch.ones_like(progress, dtype=torch.bool)
            self.previous = x_adv
        else:
            self.grown = self.grown + (progress > self.last_progress)
            better = progress > self.best_progress
            self.best, self.best_gradient = per_image(better, x_adv, self.best), per_image(better, gradient, self.best_gradient)
            self.best_progress = torch.where(better, progress, self.best_progress)
            self.since_check += 1
            if self.since_check == self.period:
                x_adv, gradient = self.check(x_adv, gradient)
        self.last_progress = progress
        a = 1.0 if self.t == 0 else 0.75
        ahead = x_adv + self.eta.view(-1, 1, 1, 1) * self.constraint.steepest(gradient)
        z = self.constraint.project(ahead, x)
        following = self.constraint.project(x_adv + a * (z - x_adv) + (1 - a) * (x_adv - self.previous), x)
        self.previous = x_adv
        self.t += 1
        return following

    def check(self, x_adv: Tensor, gradient: Tensor) -> tuple[Tensor, Tensor]:
        """A checkpoint: halve the step where it stopped helping; returns the point and gradient to go on from."""
        few = self.grown <= 0.75 * self.period
        stuck = ~self.halved & (self.checked_progress >= self.best_progress)
        self.halved = few | stuck
        self.checked_progress = self.best_progress
        self.eta = torch.where(self.halved, self.eta / 2, self.eta)
        self.period = max(self.period - self.shortening, self.shortest)
        self.since_check, self.grown = 0, torch.zeros_like(self.grown)
        return per_image(self.halved, self.best, x_adv), per_image(self.halved, self.best_gradient, gradient)


def per_image(choice: Tensor, one: Tensor, other: Tensor) -> Tensor:
    """Images (N,...) from `one` where `choice` (N,) is true, else from `other`."""
    return torch.where(choice.view(-1, *[1] * (one.dim() - 1)), one, other)
