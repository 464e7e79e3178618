"""The rows of the attack catalogue. What computes is imported where a row's attack is built."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from segviz.attacks.entry import AttackEntry, Published
from segviz.deferred import deferred
from segviz.settings import MAX_STEPS, Settings

if TYPE_CHECKING:
    from segviz.attacks import alma_prox, dag, erosion, internal, losses, noise, pdpgd, rules, similarity, square
    from segviz.attacks.loop import Attack
    from segviz.attacks.plans import Blueprint
else:
    modules = ("alma_prox", "dag", "erosion", "internal", "losses", "noise", "pdpgd", "rules", "similarity", "square")
    alma_prox, dag, erosion, internal, losses, noise, pdpgd, rules, similarity, square = (
        deferred(f"segviz.attacks.{module}") for module in modules
    )

SEA_PAPER = "Croce, Singh & Hein, Towards Reliable Evaluation and Fast Training of Robust Semantic Segmentation Models, ECCV 2024"
APGD_PAPER = "Croce & Hein, Reliable Evaluation of Adversarial Robustness with an Ensemble of Diverse Parameter-free Attacks, ICML 2020"
SEA_URL = "https://arxiv.org/abs/2306.12941"
CIRA_PAPER = "Halmosi & Jelasity, On Evaluating the Adversarial Robustness of Semantic Segmentation Models, 2023"
CIRA_URL = "https://arxiv.org/abs/2306.14217"
PADAM_PAPER = "Halmosi, Mohos & Jelasity, Evaluating the Adversarial Robustness of Semantic Segmentation: Trying Harder Pays Off, ECCV 2024"
PADAM_URL = "https://arxiv.org/abs/2407.09150"

CIRA_OURS = (
    "The paper returns the last iterate. Here, as everywhere, the result is the iterate with most pixels as the goal wants them: the labels"
    " choose it, also where they have no part in the gradient."
)

# CIRA steps by 1 in the space of normalised images: about the standard deviation of natural images, in grey levels.
NORMALISED_UNIT = 0.225 * 255


def whole_radius(eps: float, steps: int) -> float:
    """One step to the border of the ball."""
    return eps


def one_grey_level(eps: float, steps: int) -> float:
    """The published step of I-FGSM, 1 grey level, or eps where that is smaller."""
    return min(1.0, eps)


def madry_step(eps: float, steps: int) -> float:
    """2.5 eps / steps, so that every point of the ball can be reached (Madry et al., Sec. 5.1 and App. A), at most eps."""
    return min(2.5 * eps / steps, eps)


def even_step(eps: float, steps: int) -> float:
    """eps / steps: the border is reached with the last step (Dong et al., Alg. 1)."""
    return eps / steps


def twice_radius(eps: float, steps: int) -> float:
    """2 eps, the first step size of APGD (2003.01690)."""
    return 2 * eps


def two_grey_levels(eps: float, steps: int) -> float:
    """2, the learning rate of PAdam (2407.09150)."""
    return 2.0


def one_normalised_unit(eps: float, steps: int) -> float:
    """The learning rate of CIRA, which saturates any usual ball at once."""
    return NORMALISED_UNIT


HALMOSI = "Halmosi et al., 2024"
SEA = "SEA (Croce et al., 2024)"
ARNAB = "Arnab et al., 2018"


def arnab(eps: float) -> Mapping[str, Any]:
    """Step size 1, ceil(min(eps + 4, 1.25 eps)) iterations, own prediction as label (1711.09856)."""
    return {"norm": "linf", "alpha": 1.0, "steps": max(1, math.ceil(min(eps + 4, 1.25 * eps))), "against": "prediction"}


def one_step_of_arnab(eps: float) -> Mapping[str, Any]:
    """A step of eps, own prediction as label (1711.09856)."""
    return {"norm": "linf", "alpha": None, "against": "prediction"}


def kurakin(eps: float) -> Mapping[str, Any]:
    """Step size 1, min(eps + 4, 1.25 eps) iterations, here rounded up, against the true label (1607.02533)."""
    return {**arnab(eps), "against": "truth"}


def three_hundred(eps: float) -> Mapping[str, Any]:
    """300 iterations, L-inf, against the label map."""
    return {"norm": "linf", "alpha": None, "steps": 300, "against": "truth"}


def one_hundred(eps: float) -> Mapping[str, Any]:
    """100 iterations with the radius eps throughout, as on classifiers (2003.01690)."""
    return {**three_hundred(eps), "steps": 100, "variant": "constant"}


def three_hundred_at_eps(eps: float) -> Mapping[str, Any]:
    """300 iterations with the radius eps throughout (2407.09150)."""
    return {**three_hundred(eps), "variant": "constant"}


def agnihotri(eps: float) -> Mapping[str, Any]:
    """Step size .01 on the [0,1] scale, softmax, 100 iterations, the most that the paper reports (2302.02213)."""
    return {"norm": "linf", "alpha": 2.55, "steps": 100, "against": "truth", "variant": "softmax"}


def sea_cospgd(eps: float) -> Mapping[str, Any]:
    """As `sea_baseline`, with the sigmoid that SEA writes in CosPGD's weight."""
    return {**sea_baseline(eps), "variant": "sigmoid"}


