"""The settings of a run as widgets, in reading order; their values live in the link of the page."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import streamlit as st

from segviz.attacks.catalog import alpha_of, gradients_of
from segviz.attacks.constraints import NORMS
from segviz.attacks.rows import ATTACKS
from segviz.attacks.transforms import TRANSFORMS
from segviz.data.samples import samples
from segviz.defences.rows import DEFENCES
from segviz.lab import open_picture, sample_picture
from segviz.models.wrappers import split_key
from segviz.models.zoo import ModelEntry, catalogue, model_entry
from segviz.records import Picture
from segviz.settings import GOALS, LABEL_SOURCES, MAX_STEPS, Settings
from segviz.types import UserError
from segviz.ui.kit.models import download_panel, is_here, mention_faults, model_facts, model_keys, model_title

OWN = "own"
GOAL_TITLES = {
    "break": "Break the labels",
    "class": "Break one class",
    "everywhere": "One class everywhere",
    "remove": "Hide one class",
    "swap": "Swap two classes",
}
NOTHING_DRAWN = "polygon:"
WRAPPER_TITLES = {
    "": "Nothing",
    "multiscale": "Multi-scale: 50, 75, 100 %, maximum",
    "multiscale-mean": "Multi-scale: 50, 75, 100 %, mean",
    "scale50": "Only at 50 % of its size",
    "scale75": "Only at 75 % of its size",
    **{key: entry.title for key, entry in DEFENCES.items()},
}
UNSAID = re.compile(r" \(bundled\)|, 7 classes")
"""What the title of a model says that a chart need not."""
REGION_TITLES = {"": "Whole picture", "class": "One class", "outside": "All but one class", "polygon": "Drawn"}
NORM_TITLES = {"linf": "L∞", "l2": "L2"}
LABEL_TITLES = {"truth": "Labels", "prediction": "Prediction"}
STEPS = (1, 2, 5, 10, 20, 50, 100, 200, 300, 500)
MAX_EPS = 16.0
SHARED = ("model", "wrapper", "image", "goal", "target", "other", "against", "norm", "eps", "seed")
"""Settings that mean the same whatever is attacked how; pages carry them over to one another."""

CHOICES: dict[str, Callable[[], Iterable[Any]]] = {
    "model": lambda: [key + wrapper for key in catalogue() for wrapper in ("", *(f"+{name}" for name in WRAPPER_TITLES if name))],
    "image": lambda: image_keys(),
    "goal": lambda: GOALS,
    "target": lambda: {name for entry in catalogue().values() for name in entry.label_set.classes},
    "against": lambda: LABEL_SOURCES,
    "attack": lambda: ATTACKS,
    "norm": lambda: NORMS,
    "variant": lambda: {name for entry in ATTACKS.values() for name in entry.variants},
    "clip": lambda: (True, False),
}
CHOICES["other"] = CHOICES["target"]
RANGES: dict[str, tuple[type, Any, Any]] = {
    "eps": (float, 0.0, MAX_EPS),
    "steps": (int, 1, MAX_STEPS),
    "alpha": (float, 0.01, 255.0),
    "restarts": (int, 1, 20),
    "seed": (int, 0, 2**31 - 1),
}
TEXTS = {"region": re.compile(r"(class|outside):[\w ]+|polygon:[\d., |-]*"), "layer": re.compile(r"[\w.]+")}


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
        elif name == "transforms":
            found[name] = [key for key in dict.fromkeys(text.split(",")) if key in TRANSFORMS]
        elif name in TEXTS and TEXTS[name].fullmatch(text):
            found[name] = text
    return found


def link_of(settings: Settings) -> dict[str, str]:
    """The parameters of a link that reproduces the settings; defaults are left out."""
    defaults = asdict(Settings())
    changed = {name: value for name, value in asdict(settings).items() if value != defaults[name]}
    return {name: as_text(value) for name, value in changed.items()}


def as_text(value: Any) -> str:
    """A setting as it stands in a link."""
    if isinstance(value, tuple):
        return ",".join(value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def settings_controls() -> Settings:
    """Draw the controls, filled from the link at first, and return what they say; the link follows them.

    Raises UserError where they make no valid settings.
    """
    state = st.session_state
    open_with(read_link(st.query_params.to_dict()), "attack lab")
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
    eps = eps_control()
    steps = st.select_slider(
        "Steps",
        sorted({*STEPS, state.steps}),
        help="Gradient steps; of a suite those of each attack. FGSM always takes one.",
        key="steps",
        disabled=row.one_step,
        persist_state="session",
    )
    settings = replace(settings, attack=attack, variant=variant, eps=eps, steps=steps)
    published_button(settings)
    with st.expander("More settings", key="more_settings"):
        settings = expert_controls(settings)
    cost = gradients_of(settings)
    st.caption(f"One run takes {cost} gradient evaluation{'s' if cost != 1 else ''}.")
    st.query_params.from_dict(link_of(settings))
    return settings


def short_title(key: str) -> str:
    """A model in a few words, no two alike, with what is around the network."""
    base, wrappers = split_key(key)
    entry = catalogue().get(base)
    title = base if entry is None else UNSAID.sub("", entry.title).replace(", adversarially trained:", " trained on")
    return " + ".join([title, *(WRAPPER_TITLES.get(name, name).split(":")[0] for name in wrappers)])


def open_with(link: dict[str, Any], page: str) -> None:
    """Fill the widgets when a session opens, with the settings of a link and defaults for the rest; take them over from another page."""
    state = st.session_state
    if "model" not in state:
        state.lost_model = "" if "model" in link else st.query_params.get("model", "")
        fill(asdict(Settings()) | {"target": "cat", "other": "dog"} | link)
    elif state.page != page:
        # A page's widget does not start with the value of its namesake on another page, unless that is written once more.
        for name in SHARED:
            state[name] = state[name]
    state.page = page


def model_controls() -> str:
    """Key of the model, wrappers included, from its widgets."""
    state = st.session_state
    model = st.selectbox(
        "Model",
        model_keys(),
        format_func=model_title,
        key="model",
        persist_state="session",
        on_change=lambda: state.update(lost_model=""),
    )
    if lost := state.get("lost_model"):
        st.warning(f"The link asks for the model {lost}, which this server does not have. Choose one of these.")
    entry = catalogue()[model]
    st.caption(model_facts(entry))
    mention_faults()
    download_panel(entry)
    wrapper = st.selectbox(
        "Around the network",
        WRAPPER_TITLES,
        format_func=WRAPPER_TITLES.__getitem__,
        help="Attacked as a whole: gradients go through it.",
        key="wrapper",
        persist_state="session",
    )
    return f"{model}+{wrapper}" if wrapper else str(model)


def subject_controls() -> Settings:
    """Model, picture and goal from their widgets."""
    state = st.session_state
    model = model_controls()
    entry = catalogue()[state.model]
    if state.target not in entry.label_set.classes:
        state.target = entry.label_set.classes[0]
    image = st.selectbox("Picture", image_keys(), format_func=image_title, key="image", persist_state="session")
    if image == OWN:
        upload_controls(entry)
    goal = st.selectbox("Goal", GOALS, format_func=GOAL_TITLES.__getitem__, key="goal", persist_state="session")
    suggest_classes(entry, image, goal)
    target = other = None
    if goal != "break":
        target = st.selectbox("Class", entry.label_set.classes, key="target", persist_state="session")
    if goal == "swap":
        others = [name for name in entry.label_set.classes if name != target]
        if state.other not in others:
            state.other = others[0]
        other = st.selectbox("With", others, key="other", persist_state="session")
    return Settings(model=model, image=image, goal=goal, target=target, other=other)


def suggest_classes(entry: ModelEntry, image: str, goal: str) -> None:
    """When another picture or goal is chosen, go from classes that the label map lacks to its largest ones."""
    state = st.session_state
    before, state.subject = state.get("subject"), (image, goal)
    picture = state.get("own_picture") if image == OWN else sample_picture(image, entry)
    if before in (None, state.subject) or picture is None or picture.labels is None:
        return
    pixels = np.bincount(picture.labels.ravel(), minlength=256)[: len(entry.label_set.classes)]
    # The background last: it is what others are seldom meant to be attacked for.
    order = sorted(range(len(pixels)), key=lambda index: (entry.label_set.classes[index] == "background", -pixels[index]))
    present = [entry.label_set.classes[index] for index in order if pixels[index] > 0]
    if state.target not in present:
        state.target = present[0]
    if state.other not in present or state.other == state.target:
        state.other = next((name for name in present if name != state.target), state.other)


def eps_control() -> float:
    """The radius, in grey levels."""
    return st.slider(
        "Epsilon, in n/255",
        0.0,
        MAX_EPS,
        step=0.25,
        help="Largest change of any colour value, in grey levels out of 255. For L2: the root mean square of all changes.",
        key="eps",
        persist_state="session",
    )


def fill(values: dict[str, Any]) -> None:
    """Put settings into the state of the widgets."""
    kind, _, rest = values["region"].partition(":")
    base, wrappers = split_key(values["model"])
    values = values | {"model": base, "wrapper": "+".join(wrappers)}
    state = st.session_state
    state.region_kind = kind
    state.region_class = rest if kind in ("class", "outside") else values["target"]
    state.region_polygon = rest if kind == "polygon" else ""
    state.update({name: value for name, value in values.items() if name != "region"})


def attack_control(goal: str) -> str:
    """The choice of the attack, of those that can reach the goal."""
    usable = [key for key, row in ATTACKS.items() if goal in ("break", "class") or row.takes_target]
    if st.session_state.attack not in usable:
        wished, st.session_state.attack = ATTACKS[st.session_state.attack].title, Settings().attack
        st.info(f"{wished} has its own target or none, so it cannot reach this goal. {ATTACKS[Settings().attack].title} takes its place.")
    kinds = {"smallest": " (smallest perturbation)", "suite": " (suite)"}
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


def published_button(settings: Settings) -> None:
    """Sets the widgets to the settings of the attack's paper at this eps."""
    row = ATTACKS[settings.attack]
    if row.published is None:
        return
    changes = row.published(settings.eps)
    told = ", ".join(f"{name} {'auto' if value is None else as_text(value)}" for name, value in changes.items())
    st.button(
        "Settings of the paper", icon=":material/menu_book:", help=told, on_click=lambda: st.session_state.update(changes), key="published"
    )


