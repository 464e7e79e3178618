"""The settings of a comparison as widgets: what all attacks share, which attacks, and the budget; they live in the link of the page."""

from dataclasses import dataclass, replace

import streamlit as st

from segviz.attacks.catalog import iterations_of, members_of
from segviz.attacks.rows import ATTACKS
from segviz.defences.catalog import evaluations_of
from segviz.fields import parameters, setting
from segviz.settings import Settings
from segviz.studies import first_views
from segviz.studies.compare import MAX_BUDGET, within_budget
from segviz.types import UserError
from segviz.ui.kit.attacks import attack_choices, attack_title, common_controls, eps_slider, usable_attacks, with_attack
from segviz.ui.kit.fields import marks
from segviz.ui.kit.links import SHARED, link_of, open_link, page_table
from segviz.ui.kit.subject import open_with, subject_controls

DEFAULT_ATTACKS, DEFAULT_BUDGET = first_views.ATTACKS, first_views.BUDGET
MAX_ATTACKS = 8


@dataclass(frozen=True)
class ComparisonWish:
    """A comparison as the controls say it: `shared` settings, attacks by name as in `attack_choices`, and gradient evaluations for each."""

    shared: Settings
    attacks: tuple[str, ...] = setting(DEFAULT_ATTACKS, choices=attack_choices, most=MAX_ATTACKS, label="Attacks")
    budget: int = setting(
        DEFAULT_BUDGET,
        low=1,
        high=MAX_BUDGET,
        label="Budget, in gradient evaluations",
        tip="What every attack may spend. Its number of steps follows from what a step costs it.",
        marks=(1, 2, 5, 10, 20, 50, 100, 200, 300, 500),
    )


TABLE = page_table(ComparisonWish, *SHARED)


def link_of_comparison(wish: ComparisonWish, name_attacks: bool) -> dict[str, str]:
    """The parameters of a link that reproduces the comparison; defaults are left out, but the attacks only unless `name_attacks`."""
    named = {"attacks": TABLE["attacks"].format(wish.attacks)} if name_attacks else {}
    return link_of(wish.shared) | parameters({"attacks": wish.attacks, "budget": wish.budget}, TABLE) | named


def comparison_controls() -> ComparisonWish:
    """Draw the controls, filled from the link at first, and return what they say. Raises UserError where they make no valid settings."""
    state = st.session_state
    link = open_link("compare", TABLE)
    open_with({name: value for name, value in link.items() if name in SHARED}, "compare")
    if "compare_attacks" not in state:
        state.compare_attacks = list(link.get("attacks") or DEFAULT_ATTACKS)
        state.compare_budget = link.get("budget", DEFAULT_BUDGET)
    shared = subject_controls()
    place = st.container()
    eps = eps_slider()
    budget = marks(TABLE["budget"], "compare_budget")
    shared = common_controls(replace(shared, eps=eps))
    with place:
        attacks = entrants_control(shared)
    return ComparisonWish(shared, attacks, budget)


def entrants_control(shared: Settings) -> tuple[str, ...]:
    """The choice of the attacks, of those that can do what the shared settings wish."""
    state = st.session_state
    can, cannot = usable_attacks(shared)
    if not set(state.compare_attacks) <= set(can):
        state.compare_attacks = [name for name in state.compare_attacks if name in can]
    chosen = st.multiselect(
        "Attacks",
        can,
        format_func=lambda name: attack_title(with_attack(shared, name)),
        max_selections=MAX_ATTACKS,
        select_all=False,
        placeholder="Choose attacks",
        key="compare_attacks",
        persist_state="session",
    )
    if cannot:
        titles = ", ".join(attack_title(with_attack(shared, name)) for name in cannot)
        st.caption(f"Left out, as they cannot do this goal or norm: {titles}.")
    return tuple(chosen)


def entrants_of(wish: ComparisonWish) -> tuple[Settings, ...]:
    """The settings of each attack within the budget, with a line on what that means where it is not obvious."""
    runs, notes = [], []
    for name in wish.attacks:
        try:
            settings = within_budget(with_attack(wish.shared, name), wish.budget)
        except UserError as error:
            st.warning(str(error))
            continue
        runs.append(settings)
        cost = evaluations_of(settings)
        if ATTACKS[settings.attack].one_step:
            notes.append(f"**{attack_title(settings)}** takes one step, whatever the budget.")
        elif cost == 0:
            notes.append(f"**{attack_title(settings)}** takes no gradients: {settings.steps} forward passes.")
        elif cost < wish.budget or cost != iterations_of(settings):
            members = len(members_of(settings))
            steps = f"{settings.steps} step{'s' if settings.steps > 1 else ''}" + (f" of each of {members} attacks" if members > 1 else "")
            notes.append(f"**{attack_title(settings)}**: {steps}, {cost} of {wish.budget} evaluations.")
    if notes:
        st.caption("  \n".join(notes))
    return tuple(runs)
