"""The settings of the page of target maps as widgets: the pictures, the map that they are to reach, the attack; presets and the link."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import streamlit as st

from segviz.attacks.catalog import alpha_of
from segviz.attacks.rows import ATTACKS
from segviz.data.samples import samples
from segviz.defences.catalog import evaluations_of
from segviz.fields import Field, Table, parameters
from segviz.lab import open_picture, read_target_map, sample_picture
from segviz.models.zoo import ModelEntry, model_entry
from segviz.records import Picture
from segviz.settings import GIVEN, Settings
from segviz.studies import first_views
from segviz.studies.target_maps import Everywhere, Given, Mirrored, Painted, PredictionOn, TargetMap, Without
from segviz.studies.targets import MAX_VICTIMS
from segviz.types import UserError
from segviz.ui.kit.attacks import eps_slider
from segviz.ui.kit.beside import show_warnings
from segviz.ui.kit.fields import OTHERS, choice, marks, number, other_controls
from segviz.ui.kit.links import LINK, all_classes, check_class, open_link
from segviz.ui.kit.running import told_here
from segviz.ui.kit.session import uploaded
from segviz.ui.kit.state import page_state, put
from segviz.ui.kit.subject import camera_control, model_controls, open_with
from segviz.ui.kit.words import NORM_TITLES

DEFAULT = first_views.MORPH
PREFIX = "targets_"
"""Of the keys of the page's own widgets."""
OPTIONS = ("attack", "norm", "eps", "steps", "alpha", "seed", *OTHERS)
"""Settings that are this page's own; the model is shared with the other pages."""

KIND_TITLES = {
    "photo": "Another photo's map",
    "class": "One class everywhere",
    "remove": "One class removed",
    "mirror": "The same picture, mirrored",
    "drawn": "A map I draw",
    "file": "A map I upload",
}
SOURCE_TITLES = {"labels": "Label map", "prediction": "Prediction"}
KEEP = ""
"""The base to draw on that leaves each picture its own prediction."""

CAMERA = "Camera"
"""What the picture from the camera is called; a new one takes the place of the one before."""

FOUR = first_views.MORPHED


@dataclass(frozen=True)
class TargetPreset:
    """Pictures and a target to begin with; `target` as in a link."""

    title: str
    victims: tuple[str, ...]
    target: str
    help: str


PRESETS = {
    "photo-two": TargetPreset(
        "Every photo segments as photo two",
        FOUR,
        f"photo:{first_views.REACHED}:labels",
        "The four-photo figure: the label map of the second photo is the target of all four.",
    ),
    "cat": TargetPreset(
        "Everything is a cat", ("dog", "person", "horses", "astronaut"), "class:cat", "Every pixel of every photo becomes cat."
    ),
    "vanish": TargetPreset(
        "The person vanishes",
        ("astronaut", "camera", "person"),
        "remove:person",
        "The nearest other class takes the person's place, everything else is to stay.",
    ),
    "mirror": TargetPreset(
        "Mirror image", ("chelsea", "astronaut", "horses", "dog"), "mirror", "Each photo's own map with left and right exchanged."
    ),
}


@dataclass
class Material:
    """What the user has brought along: photos by name, shapes drawn for each class, a map as its name and bytes; and photos once opened."""

    photos: dict[str, bytes] = field(default_factory=dict)
    drawing: dict[str, str] = field(default_factory=dict)
    map: tuple[str, bytes] | None = None
    opened: dict[tuple[str, bytes, int], Picture] = field(default_factory=dict)


def material() -> Material:
    """The record of this tab."""
    return page_state(Material)


@dataclass(frozen=True)
class MorphWish:
    """What the controls say: settings (of no picture in particular), names of the pictures, and the target as text of a link.

    The target is "photo:NAME:labels", "photo:NAME:prediction", "class:CLASS", "remove:CLASS", "mirror", "drawn" or "file".
    """

    settings: Settings
    victims: tuple[str, ...]
    target: str


DEFAULT_WISH = MorphWish(DEFAULT, PRESETS["photo-two"].victims, PRESETS["photo-two"].target)


def read_target(text: str) -> dict[str, str] | None:
    """The state of the target's widgets from the text of a link; None where it names no target that there could be."""
    kind, _, rest = text.partition(":")
    if kind == "photo":
        name, _, source = rest.rpartition(":")
        return {"kind": kind, "photo": name, "source": source} if name in samples() and source in SOURCE_TITLES else None
    if kind in ("class", "remove"):
        return {"kind": kind, "class": rest} if rest in all_classes() else None
    return {"kind": kind} if kind in KIND_TITLES and not rest else None


def check_target(text: str) -> None:
    """Raise UserError for text that is no target of a link."""
    if read_target(text) is None:
        raise UserError(
            f"{text!r} is no target. Write photo:NAME:labels or photo:NAME:prediction of a sample photo, class:CLASS, remove:CLASS, "
            "mirror, drawn or file."
        )


def check_target_class(values: dict[str, Any], refused: list[str]) -> None:
    """Take a target out of a link that names a class which the link's model does not have."""
    kind, _, name = values.get("target", "").partition(":")
    if kind in ("class", "remove"):
        check_class("target", name, values, refused)


