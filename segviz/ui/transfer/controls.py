"""The settings of a study of transfer as widgets: sources, victims, attacks, pictures; they live in the link of the page."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import streamlit as st

from segviz.attacks.catalog import check_settings, published
from segviz.attacks.rows import ATTACKS
from segviz.attacks.transforms import TRANSFORMS
from segviz.data.datasets import DataSet, open_data_set
from segviz.data.label_sets import LabelSet
from segviz.data.samples import samples
from segviz.defences.titles import WRAPPER_TITLES
from segviz.models.wrappers import split_key
from segviz.models.zoo import catalogue, model_entry
from segviz.settings import MAX_STEPS, NORMS, Settings
from segviz.studies.first_transfer import EACH, MODELS
from segviz.studies.transfer import PhotoFile, Plan, by_scale, by_source, by_transform, common_label_set, over_iterations, sample_files
from segviz.types import UserError
from segviz.ui.kit.attacks import STEPS, attack_choices, attack_title, eps_control, labels_control, with_attack
from segviz.ui.kit.links import RANGES, SHARED, link_of, read_link
from segviz.ui.kit.models import is_here, model_keys
from segviz.ui.kit.state import tab
from segviz.ui.kit.subject import open_with, upload_controls
from segviz.ui.kit.words import NORM_TITLES, OWN, image_keys, image_title

VIEWS = {
    "picture": "One picture",
    "matrix": "Source × victim",
    "scales": "Scales (Arnab Table 1)",
    "transforms": "Transforms at equal cost",
    "curves": "Over-fitting curves",
}
SEVERAL_SOURCES = ("picture", "matrix")
DATA = {"samples": "Samples", "photo": "One photo", "folder": "Data-set folder"}
MAX_SOURCES, MAX_VICTIMS, MAX_ATTACKS, MAX_PHOTOS = 6, 8, 4, 1000
COMBINATIONS = ("momentum+di+ti", "momentum+scale")
DEFAULTS: dict[str, Any] = {
    "view": "picture",
    "sources": MODELS[:2],
    "source": MODELS[0],
    "victims": MODELS,
    "attack": "fgsm",
    "iterative": "pgd",
    "attacks": ("fgsm", "ifgsm-ll"),
    "through": (),
    "with": ("scale",),
    "each": tuple("+".join(keys) for keys in EACH),
    "steps": 20,
    "data": "samples",
    "folder": "",
    "limit": 20,
    "paper": False,
}
"""What the page's own widgets start with, by name; the widget of a name has the key `transfer_` and that name."""

LISTS = ("sources", "victims", "attacks", "through", "with", "each")
PRESETS: dict[str, tuple[str, dict[str, Any]]] = {
    "FGSM transfers, iterative does not?": (
        "One step of FGSM against ten of I-FGSM least-likely, with the settings of Arnab et al., over the samples.",
        {"view": "matrix", "sources": MODELS, "victims": MODELS, "attacks": ("fgsm", "ifgsm-ll"), "through": (), "paper": True},
    ),
    "Dynamic scaling helps?": (
        "PGD, plain and through each input transform, at 20 gradient evaluations each, over the samples.",
        {"view": "transforms", "source": MODELS[0], "victims": MODELS[1:], "iterative": "pgd", "each": DEFAULTS["each"], "steps": 20},
    ),
    "Scales": (
        "Table 1 of Arnab et al. on a bundled network, over the samples.",
        {"view": "scales", "source": MODELS[0], "victims": MODELS[1:]},
    ),
}


@dataclass(frozen=True)
class Wish:
    """A study as the controls say it: `own` holds what the page's own widgets of this view say, by the names of DEFAULTS."""

    view: str
    shared: Settings
    own: Mapping[str, Any]


def key_of(name: str) -> str:
    """The key of one of the page's own widgets."""
    return f"transfer_{name}"


