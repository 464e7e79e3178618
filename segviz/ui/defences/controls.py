"""The settings of a trial as widgets, and its link."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import streamlit as st

from segviz.data.label_sets import LabelSet
from segviz.defences.catalog import name_of, values_of
from segviz.defences.rows import DEFENCES, DefenceEntry
from segviz.fields import parameters, setting
from segviz.models.zoo import catalogue
from segviz.settings import Settings
from segviz.studies.compare import MAX_BUDGET
from segviz.types import UserError
from segviz.ui.defences.state import DEFAULT_DEFENCE
from segviz.ui.kit.attacks import attack_choices, attack_title, common_controls, eps_slider, usable_attacks, with_attack
from segviz.ui.kit.fields import marks
from segviz.ui.kit.links import SHARED, link_of, open_link, page_table
from segviz.ui.kit.models import is_here, model_keys, model_title
from segviz.ui.kit.subject import open_with, subject_controls

DEFAULT_ATTACK, DEFAULT_BUDGET = "pgd", 20
TWINS = ("voc7-lraspp-pgd", "voc7-lraspp-pgd-half")
GRADIENTS = {
    "exact": "The attack that knows takes the exact gradient through it.",
    "stand-in": "The defence itself has no useful gradient: the attack that knows takes the one of a smooth stand-in (BPDA).",
    "fresh draws": "The attack that knows averages the gradient over draws of its own (EOT), as it cannot see the defence's noise.",
}


@dataclass(frozen=True)
class TrialWish:
    """A trial as the controls say it: `settings` with the attack, the defence by name, and gradient evaluations for each attack."""

    settings: Settings
    defence: str = setting(DEFAULT_DEFENCE, verify=values_of)
    budget: int = setting(
        DEFAULT_BUDGET,
        low=1,
        high=MAX_BUDGET,
        label="Budget, in gradient evaluations",
        tip="What either attack may spend, in passes through the network. A defence that looks at several views takes several at a time.",
        marks=(4, 8, 16, 20, 40, 80, 160, 320),
    )


TABLE = page_table(TrialWish, *SHARED, "attack", "variant")


def trial_controls() -> TrialWish:
    """Draw the controls, filled from the link at first, and return what they say. Raises UserError where they make no valid settings."""
    state = st.session_state
    link = open_link("defences", TABLE)
    open_with({name: value for name, value in link.items() if name in SHARED}, "defences")
    if "defence" not in state:
        attack = link.get("attack", DEFAULT_ATTACK)
        named = f"{attack} {link.get('variant', '')}".strip()
        fill_trial(
            {
                "attack": named if named in attack_choices() else attack,
                "defence": link.get("defence", DEFAULT_DEFENCE),
                "budget": link.get("budget", DEFAULT_BUDGET),
            }
        )
    shared = subject_controls()
    attack = trial_attack_control(shared)
    eps = eps_slider()
    defence = defence_control()
    budget = marks(TABLE["budget"], "defence_budget")
    shared = common_controls(replace(shared, eps=eps))
    return TrialWish(with_attack(shared, attack), defence, budget)


def fill_trial(values: Mapping[str, Any]) -> None:
    """Put a preset or what a link says into the widgets; what cannot be becomes the default."""
    state = st.session_state
    state.defence_attack = values["attack"] if values["attack"] in attack_choices() else DEFAULT_ATTACK
    name = values["defence"]
    try:
        numbers = values_of(name)
    except UserError:
        name = DEFAULT_DEFENCE
        numbers = values_of(name)
    state.defence = name.partition("=")[0]
    for number, value in enumerate(numbers):
        state[f"{state.defence}-{number}"] = value
    state.defence_budget = values["budget"] if 1 <= values["budget"] <= MAX_BUDGET else DEFAULT_BUDGET
    for key in ("eps", "goal"):
        if key in values:
            state[key] = values[key]


def trial_attack_control(shared: Settings) -> str:
    """The choice of the attack, of those that can reach the goal."""
    can, _ = usable_attacks(shared)
    if st.session_state.defence_attack not in can:
        st.session_state.defence_attack = DEFAULT_ATTACK
    attack: str = st.selectbox(
        "Attack", can, format_func=lambda name: attack_title(with_attack(shared, name)), key="defence_attack", persist_state="session"
    )
    return attack


def defence_control() -> str:
    """The choice of the defence and its parameters; returns its name with values."""
    state = st.session_state
    key = st.selectbox("Defence", DEFENCES, format_func=lambda key: DEFENCES[key].title, key="defence", persist_state="session")
    entry = DEFENCES[key]
    about_defence(entry)
    values = []
    for number, parameter in enumerate(entry.parameters):
        kind = type(parameter.default)
        place = f"{key}-{number}"
        state.setdefault(place, parameter.default)
        values.append(
            st.slider(
                parameter.title,
                kind(parameter.low),
                kind(parameter.high),
                step=kind(parameter.step),
                key=place,
                persist_state="session",
            )
        )
    return name_of(key, tuple(values))


def about_defence(entry: DefenceEntry) -> None:
    """A caption: what a defence does, who says so, and how an attack that knows it goes about."""
    ours = f" *Ours, not the paper's: {entry.ours}*" if entry.ours else ""
    st.caption(f"{entry.summary} {GRADIENTS[entry.gradient]} [{entry.paper}]({entry.url}).{ours}")


def survey_control() -> list[str]:
    """The choice of the defences to try on all samples."""
    chosen: list[str] = st.multiselect(
        "Defences",
        DEFENCES,
        default=["jpeg", "median", "bits", "tv"],
        format_func=lambda key: DEFENCES[key].title,
        key="survey_defences",
        persist_state="session",
    )
    return chosen


def pair_control(label_set: LabelSet) -> list[str]:
    """The choice of models of one label set to look at side by side; at first the clean one and two robust twins."""
    state = st.session_state
    here = [key for key in model_keys() if is_here(catalogue()[key]) and catalogue()[key].label_set == label_set]
    state.ladder_models = [key for key in state.get("ladder_models") or ["voc7-lraspp", *TWINS] if key in here]
    chosen: list[str] = st.multiselect(
        "Models side by side", here, format_func=model_title, max_selections=4, key="ladder_models", persist_state="session"
    )
    return chosen


def link_of_trial(wish: TrialWish) -> dict[str, str]:
    """The parameters of a link that reproduces the trial; defaults are left out."""
    return link_of(wish.settings) | parameters({"defence": wish.defence, "budget": wish.budget}, TABLE)
