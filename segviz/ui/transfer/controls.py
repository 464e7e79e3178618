"""The settings of a study of transfer as widgets: sources, victims, attacks, pictures; they live in the link of the page."""

import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import streamlit as st

from segviz.attacks.rows import ATTACKS
from segviz.attacks.transforms import TRANSFORMS
from segviz.defences.titles import WRAPPER_TITLES
from segviz.models.keys import split_key
from segviz.models.zoo import model_entry
from segviz.settings import Settings
from segviz.studies.first_transfer import MODELS
from segviz.ui.kit.attacks import attack_choices, attack_title, eps_slider
from segviz.ui.kit.fields import choice, marks, number, other_controls, switch
from segviz.ui.kit.links import LINK, SHARED, open_link
from segviz.ui.kit.models import is_here, model_keys
from segviz.ui.kit.subject import open_with, upload_controls
from segviz.ui.kit.words import LABEL_TITLES, NORM_TITLES, OWN, image_keys, image_title
from segviz.ui.transfer.links import (
    DATA,
    MAX_ATTACKS,
    MAX_SOURCES,
    MAX_VICTIMS,
    OWN_FIELDS,
    PLUSSED,
    TABLE,
    VIEWS,
    TransferWish,
    iterative_attacks,
    known_model,
    transform_choices,
)
from segviz.ui.transfer.state import transfers

SEVERAL_SOURCES = ("picture", "matrix")
PRESETS: dict[str, tuple[str, dict[str, Any]]] = {
    "FGSM against iterative": (
        "One step of FGSM against ten of I-FGSM least-likely, with the settings of Arnab et al., over the samples. Measured from LR-ASPP "
        "to FCN-8s: FGSM leaves 60 % of the source's mIoU and 74 % of the victim's, the iterative attack 6 % and 50 %.",
        {"view": "matrix", "sources": MODELS, "victims": MODELS, "attacks": ("fgsm", "ifgsm-ll"), "through": (), "paper": True},
    ),
    "Dynamic scaling helps?": (
        "PGD, plain and through each input transform, at 20 gradient evaluations each, over the samples. Measured on FCN-8s, a relative of "
        "the source: not here. Plain PGD leaves 7 % of its mIoU, dynamic scaling 25 %.",
        {"view": "transforms", "source": MODELS[0], "victims": MODELS[1:], "iterative": "pgd", "each": PLUSSED, "steps": 20},
    ),
    "Scales": (
        "Table 1 of Arnab et al. on a bundled network, over the samples.",
        {"view": "scales", "source": MODELS[0], "victims": MODELS[1:]},
    ),
}


def open_page() -> None:
    """Fill the widgets when a session opens, with the settings of a link and defaults for the rest."""
    fresh = "model" not in st.session_state
    link = open_link("transfer", TABLE)
    open_with({name: value for name, value in link.items() if name in SHARED}, "transfer")
    if widget_key("view") not in st.session_state:
        defaults = {name: field.default for name, field in OWN_FIELDS.items()} | {"folder": os.environ.get("SEGVIZ_DATA", "")}
        fill_own(defaults | {name: value for name, value in link.items() if name in OWN_FIELDS})
        if fresh and "eps" not in link:
            st.session_state.eps = 8.0


def fill_own(values: Mapping[str, Any]) -> None:
    """Put settings into the state of the page's own widgets."""
    for name, value in values.items():
        st.session_state[widget_key(name)] = list(value) if isinstance(value, tuple) else value


def widget_key(name: str) -> str:
    """The key of one of the page's own widgets."""
    return f"transfer_{name}"


def use_preset(name: str) -> None:
    """Put a preset into the controls and have it run."""
    fill_own(PRESETS[name][1] | {"data": "samples"})
    st.session_state.update(eps=8.0, norm="linf", against="truth", seed=0)
    transfers().asked = True


def view_control() -> str:
    """The choice of the view."""
    view = st.segmented_control(
        "View",
        list(VIEWS),
        required=True,
        format_func=VIEWS.__getitem__,
        key=widget_key("view"),
        label_visibility="collapsed",
        persist_state="session",
    )
    return str(view)


def transfer_controls(view: str) -> TransferWish:
    """Draw the controls of a view and return what they say. Raises UserError where they make no valid settings."""
    presets_control()
    own: dict[str, Any] = {}
    if view in SEVERAL_SOURCES:
        own["sources"] = models_control("Sources", "sources", MAX_SOURCES, "The models that are attacked, each on its own.")
    else:
        own["source"] = source_control(view)
    own["victims"] = models_control("Victims", "victims", MAX_VICTIMS, "The models that see the adversarial pictures.")
    photo_controls(view, own)
    if view == "matrix":
        own["attacks"] = attacks_control()
    elif view != "scales":
        name, options = ("attack", list(attack_choices())) if view == "picture" else ("iterative", iterative_attacks())
        own[name] = st.selectbox("Attack", options, format_func=choice_title, key=widget_key(name), persist_state="session")
    eps = eps_slider()
    if view != "scales":
        own["steps"] = steps_control(view, own)
        compared_transforms(view, own)
    return TransferWish(view, more_controls(view, own, eps), own)


def presets_control() -> None:
    """A button per preset."""
    with st.expander("Presets", icon=":material/bolt:", key="transfer_presets"):
        for name, (what, _) in PRESETS.items():
            st.button(name, help=what, on_click=use_preset, args=(name,), width="stretch", key=f"preset-{name}")