def known_model(key: str) -> bool:
    """Whether a key is that of a model of the catalogue that is here, with any known wrappers."""
    base, names = split_key(key)
    return base in catalogue() and is_here(model_entry(base)) and all(name in WRAPPER_TITLES for name in names)


def transform_choices() -> list[str]:
    """What an attack can be tried through, one transform or several joined by +."""
    return [*TRANSFORMS, *COMBINATIONS]


def iterative_attacks() -> list[str]:
    """The attacks of `attack_choices` that take more than one step."""
    return [name for name, settings in attack_choices().items() if not ATTACKS[settings.attack].one_step]


CHECKS: dict[str, Callable[[str], bool]] = {
    "view": lambda text: text in VIEWS,
    "source": known_model,
    "sources": known_model,
    "victims": known_model,
    "attack": lambda text: text in attack_choices(),
    "iterative": lambda text: text in iterative_attacks(),
    "attacks": lambda text: text in attack_choices(),
    "through": lambda text: text in TRANSFORMS,
    "with": lambda text: text in TRANSFORMS,
    "each": lambda text: text in transform_choices(),
    "steps": lambda text: text.isdecimal() and 1 <= int(text) <= MAX_STEPS,
    "data": lambda text: text in DATA,
    "folder": lambda text: True,
    "limit": lambda text: text.isdecimal() and 1 <= int(text) <= MAX_PHOTOS,
    "paper": lambda text: text == "True",
}


def read_own(query: Mapping[str, str]) -> dict[str, Any]:
    """The page's own settings from the parameters of a link; what no widget could have is left out."""
    found: dict[str, Any] = {}
    for name, default in DEFAULTS.items():
        text = query.get(name)
        if text is None:
            continue
        if name in LISTS:
            parts = tuple(dict.fromkeys(part for part in text.split(",") if CHECKS[name](part)))
            if parts or not text:
                found[name] = parts
        elif CHECKS[name](text):
            found[name] = type(default)(text)
    return found


def link_of_wish(wish: Wish) -> dict[str, str]:
    """The parameters of a link that reproduces the study; defaults are left out, but not the view and epsilon."""
    link = link_of(wish.shared) | {"eps": f"{wish.shared.eps:g}"}
    for name, value in wish.own.items():
        if value != DEFAULTS[name]:
            link[name] = ",".join(value) if name in LISTS else str(value)
    return {"view": wish.view} | link


def fill_own(values: Mapping[str, Any]) -> None:
    """Put settings into the state of the page's own widgets."""
    for name, value in values.items():
        st.session_state[key_of(name)] = list(value) if name in LISTS else value


def use_preset(name: str) -> None:
    """Put a preset into the controls and have it run."""
    fill_own(PRESETS[name][1] | {"data": "samples"})
    st.session_state.update(eps=8.0, norm="linf", against="truth", seed=0, transfer_go=True)


def open_page() -> None:
    """Fill the widgets when a session opens, with the settings of a link and defaults for the rest."""
    query = st.query_params.to_dict()
    fresh = "model" not in st.session_state
    open_with({name: value for name, value in read_link(query).items() if name in SHARED}, "transfer")
    if key_of("view") not in st.session_state:
        fill_own(DEFAULTS | {"folder": os.environ.get("SEGVIZ_DATA", "")} | read_own(query))
        if fresh and "eps" not in query:
            st.session_state.eps = 8.0


def wish_controls(view: str) -> Wish:
    """Draw the controls of a view and return what they say. Raises UserError where they make no valid settings."""
    with st.expander("Presets", icon=":material/bolt:", key="transfer_presets"):
        for name, (what, _) in PRESETS.items():
            st.button(name, help=what, on_click=use_preset, args=(name,), width="stretch", key=f"preset-{name}")
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
        own[name] = st.selectbox("Attack", options, format_func=choice_title, key=key_of(name), persist_state="session")
    eps = eps_control()
    if view != "scales":
        named = own.get("attacks", (own.get("attack", own.get("iterative")),))
        own["steps"] = st.select_slider(
            "Budget, in gradient evaluations" if view == "transforms" else "Steps",
            sorted({*STEPS, st.session_state[key_of("steps")]}),
            help="What every attack may spend. Its number of steps follows from what a step costs it."
            if view == "transforms"
            else "Gradient steps. FGSM always takes one.",
            key=key_of("steps"),
            disabled=bool(named) and all(ATTACKS[attack_choices()[name].attack].one_step for name in named),
            persist_state="session",
        )
        transforms_control(view, own)
    return Wish(view, expert_controls(view, own, eps), own)


