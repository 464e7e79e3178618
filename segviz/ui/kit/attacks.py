"""Attacks on screen: names and titles, which can do what, the widgets of their common settings, what an attack is."""

from dataclasses import replace

import streamlit as st

from segviz.attacks.catalog import check_settings
from segviz.attacks.rows import ATTACKS
from segviz.settings import FIELDS, Settings
from segviz.types import UserError
from segviz.ui.kit.fields import choice, number, other_controls, slider
from segviz.ui.kit.words import LABEL_TITLES, NORM_TITLES


def eps_slider(key: str = "eps", norm: str = "norm") -> float:
    """The radius: in whole grey levels, as results are; for L2, of which single values take more or less, in quarters."""
    return slider(FIELDS["eps"], key, step=0.25 if st.session_state[norm] == "l2" else None)


def common_controls(settings: Settings) -> Settings:
    """The settings with norm, labels, seed and `OTHERS`, for pages that put several attacks on an equal footing."""
    with st.expander("More settings", key="more_settings"):
        norm = choice(FIELDS["norm"], NORM_TITLES)
        against = choice(FIELDS["against"], LABEL_TITLES)
        seed = number(FIELDS["seed"])
        others = other_controls()
    return replace(settings, norm=norm, against=against, seed=seed, **others)


def attack_choices() -> dict[str, Settings]:
    """Name of everything that can be compared to its attack and variant; the name is the attack's key, with any but its usual variant."""
    found = {}
    for key, row in ATTACKS.items():
        found[key] = Settings(attack=key)
        found |= {f"{key} {variant}": Settings(attack=key, variant=variant) for variant in list(row.variants)[1:]}
    return found


def attack_title(settings: Settings) -> str:
    """What the page calls the settings' attack."""
    title = ATTACKS[settings.attack].title
    return f"{title} ({settings.variant})" if settings.variant else title


def with_attack(shared: Settings, name: str) -> Settings:
    """The shared settings with an attack by name."""
    choice = attack_choices()[name]
    return replace(shared, attack=choice.attack, variant=choice.variant)


def usable_attacks(shared: Settings) -> tuple[list[str], list[str]]:
    """Names of the attacks that can do what the shared settings wish, and of those that cannot."""
    can, cannot = [], []
    for name in attack_choices():
        try:
            check_settings(with_attack(shared, name))
        except UserError:
            cannot.append(name)
        else:
            can.append(name)
    return can, cannot


def show_attack(settings: Settings) -> None:
    """What the chosen attack is: one sentence, its formula, its paper."""
    entry = ATTACKS[settings.attack]
    with st.expander(f"What is {entry.title}?", icon=":material/function:"):
        st.markdown(entry.summary)
        st.latex(entry.formula)
        st.markdown(
            "$x$ is the picture in [0,1], $f$ the network's logits $u$ with softmax $p$, $y$ the labels, $e_y$ the one-hot vector of a "
            "label, $CE$ cross-entropy, $P_\\varepsilon$ the projection into the ball of radius $\\varepsilon$ and into [0,1]; means run "
            "over the counted pixels. For a target map the sign in front of the step turns round and $y$ is that map. For L2 the sign is "
            "replaced by the gradient over its norm. For the least-likely attacks the loss curve shows $-L$ towards the least likely class."
        )
        if entry.ours:
            st.markdown(f"**Ours, not the paper's:** {entry.ours}")
        if entry.published:
            names = " or ".join(entry.published)
            st.markdown(f"The lab can set steps, step size and labels as {names} have them, for this epsilon.")
        st.markdown(f"[{entry.paper}]({entry.url})")
