"""The settings of a run as widgets, in reading order; their values live in the link of the page."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, replace
from typing import Any

import streamlit as st

from segviz.attacks.catalog import alpha_of
from segviz.attacks.constraints import NORMS
from segviz.attacks.rows import ATTACKS
from segviz.data.samples import samples
from segviz.lab import Picture, open_picture, sample_picture
from segviz.models.zoo import MODELS, ModelEntry
from segviz.settings import GOALS, LABEL_SOURCES, Settings
from segviz.types import UserError

OWN = "own"
GOAL_TITLES = {"break": "Break the labels", "everywhere": "One class everywhere", "remove": "Remove one class"}
NORM_TITLES = {"linf": "L∞", "l2": "L2"}
LABEL_TITLES = {"truth": "Labels", "prediction": "Prediction"}
STEPS = (1, 2, 5, 10, 20, 50, 100, 300)
MAX_EPS = 16.0

CHOICES: dict[str, Callable[[], Iterable[Any]]] = {
    "model": lambda: MODELS,
    "image": lambda: image_keys(),
    "goal": lambda: GOALS,
    "target": lambda: {name for entry in MODELS.values() for name in entry.label_set.classes},
    "against": lambda: LABEL_SOURCES,
    "attack": lambda: ATTACKS,
    "norm": lambda: NORMS,
    "steps": lambda: STEPS,
}
RANGES: dict[str, tuple[type, Any, Any]] = {
    "eps": (float, 0.0, MAX_EPS),
    "alpha": (float, 0.01, 255.0),
    "restarts": (int, 1, 20),
    "seed": (int, 0, 2**31 - 1),
}


def read_link(query: Mapping[str, str]) -> dict[str, Any]:
    """Settings by name from the parameters of a link; unknown names and values that no widget could have are left out."""
    found: dict[str, Any] = {}
    for name, text in query.items():
        if name in CHOICES:
            known = {str(choice): choice for choice in CHOICES[name]()}
            if text in known:
                found[name] = known[text]
        elif name in RANGES:
            kind, low, high = RANGES[name]
            try:
                value = kind(text)
            except ValueError:
                continue
            if low <= value <= high:
                found[name] = value
    return found


def link_of(settings: Settings) -> dict[str, str]:
    """The parameters of a link that reproduces the settings; defaults are left out."""
    defaults = asdict(Settings())
    changed = {name: value for name, value in asdict(settings).items() if value != defaults[name]}
    return {name: f"{value:g}" if isinstance(value, float) else str(value) for name, value in changed.items()}


def settings_controls() -> Settings:
    """Draw the controls, filled from the link at first, and return what they say; the link follows them.

    Raises UserError where they make no valid settings.
    """
    state = st.session_state
    if "model" not in state:
        state.update(asdict(Settings()) | {"target": "cat"} | read_link(st.query_params.to_dict()))
    model = st.selectbox("Model", list(MODELS), format_func=lambda key: MODELS[key].title, key="model", persist_state="session")
    entry = MODELS[model]
    image = st.selectbox("Picture", image_keys(), format_func=image_title, key="image", persist_state="session")
    if image == OWN:
        upload_controls(entry)
    goal = st.selectbox("Goal", GOALS, format_func=GOAL_TITLES.__getitem__, key="goal", persist_state="session")
    target = None
    if goal != "break":
        target = st.selectbox("Class", entry.label_set.classes, key="target", persist_state="session")
    usable = [key for key, attack in ATTACKS.items() if goal == "break" or attack.takes_target]
    if state.attack not in usable:
        state.attack = Settings().attack
    attack = st.selectbox(
        "Attack",
        usable,
        format_func=lambda key: ATTACKS[key].title,
        help=None if goal == "break" else "Attacks that choose their own target, the least likely class, are left out for this goal.",
        key="attack",
        persist_state="session",
    )
    st.caption(ATTACKS[attack].summary)
    eps = st.slider(
        "Epsilon, in n/255",
        0.0,
        MAX_EPS,
        step=0.25,
        help="Largest change of any colour value, in grey levels out of 255. For L2: the root mean square of all changes.",
        key="eps",
        persist_state="session",
    )
    steps = st.select_slider(
        "Steps",
        STEPS,
        help="Gradient steps. FGSM always takes one.",
        key="steps",
        disabled=ATTACKS[attack].one_step,
        persist_state="session",
    )
    settings = Settings(model=model, image=image, goal=goal, target=target, attack=attack, eps=eps, steps=steps)
    with st.expander("More settings", key="more_settings"):
        settings = expert_controls(settings)
    st.query_params.from_dict(link_of(settings))
    return settings


def expert_controls(settings: Settings) -> Settings:
    """The settings with norm, step size, labels, restarts and seed from their own widgets."""
    norm = st.segmented_control("Norm", NORMS, required=True, format_func=NORM_TITLES.__getitem__, key="norm", persist_state="session")
    settings = replace(settings, norm=str(norm))
    alpha = st.number_input(
        "Step size, in n/255",
        *RANGES["alpha"][1:],
        value=None,
        placeholder=f"auto: {alpha_of(settings):.3g}",
        help="Empty: the attack's own rule.",
        key="alpha",
        persist_state="session",
    )
    against = st.segmented_control(
        "Attack and measure against",
        LABEL_SOURCES,
        required=True,
        format_func=LABEL_TITLES.__getitem__,
        help="The label map, or the model's own clean prediction. Without a label map it is always the prediction.",
        key="against",
        persist_state="session",
    )
    restarts = 1
    if ATTACKS[settings.attack].random_start:
        restarts = st.number_input("Restarts", *RANGES["restarts"][1:], key="restarts", persist_state="session")
    seed = st.number_input("Seed", *RANGES["seed"][1:], key="seed", persist_state="session")
    return replace(settings, alpha=alpha, against=str(against), restarts=restarts, seed=seed)


def image_keys() -> list[str]:
    """What can be chosen as picture: the samples, and one's own."""
    return [*samples(), OWN]


