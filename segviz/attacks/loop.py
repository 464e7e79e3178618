"""The one loop under all bounded gradient attacks."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor, nn

from segviz.attacks.constraints import GREY_LEVELS, Constraint
from segviz.attacks.objectives import CROSS_ENTROPY, ObjectiveBuilder, Problem, Seen
from segviz.attacks.rules import RuleBuilder, SteepestStep, per_image
from segviz.models.segmenter import Segmenter
from segviz.types import Goal, Step, StepKind


class Runnable(Protocol):
    """What every attack can do; `iterations` is how many Steps lie between the clean one and the result."""

    @property
    def iterations(self) -> int: ...

    def run(self, model: nn.Module, x: Tensor, goal: Goal) -> Iterator[Step]:
        """Attack the images `x` (N,3,H,W), 8-bit values in [0,1], and yield a Step per iteration.

        The first Step is the clean image; the last one is the strongest iterate of each image (the one with most pixels as the goal
        wants them, ties to the later one), rounded to 8 bits within the constraint and predicted again. In between come the iterates
        1, 2, ... in full precision. Whoever iterates may stop at any Step and turn it into a result with `conclude`.

        `model` maps images to logits (N,C,H,W); only the input gets a gradient. A random defence is looked at with draws of the attack's
        own; by the defender's, which it never sees, the clean image and the result are predicted. All state is per image, so which images
        share a batch decides nothing but rounding: a network rounds a batch otherwise than its images alone in the last digit. In float64
        nothing comes of that; in float32 attacks with long steps (CIRA+, the L2 norm) let it grow within ten steps until iterates differ.
        Raises ValueError where `x` is not an 8-bit image or shapes disagree.
        """
        ...

    def conclude(self, step: Step, model: nn.Module, x: Tensor, goal: Goal) -> Step:
        """The result of an attack that ended at `step`: its best iterates, rounded to 8 bits within the constraint, predicted again."""
        ...


@dataclass(frozen=True)
class Stage:
    """A part of a run: `steps` iterations in a ball of `radius` times eps, starting "clean", at a "random" point or at the "best" so far.

    The iterates of a `final` stage lie in the ball of the attack itself and can be its result.
    """

    radius: float
    steps: int
    start: str
    final: bool


@dataclass(frozen=True)
class Attack:
    """A bounded attack as data: what it differentiates, how it moves, and the ball it stays in.

    `steps` iterations from the clean image, or from a random point of the ball if `random_start`; the whole is done `restarts` times, each
    from its own random point. `alpha` is in units of the constraint's norm on the [0,1] scale. `radii` splits the steps into stages with
    balls of other sizes, in units of eps; each later stage starts at the projection of the strongest iterate of the one before. Only
    iterates of the last stage can be the result. `class_pixels` as in `Look`. With `until_won`, a stage ends once every counted pixel of
    every image is as the goal wants it, since more steps could not add to that (SEA's code does so); a run then takes fewer iterations.
    Raises ValueError for several restarts without a random start: they would all be the same.
    """

    constraint: Constraint
    alpha: float
    steps: int
    objective: ObjectiveBuilder = CROSS_ENTROPY
    rule: RuleBuilder = SteepestStep
    random_start: bool = False
    restarts: int = 1
    seed: int = 0
    radii: tuple[tuple[float, float], ...] = ((1.0, 1.0),)
    class_pixels: Tensor | None = None
    until_won: bool = False

    def __post_init__(self) -> None:
        if self.restarts > 1 and not self.random_start:
            raise ValueError("Several restarts need a random start.")

    @property
    def iterations(self) -> int:
        return self.steps * self.restarts

    def stages(self) -> Iterator[Stage]:
        """The parts of the run, in order; those without steps are left out."""
        *larger, _ = self.radii
        for _ in range(self.restarts if self.steps > 0 else 0):
            start, left = "random" if self.random_start else "clean", self.steps
            for radius, share in larger:
                steps = int(share * self.steps)
                if steps > 0:
                    yield Stage(radius, steps, start, final=False)
                    start, left = "best", left - steps
            yield Stage(1.0, left, start, final=True)

    def run(self, model: nn.Module, x: Tensor, goal: Goal) -> Iterator[Step]:
        """As in `Runnable`. An iteration costs one forward and one backward pass with most objectives."""
        check(x, goal)
        seen_by_attack = as_attacked(model, x)
        objective = self.objective(Problem(seen_by_attack, x, goal, self.seed, self.class_pixels))
        stages = list(self.stages())
        from_clean = bool(stages) and stages[0].start == "clean"
        seen = objective(x, 1, stages[0].steps if stages else 1, with_gradient=from_clean)
        per_look = passes_of(seen_by_attack)
        passes = (objective.setup + 1) * per_look
        first = clean = step = leader = replace(step_of(x, seen, goal, None), kind=StepKind.CLEAN, passes=passes)
        if seen_by_attack is not model:
            clean, passes = judged(clean, model, goal), passes + passes_of(model)
            step = clean
        yield clean
        generator = torch.Generator().manual_seed(self.seed)
        kept: Step | None = None
        index = spent = 0
        for number, stage in enumerate(stages):
            constraint = self.constraint.scaled(stage.radius)
            x_adv = x
            if stage.start != "clean":
                x_adv = constraint.random_point(x, generator) if stage.start == "random" else constraint.project(leader.best, x)
                seen = objective(x_adv, 1, stage.steps, with_gradient=True)
                passes += per_look
            leader = step_of(x_adv, seen, goal, (kept or first) if stage.final else None)
            rule = self.rule(constraint, stage.radius * self.alpha, stage.steps)
            for iteration in range(1, stage.steps + 1):
                if self.until_won and (leader.best_success == 1).all():
                    # The gradient at the last look was taken for nothing.
                    passes += objective.gradient_passes * per_look
                    step = replace(step, passes=passes)
                    break
                x_adv = rule.step(x_adv, seen, x)
                seen = objective(x_adv, min(iteration + 1, stage.steps), stage.steps, with_gradient=iteration < stage.steps)
                leader = step_of(x_adv, seen, goal, leader)
                index, spent = index + 1, spent + objective.cost * per_look
                passes += (objective.gradient_passes + 1) * per_look
                step = replace(leader, index=index, gradient_evaluations=spent, stage=number, passes=passes)
                if kept is not None and not stage.final:
                    step = replace(step, best=kept.best, best_success=kept.best_success)
                yield step
            if stage.final:
                kept = leader
        yield self.conclude(step, model, x, goal)

    @torch.no_grad()
    def conclude(self, step: Step, model: nn.Module, x: Tensor, goal: Goal) -> Step:
        """As in `Runnable`; the loss of the result is again that of the objective."""
        x_adv = self.constraint.to_8bit(self.constraint.project(step.best, x), x)
        objective = self.objective(Problem(model, x, goal, self.seed, self.class_pixels))
        result = step_of(x_adv, objective(x_adv, 1, 1, with_gradient=False), goal, None)
        passes = step.passes + (objective.setup + 1) * passes_of(model)
        seen_by_attack = as_attacked(model, x)
        if seen_by_attack is not model:
            result = replace(result, best_success=goal.success(seen_by_attack(x_adv).argmax(1)))
            passes += passes_of(seen_by_attack)
        spent = step.gradient_evaluations
        result = replace(result, index=step.index, gradient_evaluations=spent, stage=step.stage, member=step.member, passes=passes)
        return replace(result, kind=StepKind.RESULT)


def as_attacked(model: nn.Module, x: Tensor) -> nn.Module:
    """The model as an attack on `x` sees it (`Segmenter.attacked`); any other network as it is."""
    return model.attacked(x) if isinstance(model, Segmenter) else model


def passes_of(model: nn.Module) -> int:
    """Passes through the network that one look at the model takes (`Segmenter.passes`)."""
    return model.passes if isinstance(model, Segmenter) else 1


@torch.no_grad()
def judged(step: Step, model: nn.Module, goal: Goal) -> Step:
    """The Step with what `model` itself makes of its images; what the attack knows of them stays."""
    logits = model(step.x_adv)
    prediction = logits.argmax(1)
    passes = step.passes + passes_of(model)
    return replace(step, logits=logits, prediction=prediction, success=goal.success(prediction), passes=passes)


def check(x: Tensor, goal: Goal) -> None:
    """Raise ValueError where `x` is not an 8-bit image or the shapes of images and labels disagree."""
    if (x * GREY_LEVELS - torch.round(x * GREY_LEVELS)).abs().max() > 1e-3 or x.min() < 0 or x.max() > 1:
        raise ValueError("x must hold 8-bit values: multiples of 1/255 in [0,1].")
    if goal.labels.shape != x.shape[:1] + x.shape[2:]:
        raise ValueError(f"labels are {tuple(goal.labels.shape)}, images {tuple(x.shape)}: expected (N,H,W) and (N,3,H,W).")


def step_of(x_adv: Tensor, seen: Seen, goal: Goal, previous: Step | None) -> Step:
    """A Step for one look; its best iterates are those of `previous` where `x_adv` is not at least as strong."""
    success = goal.success(seen.prediction)
    best, best_success = x_adv, success
    if previous is not None:
        better = success >= previous.best_success
        best = per_image(better, x_adv, previous.best)
        best_success = torch.where(better, success, previous.best_success)
    return Step(0, x_adv, seen.logits, seen.prediction, seen.loss, success, best, best_success, 0)