def two_hundred(eps: float) -> Mapping[str, Any]:
    """200 iterations with a step of 2 (2407.09150)."""
    return {"norm": "linf", "steps": 200, "alpha": 2.0, "against": "truth"}


def smallest(steps: int, alpha: float, clip: bool) -> Callable[[float], Mapping[str, Any]]:
    """Settings of an attack that looks for the smallest perturbation, whatever eps is; Halmosi et al. alone `clip` what comes out."""
    return lambda eps: {"norm": "linf", "steps": steps, "alpha": alpha, "against": "truth", "clip": clip}


def sea_baseline(eps: float) -> Mapping[str, Any]:
    """How SEA runs SegPGD and CosPGD to compare with them: 300 iterations, a step size per eps (2306.12941), interpolated between them."""
    radii, steps = (0.25, 0.5, 1, 2, 4, 8, 12), (8e-4, 9e-4, 1e-3, 2e-3, 3e-3, 5e-3, 6e-3)
    return {"norm": "linf", "alpha": round(255 * float(np.interp(eps, radii, steps)), 3), "steps": 300, "against": "truth"}


RED_EPS_VARIANTS = {"red-eps": "radii 2 eps, 1.5 eps, eps (30, 30 and 40 % of the steps)", "constant": "radius eps throughout"}
CONSTANT_FIRST = dict(reversed(RED_EPS_VARIANTS.items()))


RED_EPS = ((2.0, 0.3), (1.5, 0.3), (1.0, 0.4))
"""Radii, in units of eps, and shares of the steps of SEA's schedule (Croce, Singh & Hein, ECCV 2024, 2306.12941)."""


def radii_of(settings: Settings, default: str) -> Sequence[tuple[float, float]]:
    """The radii that the settings' variant asks for."""
    return RED_EPS if (settings.variant or default) == "red-eps" else ((1.0, 1.0),)


def apgd(
    key: str,
    title: str,
    summary: str,
    loss: Callable[[], losses.PixelLoss],
    track: Callable[[], losses.PixelLoss] | None,
    formula: str,
    red: bool,
    published: Published,
    ours: str = "",
) -> AttackEntry:
    """A row of APGD with a loss; `red`: decreasing radii unless the settings say otherwise."""
    default = "red-eps" if red else "constant"

    def build(plan: Blueprint) -> Attack:
        objective = plan.of(loss(), None if track is None else track())
        return plan.bounded(objective, rules.AutoStep, random_start=True, radii=radii_of(plan.settings, default))

    return AttackEntry(
        key=key,
        title=title,
        summary=summary,
        formula=formula,
        paper=SEA_PAPER if red else APGD_PAPER,
        url=SEA_URL if red else "https://arxiv.org/abs/2003.01690",
        build=build,
        auto_alpha=twice_radius,
        random_start=True,
        variants=RED_EPS_VARIANTS if red else CONSTANT_FIRST,
        published=published,
        ours=ours,
    )


def tsallis_of(plan: Blueprint) -> Attack:
    """TsallisPGD with the settings' q."""
    objective = plan.of(partial(losses.tsallis, q=plan.settings.q), losses.cross_entropy)
    return plan.bounded(objective, rules.AutoStep, random_start=True, radii=radii_of(plan.settings, "red-eps"))


def cospgd_of(plan: Blueprint) -> Attack:
    """CosPGD in the settings' variant."""
    loss = losses.cospgd_sigmoid if plan.settings.variant == "sigmoid" else losses.cospgd
    return plan.bounded(plan.of(loss), random_start=True)


def cira(plan: Blueprint, with_labels: bool, default: str) -> Attack:
    """CIRA or CIRA+ in the settings' variant, on the settings' layer."""
    objective = internal.Internal(plan.settings.variant or default, with_labels, plan.settings.layer)
    return plan.bounded(objective, rules.uncorrected_adam)


def fspgd_settings(eps: float) -> Mapping[str, Any]:
    """20 iterations with a step of 0.01 on the [0,1] scale, L-inf (2502.01262)."""
    return {"norm": "linf", "alpha": 2.55, "steps": 20}