def state_of(link: Mapping[str, Any]) -> dict[str, Any]:
    """The state of the page's own widgets from the values of a link."""
    found = {name: link[name] for name in OPTIONS if name in link}
    if link.get("victims"):
        found["victims"] = list(link["victims"])
    return found | (read_target(link["target"]) or {} if "target" in link else {})


def link_of_morph(wish: MorphWish, name_victims: bool) -> dict[str, str]:
    """The parameters of a link that reproduces the wish, but for uploads and drawings; defaults are left out, victims only as told."""
    link = parameters({name: getattr(wish.settings, name) for name in ("model", *OPTIONS)}, TABLE)
    victims = tuple(name for name in wish.victims if name in samples())
    link |= {"victims": TABLE["victims"].format(victims)} if name_victims else parameters({"victims": victims}, TABLE)
    if wish.target.partition(":")[0] != "photo" or read_target(wish.target):
        link |= parameters({"target": wish.target}, TABLE)
    return link


def attacks_on_maps() -> list[str]:
    """Attacks that can be led to a map within a ball."""
    return [key for key, row in ATTACKS.items() if row.family == "bounded" and row.takes_target]


TABLE: Table = {
    "model": LINK["model"],
    **{name: replace(LINK[name], default=getattr(DEFAULT, name)) for name in OPTIONS},
    "attack": replace(LINK["attack"], choices=attacks_on_maps),
    "victims": Field("victims", tuple, FOUR, choices=samples, most=MAX_VICTIMS),
    "target": Field("target", str, PRESETS["photo-two"].target, verify=check_target),
}
"""What a link of this page can say."""


def fill_preset(key: str) -> None:
    """Put a preset's pictures, its target and the attack of the four-photo figure into the widgets."""
    preset = PRESETS[key]
    put(PREFIX, {name: value for name, value in asdict(DEFAULT).items() if name in OPTIONS})
    put(PREFIX, {"victims": list(preset.victims)} | (read_target(preset.target) or {}))


def morph_controls() -> MorphWish:
    """Draw the controls, filled from the link at first, and return what they say. Raises UserError where they make no valid settings."""
    state = st.session_state
    link = open_link("targets", TABLE, check_target_class)
    open_with({name: value for name, value in link.items() if name == "model"}, "targets")
    if "targets_victims" not in state:
        put(PREFIX, {"class": "cat", "base": KEEP, "brush": "cat"})
        fill_preset("photo-two")
        put(PREFIX, state_of(link))
    model = model_controls()
    entry = model_entry(model)
    victims_control(entry)
    target = target_controls(entry)
    attack = st.selectbox(
        "Attack", attacks_on_maps(), format_func=lambda key: ATTACKS[key].title, key="targets_attack", persist_state="session"
    )
    st.caption(ATTACKS[attack].summary)
    eps = eps_slider("targets_eps", "targets_norm")
    steps = marks(TABLE["steps"], "targets_steps", disabled=ATTACKS[attack].one_step)
    with st.expander("More settings", key="targets_more"):
        norms = ATTACKS[attack].norms
        if state.targets_norm not in norms:
            state.targets_norm = norms[0]
        norm = choice(TABLE["norm"], NORM_TITLES, norms, "targets_norm")
        auto = alpha_of(Settings(attack=attack, norm=norm, eps=eps, steps=steps))
        alpha = number(TABLE["alpha"], "targets_alpha", placeholder=f"auto: {auto:.3g}")
        seed, others = number(TABLE["seed"], "targets_seed"), other_controls(PREFIX)
    settings = Settings(model=model, image="", goal=GIVEN, attack=attack, norm=norm, eps=eps, steps=steps, alpha=alpha, seed=seed, **others)
    st.caption(f"One run takes {evaluations_of(settings)} gradient evaluations of each picture.")
    return MorphWish(settings, tuple(state.targets_victims), target)


def victims_control(entry: ModelEntry) -> None:
    """The choice of the pictures, with an uploader and the camera for one's own."""
    with st.popover("Your own photos …", icon=":material/upload:", width="stretch"):
        files = st.file_uploader(
            "Photos", ["png", "jpg", "jpeg", "webp"], accept_multiple_files=True, max_upload_size=10, key="targets_upload"
        )
        taken = camera_control("targets_camera")
        with told_here():
            for name, data in [(file.name, uploaded(file)) for file in files] + ([] if taken is None else [(CAMERA, taken)]):
                take_photo(name, data, entry)
        st.caption(
            f"PNG, JPEG or WebP up to 10 MB each; the longer side is brought to at most {entry.working_size} px. They have no label map "
            "here and stay on this server only while this tab is open."
        )
    st.multiselect(
        "Pictures to attack",
        photo_names(),
        format_func=photo_title,
        max_selections=MAX_VICTIMS,
        select_all=False,
        placeholder="Choose pictures",
        key="targets_victims",
        persist_state="session",
    )


