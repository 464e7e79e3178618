"""The catalogue of attacks: looking up a row, and building an attack from settings."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from segviz.attacks.entry import AttackEntry
from segviz.attacks.rows import ATTACKS
from segviz.attacks.transforms import samples_of, transform_entries
from segviz.data.label_sets import LabelSet
from segviz.deferred import torch
from segviz.settings import Settings
from segviz.types import UserError

if TYPE_CHECKING:
    from torch import Tensor

    from segviz.attacks.constraints import Constraint
    from segviz.attacks.loop import Runnable


def attack_entry(key: str) -> AttackEntry:
    """Entry of an attack; raises UserError for an unknown key."""
    if key not in ATTACKS:
        raise UserError(f"Unknown attack '{key}'. Known: {', '.join(ATTACKS)}.")
    return ATTACKS[key]


def steps_of(settings: Settings) -> int:
    """Number of iterations per restart that the settings lead to."""
    return min(settings.steps, 1) if attack_entry(settings.attack).one_step else settings.steps


def alpha_of(settings: Settings) -> float:
    """Step size in grey levels that the settings lead to."""
    if settings.alpha is not None:
        return settings.alpha
    return attack_entry(settings.attack).auto_alpha(settings.eps, max(steps_of(settings), 1))


def members_of(settings: Settings) -> dict[str, Settings]:
    """The settings of each attack of a suite, by name; of any other attack the settings themselves, by its key."""
    entry = attack_entry(settings.attack)
    return {settings.attack: settings} if entry.members is None else entry.members(settings)


def iterations_of(settings: Settings) -> int:
    """Iterations of a whole run, over restarts and members of a suite."""
    return sum(steps_of(member) * member.restarts for member in members_of(settings).values())


def gradients_of(settings: Settings) -> int:
    """Gradient evaluations per image of a whole run."""
    return sum(steps_of(member) * member.restarts * cost_of(member) for member in members_of(settings).values())


def cost_of(settings: Settings) -> int:
    """Gradient evaluations per step and image of an attack that is no suite; raises UserError for unknown transforms."""
    entry = attack_entry(settings.attack)
    return entry.cost(entry.variant(settings)) * samples_of(transform_entries(settings.transforms))


def published(settings: Settings, paper: str = "") -> Settings:
    """The settings with those that `paper`, by default the first of the attack's row, runs it with at this eps.

    Raises UserError where there are none.
    """
    entry = attack_entry(settings.attack)
    if not entry.published:
        raise UserError(f"There are no published settings for {entry.title}. Leave them to the attack's own rules.")
    chosen = paper or next(iter(entry.published))
    if chosen not in entry.published:
        raise UserError(f"There are no settings of '{paper}' for {entry.title}. Known: {', '.join(entry.published)}.")
    return replace(settings, **entry.published[chosen](settings.eps))


def check_settings(settings: Settings) -> AttackEntry:
    """Entry of the settings' attack; raises UserError where the attack cannot do what is wished."""
    entry = attack_entry(settings.attack)
    if settings.goal not in ("break", "class") and not entry.takes_target:
        raise UserError(f"{entry.title} has its own target or none, so it cannot reach this goal. Take another attack, such as pgd.")
    if settings.restarts > 1 and not entry.random_start:
        raise UserError(f"{entry.title} has no random start, so restarts would repeat it. Set restarts to 1, or take pgd.")
    if settings.norm not in entry.norms:
        raise UserError(f"{entry.title} is defined for the norm {' and '.join(entry.norms)}. Choose that norm, or another attack.")
    if settings.variant and settings.variant not in entry.variants:
        known = f"Known: {', '.join(entry.variants)}." if entry.variants else "It has none."
        raise UserError(f"{entry.title} has no variant '{settings.variant}'. {known}")
    if settings.layer and not entry.takes_layer:
        raise UserError(f"{entry.title} does not look at inner layers. Leave the layer out, or take cira.")
    if settings.q is not None and not entry.takes_q:
        raise UserError(f"{entry.title} has no q. Leave it out, or take tsallispgd.")
    if transform_entries(settings.transforms) and not entry.takes_transforms:
        raise UserError(f"{entry.title} takes no input transforms. Leave them out, or take another attack, such as pgd.")
    return entry


def rounding_notice(settings: Settings) -> tuple[str, ...]:
    """What is to be said where results, which are whole grey levels, cannot use all of an eps; of L2 nothing, where single values may."""
    whole = math.floor(settings.eps)
    unclipped = not settings.clip and attack_entry(settings.attack).family == "smallest"
    if settings.norm != "linf" or settings.eps == whole or settings.steps == 0 or unclipped:
        return ()
    if whole == 0:
        return ("Epsilon is below one grey level, so rounding removed the change.",)
    return (f"Epsilon {settings.eps:g} lies between grey levels: rounding left changes of at most {whole}, as with epsilon {whole}.",)


def build_attack(
    settings: Settings, height: int, width: int, *, label_set: LabelSet | None = None, region: Tensor | None = None
) -> Runnable:
    """The attack that `settings` describe, for pictures of this size and a model of this label set.

    `region` (N,H,W) bool, if given, is where the pictures may change.

    `eps` and `alpha` count grey levels. For L-inf that is the largest change of any value; for L2 it is the root mean square over all
    pixels and channels, so that the ball has the radius eps/255 * sqrt(3 H W) and means the same at every picture size.
    Raises UserError where a value is out of range or the attack cannot do what is wished.
    """
    from segviz.attacks.constraints import GREY_LEVELS, L2, Linf
    from segviz.attacks.plans import Blueprint
    from segviz.attacks.regions import Within
    from segviz.attacks.suite import Suite

    entry = check_settings(settings)
    if entry.members is not None:
        members = members_of(settings).items()
        return Suite(tuple((name, build_attack(one, height, width, label_set=label_set, region=region)) for name, one in members))
    assert entry.build is not None
    constraint: Constraint
    if settings.norm == "linf":
        unit = 1 / GREY_LEVELS
        constraint = Linf(settings.eps * unit)
    else:
        unit = math.sqrt(3 * height * width) / GREY_LEVELS
        constraint = L2(settings.eps * unit)
    if region is not None:
        constraint = Within(constraint, region.unsqueeze(1))
    class_pixels = None if label_set is None or label_set.training_pixels is None else torch.tensor(label_set.training_pixels)
    return entry.build(Blueprint(settings, constraint, alpha_of(settings) * unit, steps_of(settings), class_pixels))