EROSIONS = {
    "eroseg": "from the least confident pixels, along the front of what is already reached",
    "random-seeds": "ablation: from random pixels",
    "no-dilation": "ablation: by confidence alone, wherever the pixels lie",
    "reverse": "ablation: from the most confident pixels to the least confident ones",
}


ROWS = (
    AttackEntry(
        key="fgsm",
        title="FGSM",
        summary="One step of full size along the sign of the gradient: fast and weak, but loses little of its strength on other networks.",
        formula=r"x' = \mathrm{clip}_{[0,1]}\big(x + \varepsilon\,\mathrm{sign}\,\nabla_x L(f(x), y)\big)",
        paper="Goodfellow, Shlens & Szegedy, Explaining and Harnessing Adversarial Examples, ICLR 2015",
        url="https://arxiv.org/abs/1412.6572",
        build=lambda plan: plan.bounded(plan.of(losses.cross_entropy)),
        auto_alpha=whole_radius,
        one_step=True,
        published={ARNAB: one_step_of_arnab},
    ),
    AttackEntry(
        key="fgsm-ll",
        title="FGSM least-likely",
        summary="One step that pulls every pixel towards the class which the network thinks least likely there.",
        formula=r"x' = \mathrm{clip}_{[0,1]}\big(x - \varepsilon\,\mathrm{sign}\,\nabla_x L(f(x), \arg\min f(x))\big)",
        paper="Kurakin, Goodfellow & Bengio, Adversarial Machine Learning at Scale, ICLR 2017",
        url="https://arxiv.org/abs/1611.01236",
        build=lambda plan: plan.bounded(plan.of(losses.least_likely_cross_entropy)),
        auto_alpha=whole_radius,
        one_step=True,
        takes_target=False,
        published={ARNAB: one_step_of_arnab},
    ),
    AttackEntry(
        key="ifgsm",
        title="I-FGSM",
        summary="FGSM repeated in steps of one grey level from the clean picture (also called BIM).",
        formula=r"x_{t+1} = P_\varepsilon\big(x_t + \alpha\,\mathrm{sign}\,\nabla_x L(f(x_t), y)\big),\quad x_0 = x",
        paper="Kurakin, Goodfellow & Bengio, Adversarial Examples in the Physical World, 2016",
        url="https://arxiv.org/abs/1607.02533",
        build=lambda plan: plan.bounded(plan.of(losses.cross_entropy)),
        auto_alpha=one_grey_level,
        published={ARNAB: arnab, "Kurakin et al., 2016": kurakin},
    ),
    AttackEntry(
        key="ifgsm-ll",
        title="I-FGSM least-likely",
        summary="Repeated small steps, each towards the classes that are least likely at that moment, pixel by pixel.",
        formula=r"x_{t+1} = P_\varepsilon\big(x_t - \alpha\,\mathrm{sign}\,\nabla_x L(f(x_t), \arg\min f(x_t))\big),\quad x_0 = x",
        paper="Arnab, Miksik & Torr, On the Robustness of Semantic Segmentation Models to Adversarial Attacks, CVPR 2018",
        url="https://arxiv.org/abs/1711.09856",
        build=lambda plan: plan.bounded(plan.of(losses.least_likely_cross_entropy)),
        auto_alpha=one_grey_level,
        takes_target=False,
        published={ARNAB: arnab},
    ),
    AttackEntry(
        key="mi-fgsm",
        title="MI-FGSM",
        summary="I-FGSM whose steps add up in a momentum: keeps its direction, so as to fool other networks as well.",
        formula=r"g_{t+1} = \mu\, g_t + \frac{\nabla_x L(f(x_t), y)}{\|\nabla_x L(f(x_t), y)\|_1},"
        r"\quad x_{t+1} = P_\varepsilon\big(x_t + \alpha\,\mathrm{sign}\, g_{t+1}\big),\quad x_0 = x,\ \mu = 1",
        paper="Dong et al., Boosting Adversarial Attacks with Momentum, CVPR 2018",
        url="https://arxiv.org/abs/1710.06081",
        build=lambda plan: plan.bounded(plan.of(losses.cross_entropy, always=("momentum",))),
        auto_alpha=even_step,
        published={"Dong et al., 2018": lambda eps: {"norm": "linf", "alpha": None, "steps": 10, "against": "truth"}},
    ),
    AttackEntry(
        key="pgd",
        title="PGD",
        summary="Many small steps from a random point, never further than epsilon from the photo: the standard strong baseline.",
        formula=r"x_{t+1} = P_\varepsilon\big(x_t + \alpha\,\mathrm{sign}\,\nabla_x L(f(x_t), y)\big),"
        r"\quad x_0 = x + u,\ u \sim U[-\varepsilon, \varepsilon]",
        paper="Madry et al., Towards Deep Learning Models Resistant to Adversarial Attacks, ICLR 2018",
        url="https://arxiv.org/abs/1706.06083",
        build=lambda plan: plan.bounded(plan.of(losses.cross_entropy), random_start=True),
        auto_alpha=madry_step,
        random_start=True,
    ),
    AttackEntry(
        key="segpgd",
        title="SegPGD",
        summary="PGD that looks first at the pixels that are still right and, as it goes, ever more at those already wrong as well.",
        formula=r"L_t = \tfrac{1}{HW}\Big[(1-\lambda_t)\sum_{j\ \mathrm{right}} CE_j + \lambda_t\sum_{j\ \mathrm{wrong}} CE_j\Big],"
        r"\quad \lambda_t = \tfrac{t-1}{2T}",
        paper="Gu, Zhao, Tresp & Torr, SegPGD: An Effective and Efficient Adversarial Attack for Evaluating and Boosting Segmentation"
        " Robustness, ECCV 2022",
        url="https://arxiv.org/abs/2207.12391",
        build=lambda plan: plan.bounded(plan.of(losses.segpgd), random_start=True),
        auto_alpha=madry_step,
        random_start=True,
        published={SEA: sea_baseline},
    ),
    AttackEntry(
        key="cospgd",
        title="CosPGD",
        summary="PGD that weighs each pixel by how well its class probabilities still agree with the label.",
        formula=r"L = \tfrac{1}{HW}\sum_j \cos(p_j, e_{y_j})\, CE_j",
        paper="Agnihotri, Jung & Keuper, CosPGD: An Efficient White-Box Adversarial Attack for Pixel-Wise Prediction Tasks, ICML 2024",
        url="https://arxiv.org/abs/2302.02213",
        build=cospgd_of,
        auto_alpha=madry_step,
        random_start=True,
        variants={"softmax": "weights from the softmax, as in the authors' code", "sigmoid": "weights from the sigmoid, as SEA writes it"},
        published={SEA: sea_cospgd, "Agnihotri et al., 2024": agnihotri},
    ),
    AttackEntry(
        key="eroseg",
        title="EroSeg-style erosion",
        summary="Starts at the pixels that the network is least sure of, and eats its way from them into those it is surer of.",
        formula=r"L_t = \tfrac{1}{HW}\Big[\sum_{j \in S_t} CE_j + 0.1\!\! \sum_{j\ \mathrm{wrong}}\!\! CE_j\Big],\quad"
        r" S_t = S_{t-1} \cup \big(\{c_j \le Q_{q_t}(c)\} \cap \mathrm{dilate}(S_{t-1} \cup \mathrm{wrong})\big),\quad q_t: 0.3 \to 1",
        paper="Song et al., Erosion Attack for Adversarial Training to Enhance Semantic Segmentation Robustness, ICASSP 2026",
        url="https://arxiv.org/abs/2601.14950",
        build=lambda plan: plan.bounded(
            erosion.erosion(plan.settings.variant or next(iter(EROSIONS)), plan.settings.seed), random_start=True
        ),
        auto_alpha=madry_step,
        random_start=True,
        takes_transforms=False,
        variants=EROSIONS,
        ours="Only the ingredients are the paper's, as its abstract names them: sensitive pixels chosen by confidence, and a perturbation"
        " that spreads from them to pixels of higher confidence. Every formula, schedule and number here is ours, as are two rules: where"
        " the front meets no pixel of low enough confidence, all such pixels are taken wherever they lie, and the last step is on all.",
    ),
    apgd(
        "apgd-ce",
        "APGD, cross-entropy",
        "Steps with momentum that halve where they stop helping: PGD without a step size to choose.",
        lambda: losses.cross_entropy,
        None,
        r"x_{t+1} = P\big(x_t + \tfrac34 (z_t - x_t) + \tfrac14 (x_t - x_{t-1})\big),\quad z_t = P(x_t + \eta_t\,\mathrm{sign}\,\nabla L)",
        red=False,
        published={SEA: three_hundred, "Croce & Hein, 2020": one_hundred},
    ),
    apgd(
        "apgd-mce",
        "APGD, masked CE",
        "APGD on the cross-entropy of those pixels alone that are still right.",
        lambda: losses.masked_cross_entropy,
        lambda: losses.cross_entropy,
        r"L = \tfrac{1}{HW}\sum_j \mathbf{1}[\arg\max u_j = y_j]\, CE_j",
        red=True,
        published={SEA: three_hundred, HALMOSI: three_hundred_at_eps},
    ),
    apgd(
        "apgd-mce-bal",
        "APGD, balanced masked CE",
        "As masked CE, each class weighed by the inverse of its training pixels: aims at the mIoU rather than at the accuracy.",
        lambda: losses.balanced_masked_cross_entropy,
        lambda: losses.cross_entropy,
        r"L = \tfrac{1}{HW}\sum_j \tfrac{1}{N_{y_j}} \mathbf{1}[\arg\max u_j = y_j]\, CE_j",
        red=True,
        published={SEA: three_hundred},
        ours="Where the training pixels of a network are not known, each class is weighed by its pixels in the labels of the picture.",
    ),
    apgd(
        "apgd-js",
        "APGD, Jensen-Shannon",
        "APGD on a bounded loss: pixels that are already fooled stop pulling by themselves.",
        lambda: losses.jensen_shannon,
        lambda: losses.cross_entropy,
        r"L = \tfrac{1}{HW}\sum_j JS(p_j \,\|\, e_{y_j}),\quad JS(p\|q) = \tfrac12 KL(p\|m) + \tfrac12 KL(q\|m),\ m = \tfrac{p+q}{2}",
        red=True,
        published={SEA: three_hundred, HALMOSI: three_hundred_at_eps},
    ),
    apgd(
        "apgd-msl",
        "APGD, masked spherical",
        "APGD on the label's share of the normalised logits, over pixels that are still right: blind to the size of the logits.",
        lambda: losses.masked_spherical,
        None,
        r"L = -\tfrac{1}{HW}\sum_j \mathbf{1}[\arg\max u_j = y_j]\, \frac{u_{j,y_j}}{\|u_j\|_2}",
        red=True,
        published={HALMOSI: three_hundred_at_eps},
    ),
    apgd(
        "apgd-segpgd",
        "APGD, SegPGD loss",
        "APGD on SegPGD's loss, steered by the cross-entropy: a member of the battery of Halmosi et al.",
        lambda: losses.segpgd,
        lambda: losses.cross_entropy,
        r"L_t = \tfrac{1}{HW}\sum_j \big[(1-\lambda_t)\mathbf{1}_{\mathrm{right}} + \lambda_t \mathbf{1}_{\mathrm{wrong}}\big] CE_j",
        red=False,
        published={HALMOSI: three_hundred_at_eps},
    ),
    AttackEntry(
        key="tsallispgd",
        title="TsallisPGD",
        summary="APGD that begins with the pixels that the network is surest of and gives the others their weight back as it goes.",
        formula=r"L = \tfrac{1}{HW}\sum_j \frac{1 - p_{j,y_j}^{1-q}}{1-q},\quad"
        r" \nabla L = \tfrac{1}{HW}\sum_j p_{j,y_j}^{1-q}\, \nabla CE_j,\quad q: -2 \to 1",
        paper="Matyasko, Lou, Atmosukarto & Zhang, TsallisPGD: Adaptive Gradient Weighting for Adversarial Attacks on Semantic"
        " Segmentation, IJCNN 2026",
        url="https://arxiv.org/abs/2605.03405",
        build=tsallis_of,
        auto_alpha=twice_radius,
        random_start=True,
        takes_q=True,
        variants=RED_EPS_VARIANTS,
        published={"Matyasko et al., 2026": lambda eps: {**three_hundred(eps), "q": None}},
        ours="What the abstract leaves open is as in the authors' code: the radii, that q rises anew within each of them, and that the"
        " cross-entropy steers the step size.",
    ),
    AttackEntry(
        key="padam-ce",
        title="PAdam, cross-entropy",
        summary="Projected Adam on the cross-entropy: the size of each step follows the history of the gradient, value by value.",
        formula=r"x_{t+1} = P_\varepsilon\Big(x_t + \eta\, \frac{\hat m_t}{\sqrt{\hat v_t} + 10^{-8}}\Big),\quad L = CE",
        paper=PADAM_PAPER,
        url=PADAM_URL,
        build=lambda plan: plan.bounded(plan.of(losses.cross_entropy), rules.padam, random_start=True),
        auto_alpha=two_grey_levels,
        random_start=True,
        published={HALMOSI: two_hundred},
        ours="The paper returns the last iterate; here, as everywhere, the strongest one is the result.",
    ),
    AttackEntry(
        key="padam-cos",
        title="PAdam, cosine",
        summary="Projected Adam on the angle between the logits and the label: strong on models trained without attacks.",
        formula=r"L = \tfrac{1}{HW}\sum_j \big(1 - \cos(u_j, e_{y_j})\big)",
        paper=PADAM_PAPER,
        url=PADAM_URL,
        build=lambda plan: plan.bounded(plan.of(losses.one_minus_cosine), rules.padam, random_start=True),
        auto_alpha=two_grey_levels,
        random_start=True,
        published={HALMOSI: two_hundred},
        ours="The paper returns the last iterate; here, as everywhere, the strongest one is the result.",
    ),
    AttackEntry(
        key="cira",
        title="CIRA",
        summary="Turns the encoder's representation towards a random direction. It needs no labels at all.",
        formula=r"\max_{x'} \cos\big(z(x'), u\big),\ u \sim U[0,1]^D \quad\text{or}\quad \max_{x'} 1 - \cos\big(z(x'), z(x)\big)",
        paper=CIRA_PAPER,
        url=CIRA_URL,
        build=lambda plan: cira(plan, False, "direction"),
        auto_alpha=one_normalised_unit,
        takes_target=False,
        takes_layer=True,
        takes_transforms=False,
        variants={"direction": "towards a random direction", "away": "away from the clean representation"},
        published={"Halmosi & Jelasity, 2023": lambda eps: {"norm": "linf", "steps": 120, "alpha": None}},
        ours=CIRA_OURS,
    ),
    AttackEntry(
        key="cira-plus",
        title="CIRA+",
        summary="CIRA and the cross-entropy together: breaks the representation and the labels at once.",
        formula=r"g = \frac{\nabla CE}{\|\nabla CE\|_{\mathrm{pixel}}} + \frac{\nabla \cos(z(x'), u)}{\|\nabla \cos\|_{\mathrm{pixel}}}"
        r"\quad\text{or}\quad g = \nabla\big(CE + \cos(z(x'), u)\big)",
        paper=CIRA_PAPER,
        url=CIRA_URL,
        build=lambda plan: cira(plan, True, "normalised"),
        auto_alpha=one_normalised_unit,
        takes_target=False,
        takes_layer=True,
        takes_transforms=False,
        variants={
            "normalised": "sum of the two gradients, each normalised pixel by pixel (two gradient evaluations a step)",
            "sum": "gradient of the sum of the two losses",
        },
        cost=lambda variant: 1 if variant == "sum" else 2,
        published={"Halmosi & Jelasity, 2023": lambda eps: {"norm": "linf", "steps": 120, "alpha": None, "against": "truth"}},
        ours=CIRA_OURS,
    ),
    AttackEntry(
        key="fspgd",
        title="FSPGD",
        summary="Makes features in the middle of the network unlike those of the clean picture, and unlike one another where they were "
        "alike: made to transfer to other networks. It needs no labels.",
        formula=r"\max_{x'}\ -\lambda_t\, \tfrac1P \sum_j \cos(f_j, g_j) - \frac{1-\lambda_t}{2|W|} \sum_{(i,j) \in W} g_i \cdot g_j,"
        r"\quad \lambda_t = \tfrac{t-1}{T}",
        paper="FSPGD: Rethinking Black-box Attacks on Semantic Segmentation, 2025",
        url="https://arxiv.org/abs/2502.01262",
        build=lambda plan: plan.bounded(similarity.Similarity(plan.settings.layer), random_start=True),
        auto_alpha=madry_step,
        random_start=True,
        takes_target=False,
        takes_layer=True,
        takes_transforms=False,
        published={"FSPGD, 2025": fspgd_settings},
        ours="The layer, where none is named: the last but one level of the encoder; the published one lies in the third of four stages of"
        " a ResNet. As everywhere, the result is the iterate with most pixels as the goal wants them.",
    ),
)


