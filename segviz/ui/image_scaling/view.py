"""What is on screen of a scaling attack, in words and figures."""

import numpy as np
import streamlit as st

from segviz.attacks.rows import ATTACKS
from segviz.data.samples import samples
from segviz.engine.jobs import Job
from segviz.scaling.attack import Scaled
from segviz.scaling.kernels import SCALERS
from segviz.scaling.prevention import read_pixels
from segviz.scaling.solver import Verdict
from segviz.studies.scaling import ScalingSettings, ScalingStudy, agreement, target_size
from segviz.ui.kit.status import show_problem
from segviz.ui.kit.words import MADE_BEFORE

INTRODUCTION = (
    "A picture that becomes another one when it is scaled down: scaling reads only some of the pixels, and the attack rewrites just those "
    "([Xiao et al., USENIX Security 2019](https://www.usenix.org/conference/usenixsecurity19/presentation/xiao); "
    "[Quiring et al., USENIX Security 2020](https://www.usenix.org/conference/usenixsecurity20/presentation/quiring)). The solver is ours: "
    "it treats rows and columns as one exact problem. All figures are of what the real library makes of the 8-bit picture."
)
VISIBLE_PSNR = 25.0
"""Decibels below which a change is easily seen; a rule of thumb."""


def show_scaling_status(job: Job[ScalingStudy] | None, study: ScalingStudy | None) -> None:
    """What is on screen; errors as messages."""
    show_problem(job)
    if study is not None:
        st.markdown(f"{scaling_in_words(study)}{MADE_BEFORE if job is None else ''}")


def scaling_in_words(study: ScalingStudy) -> str:
    """One line that tells what is on screen."""
    settings = study.settings
    height, width = study.source.shape[:2]
    hidden = {
        "photo": f"{picture_name(settings.other)} hidden in it",
        "adversarial": f"an adversarial version of itself hidden in it ({ATTACKS[settings.attack].title}, ε = {settings.eps:g}/255)",
        "colour": f"the colour {settings.colour} hidden in it",
    }
    name = picture_name(settings.image)
    told = (
        f"**{name[0].upper()}{name[1:]}**, {width}x{height}, with {hidden[settings.hidden]} for "
        f"**{SCALERS[settings.scaler].title}** to {study.size[1]}x{study.size[0]}, slack {settings.slack:g} "
        f"grey level{'' if settings.slack == 1 else 's'}."
    )
    return told if study.ended else told + " Stopped before the end: what was reached is below."


def picture_name(key: str) -> str:
    """A picture in words."""
    return samples()[key].title if key in samples() else "your own picture"


def warning_before(settings: ScalingSettings, source: np.ndarray) -> str | None:
    """What to expect of the scaling of a source (H,W,3), if it reads next to all of its pixels, which is nothing good.

    Raises UserError as `target_size`.
    """
    scaler, full = SCALERS[settings.scaler], (source.shape[0], source.shape[1])
    title = scaler.title
    if read_pixels(scaler, full, target_size(settings.size, full)).mean() < 0.99:
        return None
    if scaler.antialias:
        return f"{title} reads every pixel here, all with similar weight, so the attack image changes all over and shows what it hides."
    return f"{title} reads every pixel at this ratio, so the attack has to change them all. A larger ratio leaves pixels that are not read."


def show_headline(study: ScalingStudy) -> None:
    """The figures of the attack image, and what they mean in words."""
    result, frames = study.result, study.frames
    if result is None:
        return
    columns = st.columns(6)
    columns[0].metric(
        "Error after scaling",
        f"{result.max_error}/255",
        help="Largest difference, in grey levels, between the hidden picture and what the real library makes of the 8-bit attack image.",
    )
    columns[1].metric("Changed pixels", f"{result.changed_pixels:.1%}", help="Share of the source's pixels with any change.")
    columns[2].metric(
        "PSNR",
        "∞" if result.psnr is None else f"{result.psnr:.1f} dB",
        help="Of the attack image against the source; more is less visible.",
    )
    columns[3].metric("SSIM", f"{result.ssim:.3f}", help="Structural similarity of attack image and source, 1 for equal ones.")
    if "scaled" in frames:
        columns[4].metric(
            "Map kept",
            f"{agreement(frames['source'], frames['attack']):.1%}",
            help="Share of the pixels to which the model gives the same class in source and attack image, at full size.",
        )
        columns[5].metric(
            "Map kept, scaled",
            f"{agreement(frames['honest'], frames['scaled']):.1%}",
            help="The same after scaling both; where the attack works, the model sees the hidden picture instead.",
        )
    for kind, text in verdicts(result):
        {"warning": st.warning, "success": st.success}[kind](text)


def verdicts(result: Scaled) -> list[tuple[str, str]]:
    """What became of the attack: kind of message and text."""
    title = result.scaler.title
    found = []
    if result.feasible:
        found.append(("success", f"{title} reveals the hidden picture. Solved in {result.seconds:.2f} s."))
    else:
        reasons = {
            Verdict.INFEASIBLE: "There is no such picture: no attack image keeps the slack, and that is proven.",
            Verdict.UNFINISHED: "The solver gave up before it met the slack everywhere.",
            Verdict.STOPPED: "Stopped: this is what was reached.",
            Verdict.OPTIMAL: "With exact arithmetic there is one, but the library rounds to 8 bits, and that costs more than the slack.",
        }
        found.append(
            (
                "warning",
                f"{reasons[result.verdict]} {result.missed.mean():.1%} of the scaled pixels are off by more, {result.max_error} grey "
                "levels at most. Allow more slack, or hide a picture that is more like the source.",
            )
        )
    if result.psnr is not None and result.psnr < VISIBLE_PSNR:
        why = (
            f"{title} reads every pixel here, so the hidden picture shows."
            if result.changed_pixels > 0.9
            else "A larger ratio changes fewer pixels; more slack, or a hidden picture more like the source, changes them less."
        )
        found.append(("warning", f"The change can be seen (PSNR {result.psnr:.1f} dB). {why}"))
    return found