def take_photo(name: str, data: bytes, entry: ModelEntry) -> None:
    """Keep a photo of one's own, and choose it while there is room; a bad one gets a message."""
    state = st.session_state
    if material().photos.get(name) == data:
        return
    try:
        open_picture(name, data, None, entry)
    except UserError as error:
        st.error(f"{name}: {error}")
        return
    if name in samples():
        st.error(f"There is a sample photo called {name}. Give yours another name.")
        return
    material().photos[name] = data
    if name not in state.targets_victims and len(state.targets_victims) < MAX_VICTIMS:
        state.targets_victims = [*state.targets_victims, name]


def photo_names() -> list[str]:
    """The photos that there are: samples and uploads."""
    return [*samples(), *material().photos]


def photo_title(name: str) -> str:
    """What the page calls a photo."""
    return samples()[name].title if name in samples() else name


def target_controls(entry: ModelEntry) -> str:
    """The choice of the target; returns it as text of a link."""
    state, classes = st.session_state, entry.label_set.classes
    for name in ("class", "brush"):
        if state[f"targets_{name}"] not in classes:
            put(PREFIX, {name: classes[0]})
    if state.targets_base not in (KEEP, *classes):
        put(PREFIX, {"base": KEEP})
    kind = st.selectbox("Target", KIND_TITLES, format_func=KIND_TITLES.__getitem__, key="targets_kind", persist_state="session")
    if kind == "photo":
        if state.targets_photo not in photo_names():
            put(PREFIX, {"photo": photo_names()[0]})
        photo = st.selectbox("Photo", photo_names(), format_func=photo_title, key="targets_photo", persist_state="session")
        sources = list(SOURCE_TITLES) if opened_photo(photo, entry).labels is not None else ["prediction"]
        if state.targets_source not in sources:
            put(PREFIX, {"source": sources[0]})
        source = st.segmented_control(
            "Its", sources, required=True, format_func=SOURCE_TITLES.__getitem__, key="targets_source", persist_state="session"
        )
        return f"photo:{photo}:{source}"
    if kind in ("class", "remove"):
        return f"{kind}:{st.selectbox('Class', classes, key='targets_class', persist_state='session')}"
    if kind == "drawn":
        st.selectbox(
            "Paint over",
            [KEEP, *classes],
            format_func=lambda name: "Each picture's own map" if name == KEEP else f"{name} everywhere",
            key="targets_base",
            persist_state="session",
        )
        st.selectbox("Class to paint", classes, key="targets_brush", persist_state="session")
    elif kind == "file":
        map_upload(entry)
    return str(kind)


def map_upload(entry: ModelEntry) -> None:
    """The uploader of a target map; a good one is kept for the session, a bad one gets a message and changes nothing."""
    label_set = entry.label_set
    file = st.file_uploader(
        "Target map",
        ["png"],
        max_upload_size=10,
        help=f"PNG of class ids, of any size: {label_set.name} ids {label_set.ids}, 255 for void, which is left as it comes.",
        key="targets_map_upload",
    )
    if file is not None:
        try:
            found = read_target_map(uploaded(file), entry)
        except UserError as error:
            st.error(str(error))
        else:
            material().map = (file.name, file.getvalue())
            show_warnings(found.notices)
    if (kept := material().map) is not None:
        st.caption(f"In use: **{kept[0]}**.")


def opened_photo(name: str, entry: ModelEntry) -> Picture:
    """A photo by name at the model's working size; raises UserError where an upload is too small for it."""
    if name in samples():
        return sample_picture(name, entry)
    cache = material().opened
    key = (name, material().photos[name], entry.working_size)
    if key not in cache:
        cache[key] = open_picture(name, key[1], None, entry)
    return cache[key]


def target_of(wish: MorphWish) -> TargetMap | None:
    """The target that the controls describe; None while nothing is drawn or uploaded. Raises UserError as what it reads does."""
    kept, entry = material(), model_entry(wish.settings.model)
    kind, _, name = wish.target.partition(":")
    if kind == "photo":
        photo, _, source = name.rpartition(":")
        picture = opened_photo(photo, entry)
        return Given(picture.labels) if source == "labels" and picture.labels is not None else PredictionOn(picture)
    if kind == "class":
        return Everywhere(name)
    if kind == "remove":
        return Without(name)
    if kind == "mirror":
        return Mirrored()
    if kind == "drawn":
        shapes = tuple((name, polygons) for name, polygons in kept.drawing.items() if polygons and name in entry.label_set.classes)
        return Painted(shapes, st.session_state.targets_base) if shapes else None
    return None if kept.map is None else Given(read_target_map(kept.map[1], entry).indices)


def identity_of(wish: MorphWish, pictures: Sequence[Picture], target: TargetMap | None) -> tuple[object, ...]:
    """What makes a clean view of the pictures and their targets another one."""
    drawn = target if isinstance(target, Painted) else None
    labels = hashlib.sha256(target.labels.tobytes()).digest() if isinstance(target, Given) else None
    photos = tuple((picture.name, hashlib.sha256(picture.pixels.tobytes()).digest()) for picture in pictures)
    return wish.settings.model, photos, wish.target, drawn, labels