def sea(settings: Settings) -> dict[str, Settings]:
    """The three attacks of SEA, each with all the steps."""
    return {key: replace(settings, attack=key, alpha=None) for key in ("apgd-mce-bal", "apgd-mce", "apgd-js")}


def quick(settings: Settings) -> dict[str, Settings]:
    """Three attacks that differ in loss and update rule, with constant radius, fit for few steps."""
    attacks = {"apgd-mce": "constant", "apgd-js": "constant", "padam-cos": ""}
    return {key: replace(settings, attack=key, variant=variant, alpha=None) for key, variant in attacks.items()}


def battery(settings: Settings) -> dict[str, Settings]:
    """The ten attacks of 2407.09150 with their step sizes, and with their numbers of steps in proportion: as published at 300 steps."""

    def member(key: str, steps: int, variant: str = "", alpha: float | None = None) -> Settings:
        share = min(max(round(settings.steps * steps / 300), 1), MAX_STEPS)
        restarts = settings.restarts if "apgd" in key or "padam" in key else 1
        return replace(settings, attack=key, variant=variant, alpha=alpha, steps=share, restarts=restarts)

    return {
        "padam-ce": member("padam-ce", 200),
        "padam-cos": member("padam-cos", 200),
        "apgd-mce": member("apgd-mce", 300, "constant"),
        "apgd-segpgd": member("apgd-segpgd", 300),
        "apgd-js": member("apgd-js", 300, "constant"),
        "apgd-msl": member("apgd-msl", 300, "constant"),
        "dag 0.001": member("dag", 200, alpha=0.255),
        "dag 0.003": member("dag", 200, alpha=0.765),
        "pdpgd": member("pdpgd", 500),
        "almaprox": member("almaprox", 500, alpha=0.0255),
    }