def expert_controls(settings: Settings) -> Settings:
    """The settings with norm, step size, labels, region, restarts and seed from their own widgets."""
    row, state = ATTACKS[settings.attack], st.session_state
    if state.norm not in row.norms:
        state.norm = row.norms[0]
    norm = st.segmented_control("Norm", row.norms, required=True, format_func=NORM_TITLES.__getitem__, key="norm", persist_state="session")
    settings = replace(settings, norm=str(norm))
    alpha = None
    if row.family == "bounded":
        alpha = st.number_input(
            "Step size, in n/255",
            *RANGES["alpha"][1:],
            value=None,
            placeholder=f"auto: {alpha_of(settings):.3g}",
            help="Empty: the attack's own rule.",
            key="alpha",
            persist_state="session",
        )
    against = labels_control()
    layer = ""
    if row.takes_layer:
        layer = st.text_input(
            "Layer",
            placeholder="the encoder",
            help="Name of a layer, such as encoder.blocks.4.",
            key="layer",
            persist_state="session",
        )
    clip = True
    if row.family == "smallest":
        clip = st.toggle(
            "Clip the result to epsilon",
            help="On: the smallest perturbation is brought into the ball, to compare with bounded attacks. Off: it may be larger.",
            key="clip",
            persist_state="session",
        )
    region = region_control(settings)
    transforms = transforms_control() if row.takes_transforms else ()
    restarts = 1
    if row.random_start:
        restarts = st.number_input("Restarts", *RANGES["restarts"][1:], key="restarts", persist_state="session")
    seed = st.number_input("Seed", *RANGES["seed"][1:], key="seed", persist_state="session")
    return replace(
        settings,
        alpha=alpha,
        against=against,
        layer=layer,
        clip=clip,
        region=region,
        transforms=transforms,
        restarts=restarts,
        seed=seed,
    )