def steps_control(view: str, own: dict[str, Any]) -> int:
    """The number of steps, or the budget that it follows from."""
    named = own.get("attacks", (own.get("attack", own.get("iterative")),))
    label, text = ("Steps", "Steps per attack. FGSM always takes one.")
    if view == "transforms":
        label, text = (
            "Budget, in gradient evaluations",
            "What every attack may spend. Its number of steps follows from what a step costs it.",
        )
    one_step = bool(named) and all(ATTACKS[attack_choices()[name].attack].one_step for name in named)
    return marks(OWN_FIELDS["steps"], widget_key("steps"), label=label, help=text, disabled=one_step)


def models_control(label: str, name: str, most: int, help_text: str) -> tuple[str, ...]:
    """The choice of several models, each with any one wrapper around it."""
    keys = [
        key + wrapper
        for wrapper in ("", *(f"+{name}" for name in WRAPPER_TITLES if name))
        for key in model_keys()
        if is_here(model_entry(key))
    ]
    chosen = st.session_state[widget_key(name)]
    options = list(dict.fromkeys([*keys, *filter(known_model, chosen)]))
    if not set(chosen) <= set(options):
        st.session_state[widget_key(name)] = [key for key in chosen if key in options]
    found = st.multiselect(
        label,
        options,
        max_selections=most,
        select_all=False,
        help=f"{help_text} Type to search; +multiscale, +scale50, +crf and the like are wrappers around a model.",
        key=widget_key(name),
        persist_state="session",
    )
    return tuple(found)


def source_control(view: str) -> str:
    """The choice of one model to attack."""
    here = [key for key in model_keys() if is_here(model_entry(key))]
    if st.session_state[widget_key("source")] not in here:
        here.append(st.session_state[widget_key("source")])
    chosen: str = st.selectbox("Network" if view == "scales" else "Source", here, key=widget_key("source"), persist_state="session")
    return chosen


def photo_controls(view: str, own: dict[str, Any]) -> None:
    """What is attacked: one photo, the samples, or a data-set folder."""
    data = "photo"
    if view != "picture":
        data = str(
            st.segmented_control(
                "Pictures", list(DATA), required=True, format_func=DATA.__getitem__, key=widget_key("data"), persist_state="session"
            )
        )
        own["data"] = data
    if data == "photo":
        st.selectbox("Picture", image_keys(), format_func=image_title, key="image", persist_state="session")
        if st.session_state.image == OWN:
            models = own.get("sources") or [own.get("source", MODELS[0])]
            upload_controls(model_entry(split_key(models[0])[0]))
    elif data == "folder":
        own["folder"] = st.text_input(
            "Folder on the server",
            placeholder="/data/voc",
            help="images/ and labels/, or the layout of VOC, Cityscapes, ADE20K or CamVid. Preset by the environment variable SEGVIZ_DATA.",
            key=widget_key("folder"),
            persist_state="session",
        ).strip()
        own["limit"] = number(OWN_FIELDS["limit"], widget_key("limit"))


def attacks_control() -> tuple[str, ...]:
    """The choice of several attacks, a table each."""
    chosen = st.multiselect(
        "Attacks",
        list(attack_choices()),
        format_func=choice_title,
        max_selections=MAX_ATTACKS,
        select_all=False,
        help="A table for each.",
        key=widget_key("attacks"),
        persist_state="session",
    )
    return tuple(chosen)


def compared_transforms(view: str, own: dict[str, Any]) -> None:
    """The input transforms: one set of them, or several to compare with one another."""
    name, label, options, text = {
        "transforms": ("each", "Plain against", transform_choices(), "Each of these on its own, with the same budget as the plain attack."),
        "curves": ("with", "Plain against", list(TRANSFORMS), "All of these together, beside the plain attack."),
    }.get(view, ("through", "Input transforms", list(TRANSFORMS), "Other views of the picture through which the gradient is taken."))
    own[name] = tuple(
        st.multiselect(
            label, options, format_func=transform_title, select_all=False, help=text, key=widget_key(name), persist_state="session"
        )
    )


def transform_title(name: str) -> str:
    """What the lists show for a transform, or for several joined by +."""
    return " + ".join(TRANSFORMS[key].title for key in name.split("+"))


def choice_title(name: str) -> str:
    """What the lists show for an attack of `attack_choices`."""
    return attack_title(attack_choices()[name])


def more_controls(view: str, own: dict[str, Any], eps: float) -> Settings:
    """What all pages share, and whether the papers' own settings are used."""
    settings = Settings(image=st.session_state.image, eps=eps)
    with st.expander("More settings", key="more_settings"):
        if view == "scales":
            st.caption(
                "The attacks have the settings of Arnab et al.: steps of 1/255, as many as belong to epsilon, against the prediction."
            )
        else:
            settings = replace(settings, norm=choice(LINK["norm"], NORM_TITLES), against=choice(LINK["against"], LABEL_TITLES))
            st.caption("This is what the attack breaks. Victims are measured against the label map wherever there is one.")
        seed = number(LINK["seed"])
        others = other_controls()
        if view not in ("scales", "transforms"):
            own["paper"] = switch(OWN_FIELDS["paper"], widget_key("paper"))
    return replace(settings, seed=seed, **others)
