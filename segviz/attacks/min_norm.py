"""What the minimum-norm attacks share: their loop, the best iterate, clipping to a ball, the prox of the L-inf norm."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from segviz.attacks.constraints import GREY_LEVELS, Constraint, add_levels
from segviz.attacks.loop import as_attacked, check, judged, passes_of
from segviz.attacks.regions import Within
from segviz.attacks.rules import per_image
from segviz.types import THRESHOLDS, Goal, Step, StepKind

Advance = Callable[[Tensor, Tensor, Tensor, Step], Tensor]
"""One iteration of an attack: from x_adv, which wants a gradient, its logits, its margins and its Step, to the next iterate."""

BISECTIONS = 24
"""Halvings in the search of `prox_linf`: the clipping level is right to 2^-24, below what a float32 near 1 can tell."""


@dataclass(frozen=True)
class MinimumNormAttack(ABC):
    """An attack that looks for the smallest L-inf perturbation that reaches the goal at a share `threshold` of the counted pixels.

    The search itself knows no radius, only the box [0,1]. If `clip`, its result is brought into the ball of `constraint` at the end:
    the clipped minimum-norm attack of Halmosi, Mohos & Jelasity, ECCV 2024 (2407.09150); else the radius is not used. A constraint that
    confines the change to a region confines the search as well, clipped or not.
    """

    constraint: Constraint
    steps: int
    threshold: float = 0.99
    clip: bool = True

    @property
    def iterations(self) -> int:
        """Iterations of a whole run; each is one forward and one backward pass."""
        return self.steps

    def rests(self, step: Step) -> bool:
        """Whether no image would change any more after this Step; an attack that asks waits for the device."""
        return False

    @abstractmethod
    def start(self, x: Tensor, goal: Goal) -> Advance:
        """The attack at its first iteration. Its state is per image, and no iteration waits for the device."""

    def run(self, model: nn.Module, x: Tensor, goal: Goal) -> Iterator[Step]:
        """Attack the images `x` (N,3,H,W), 8-bit values in [0,1], and yield a Step per iteration.

        The first Step is the clean image, then come the iterates 1, 2, ... in full precision and not clipped to the ball; the last Step
        is what `conclude` makes of the best iterates. `Step.best` is, image by image, the iterate of the smallest L-inf norm among those
        whose success is at least `threshold`; where there is none yet, the one of the highest success, ties to the later one.
        `Step.loss` is the mean over counted pixels of max_{k != y} u_k - u_y, u the logits and y the label or target.

        `model` maps images to logits (N,C,H,W); only the input gets a gradient. Raises ValueError where `x` is not an 8-bit image or
        shapes disagree.
        """
        check(x, goal)
        region = self.constraint.mask if isinstance(self.constraint, Within) else None
        advance, seen_by_attack = self.start(x, goal), as_attacked(model, x)
        per_look = passes_of(seen_by_attack)
        step = None
        ahead = x
        passes = 0
        for index in range(self.steps + 1):
            if step is not None and self.rests(step):
                # Nothing would change any more, so nothing is spent.
                step = replace(step, index=index)
                yield step
                continue
            go_on = index < self.steps
            with torch.set_grad_enabled(go_on):
                x_adv = ahead.detach().requires_grad_(go_on)
                # What the model does not see of x_adv has no gradient, and so never changes.
                logits = seen_by_attack(x_adv if region is None else torch.where(region, x_adv, x))
                margins = margin(logits, goal)
                step = self.look(index, x_adv.detach(), logits.detach(), margins.detach(), x, goal, step)
                passes += per_look if index == 0 else 2 * per_look
                step = replace(step, gradient_evaluations=index * per_look, passes=passes)
                if go_on and not self.rests(step):
                    ahead = advance(x_adv, logits, margins, step)
            if index == 0:
                clean = replace(step, kind=StepKind.CLEAN)
                if seen_by_attack is not model:
                    clean = judged(clean, model, goal)
                    passes = clean.passes
                yield clean
            else:
                yield step
        assert step is not None
        yield self.conclude(step, model, x, goal)

    @torch.no_grad()
    def conclude(self, step: Step, model: nn.Module, x: Tensor, goal: Goal) -> Step:
        """The result of a run that ended at `step`: its best iterates, in 8-bit values and predicted again.

        With `clip` they are projected on the ball and rounded within it; else every value goes to its nearest grey level, where a
        perturbation below half a level is lost: `smallest` still tells its size.
        """
        if self.clip:
            x_adv = self.constraint.to_8bit(self.constraint.project(step.best, x), x)
        else:
            x_adv = add_levels(x, torch.round((step.best - x) * GREY_LEVELS))
        logits = model(x_adv)
        result = self.look(step.index, x_adv, logits, margin(logits, goal), x, goal, None)
        passes = step.passes + passes_of(model)
        seen_by_attack = as_attacked(model, x)
        if seen_by_attack is not model:
            result = replace(result, best_success=goal.success(seen_by_attack(x_adv).argmax(1)))
            passes += passes_of(seen_by_attack)
        spent = step.gradient_evaluations
        return replace(result, gradient_evaluations=spent, passes=passes, kind=StepKind.RESULT, smallest=step.smallest)

    def look(self, index: int, x_adv: Tensor, logits: Tensor, margins: Tensor, x: Tensor, goal: Goal, previous: Step | None) -> Step:
        """The Step of one forward pass."""
        prediction = logits.argmax(1)
        success = goal.success(prediction)
        loss = (margins * goal.weight).sum((1, 2)) * (1.0 if goal.targeted else -1.0)
        norm = linf_norm(x_adv - x)
        smallest = torch.stack([torch.where(success >= threshold, norm, torch.inf) for threshold in THRESHOLDS], 1)
        best, best_success = x_adv, success
        if previous is not None:
            assert previous.smallest is not None
            smallest = torch.minimum(smallest, previous.smallest)
            smaller = (success >= self.threshold) & (norm <= linf_norm(previous.best - x))
            better = torch.where(previous.best_success >= self.threshold, smaller, success >= previous.best_success)
            best = per_image(better, x_adv, previous.best)
            best_success = torch.where(better, success, previous.best_success)
        return Step(index, x_adv, logits, prediction, loss, success, best, best_success, 0, smallest=smallest)


def linf_norm(delta: Tensor) -> Tensor:
    """L-inf norm (N,) of perturbations (N,3,H,W)."""
    return delta.abs().amax((1, 2, 3))


def margin(logits: Tensor, goal: Goal) -> Tensor:
    """How far each pixel (N,H,W) is from what the goal wants, negative where it is there; any value where a pixel does not count.

    u_y - max_{k != y} u_k for an untargeted goal, its negative for a targeted one; u the logits (N,C,H,W), y the label or target.
    """
    labels = goal.safe_labels.unsqueeze(1)
    difference = (logits.gather(1, labels) - logits.scatter(1, labels, -torch.inf).amax(1, keepdim=True)).squeeze(1)
    return -difference if goal.targeted else difference


def prox_linf(v: Tensor, weight: Tensor, metric: Tensor, x: Tensor) -> Tensor:
    """argmin over z with x + z in [0,1] of  weight * |z|_inf + 1/2 sum_i metric_i (z_i - v_i)^2, image by image.

    The proximity operator of the L-inf norm in a diagonal metric, under the box (Rony, Pesquet & Ben Ayed, CVPR 2023, 2206.07179):
    v, brought into the box, is clipped to [-t, t]. Where they search t by its objective, here it is the zero of the slope
    weight - sum_{i: |p_i| > t} metric_i (|v_i| - t), p the point of the box next to v, which grows with t: bisection.
    `v`, `metric` > 0 and `x` are (N,3,H,W), `weight` (N,) >= 0.
    """
    inside = torch.minimum(torch.maximum(v, -x), 1 - x)
    size, metric = inside.abs().flatten(1), metric.flatten(1)
    pull = metric * v.abs().flatten(1)
    low, high = torch.zeros_like(weight), size.amax(1)
    for _ in range(BISECTIONS):
        t = (low + high) / 2
        level = t.unsqueeze(1)
        rising = weight > ((pull - metric * level) * (size > level)).sum(1)
        low, high = torch.where(rising, low, t), torch.where(rising, t, high)
    bound = low.view(-1, 1, 1, 1)
    return torch.minimum(torch.maximum(inside, -bound), bound)
