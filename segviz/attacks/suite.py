"""Suites: several attacks on the same images, of which the strongest result counts, image by image."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from segviz.attacks.loop import Runnable
from segviz.attacks.rules import per_image
from segviz.types import Goal, Step, StepKind


@dataclass(frozen=True)
class Suite:
    """Attacks by name, run one after the other; each begins anew from the clean images.

    The result of an image is the 8-bit result, among those of the members, with most pixels as the goal wants them: the worst case over
    the attacks by accuracy (2306.12941). A member's own result is a Step of that kind.
    """

    members: tuple[tuple[str, Runnable], ...]

    @property
    def iterations(self) -> int:
        return sum(attack.iterations for _, attack in self.members)

    def run(self, model: nn.Module, x: Tensor, goal: Goal) -> Iterator[Step]:
        """As in `Runnable`, with the Steps of all members in turn."""
        index = spent = passes = stage = 0
        worst: Step | None = None
        known: Tensor | None = None
        for name, attack in self.members:
            steps = attack.run(model, x, goal)
            step = next(steps)
            if worst is None:
                yield step
                worst = step
            for step in steps:
                ahead = per_image(worst.best_success > step.best_success, worst.best, step.best)
                moved = replace(
                    step,
                    index=index + step.index,
                    gradient_evaluations=spent + step.gradient_evaluations,
                    passes=passes + step.passes,
                    stage=stage + step.stage,
                    member=name,
                    best=ahead,
                    best_success=torch.maximum(worst.best_success, step.best_success),
                    kind=StepKind.MEMBER_RESULT if step.kind is StepKind.RESULT else step.kind,
                )
                yield moved
            index, spent, passes, stage = moved.index, moved.gradient_evaluations, moved.passes, moved.stage + 1
            # The clean images are no member, so the first result always replaces them.
            worst = moved if known is None else stronger(known > step.best_success, worst, moved)
            known = step.best_success if known is None else torch.maximum(known, step.best_success)
        assert worst is not None
        yield replace(worst, index=index, gradient_evaluations=spent, passes=passes, kind=StepKind.RESULT)

    def conclude(self, step: Step, model: nn.Module, x: Tensor, goal: Goal) -> Step:
        """As in `Runnable`; the best iterate lies in the ball of the members, which is the same for all of them."""
        _, attack = self.members[0]
        return attack.conclude(step, model, x, goal)


def stronger(choice: Tensor, one: Step, other: Step) -> Step:
    """The result `one` for the images (N,) of `choice`, `other` for the rest."""

    def chosen(mine: Tensor, its: Tensor) -> Tensor:
        return per_image(choice, mine, its)

    return replace(
        other,
        x_adv=chosen(one.x_adv, other.x_adv),
        logits=chosen(one.logits, other.logits),
        prediction=chosen(one.prediction, other.prediction),
        loss=chosen(one.loss, other.loss),
        success=chosen(one.success, other.success),
        best=chosen(one.best, other.best),
        best_success=chosen(one.best_success, other.best_success),
    )
