"""The settings of a run as widgets, in reading order; their values live in the link of the page."""

from dataclasses import replace

import streamlit as st

from segviz.attacks.catalog import alpha_of
from segviz.attacks.rows import ATTACKS
from segviz.attacks.transforms import TRANSFORMS
from segviz.defences.catalog import evaluations_of
from segviz.fields import parameters
from segviz.models.zoo import model_entry
from segviz.settings import FIELDS, Settings
from segviz.ui.kit.attacks import eps_slider
from segviz.ui.kit.charts import pixel_weights, show_chart
from segviz.ui.kit.fields import choice, marks, number, other_controls, switch, text_line
from segviz.ui.kit.links import LAB, SECOND, link_of, open_link, write_link
from segviz.ui.kit.state import tab
from segviz.ui.kit.subject import open_with, subject_controls
from segviz.ui.kit.words import LABEL_TITLES, NORM_TITLES, REGION_TITLES, REGIONS
from segviz.ui.lab.second import second_controls

NOTHING_DRAWN = "polygon:"


def settings_controls() -> Settings:
    """Draw the controls, filled from the link at first, and return what they say; the link follows them.

    Raises UserError where they make no valid settings.
    """
    state = st.session_state
    open_with(open_link("attack lab", LAB), "attack lab")
    settings = subject_controls()
    attack = attack_control(settings.goal)
    row = ATTACKS[attack]
    variant = ""
    if row.variants:
        if state.variant not in row.variants:
            state.variant = next(iter(row.variants))
        chosen = st.selectbox(
            "Variant", row.variants, format_func=lambda key: f"{key}: {row.variants[key]}", key="variant", persist_state="session"
        )
        variant = "" if chosen == next(iter(row.variants)) else chosen
    eps = eps_slider()
    steps = marks(FIELDS["steps"], help="Steps per attack. FGSM always takes one.", disabled=row.one_step)
    settings = replace(settings, attack=attack, variant=variant, eps=eps, steps=steps)
    published_buttons(settings)
    with st.expander("More settings", key="more_settings"):
        settings = expert_controls(settings)
    cost = evaluations_of(settings)
    st.caption(f"One run takes {cost} gradient evaluation{'s' if cost != 1 else ''}.")
    write_link(link_of(settings) | parameters(second_controls(settings.model), SECOND))
    return settings


def attack_control(goal: str) -> str:
    """The choice of the attack, of those that can reach the goal."""
    usable = [key for key, row in ATTACKS.items() if goal in ("break", "class") or row.takes_target]
    if st.session_state.attack not in usable:
        wished, st.session_state.attack = ATTACKS[st.session_state.attack].title, Settings().attack
        st.info(f"{wished} has its own target or none, so it cannot reach this goal. {ATTACKS[Settings().attack].title} takes its place.")
    kinds = {"smallest": " (smallest perturbation)", "suite": " (suite)", "noise": " (no attack)"}
    attack: str = st.selectbox(
        "Attack",
        usable,
        format_func=lambda key: ATTACKS[key].title + kinds.get(ATTACKS[key].family, ""),
        help="Type to search."
        + ("" if goal in ("break", "class") else " Attacks that have their own target, or none, are left out for this goal."),
        key="attack",
        persist_state="session",
    )
    st.caption(ATTACKS[attack].summary)
    return attack


def published_buttons(settings: Settings) -> None:
    """Set the widgets to what papers run the attack with at this eps, a button for each paper."""
    for place, (paper, settings_at) in enumerate(ATTACKS[settings.attack].published.items()):
        changes = dict(settings_at(settings.eps))
        told = ", ".join(f"{name} {FIELDS[name].format(value) or 'auto'}" for name, value in changes.items())
        title, key = f"Settings of {paper}", f"published-{place}"
        st.button(title, icon=":material/menu_book:", help=told, on_click=st.session_state.update, args=(changes,), key=key)


def expert_controls(settings: Settings) -> Settings:
    """The settings with norm, step size, labels, region, restarts and seed from their own widgets."""
    row, state = ATTACKS[settings.attack], st.session_state
    if state.norm not in row.norms:
        state.norm = row.norms[0]
    settings = replace(settings, norm=choice(FIELDS["norm"], NORM_TITLES, row.norms))
    alpha = None
    if row.family != "suite":
        alpha = number(FIELDS["alpha"], placeholder=f"auto: {alpha_of(settings):.3g}")
    against = choice(FIELDS["against"], LABEL_TITLES)
    layer = ""
    if row.takes_layer:
        layer = text_line(FIELDS["layer"], placeholder="the encoder")
    q = q_control() if row.takes_q else None
    clip = True
    if row.family == "smallest":
        clip = switch(FIELDS["clip"])
    region, break_region = (region_control(settings, name) for name in REGIONS)
    transforms = transforms_control() if row.takes_transforms else ()
    restarts = 1
    if row.random_start:
        restarts = number(FIELDS["restarts"])
    seed = number(FIELDS["seed"])
    return replace(
        settings,
        alpha=alpha,
        against=against,
        layer=layer,
        q=q,
        clip=clip,
        region=region,
        break_region=break_region,
        transforms=transforms,
        restarts=restarts,
        seed=seed,
        **other_controls(),
    )


def q_control() -> float | None:
    """The q of TsallisPGD, None while it rises over the run, above what a pixel weighs at it."""
    q: float | None = number(FIELDS["q"], placeholder="rises from -2 to 1")
    show_chart(pixel_weights(q), key="pixel_weights", alt="What a pixel weighs over the probability of its label")
    return q


def transforms_control() -> tuple[str, ...]:
    """The choice of input transforms."""
    chosen = st.multiselect(
        FIELDS["transforms"].label,
        TRANSFORMS,
        format_func=lambda key: TRANSFORMS[key].title,
        help=FIELDS["transforms"].tip,
        key="transforms",
        persist_state="session",
    )
    for key in chosen:
        row = TRANSFORMS[key]
        samples = f" {row.samples} gradients per step." if row.samples > 1 else ""
        ours = f" *Ours, not the paper's: {row.ours}*" if row.ours else ""
        st.caption(f"**{row.title}**: {row.summary}{samples} [{row.paper}]({row.url}).{ours}")
    return tuple(chosen)


def region_control(settings: Settings, name: str) -> str:
    """Where the picture may change, or is to break, as text for the settings."""
    state = st.session_state
    kind = st.selectbox(
        FIELDS[name].label,
        REGION_TITLES,
        format_func=REGION_TITLES.__getitem__,
        help=FIELDS[name].tip,
        key=f"{name}_kind",
        persist_state="session",
    )
    if kind in ("class", "outside"):
        classes = model_entry(settings.model).label_set.classes
        key, label = f"{name}_class", "Class of the region" if name == "region" else "Class of the region to break"
        if state[key] not in classes:
            state[key] = classes[0]
        return f"{kind}:{st.selectbox(label, classes, key=key, persist_state='session')}"
    return f"polygon:{tab().polygons.get(name, '')}" if kind == "polygon" else ""
