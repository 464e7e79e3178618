"""The settings of a scaling attack as widgets, in reading order; their values live in the link of the page."""

from dataclasses import asdict, fields, replace
from typing import Any

import streamlit as st

from segviz.attacks.rows import ATTACKS
from segviz.data.samples import samples
from segviz.fields import Table, fields_of, parameters
from segviz.models.zoo import catalogue
from segviz.records import Picture
from segviz.scaling.kernels import LIBRARIES, SCALERS
from segviz.studies.scaling import HIDDEN, MAX_SIDE, ScalingSettings, open_full_size, sample_full_size
from segviz.types import UserError
from segviz.ui.image_scaling.state import scaling
from segviz.ui.kit.fields import marks, slider
from segviz.ui.kit.links import LINK, open_link
from segviz.ui.kit.models import download_panel, model_facts, model_keys, model_title
from segviz.ui.kit.session import uploaded
from segviz.ui.kit.subject import open_with
from segviz.ui.kit.words import OWN, image_keys, image_title

HIDDEN_TITLES = {"photo": "Another photo", "adversarial": "An adversarial version of itself", "colour": "One colour"}
RATIOS = ("/2", "/3", "/4", "/5", "/6", "/8")
BY_SIZE = "size"
PREFIX = "scaling_"
"""Of the keys of the page's own widgets; `model` and `image` are those of the other pages."""


def link_of_scaling(settings: ScalingSettings) -> dict[str, str]:
    """The parameters of a link that reproduces the settings; defaults are left out."""
    return parameters(asdict(settings), TABLE)


def bounded_attacks() -> list[str]:
    """Keys of the gradient attacks that stay in a ball."""
    return [key for key, row in ATTACKS.items() if row.family == "bounded"]


TABLE: Table = {
    **fields_of(ScalingSettings),
    "model": LINK["model"],
    "image": replace(LINK["image"], default=ScalingSettings().image),
    "other": replace(fields_of(ScalingSettings)["other"], choices=image_keys),
    "attack": replace(LINK["attack"], choices=bounded_attacks),
}
"""What a link of this page can say."""


def scaling_controls() -> ScalingSettings:
    """Draw the controls, filled from the link at first, and return what they say. Raises UserError where they make no valid settings."""
    state = st.session_state
    defaults = asdict(ScalingSettings())
    link = open_link("image scaling", TABLE)
    open_with({name: link.get(name, defaults[name]) for name in ("model", "image")}, "image scaling")
    if f"{PREFIX}hidden" not in state:
        # A picture brought along from another page is not to be hidden in itself.
        other = next(key for key in (defaults["other"], *samples()) if key != state.image)
        fill_scaling(defaults | {"other": other} | link)
    image = st.selectbox("Picture", image_keys(), format_func=image_title, key="image", persist_state="session")
    if image == OWN:
        upload_full_size("picture")
    values: dict[str, Any] = {"image": image, "hidden": own("selectbox", "Hide in it", "hidden", HIDDEN, HIDDEN_TITLES.__getitem__)}
    if values["hidden"] == "photo":
        values["other"] = own("selectbox", "Photo to hide", "other", image_keys(), image_title)
        if values["other"] == OWN:
            upload_full_size("other")
    elif values["hidden"] == "colour":
        values["colour"] = st.color_picker("Colour to hide", key=f"{PREFIX}colour", persist_state="session")
    else:
        values |= adversarial_controls()
    values |= {"scaler": scaler_control(), "size": size_control()}
    values["slack"] = slider(TABLE["slack"], f"{PREFIX}slack")
    values["model"] = st.selectbox("Model", model_keys(), format_func=model_title, key="model", persist_state="session")
    entry = catalogue()[values["model"]]
    st.caption(model_facts(entry))
    download_panel(entry)
    with st.expander("More settings", key="more_settings"):
        values["share"] = slider(TABLE["share"], f"{PREFIX}share", format="percent")
    return ScalingSettings(**values)