def common_controls(settings: Settings) -> Settings:
    """The settings with norm, labels and seed, for pages that put several attacks on an equal footing."""
    with st.expander("More settings", key="more_settings"):
        norm = st.segmented_control("Norm", NORMS, required=True, format_func=NORM_TITLES.__getitem__, key="norm", persist_state="session")
        against = labels_control()
        seed = st.number_input("Seed", *RANGES["seed"][1:], key="seed", persist_state="session")
    return replace(settings, norm=str(norm), against=against, seed=seed)


def transforms_control() -> tuple[str, ...]:
    """The choice of input transforms."""
    chosen = st.multiselect(
        "Input transforms",
        TRANSFORMS,
        format_func=lambda key: TRANSFORMS[key].title,
        help="Other views of the picture through which the gradient is taken. They cost white-box strength and help an attack to transfer "
        "to other networks; what you see is always measured on the picture itself.",
        key="transforms",
        persist_state="session",
    )
    for key in chosen:
        row = TRANSFORMS[key]
        samples = f" {row.samples} gradients per step." if row.samples > 1 else ""
        ours = f" *Ours, not the paper's: {row.ours}*" if row.ours else ""
        st.caption(f"**{row.title}**: {row.summary}{samples} [{row.paper}]({row.url}).{ours}")
    return tuple(chosen)


