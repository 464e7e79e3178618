"""Trials that show what a paper says, a button each."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import streamlit as st

from segviz.ui.defences.controls import TWINS, fill_trial
from segviz.ui.defences.state import trials


@dataclass(frozen=True)
class TrialPreset:
    """A trial that shows what a paper says: the values of the page's widgets, and what to look at."""

    title: str
    text: str
    values: Mapping[str, Any]


PRESETS = (
    TrialPreset(
        "Multi-scale against single-scale attacks",
        "Arnab et al. (Table 1) found attacks made at one scale to be nearly harmless at others. Here the defence is the mean over four "
        "scales and their mirror images: see in the middle what such an attack leaves of it, on the right one that goes through all.",
        {"attack": "ifgsm", "defence": "scales-flip", "budget": 160, "eps": 8.0},
    ),
    TrialPreset(
        "Random transforms, then EOT",
        "Arnab et al. (Figures 6 and 7) found that random transforms take effect from an attack that does not know them, and that "
        "averaging over draws gives all of it back. The columns show how much of either holds here, on this picture.",
        {"attack": "pgd", "defence": "random-noise", "budget": 80, "eps": 8.0},
    ),
    TrialPreset(
        "CRF against untargeted attacks",
        "Arnab et al. (Figure 9) found untargeted attacks through a CRF to be the weaker ones, as it is so sure of its classes that next "
        "to no gradient is left. If the right column is weaker than the middle one here, the CRF looks robust and is not.",
        {"attack": "ifgsm", "defence": "crf", "budget": 20, "eps": 2.0},
    ),
    TrialPreset(
        "CRF against targeted attacks",
        "A targeted attack pulls every pixel to another class, however sure the CRF is. Arnab et al. (Figure 10) found the CRF to be of no "
        "help against it; compare the columns to see whether that holds here.",
        {"attack": "ifgsm", "defence": "crf", "budget": 20, "eps": 2.0, "goal": "everywhere"},
    ),
    TrialPreset(
        "Reconstruction heals the naive attack only",
        "Taking noise out of the picture brings much of the map back, as long as the attack does not know that. Over the first 100 "
        "validation photos of VOC, mIoU is 54.0 % where it does not and 6.3 % where it does (67.9 % without an attack).",
        {"attack": "pgd", "defence": "denoiser", "budget": 40, "eps": 4.0},
    ),
)

TWIN_PRESETS = (
    TrialPreset(
        "50/50 against 100 %, weak attack",
        "Two models trained on attacked pictures: one on those alone, one on as many clean ones. Both have seen a few steps of PGD in "
        "training; now try the strong attack (Halmosi & Jelasity, 2306.14217).",
        {"attack": "pgd", "budget": 4},
    ),
    TrialPreset(
        "50/50 against 100 %, strong attack",
        "The same two models under an attack that adapts its steps and goes after the pixels that are still right. What is left shows "
        "which of them is robust (Halmosi & Jelasity, 2306.14217).",
        {"attack": "apgd-mce", "budget": 80},
    ),
)
"""The attack on the robust twins side by side at growing eps."""


def preset_buttons() -> None:
    """A button per preset, which fills the widgets and runs."""
    with st.container(horizontal=True):
        for number, preset in enumerate(PRESETS):
            st.button(preset.title, help=preset.text, key=f"preset-{number}", on_click=take, args=(preset,))
        for number, preset in enumerate(TWIN_PRESETS):
            st.button(preset.title, help=preset.text, key=f"preset-twins-{number}", on_click=take_twins, args=(preset,))


def take(preset: TrialPreset) -> None:
    """Fill in a preset and have it run."""
    fill_trial({"goal": "break", **preset.values})
    if preset.values.get("goal") == "everywhere":
        st.session_state.target = "person"
    trials().asked, trials().text = True, preset.text


def take_twins(preset: TrialPreset) -> None:
    """Have the robust twins attacked side by side."""
    state = st.session_state
    state.defence_attack, state.defence_budget, state.goal = preset.values["attack"], preset.values["budget"], "break"
    state.ladder_models = list(TWINS)
    trials().ladder_asked, trials().text = True, preset.text