def image_title(key: str) -> str:
    """What the list of pictures shows for a key."""
    return "Your own picture …" if key == OWN else samples()[key].title


def upload_controls(entry: ModelEntry) -> None:
    """Uploaders for a photo and its label map; a good upload is kept for the session, a bad one gets a message and changes nothing."""
    photo = st.file_uploader("Photo", ["png", "jpg", "jpeg", "webp"], max_upload_size=10, key="photo_upload")
    labels = st.file_uploader(
        "Label map (optional)",
        ["png"],
        max_upload_size=10,
        help=f"PNG of class ids, as large as the photo: {entry.label_set.name} ids 0 to {entry.label_set.stored_ids[-1]}, 255 for void.",
        key="label_upload",
    )
    kept: tuple[str, bytes] | None = st.session_state.get("own_photo")
    if photo is not None:
        kept = (photo.name, photo.getvalue())
    if kept is None:
        if labels is not None:
            st.error("Upload the photo that this label map belongs to as well.")
    elif photo is not None or labels is not None:
        try:
            picture = open_picture(kept[0], kept[1], labels.getvalue() if labels else None, entry)
        except UserError as error:
            st.error(str(error))
        else:
            st.session_state.own_photo, st.session_state.own_picture = kept, picture
    in_use = st.session_state.get("own_picture")
    if in_use is not None:
        st.caption(f"In use: **{in_use.name}**, " + ("without a label map." if in_use.labels is None else "with a label map."))
    st.caption(
        f"PNG, JPEG or WebP up to 10 MB. It is turned upright, its metadata are dropped, and its longer side is brought to at most "
        f"{entry.working_size} px. It stays on this server only while this tab is open."
    )


def chosen_picture(settings: Settings) -> Picture | None:
    """The picture that the settings name; None while no own picture has been uploaded."""
    if settings.image == OWN:
        return st.session_state.get("own_picture")
    return sample_picture(settings.image, MODELS[settings.model])
