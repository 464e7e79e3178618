"""Random noise in the ball of an attack: no attack, but what the strength of one is compared with."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from segviz.attacks.loop import Attack, as_attacked, check, passes_of, step_of
from segviz.attacks.objectives import Problem
from segviz.types import Goal, Step, StepKind


@dataclass(frozen=True)
class Noise(Attack):
    """One random point of the ball, uniform in it, for each of `steps` times `restarts` iterations; it takes no gradient.

    The result is the draw with most pixels as the goal wants them, of one draw that draw, also where the clean image has more of them.
    """

    def run(self, model: nn.Module, x: Tensor, goal: Goal) -> Iterator[Step]:
        """As in `Runnable`. An iteration costs one forward pass, and no draw depends on what the model makes of others."""
        check(x, goal)
        seen_by_attack = as_attacked(model, x)
        judge, objective = (self.objective(Problem(seer, x, goal, self.seed, self.class_pixels)) for seer in (model, seen_by_attack))
        generator = torch.Generator().manual_seed(self.seed)
        passes = passes_of(model)
        step = replace(step_of(x, judge(x, 1, 1, with_gradient=False), goal, None), kind=StepKind.CLEAN, passes=passes)
        yield step
        leader: Step | None = None
        for index in range(1, self.iterations + 1):
            x_adv = self.constraint.random_point(x, generator)
            leader = step_of(x_adv, objective(x_adv, 1, 1, with_gradient=False), goal, leader)
            passes += passes_of(seen_by_attack)
            step = replace(leader, index=index, stage=index - 1, passes=passes)
            yield step
        yield self.conclude(step, model, x, goal)