def labels_control() -> str:
    """Which labels are broken and measured against."""
    against = st.segmented_control(
        "Attack and measure against",
        LABEL_SOURCES,
        required=True,
        format_func=LABEL_TITLES.__getitem__,
        help="The label map, or the model's own clean prediction. Without a label map it is always the prediction.",
        key="against",
        persist_state="session",
    )
    return str(against)


def region_control(settings: Settings) -> str:
    """Where the picture may change, as text for the settings."""
    state = st.session_state
    kind = st.selectbox(
        "Change only",
        REGION_TITLES,
        format_func=REGION_TITLES.__getitem__,
        help="The part of the picture that the attack may touch. What it breaks stays the goal's affair.",
        key="region_kind",
        persist_state="session",
    )
    if kind in ("class", "outside"):
        classes = model_entry(settings.model).label_set.classes
        if state.region_class not in classes:
            state.region_class = classes[0]
        return f"{kind}:{st.selectbox('Class of the region', classes, key='region_class', persist_state='session')}"
    return f"polygon:{state.region_polygon}" if kind == "polygon" else ""


def image_keys() -> list[str]:
    """What can be chosen as picture: the samples, and one's own."""
    return [*samples(), OWN]


def image_title(key: str) -> str:
    """What the list of pictures shows for a key."""
    return "Your own picture …" if key == OWN else samples()[key].title


def upload_controls(entry: ModelEntry) -> None:
    """Uploaders for a photo and its label map; a good upload is kept for the session, a bad one gets a message and changes nothing."""
    photo = st.file_uploader("Photo", ["png", "jpg", "jpeg", "webp"], max_upload_size=10, key="photo_upload")
    ids = f"{entry.label_set.name} ids {entry.label_set.ids}"
    labels = st.file_uploader(
        "Label map (optional)",
        ["png"],
        max_upload_size=10,
        help=f"PNG of class ids, as large as the photo: {ids}, 255 for void.",
        key="label_upload",
    )
    state = st.session_state
    kept: tuple[str, bytes, bytes | None] | None = state.get("own_photo")
    if photo is not None:
        kept = (photo.name, photo.getvalue(), labels.getvalue() if labels else None)
    elif kept is not None and labels is not None:
        kept = (*kept[:2], labels.getvalue())
    if kept is None:
        if labels is not None:
            st.error("Upload the photo that this label map belongs to as well.")
    elif photo is not None or labels is not None or state.get("own_model") != entry.key:
        try:
            picture = open_picture(*kept, entry)
        except UserError as error:
            st.error(str(error))
            if state.get("own_model") != entry.key:
                # What was opened for another model has another size and other classes.
                state.own_picture = None
        else:
            state.own_photo, state.own_picture, state.own_model = kept, picture, entry.key
    in_use = state.get("own_picture")
    if in_use is not None:
        st.caption(f"In use: **{in_use.name}**, " + ("without a label map." if in_use.labels is None else "with a label map."))
    st.caption(
        f"PNG, JPEG or WebP up to 10 MB. It is turned upright, its metadata are dropped, and its longer side is brought to at most "
        f"{entry.working_size} px. It stays on this server only while this tab is open."
    )


def chosen_picture(settings: Settings) -> Picture | None:
    """The picture that the settings name; None while no own picture has been uploaded or the model is not here."""
    entry = model_entry(settings.model)
    if not is_here(entry):
        return None
    if settings.image == OWN:
        return st.session_state.get("own_picture")
    return sample_picture(settings.image, entry)
