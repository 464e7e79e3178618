"""From settings made concrete for pictures of one size to a bounded attack."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from segviz.attacks.constraints import Constraint
from segviz.attacks.loop import Attack
from segviz.attacks.losses import PixelLoss
from segviz.attacks.objectives import ObjectiveBuilder, pixelwise, transformed
from segviz.attacks.rules import RuleBuilder, SteepestStep
from segviz.attacks.transforms import transform_entries
from segviz.settings import Settings


@dataclass(frozen=True)
class Blueprint:
    """What an attack is made from: `constraint` and `alpha` are on the [0,1] scale, in units of the norm."""

    settings: Settings
    constraint: Constraint
    alpha: float
    steps: int
    class_pixels: Tensor | None

    def bounded(
        self,
        objective: ObjectiveBuilder,
        rule: RuleBuilder = SteepestStep,
        random_start: bool = False,
        radii: Sequence[tuple[float, float]] = ((1.0, 1.0),),
    ) -> Attack:
        """An attack of the one loop."""
        return Attack(
            constraint=self.constraint,
            alpha=self.alpha,
            steps=self.steps,
            objective=objective,
            rule=rule,
            random_start=random_start,
            restarts=self.settings.restarts,
            seed=self.settings.seed,
            radii=tuple(radii),
            class_pixels=self.class_pixels,
        )

    def of(self, loss: PixelLoss, track: PixelLoss | None = None, always: Sequence[str] = ()) -> ObjectiveBuilder:
        """The objective of a pixel loss, through the settings' input transforms and then those that the attack has `always`."""
        keys = (*(key for key in self.settings.transforms if key not in always), *always)
        return transformed(transform_entries(keys), loss, track) if keys else pixelwise(loss, track)