SUITES = (
    AttackEntry(
        key="sea",
        title="SEA",
        summary="Three attacks with losses made for segmentation; of each picture the worst result counts. Steps are per attack.",
        formula=r"\min_{a\,\in\,\{\text{MCE-Bal},\ \text{MCE},\ \text{JS}\}} \mathrm{accuracy}\big(f(x'_a), y\big)",
        paper=SEA_PAPER,
        url=SEA_URL,
        auto_alpha=twice_radius,
        members=sea,
        family="suite",
        random_start=True,
        variants=RED_EPS_VARIANTS,
        published={SEA: three_hundred},
    ),
    AttackEntry(
        key="battery",
        title="Battery of ten",
        summary="PAdam, APGD with four losses, and four smallest-perturbation attacks clipped to epsilon; of each picture the worst result "
        "counts. Steps are those of APGD; the others have 2/3 or 5/3 as many.",
        formula=r"\min_{a\,\in\,\{\text{PAdam} \times 2,\ \text{APGD} \times 4,\ \text{DAG} \times 2,\ \text{PDPGD},\ \text{ALMAProx}\}}"
        r" \mathrm{accuracy}\big(f(x'_a), y\big)",
        paper=PADAM_PAPER,
        url=PADAM_URL,
        auto_alpha=twice_radius,
        members=battery,
        family="suite",
        random_start=True,
        takes_transforms=False,
        norms=("linf",),
        published={HALMOSI: three_hundred},
        ours="Each attack returns its strongest iterate, also where its paper's code returns the last one or the clean picture. Of each"
        " picture the attack with the lowest pixel accuracy counts; the paper takes the one with the lowest mIoU of the picture.",
    ),
    AttackEntry(
        key="quick",
        title="Quick suite",
        summary="Masked CE, Jensen-Shannon and PAdam-cosine with few steps each, for a live demo. Steps are per attack.",
        formula=r"\min_{a\,\in\,\{\text{MCE},\ \text{JS},\ \text{PAdam-cos}\}} \mathrm{accuracy}\big(f(x'_a), y\big)",
        paper="Our selection from SEA (2306.12941) and the battery of Halmosi, Mohos & Jelasity (2407.09150)",
        url=SEA_URL,
        auto_alpha=twice_radius,
        members=quick,
        family="suite",
        random_start=True,
        ours="The choice of the three attacks is ours.",
    ),
)