def fill_scaling(values: dict[str, Any]) -> None:
    """Put settings into the state of the page's own widgets."""
    state = st.session_state
    own_names = [one.name for one in fields(ScalingSettings) if one.name not in ("model", "image", "size")]
    state.update({f"{PREFIX}{name}": values[name] for name in own_names})
    state[f"{PREFIX}library"] = SCALERS[values["scaler"]].library
    by_ratio = values["size"] in RATIOS
    state[f"{PREFIX}ratio"] = values["size"] if by_ratio else BY_SIZE
    width, height = (160, 120) if by_ratio or values["size"][0] == "/" else map(int, values["size"].split("x"))
    state[f"{PREFIX}width"], state[f"{PREFIX}height"] = width, height


def own(kind: str, label: str, name: str, options: Any, title: Any, **more: Any) -> Any:
    """A choice among the page's own settings."""
    return getattr(st, kind)(label, options, format_func=title, key=f"{PREFIX}{name}", persist_state="session", **more)


def adversarial_controls() -> dict[str, Any]:
    """The gradient attack on the scaled picture."""
    attack = own("selectbox", "Attack on the scaled picture", "attack", bounded_attacks(), lambda key: ATTACKS[key].title)
    eps = slider(TABLE["eps"], f"{PREFIX}eps")
    steps = marks(TABLE["steps"], f"{PREFIX}steps", label="Its steps", disabled=ATTACKS[attack].one_step)
    return {"attack": attack, "eps": eps, "steps": steps}


def scaler_control() -> str:
    """Library and kernel."""
    state = st.session_state
    library = own("segmented_control", "Library that scales", "library", list(LIBRARIES), LIBRARIES.__getitem__, required=True)
    there = [key for key, scaler in SCALERS.items() if scaler.library == library]
    if state[f"{PREFIX}scaler"] not in there:
        state[f"{PREFIX}scaler"] = next(key for key in there if SCALERS[key].kernel == "linear")
    title = f"{LIBRARIES[library]} "
    chosen: str = own("selectbox", "Kernel", "scaler", there, lambda key: SCALERS[key].title.removeprefix(title))
    return chosen


def size_control() -> str:
    """The target size, as a ratio or in pixels."""
    titles = {BY_SIZE: "Width and height …"} | {ratio: f"1{ratio} of either side" for ratio in RATIOS}
    ratio: str = own("selectbox", "Target size", "ratio", [*RATIOS, BY_SIZE], titles.__getitem__)
    if ratio != BY_SIZE:
        return ratio
    columns = st.columns(2)
    sides = [
        column.number_input(name.title(), 1, MAX_SIDE, key=f"{PREFIX}{name}", persist_state="session")
        for column, name in zip(columns, ("width", "height"), strict=True)
    ]
    return f"{sides[0]}x{sides[1]}"


def upload_full_size(name: str) -> None:
    """Uploader for a photo at its full size; a good upload is kept for the session, a bad one gets a message and changes nothing."""
    photo = st.file_uploader("Photo", ["png", "jpg", "jpeg", "webp"], max_upload_size=10, key=f"{PREFIX}{name}_upload")
    kept = scaling().own
    if photo is not None:
        try:
            kept[name] = open_full_size(photo.name, uploaded(photo))
        except UserError as error:
            st.error(str(error))
    if name in kept:
        st.caption("In use: **{}**, {}x{}.".format(kept[name].name, *kept[name].original))
    st.caption(
        f"PNG, JPEG or WebP up to 10 MB and {MAX_SIDE} px, taken pixel by pixel as it is. It stays on this server only while this tab is "
        "open."
    )


def chosen_pictures(settings: ScalingSettings) -> tuple[Picture | None, Picture | None]:
    """The source and the photo to hide; None for one's own that has not been uploaded yet, and where no photo is hidden."""

    def one(key: str, place: str) -> Picture | None:
        return sample_full_size(key) if key in samples() else scaling().own.get(place)

    return one(settings.image, "picture"), one(settings.other, "other") if settings.hidden == "photo" else None
