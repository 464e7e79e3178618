"""What a row of the attack catalogue is, and how a bounded attack is made from one."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from segviz.attacks.constraints import Constraint
from segviz.attacks.loop import Attack, Runnable
from segviz.attacks.losses import PixelLoss
from segviz.attacks.objectives import ObjectiveBuilder, pixelwise, transformed
from segviz.attacks.rules import RuleBuilder, SteepestStep
from segviz.attacks.transforms import transform_entries
from segviz.settings import Settings

FAMILIES = {
    "bounded": "Bounded: as strong as possible within eps",
    "smallest": "Smallest perturbation",
    "suite": "Suites: the worst of several attacks",
}


@dataclass(frozen=True)
class Blueprint:
    """Settings made concrete for pictures of one size: `constraint` and `alpha` are on the [0,1] scale, in units of the norm."""

    settings: Settings
    constraint: Constraint
    alpha: float
    steps: int
    class_pixels: Tensor | None


Radii = tuple[tuple[float, float], ...]
Published = Mapping[str, Callable[[float], Mapping[str, Any]]]
"""The changes to the settings, at an eps in grey levels, with which a paper runs an attack, by the name of that paper."""


@dataclass(frozen=True)
class AttackEntry:
    """One named attack; `formula` is LaTeX, with y the label map of the goal.

    `build` makes the attack of a plan; a suite has instead `members`, the settings of its attacks by name. `auto_alpha` maps (eps, steps)
    to the step size, all in grey levels. A one-step attack ignores the wished number of steps. `variants` names the settings' `variant`s
    with what they mean, the first being the default. `cost` is the number of gradient evaluations per step, by variant. `published` are
    settings of papers, those that are taken where none is named first. `ours` says which part is not from the paper.
    """

    key: str
    title: str
    summary: str
    formula: str
    paper: str
    url: str
    auto_alpha: Callable[[float, int], float]
    build: Callable[[Blueprint], Runnable] | None = None
    members: Callable[[Settings], dict[str, Settings]] | None = None
    family: str = "bounded"
    one_step: bool = False
    random_start: bool = False
    takes_target: bool = True
    takes_layer: bool = False
    takes_transforms: bool = True
    norms: tuple[str, ...] = ("linf", "l2")
    variants: Mapping[str, str] = field(default_factory=dict)
    cost: Callable[[str], int] = lambda variant: 1
    published: Published = field(default_factory=dict)
    ours: str = ""

    def variant(self, settings: Settings) -> str:
        """The variant that the settings wish for, or the default; empty where there are none."""
        return settings.variant or next(iter(self.variants), "")


def bounded(
    objective: Callable[[Settings], ObjectiveBuilder],
    rule: RuleBuilder = SteepestStep,
    random_start: bool = False,
    radii: Callable[[Settings], Radii] = lambda settings: ((1.0, 1.0),),
) -> Callable[[Blueprint], Runnable]:
    """A builder for attacks of the one loop."""

    def build(plan: Blueprint) -> Attack:
        return Attack(
            constraint=plan.constraint,
            alpha=plan.alpha,
            steps=plan.steps,
            objective=objective(plan.settings),
            rule=rule,
            random_start=random_start,
            restarts=plan.settings.restarts,
            seed=plan.settings.seed,
            radii=radii(plan.settings),
            class_pixels=plan.class_pixels,
        )

    return build


def of(loss: PixelLoss, track: PixelLoss | None = None, always: tuple[str, ...] = ()) -> Callable[[Settings], ObjectiveBuilder]:
    """The objective of a pixel loss, through the settings' input transforms and then those that the attack has `always`."""

    def of_settings(settings: Settings) -> ObjectiveBuilder:
        keys = (*(key for key in settings.transforms if key not in always), *always)
        return transformed(transform_entries(keys), loss, track) if keys else pixelwise(loss, track)

    return of_settings
