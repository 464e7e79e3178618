"""What a row of the attack catalogue is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from segviz.settings import Settings

if TYPE_CHECKING:
    from segviz.attacks.loop import Runnable
    from segviz.attacks.plans import Blueprint

FAMILIES = {
    "bounded": "Bounded: as strong as possible within eps",
    "smallest": "Smallest perturbation",
    "suite": "Suites: the worst of several attacks",
    "gradient-free": "Without gradients: a search by forward passes alone",
    "noise": "Not an attack: what the strength of one is compared with",
}


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
    takes_q: bool = False
    takes_transforms: bool = True
    norms: tuple[str, ...] = ("linf", "l2")
    variants: Mapping[str, str] = field(default_factory=dict)
    cost: Callable[[str], int] = lambda variant: 1
    published: Published = field(default_factory=dict)
    ours: str = ""

    def variant(self, settings: Settings) -> str:
        """The variant that the settings wish for, or the default; empty where there are none."""
        return settings.variant or next(iter(self.variants), "")
