"""The settings of the page of defences as widgets, its presets, and its link."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import streamlit as st

from segviz.data.label_sets import LabelSet
from segviz.defences.catalog import name_of, values_of
from segviz.defences.rows import DEFENCES, DefenceEntry
from segviz.models.zoo import catalogue
from segviz.settings import Settings
from segviz.studies.compare import MAX_BUDGET
from segviz.types import UserError
from segviz.ui.kit.attacks import attack_choices, attack_title, common_controls, eps_control, usable_attacks, with_attack
from segviz.ui.kit.links import SHARED, link_of, read_link
from segviz.ui.kit.models import is_here, model_keys, model_title
from segviz.ui.kit.subject import open_with, subject_controls

DEFAULT_ATTACK, DEFAULT_DEFENCE, DEFAULT_BUDGET = "pgd", "jpeg", 20
BUDGETS = (4, 8, 16, 20, 40, 80, 160, 320)
TWINS = ("voc7-lraspp-pgd", "voc7-lraspp-pgd-half")
GRADIENTS = {
    "exact": "The attack that knows takes the exact gradient through it.",
    "stand-in": "The real thing has no useful gradient: the attack that knows takes that of a smooth stand-in (BPDA).",
    "fresh draws": "The attack that knows averages the gradient over draws of its own (EOT); it does not know the defender's.",
}


@dataclass(frozen=True)
class Wish:
    """A trial as the controls say it: `settings` with the attack, the defence by name, and gradient evaluations for each attack."""

    settings: Settings
    defence: str
    budget: int


@dataclass(frozen=True)
class Preset:
    """A trial that shows what a paper says: the values of the page's widgets, and what to look at."""

    title: str
    text: str
    values: Mapping[str, Any]


PRESETS = (
    Preset(
        "Multi-scale against single-scale attacks",
        "An attack made at one scale fools the network at that scale; the mean over four scales and their mirror images hardly notices it, "
        "until the attack goes through all of them (Arnab et al., Table 1).",
        {"attack": "ifgsm", "defence": "scales-flip", "budget": 160, "eps": 8.0},
    ),
    Preset(
        "Random transforms, then EOT",
        "Random views undo an attack that does not know of them; one that takes its gradient over random draws of its own gets through "
        "(Arnab et al., Figures 6 and 7).",
        {"attack": "pgd", "defence": "random-noise", "budget": 80, "eps": 8.0},
    ),
    Preset(
        "CRF against untargeted attacks",
        "The CRF's scores are so sure that the gradient of an untargeted attack fades: it looks robust (Arnab et al., Figure 9).",
        {"attack": "ifgsm", "defence": "crf", "budget": 20, "eps": 2.0},
    ),
    Preset(
        "CRF against targeted attacks",
        "A targeted attack pulls the scores to another class and does not mind how sure they are: the CRF is no help "
        "(Arnab et al., Figure 10).",
        {"attack": "ifgsm", "defence": "crf", "budget": 20, "eps": 2.0, "goal": "everywhere"},
    ),
    Preset(
        "Reconstruction heals the naive attack only",
        "Taking the noise out of the picture brings the map back, as long as the attack does not know that it will be taken out.",
        {"attack": "pgd", "defence": "denoiser", "budget": 40, "eps": 4.0},
    ),
)

TWIN_PRESETS = (
    Preset(
        "50/50 against 100 %, weak attack",
        "Two models that were trained on attacked pictures: one on those alone, one on as many clean ones. A few steps of PGD are what "
        "both have seen in training; now try the strong attack (Halmosi & Jelasity, 2306.14217).",
        {"attack": "pgd", "budget": 4},
    ),
    Preset(
        "50/50 against 100 %, strong attack",
        "The same two models under an attack that goes after the pixels which are still right, with steps that adapt: what is left shows "
        "which of them had become robust (Halmosi & Jelasity, 2306.14217).",
        {"attack": "apgd-mce", "budget": 80},
    ),
)
"""The attack on the robust twins side by side at growing eps."""


def wish_controls() -> Wish:
    """Draw the controls, filled from the link at first, and return what they say. Raises UserError where they make no valid settings."""
    state = st.session_state
    query = st.query_params.to_dict()
    link = read_link(query)
    open_with({name: value for name, value in link.items() if name in SHARED}, "defences")
    if "defence" not in state:
        fill(
            {
                "attack": f"{link.get('attack', DEFAULT_ATTACK)} {link.get('variant', '')}".strip(),
                "defence": query.get("defence", DEFAULT_DEFENCE),
                "budget": int(query["budget"]) if query.get("budget", "").isdecimal() else DEFAULT_BUDGET,
            }
        )
    shared = subject_controls()
    attack = attack_control(shared)
    eps = eps_control()
    defence = defence_control()
    budget = st.select_slider(
        "Budget, in gradient evaluations",
        sorted({*BUDGETS, state.defence_budget}),
        help="What either attack may spend, in passes through the network. A defence that looks at several views takes several at a time.",
        key="defence_budget",
        persist_state="session",
    )
    shared = common_controls(replace(shared, eps=eps))
    return Wish(with_attack(shared, attack), defence, budget)


def fill(values: Mapping[str, Any]) -> None:
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


def attack_control(shared: Settings) -> str:
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


def link_of_wish(wish: Wish) -> dict[str, str]:
    """The parameters of a link that reproduces the trial; defaults are left out."""
    link = link_of(wish.settings)
    if wish.defence != DEFAULT_DEFENCE:
        link["defence"] = wish.defence
    if wish.budget != DEFAULT_BUDGET:
        link["budget"] = str(wish.budget)
    return link


def preset_buttons() -> None:
    """A button per preset, which fills the widgets and runs."""
    state = st.session_state

    def take(preset: Preset) -> None:
        fill({"goal": "break", **preset.values})
        if preset.values.get("goal") == "everywhere":
            state.target = "person"
        state.defence_go, state.defence_text = True, preset.text

    def take_twins(preset: Preset) -> None:
        state.defence_attack, state.defence_budget, state.goal = preset.values["attack"], preset.values["budget"], "break"
        state.ladder_models, state.ladder_go, state.defence_text = list(TWINS), True, preset.text

    with st.container(horizontal=True):
        for number, preset in enumerate(PRESETS):
            st.button(preset.title, help=preset.text, key=f"preset-{number}", on_click=take, args=(preset,))
        for number, preset in enumerate(TWIN_PRESETS):
            st.button(preset.title, help=preset.text, key=f"preset-twins-{number}", on_click=take_twins, args=(preset,))


def pair_control(label_set: LabelSet) -> list[str]:
    """The choice of models of one label set to look at side by side; at first the clean one and two robust twins."""
    state = st.session_state
    here = [key for key in model_keys() if is_here(catalogue()[key]) and catalogue()[key].label_set == label_set]
    state.ladder_models = [key for key in state.get("ladder_models") or ["voc7-lraspp", *TWINS] if key in here]
    chosen: list[str] = st.multiselect(
        "Models side by side", here, format_func=model_title, max_selections=4, key="ladder_models", persist_state="session"
    )
    return chosen