# Each clips its result as in Halmosi, Mohos & Jelasity (2407.09150), unless told otherwise.
SMALLEST = (
    AttackEntry(
        key="dag",
        title="DAG",
        summary="Steps of one length along the gradient of all pixels that still resist, until 99 % have given in.",
        formula=r"r = \sum_{j\,\in\,\mathrm{active}} \nabla_x\big(\max_{k \ne y_j} u_{jk} - u_{j y_j}\big),"
        r"\quad x_{t+1} = \mathrm{clip}_{[0,1]}\big(x_t + \gamma\, r / \|r\|_\infty\big)",
        paper="Xie et al., Adversarial Examples for Semantic Segmentation and Object Detection, ICCV 2017",
        url="https://arxiv.org/abs/1703.08603",
        build=lambda plan: dag.DAG(plan.constraint, plan.steps, clip=plan.settings.clip, gamma=plan.alpha),
        auto_alpha=lambda eps, steps: 0.255,
        family="smallest",
        takes_transforms=False,
        norms=("linf",),
        published={HALMOSI: smallest(200, 0.255, clip=True), "Xie et al., 2017": smallest(200, 0.5, clip=False)},
        ours="Where 99 % are not reached, the published code returns the clean picture; here the strongest iterate is the result.",
    ),
    AttackEntry(
        key="almaprox",
        title="ALMAProx",
        summary="Looks for the smallest perturbation with one penalty per pixel, raised where nothing helps. Wants hundreds of steps.",
        formula=r"\min_\delta \|\delta\|_\infty \ \text{s.t.}\ \mathrm{DLR}_j(x + \delta) < 0 \ \text{on 99\,\% of the pixels},"
        r"\quad \delta \leftarrow \mathrm{prox}^H_{\lambda\|\cdot\|_\infty}"
        r"\big(\delta - \lambda H^{-1} \nabla \textstyle\sum_j P(c_j, \rho_j, \mu_j)\big)",
        paper="Rony, Pesquet & Ben Ayed, Proximal Splitting Adversarial Attacks for Semantic Segmentation, CVPR 2023",
        url="https://arxiv.org/abs/2206.07179",
        build=lambda plan: alma_prox.ALMAProx(plan.constraint, plan.steps, clip=plan.settings.clip, lr=plan.alpha),
        auto_alpha=lambda eps, steps: 0.255,
        family="smallest",
        takes_transforms=False,
        norms=("linf",),
        published={HALMOSI: smallest(500, 0.0255, clip=True), "Rony et al., 2023": smallest(500, 0.255, clip=False)},
        ours="The derivative of the penalty is that of the paper's formula, from which the published code differs.",
    ),
    AttackEntry(
        key="pdpgd",
        title="PDPGD",
        summary="Looks for the smallest perturbation by descent on the picture and ascent on one multiplier per pixel.",
        formula=r"\min_r \max_\lambda\ \lambda_0 \|r\|_\infty + \textstyle\sum_j \lambda_j\, \mathrm{softplus}(m_j),"
        r"\quad \lambda_0 + \sum_j \lambda_j = 1",
        paper="Matyasko & Chau, PDPGD: Primal-Dual Proximal Gradient Descent Adversarial Attack, 2021",
        url="https://arxiv.org/abs/2106.01538",
        build=lambda plan: pdpgd.PDPGD(plan.constraint, plan.steps, clip=plan.settings.clip, lr=plan.alpha),
        auto_alpha=lambda eps, steps: 2.55,
        family="smallest",
        takes_transforms=False,
        norms=("linf",),
        published={HALMOSI: smallest(500, 2.55, clip=True)},
        ours="The proximal step is solved exactly; the published code takes up to five inner iterations.",
    ),
)