def models_control(label: str, name: str, most: int, help_text: str) -> tuple[str, ...]:
    """The choice of several models, each with any one wrapper around it."""
    keys = [
        key + wrapper
        for wrapper in ("", *(f"+{name}" for name in WRAPPER_TITLES if name))
        for key in model_keys()
        if is_here(model_entry(key))
    ]
    chosen = st.session_state[key_of(name)]
    options = list(dict.fromkeys([*keys, *filter(known_model, chosen)]))
    if not set(chosen) <= set(options):
        st.session_state[key_of(name)] = [key for key in chosen if key in options]
    found = st.multiselect(
        label,
        options,
        max_selections=most,
        select_all=False,
        help=f"{help_text} Type to search; +multiscale, +scale50, +crf and the like are wrappers around a model.",
        key=key_of(name),
        persist_state="session",
    )
    return tuple(found)


def source_control(view: str) -> str:
    """The choice of one model to attack."""
    here = [key for key in model_keys() if is_here(model_entry(key))]
    if st.session_state[key_of("source")] not in here:
        here.append(st.session_state[key_of("source")])
    chosen: str = st.selectbox("Network" if view == "scales" else "Source", here, key=key_of("source"), persist_state="session")
    return chosen


def photo_controls(view: str, own: dict[str, Any]) -> None:
    """What is attacked: one photo, the samples, or a data-set folder."""
    data = "photo"
    if view != "picture":
        data = str(
            st.segmented_control(
                "Pictures", list(DATA), required=True, format_func=DATA.__getitem__, key=key_of("data"), persist_state="session"
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
            key=key_of("folder"),
            persist_state="session",
        ).strip()
        own["limit"] = st.number_input(
            "At most so many pairs", 1, MAX_PHOTOS, key=key_of("limit"), persist_state="session", help="The first ones, by name."
        )


def choice_title(name: str) -> str:
    """What the lists show for an attack of `attack_choices`."""
    return attack_title(attack_choices()[name])


def attacks_control() -> tuple[str, ...]:
    """The choice of several attacks, a table each."""
    chosen = st.multiselect(
        "Attacks",
        list(attack_choices()),
        format_func=choice_title,
        max_selections=MAX_ATTACKS,
        select_all=False,
        help="A table for each.",
        key=key_of("attacks"),
        persist_state="session",
    )
    return tuple(chosen)


def transforms_control(view: str, own: dict[str, Any]) -> None:
    """The input transforms: one set of them, or several to compare with one another."""
    name, label, options, text = {
        "transforms": ("each", "Plain against", transform_choices(), "Each of these on its own, with the same budget as the plain attack."),
        "curves": ("with", "Plain against", list(TRANSFORMS), "All of these together, beside the plain attack."),
    }.get(view, ("through", "Input transforms", list(TRANSFORMS), "Other views of the picture through which the gradient is taken."))
    own[name] = tuple(
        st.multiselect(label, options, format_func=transform_title, select_all=False, help=text, key=key_of(name), persist_state="session")
    )


def transform_title(name: str) -> str:
    """What the lists show for a transform, or for several joined by +."""
    return " + ".join(TRANSFORMS[key].title for key in name.split("+"))


def expert_controls(view: str, own: dict[str, Any], eps: float) -> Settings:
    """What all pages share, and whether the papers' own settings are used."""
    settings = Settings(image=st.session_state.image, eps=eps)
    with st.expander("More settings", key="more_settings"):
        if view == "scales":
            st.caption(
                "The attacks have the settings of Arnab et al.: steps of 1/255, as many as belong to epsilon, against the prediction."
            )
        else:
            norm = st.segmented_control(
                "Norm", NORMS, required=True, format_func=NORM_TITLES.__getitem__, key="norm", persist_state="session"
            )
            settings = replace(settings, norm=str(norm), against=labels_control())
            st.caption("This is what an attack breaks. Victims are measured against the label map wherever there is one.")
        seed = st.number_input("Seed", *RANGES["seed"][1:], key="seed", persist_state="session")
        if view not in ("scales", "transforms"):
            own["paper"] = st.toggle(
                "Settings of each attack's paper",
                help="Steps, step size and labels as published for this epsilon, for attacks whose paper gives them.",
                key=key_of("paper"),
                persist_state="session",
            )
    return replace(settings, seed=seed)


def attack_settings(wish: Wish, name: str, transforms: tuple[str, ...]) -> Settings:
    """The settings of one attack of the wish; raises UserError where it cannot do what is wished."""
    image = wish.shared.image if wish.own.get("data", "photo") == "photo" else ""
    settings = replace(with_attack(wish.shared, name), image=image, steps=wish.own["steps"], transforms=transforms)
    if wish.own.get("paper") and ATTACKS[settings.attack].published is not None:
        settings = published(settings)
    check_settings(settings)
    return settings


def plan_of(wish: Wish) -> Plan:
    """The study that is wished; raises UserError where something is missing or does not fit."""
    own, victims = wish.own, wish.own["victims"]
    if not own.get("sources", True) or (not victims and wish.view not in ("scales", "curves")):
        raise UserError("Choose at least one source and one victim.")
    if wish.view == "scales":
        return by_scale(replace(wish.shared, image="", model=own["source"]), victims)
    if wish.view == "matrix":
        if not own["attacks"]:
            raise UserError("Choose at least one attack.")
        return by_source([attack_settings(wish, name, own["through"]) for name in own["attacks"]], own["sources"], victims)
    if wish.view == "picture":
        everyone = tuple(dict.fromkeys([*own["sources"], *victims]))
        return by_source([attack_settings(wish, own["attack"], own["through"])], own["sources"], everyone)
    if wish.view == "transforms":
        settings = replace(attack_settings(wish, own["iterative"], ()), model=own["source"])
        each = [tuple(name.split("+")) for name in own["each"]]
        for keys in each:
            check_settings(replace(settings, transforms=keys))
        return by_transform(settings, each, victims, own["steps"])
    return over_iterations(replace(attack_settings(wish, own["iterative"], own["with"]), model=own["source"]), victims)


@st.cache_data(ttl=60, max_entries=8, show_spinner=False)
def listing(folder: str) -> DataSet:
    """The data set in a folder, looked up at most once a minute."""
    return open_data_set(Path(folder))


def photos_of(wish: Wish, plan: Plan) -> tuple[list[PhotoFile], LabelSet | None]:
    """The photos of the wish, none while there is none, and what the ids in their label maps mean (None: unsaid).

    Raises UserError for a bad folder, and for models that cannot be read in one label set.
    """
    keys = [*(run.settings.model for run in plan.runs), *plan.victims]
    data = wish.own.get("data", "photo")
    if data == "folder":
        if not wish.own["folder"]:
            return [], None
        found = listing(wish.own["folder"])
        common_label_set(keys, found.label_set)
        return [PhotoFile(photo.stem, photo, labels) for photo, labels in found.pairs[: wish.own["limit"]]], found.label_set
    label_set = common_label_set(keys)
    if data == "samples":
        return sample_files(list(samples()), label_set), None
    if wish.shared.image == OWN:
        kept = tab().own
        return ([PhotoFile(*kept)] if kept is not None else []), None
    return sample_files([wish.shared.image], label_set), None
