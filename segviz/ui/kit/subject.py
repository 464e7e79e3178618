"""What is attacked: the widgets of model, picture and goal, which mean the same on all pages."""

from dataclasses import asdict, replace
from typing import Any

import numpy as np
import streamlit as st

from segviz.data.label_sets import READ_BY
from segviz.defences.titles import WRAPPER_TITLES
from segviz.lab import open_picture, sample_picture
from segviz.models.keys import split_key
from segviz.models.zoo import ModelEntry, catalogue, model_entry
from segviz.records import Picture
from segviz.settings import GOALS, Settings
from segviz.types import Reading, UserError
from segviz.ui.kit.beside import show_warnings
from segviz.ui.kit.links import SHARED
from segviz.ui.kit.models import download_panel, is_here, mention_faults, model_facts, model_keys, model_title
from segviz.ui.kit.running import told_here
from segviz.ui.kit.session import uploaded
from segviz.ui.kit.state import tab
from segviz.ui.kit.words import GOAL_TITLES, OWN, REGIONS, image_keys, image_title


def open_with(link: dict[str, Any], page: str) -> None:
    """Fill the widgets when a session opens, with the settings of a link and defaults for the rest; take them over from another page."""
    state = st.session_state
    if "model" not in state:
        fill_widgets(asdict(Settings()) | {"target": "cat", "other": "dog"} | link)
    elif tab().page != page:
        # A page's widget does not start with the value of its namesake on another page, unless that is written once more.
        for name in SHARED:
            state[name] = state[name]
    tab().page = page


def model_controls() -> str:
    """Key of the model, wrappers included, from its widgets."""
    model = st.selectbox("Model", model_keys(), format_func=model_title, key="model", persist_state="session")
    entry = catalogue()[model]
    st.caption(model_facts(entry))
    mention_faults()
    download_panel(entry)
    wrapper = st.selectbox(
        "Around the network",
        WRAPPER_TITLES,
        format_func=WRAPPER_TITLES.__getitem__,
        help="The attack knows this part too: gradients go through it.",
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
    before, now = tab().subject, (image, goal)
    tab().subject = now
    picture = tab().own_picture if image == OWN else sample_picture(image, entry)
    if before in (None, now) or picture is None or picture.labels is None:
        return
    pixels = np.bincount(picture.labels.ravel(), minlength=256)[: len(entry.label_set.classes)]
    # The background last: it is what others are seldom meant to be attacked for.
    order = sorted(range(len(pixels)), key=lambda index: (entry.label_set.classes[index] == "background", -pixels[index]))
    present = [entry.label_set.classes[index] for index in order if pixels[index] > 0]
    if state.target not in present:
        state.target = present[0]
    if state.other not in present or state.other == state.target:
        state.other = next((name for name in present if name != state.target), state.other)


def fill_widgets(values: dict[str, Any]) -> None:
    """Put settings into the state of the widgets."""
    base, wrappers = split_key(values["model"])
    values = values | {"model": base, "wrapper": "+".join(wrappers)}
    state = st.session_state
    for name in REGIONS:
        kind, _, rest = values[name].partition(":")
        state[f"{name}_kind"] = kind
        state[f"{name}_class"] = rest if kind in ("class", "outside") else values["target"]
        tab().polygons[name] = rest if kind == "polygon" else ""
    state.update({name: list(value) if isinstance(value, tuple) else value for name, value in values.items() if name not in REGIONS})


def camera_control(key: str) -> bytes | None:
    """A switch for the camera, which is asked for only while it is on; returns the picture that was taken last, as JPEG or PNG."""
    if not st.toggle("Camera", key=f"{key}_on", help="Take the picture with the camera of this device. Your browser asks you first."):
        return None
    taken = st.camera_input("Your camera", key=key, resolution="720p")
    return None if taken is None else taken.getvalue()


def upload_controls(entry: ModelEntry) -> None:
    """Camera, and uploaders for a photo and its label map; a good picture is kept for the session, a bad one gets a message and changes
    nothing."""
    taken = camera_control("photo_camera")
    photo = None
    if taken is None:
        photo = st.file_uploader("Photo", ["png", "jpg", "jpeg", "webp"], max_upload_size=10, key="photo_upload")
    ids = f"{entry.label_set.name} ids {entry.label_set.ids}"
    labels = st.file_uploader(
        "Label map (optional)",
        ["png"],
        max_upload_size=10,
        help=f"PNG of class ids, as large as the photo: {ids}, 255 for void.",
        key="label_upload",
    )
    here = tab()
    if labels is not None:
        here.own_reading = reading_controls(entry)
    kept = here.own
    with told_here():
        if taken is not None:
            kept = ("camera", taken, uploaded(labels) if labels else None)
        elif photo is not None:
            kept = (photo.name, uploaded(photo), uploaded(labels) if labels else None)
        elif kept is not None and labels is not None:
            kept = (*kept[:2], uploaded(labels))
    if kept is None:
        if labels is not None:
            st.error("Upload the photo that this label map belongs to as well.")
    elif taken is not None or photo is not None or labels is not None or here.own_model != entry.key:
        try:
            picture = open_picture(*kept, replace(entry, label_set=replace(entry.label_set, reading=here.own_reading)))
        except UserError as error:
            st.error(str(error))
            if here.own_model != entry.key:
                # What was opened for another model has another size and other classes.
                here.own_picture = None
        else:
            here.own, here.own_picture, here.own_model = kept, picture, entry.key
    in_use = here.own_picture
    if in_use is not None:
        show_warnings(in_use.notices)
        st.caption(f"In use: **{in_use.name}**, " + ("without a label map." if in_use.labels is None else "with a label map."))
    st.caption(
        f"PNG, JPEG or WebP up to 10 MB. It is turned upright, its metadata are dropped, and its longer side is brought to at most "
        f"{entry.working_size} px. It stays on this server only while this tab is open."
    )


def reading_controls(entry: ModelEntry) -> Reading:
    """What only who brings a label map knows of it."""
    with st.expander("If the label map is misread"):
        void = "void, or what its id says"
        mask = st.selectbox(
            "In a mask, 255 (or the higher of two values) is",
            ["", *entry.label_set.classes],
            format_func=lambda name: name or void,
            key="label_mask_class",
        )
        by = st.segmented_control("A palette is read by its", READ_BY[1:], default=None, key="label_read_by")
        turned = st.checkbox("It lies as the photo is stored", key="label_turned", help="EXIF turns it along with the photo.")
    return Reading(mask or "", by or "", turned)


def chosen_picture(settings: Settings) -> Picture | None:
    """The picture that the settings name; None while no own picture has been uploaded or the model is not here."""
    entry = model_entry(settings.model)
    if not is_here(entry):
        return None
    if settings.image == OWN:
        return tab().own_picture
    return sample_picture(settings.image, entry)