GRADIENT_FREE = (
    AttackEntry(
        key="square",
        title="Square",
        summary="Random squares of plus or minus epsilon, kept where they fool no fewer pixels: it sees maps alone and no gradient, which "
        "could mislead it.",
        formula=r"x_{t+1} = \arg\max_{x' \in \{x_t,\ x_t + s_t\}} \tfrac{1}{HW}\sum_j \mathbf{1}[\arg\max f_j(x') \ne y_j]",
        paper="Andriushchenko, Croce, Flammarion & Hein, Square Attack: a Query-efficient Black-box Adversarial Attack via Random Search,"
        " ECCV 2020",
        url="https://arxiv.org/abs/1912.00049",
        build=lambda plan: square.Square(plan.constraint, plan.alpha, plan.steps, seed=plan.settings.seed),
        auto_alpha=whole_radius,
        family="gradient-free",
        takes_transforms=False,
        norms=("linf",),
        cost=lambda variant: 0,
        ours="The paper's attack is on classifiers and searches by their margin; here it is the share of pixels as the goal wants them."
        " Its steps are forward passes; where attacks get one budget, it gets as many of them as others get gradients.",
    ),
)

NO_ATTACKS = (
    AttackEntry(
        key="noise",
        title="Random noise",
        summary="Not an attack: noise as large as an attack's change may be, to see how much worse an adversary is than chance.",
        formula=r"x' = \mathrm{clip}_{[0,1]}(x + u),\quad u \sim U\{\|u\| \le \varepsilon\}",
        paper="The random start of Madry et al., Towards Deep Learning Models Resistant to Adversarial Attacks, ICLR 2018",
        url="https://arxiv.org/abs/1706.06083",
        build=lambda plan: noise.Noise(
            plan.constraint, plan.alpha, plan.steps, restarts=plan.settings.restarts, seed=plan.settings.seed, random_start=True
        ),
        auto_alpha=whole_radius,
        family="noise",
        one_step=True,
        random_start=True,
        takes_target=False,
        takes_transforms=False,
        cost=lambda variant: 0,
        ours="That it stands alone, as a measure. Restarts are more draws, of which the worst counts.",
    ),
)

ATTACKS = {entry.key: entry for entry in ROWS + SMALLEST + SUITES + GRADIENT_FREE + NO_ATTACKS}
