"""The catalogue: named attacks with their formula, paper and published defaults, and building one from settings."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from segviz.attacks.constraints import GREY_LEVELS, L2, NORMS, Constraint, Linf
from segviz.attacks.loop import Attack, PixelLoss
from segviz.attacks.losses import cross_entropy, least_likely_cross_entropy
from segviz.settings import Settings
from segviz.types import UserError


@dataclass(frozen=True)
class AttackEntry:
    """One named attack; `formula` is LaTeX for the L-inf ball, with y the label map of the goal.

    `auto_alpha` maps (eps, steps) to the step size, all in grey levels. A one-step attack ignores the wished number of steps.
    """

    key: str
    title: str
    summary: str
    formula: str
    paper: str
    url: str
    auto_alpha: Callable[[float, int], float]
    loss: PixelLoss = cross_entropy
    one_step: bool = False
    random_start: bool = False
    takes_target: bool = True


def whole_radius(eps: float, steps: int) -> float:
    """One step to the border of the ball."""
    return eps


def one_grey_level(eps: float, steps: int) -> float:
    """The published step of I-FGSM, 1 grey level, or eps where that is smaller."""
    return min(1.0, eps)


def madry_step(eps: float, steps: int) -> float:
    """2.5 eps / steps, so that every point of the ball can be reached (Madry et al., Sec. 5.1 and App. A), at most eps."""
    return min(2.5 * eps / steps, eps)


ATTACKS = {
    entry.key: entry
    for entry in (
        AttackEntry(
            key="fgsm",
            title="FGSM",
            summary="One step of full size along the sign of the gradient: fast, weak in white-box use, transfers well.",
            formula=r"x' = \mathrm{clip}_{[0,1]}\big(x + \varepsilon\,\mathrm{sign}\,\nabla_x L(f(x), y)\big)",
            paper="Goodfellow, Shlens & Szegedy, Explaining and Harnessing Adversarial Examples, ICLR 2015",
            url="https://arxiv.org/abs/1412.6572",
            auto_alpha=whole_radius,
            one_step=True,
        ),
        AttackEntry(
            key="fgsm-ll",
            title="FGSM least-likely",
            summary="One step that pulls every pixel towards the class which the network thinks least likely there.",
            formula=r"x' = \mathrm{clip}_{[0,1]}\big(x - \varepsilon\,\mathrm{sign}\,\nabla_x L(f(x), \arg\min f(x))\big)",
            paper="Kurakin, Goodfellow & Bengio, Adversarial Machine Learning at Scale, ICLR 2017",
            url="https://arxiv.org/abs/1611.01236",
            auto_alpha=whole_radius,
            loss=least_likely_cross_entropy,
            one_step=True,
            takes_target=False,
        ),
        AttackEntry(
            key="ifgsm",
            title="I-FGSM",
            summary="FGSM repeated in steps of one grey level from the clean picture (also called BIM).",
            formula=r"x_{t+1} = P_\varepsilon\big(x_t + \alpha\,\mathrm{sign}\,\nabla_x L(f(x_t), y)\big),\quad x_0 = x",
            paper="Kurakin, Goodfellow & Bengio, Adversarial Examples in the Physical World, 2016",
            url="https://arxiv.org/abs/1607.02533",
            auto_alpha=one_grey_level,
        ),
        AttackEntry(
            key="ifgsm-ll",
            title="I-FGSM least-likely",
            summary="Repeated small steps, each towards the classes that are least likely at that moment, pixel by pixel.",
            formula=r"x_{t+1} = P_\varepsilon\big(x_t - \alpha\,\mathrm{sign}\,\nabla_x L(f(x_t), \arg\min f(x_t))\big),\quad x_0 = x",
            paper="Arnab, Miksik & Torr, On the Robustness of Semantic Segmentation Models to Adversarial Attacks, CVPR 2018",
            url="https://arxiv.org/abs/1711.09856",
            auto_alpha=one_grey_level,
            loss=least_likely_cross_entropy,
            takes_target=False,
        ),
        AttackEntry(
            key="pgd",
            title="PGD",
            summary="Repeated steps from a random point of the ball, projected back after each: the standard strong baseline.",
            formula=r"x_{t+1} = P_\varepsilon\big(x_t + \alpha\,\mathrm{sign}\,\nabla_x L(f(x_t), y)\big),"
            r"\quad x_0 = x + u,\ u \sim U[-\varepsilon, \varepsilon]",
            paper="Madry et al., Towards Deep Learning Models Resistant to Adversarial Attacks, ICLR 2018",
            url="https://arxiv.org/abs/1706.06083",
            auto_alpha=madry_step,
            random_start=True,
        ),
    )
}


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


def build_attack(settings: Settings, height: int, width: int) -> Attack:
    """The attack that `settings` describe, for pictures of this size.

    `eps` and `alpha` count grey levels. For L-inf that is the largest change of any value; for L2 it is the root mean square over all
    pixels and channels, so that the ball has the radius eps/255 * sqrt(3 H W) and means the same at every picture size.
    Raises UserError where a value is out of range or the attack cannot do what is wished.
    """
    entry = attack_entry(settings.attack)
    if settings.goal != "break" and not entry.takes_target:
        raise UserError(f"{entry.title} chooses its own target, the least likely class. For this goal take another attack, such as pgd.")
    if settings.restarts > 1 and not entry.random_start:
        raise UserError(f"{entry.title} starts from the clean picture, so restarts would repeat it. Set restarts to 1, or take pgd.")
    constraint: Constraint
    if settings.norm == "linf":
        unit = 1 / GREY_LEVELS
        constraint = Linf(settings.eps * unit)
    elif settings.norm == "l2":
        unit = math.sqrt(3 * height * width) / GREY_LEVELS
        constraint = L2(settings.eps * unit)
    else:
        raise UserError(f"Unknown norm '{settings.norm}'. Known: {', '.join(NORMS)}.")
    return Attack(
        constraint=constraint,
        alpha=alpha_of(settings) * unit,
        steps=steps_of(settings),
        loss=entry.loss,
        random_start=entry.random_start,
        restarts=settings.restarts,
        seed=settings.seed,
    )
