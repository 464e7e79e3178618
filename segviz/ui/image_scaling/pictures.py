"""Pictures of a scaling attack: at full size against each other, what the model sees before and after, every scaler, every prevention."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import streamlit as st

from segviz import draw
from segviz.data.label_sets import LabelSet
from segviz.draw import MapLook
from segviz.models.zoo import model_entry
from segviz.records import Frame
from segviz.scaling.kernels import SCALERS
from segviz.studies.scaling import ROUNDING, Prevented, ScalerCell, ScalingStudy
from segviz.ui.kit.layers import read_out
from segviz.ui.kit.pictures import encoded
from segviz.ui.kit.presenter import side_by_side
from segviz.ui.kit.state import tab
from segviz.ui.viewer import Layer, viewer

ENLARGED = 384
LOOKS = (
    ("source", "Source"),
    ("attack", "Attack image"),
    ("honest", "Source, scaled"),
    ("scaled", "Attack image, scaled"),
    ("hidden", "Hidden picture"),
)


def show_viewer(study: ScalingStudy, run: str) -> None:
    """Source and attack image at full size, pixel by pixel, with their maps; two of them against each other."""
    frames, label_set = study.frames, model_entry(study.settings.model).label_set
    if "source" not in frames or study.result is None:
        show_picture((run, "source"), lambda: study.source, "Source")
        return
    image, source = study.result.pixels, study.source
    attacked = frames.get("attack", frames["source"])
    largest = max(study.result.linf, 1)
    difference = f"Difference ×{127.5 / largest:.3g} about grey"
    layers: dict[str, Callable[[], np.ndarray]] = {
        "Source": lambda: source,
        "Attack image": lambda: image,
        "Difference": lambda: draw.perturbation_rgb(image, source, largest),
        "Map of the source": lambda: over(frames["source"], label_set),
    }
    if "attack" in frames:
        layers["Map of the attack image"] = lambda: over(attacked, label_set)
    if study.adaptive is not None:
        adaptive = study.adaptive
        layers["Adaptive attack image"] = lambda: adaptive
    names = list(layers)
    for key, wanted in (("scaling_left", "Source"), ("scaling_right", "Attack image")):
        if st.session_state.get(key) not in names:
            st.session_state[key] = wanted
    sides = st.columns(2)
    left = sides[0].selectbox("Left", names, key="scaling_left", persist_state="session")
    right = sides[1].selectbox("Right", names, key="scaling_right", persist_state="session")

    def layer(name: str) -> Layer:
        return Layer(difference if name == "Difference" else name, as_png((run, "layer", name, over_photos()), layers[name]))

    viewer(
        layer(left),
        layer(right),
        read_out(frames["source"]),
        read_out(attacked),
        label_set.classes,
        tab().look.palette(label_set),
        key="scaling_viewer",
        height=420,
    )
    st.caption(
        "Zoom in to see which pixels are rewritten. A picture shown much smaller than it is has been scaled as well, by your browser."
    )


def show_looks(study: ScalingStudy, run: str) -> None:
    """Pictures and maps at full size and after scaling."""
    st.subheader("What the model sees, before and after scaling")
    label_set = model_entry(study.settings.model).label_set
    with st.grid(side_by_side(len(LOOKS)), min_column_width=150):
        for name, title in LOOKS:
            frame = study.frames.get(name)
            if frame is None:
                continue
            height, width = frame.prediction.shape
            with st.container():
                show_picture((run, "look", name), partial(enlarged, frame.pixels), title)
                show_picture((run, "map", name, over_photos()), partial(enlarged, over(frame, label_set)), alt=f"Map of {title.lower()}")
                st.caption(f"{width}x{height}: {classes_in(frame, label_set)}")


def classes_in(frame: Frame, label_set: LabelSet) -> str:
    """The classes of a map with their shares, largest first."""
    shares = np.bincount(frame.prediction.ravel(), minlength=len(label_set.classes)) / frame.prediction.size
    order = [index for index in np.argsort(-shares)[:4] if shares[index] >= 0.005]
    return ", ".join(f"{label_set.classes[index]} {shares[index]:.0%}" for index in order)


def show_grid(study: ScalingStudy, run: str) -> None:
    """What every scaler makes of the attack image."""
    if not study.grid:
        return
    st.subheader("The same attack image, scaled by everyone")
    adversarial = study.settings.hidden == "adversarial"
    partly = "◐ it shows, with larger errors" + (", or the model still sees 90 % of its map" if adversarial else "")
    st.caption(
        f"Made for **{SCALERS[study.settings.scaler].title}**. ✗ fooled: hidden picture, within the slack and {ROUNDING} grey levels of "
        f"rounding; {partly}; ✓ safe: mostly the source. Max and mean: difference to the hidden picture, in grey levels. Map: share of the "
        "pixels with the class that they have in the hidden picture. Reads: share of the pixels that the scaler looks at."
    )
    on_photo = st.toggle(
        "What the model sees in them",
        key="scaling_maps",
        persist_state="session",
        help="The maps over the pictures, here and under prevention.",
    )
    colours = {"✓": "green", "◐": "orange", "✗": "red"}
    draw_frame = drawing(study, on_photo)
    with st.grid(side_by_side(5), min_column_width=150, gap="small"):
        for cell in study.grid:
            with st.container(gap="xxsmall"):
                title, mark = SCALERS[cell.key].title, outcome_mark(cell, adversarial)
                show_picture((run, "cell", cell.key, on_photo, over_photos()), partial(draw_frame, cell.frame), alt=title)
                st.markdown(f"**{title}**  \n:{colours[mark[0]]}[**{mark}**]")
                st.caption(f"max {cell.max_error:.0f} · mean {cell.mean_error:.1f} · map {cell.map_share:.0%} · reads {cell.reads:.0%}")


def outcome_mark(cell: ScalerCell, adversarial: bool) -> str:
    """How the trick fares with a scaler, as a mark and words; an adversarial picture need not come out exactly to fool the model."""
    if cell.works:
        return "✗ fooled"
    if adversarial and cell.map_share >= 0.9:
        return "◐ fools the model"
    return "◐ shows, not exactly" if cell.hidden_share >= 0.5 else "✓ safe"


def show_prevention(study: ScalingStudy, run: str) -> None:
    """The attack image through safe scalings and reconstruction filters, and the adaptive attack on the filters."""
    if not study.prevention:
        return
    st.subheader("Prevention")
    st.markdown(
        "A scaling that reads every pixel leaves nowhere to hide. Where the scaling cannot be changed, a filter replaces the pixels that "
        "it reads by others around them "
        "([Quiring et al., USENIX Security 2020](https://www.usenix.org/conference/usenixsecurity20/presentation/quiring))."
    )
    for note in study.notes:
        st.info(note)
    with st.grid(side_by_side(6), min_column_width=150):
        show_prevented(study, [one for one in study.prevention if not one.adaptive], run)
    adaptive = [one for one in study.prevention if one.adaptive]
    if adaptive and study.adaptive is not None:
        st.markdown(
            f"**The adaptive attack** knows of the filter. It writes the hidden picture into {study.settings.share:.0%} of the pixels that "
            "the filter trusts, so the filter itself passes it on. You can see it wherever the two pictures differ: PSNR "
            f"{study.adaptive_psnr:.1f} dB against the source. We choose the pixels, not the paper; half of them is too few for detailed "
            "pictures."
        )
        image = study.adaptive
        with st.grid(side_by_side(6), min_column_width=150):
            with st.container():
                show_picture((run, "adaptive"), lambda: image, "Adaptive attack image")
                st.caption(f"{(image != study.source).any(2).mean():.0%} of its pixels are changed.")
            show_prevented(study, adaptive, run)


def show_prevented(study: ScalingStudy, rows: Sequence[Prevented], run: str) -> None:
    """What comes out at the target size, a container each."""
    on_photo = bool(st.session_state.get("scaling_maps"))
    draw_frame = drawing(study, on_photo)
    for one in rows:
        with st.container():
            show_picture((run, "prevented", one.title, one.adaptive, on_photo, over_photos()), partial(draw_frame, one.frame), one.title)
            st.caption(
                f"Mean difference {one.to_source:.1f} to the source, {one.to_hidden:.1f} to the hidden picture. "
                f"Map: {one.map_share:.0%} as in the hidden picture."
            )


def drawing(study: ScalingStudy, on_photo: bool) -> Callable[[Frame], np.ndarray]:
    """How a look at the target size is drawn: its map over its picture, or the picture alone."""
    label_set = model_entry(study.settings.model).label_set
    return lambda frame: enlarged(over(frame, label_set) if on_photo else frame.pixels)


def over_photos() -> MapLook:
    """How maps look in this tab, over pictures."""
    return replace(tab().look, on_photo=True)


def over(frame: Frame, label_set: LabelSet) -> np.ndarray:
    """The map of a look over its picture."""
    return draw.seen_map(frame.prediction, label_set, frame.pixels, over_photos())


def enlarged(pixels: np.ndarray, side: int = ENLARGED) -> np.ndarray:
    """A small picture with every pixel as a square of whole pixels, so that its longer side is about `side`."""
    factor = max(round(side / max(pixels.shape[:2])), 1)
    return pixels.repeat(factor, 0).repeat(factor, 1)


def show_picture(identity: tuple[Hashable, ...], drawn: Callable[[], np.ndarray], caption: str | None = None, alt: str = "") -> None:
    """A lossless picture at the width of its column, drawn once for all polls that show it."""
    st.image(encoded(identity, False, drawn), caption=caption, width="stretch", alt=alt or caption or "")


@st.cache_resource(max_entries=32, show_spinner=False)
def as_png(identity: tuple[Hashable, ...], _drawn: Callable[[], np.ndarray]) -> bytes:
    """A picture as PNG, encoded once for all polls that show it."""
    return draw.png(_drawn())
