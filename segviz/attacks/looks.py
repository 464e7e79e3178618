"""Attacks that look and take no gradient: candidates of which the best is kept."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor, nn

from segviz.attacks.loop import Attack, as_attacked, check, passes_of, step_of
from segviz.attacks.objectives import Problem
from segviz.types import Goal, Step, StepKind


@dataclass(frozen=True)
class ByLooks(Attack):
    """An iteration makes one candidate in the ball and looks at it; the leader is the one with most pixels as the goal wants them.

    Where each candidate is a start of its own (`begins_anew`), it is a stage of its own.
    """

    begins_anew: ClassVar[bool] = False

    def candidate(self, x: Tensor, leader: Step | None, index: int, generator: torch.Generator) -> Tensor:
        """What iteration 1, 2, ... looks at, (N,3,H,W) in [0,1] in the ball around `x`; `leader` is None at the first."""
        raise NotImplementedError

    def run(self, model: nn.Module, x: Tensor, goal: Goal) -> Iterator[Step]:
        """As in `Runnable`. An iteration costs one forward pass."""
        check(x, goal)
        seen_by_attack = as_attacked(model, x)
        judge, objective = (self.objective(Problem(seer, x, goal, self.seed, self.class_pixels)) for seer in (model, seen_by_attack))
        generator = torch.Generator().manual_seed(self.seed)
        passes = passes_of(model)
        step = replace(step_of(x, judge(x, 1, 1, with_gradient=False), goal, None), kind=StepKind.CLEAN, passes=passes)
        yield step
        leader: Step | None = None
        for index in range(1, self.iterations + 1):
            x_adv = self.candidate(x, leader, index, generator)
            leader = step_of(x_adv, objective(x_adv, 1, 1, with_gradient=False), goal, leader)
            passes += passes_of(seen_by_attack)
            step = replace(leader, index=index, stage=index - 1 if self.begins_anew else leader.stage, passes=passes)
            yield step
        yield self.conclude(step, model, x, goal)
