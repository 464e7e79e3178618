"""The robustness curves, with the choice of what they show; a click on a point leads to the attack lab."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import plotly.graph_objects as go
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from segviz.data.samples import samples
from segviz.lab import open_picture
from segviz.models.zoo import model_entry
from segviz.settings import Settings
from segviz.studies.grid import Cell
from segviz.studies.lines import AXES, QUANTITIES, clean_values, lines_over_cost, lines_over_eps
from segviz.studies.plot import EPS_AXIS, Axis, robustness_curves
from segviz.ui.curves.breakdown import PICTURE
from segviz.ui.curves.state import curves
from segviz.ui.kit.charts import show_chart
from segviz.ui.kit.handover import run_in_lab
from segviz.ui.kit.words import OWN
from segviz.ui.study.state import Shown


def show_robustness(shown: Shown) -> go.Figure:
    """The robustness curves, with the choice of their axes; a click on a point opens its run."""
    state = curves()
    if state.clicked is not None:
        clicked, state.clicked = state.clicked, None
        open_in_lab(clicked)
    bar = st.container(horizontal=True, vertical_alignment="bottom")
    axis = str(bar.segmented_control("Over", AXES, required=True, key="curves_axis", persist_state="session"))
    quantity, name = quantity_control(bar, shown)
    eps = radius_control(bar, shown, state.eps_wish) if axis != AXES[0] else None
    picture = picture_control(bar, shown)
    several = len(shown.study.models) > 1
    multiples = bar.toggle("A panel per model", True, key="curves_multiples", persist_state="session") if several else True
    title = f"IoU of {name}" if name else quantity
    if eps is None:
        lines, x = lines_over_eps(shown.rows, quantity, name), EPS_AXIS
    else:
        lines = lines_over_cost(shown.rows, shown.results, eps, axis, quantity, name)
        x = Axis(axis + (" per image" if axis != "iterations" else ""), log=True)
    figure = robustness_curves(lines, clean_values(shown.rows, quantity, name), x, Axis(title, percent=True), multiples)
    show_chart(
        figure,
        key="curves_chart",
        first=True,
        on_select=lambda: note_click(shown, picture),
        selection_mode="points",
        config=PICTURE,
        alt=f"{title} over {axis} for every attack",
    )
    st.caption(curves_note(shown, quantity, eps is None))
    return figure


def quantity_control(bar: DeltaGenerator, shown: Shown) -> tuple[str, str]:
    """What is drawn, and of one class its name."""
    quantity: str = bar.selectbox("Of", QUANTITIES, key="curves_quantity", width=190, persist_state="session")
    if quantity != "IoU of one class":
        return quantity, ""
    classes = list(dict.fromkeys(name for row in shown.rows for name in row.classes))
    return quantity, bar.selectbox("Class", classes, index=min(1, len(classes) - 1), key="curves_class", width=160)


def radius_control(bar: DeltaGenerator, shown: Shown, wish: float) -> float:
    """The radius at which curves over the cost are drawn, at first that nearest to `wish`."""
    radii = sorted({row.point.settings.eps for row in shown.rows if row.images})
    nearest = min(radii, key=lambda value: abs(value - wish))
    eps: float = bar.selectbox(
        "At ε", radii, index=radii.index(nearest), format_func=lambda value: f"{value:g}/255", key="curves_at", width=120
    )
    return eps


def picture_control(bar: DeltaGenerator, shown: Shown) -> int:
    """The number of the picture that a click opens."""
    images = [cell for cell, _ in next(iter(shown.pairs.values()))]
    number: int = bar.selectbox(
        "A click on a point opens",
        range(len(images)),
        format_func=lambda number: picture_title(images[number]),
        help="In the attack lab, with the settings of that point, on this picture.",
        key="curves_picture",
        width=230,
    )
    return number


def curves_note(shown: Shown, quantity: str, over_eps: bool) -> str:
    """What a click does, and what the curves are of."""
    made_elsewhere = any(row.source for row in shown.study.attacks)
    return " ".join(
        [
            "Click a point to open that very run in the attack lab; click a name in the legend to hide its line.",
            *(["Of pictures made on another model the lab shows what that model sees."] if made_elsewhere else []),
            quantity_basis(quantity),
            *(shown.class_notes if "mIoU" in quantity or quantity == "IoU ratio" else ()),
            *([band_note(shown)] if quantity in ("mIoU", "IoU ratio") else []),
            "Measured on 8-bit results: a change below one grey level is rounded away."
            if over_eps
            else "Each point is a run of that many steps; where there is only one run, the line shows its best picture so far.",
        ]
    )


FEW_PHOTOS = 30
"""Photos below which a bootstrap band says little."""


def band_note(shown: Shown) -> str:
    """What the band around a line is, and over how many photos."""
    images = max((row.images for row in shown.rows), default=0)
    if images < 2:
        return "One photo has no band."
    seeds = len(shown.study.seeds)
    band = "the 95 % bootstrap band over photos" if seeds == 1 else f"the envelope of the 95 % bands of {seeds} seeds, no 95 % band itself"
    few = ": too few for it to say much about other photos" if images < FEW_PHOTOS else ""
    return f"Around each line: {band}, here over {images} photos{few}."


def note_click(shown: Shown, picture: int) -> None:
    """Remember the run of the point that was clicked, on the picture of this number.

    Streamlit takes a chart that has changed for another one and forgets the click on it, so a callback has to note it before the next
    drawing: while a study runs its chart changes all the time.
    """
    chosen = [point for point in st.session_state.curves_chart["selection"]["points"] if point.get("customdata")]
    if chosen:
        pairs = shown.pairs[shown.rows[int(key_of_point(chosen[0]))].point]
        curves().clicked = pairs[min(picture, len(pairs) - 1)][0]


def key_of_point(point: Mapping[str, object]) -> str:
    """The key of the mark that was clicked."""
    data = point["customdata"]
    if isinstance(data, Mapping):
        data = list(data.values())
    return str(data[0]) if isinstance(data, Sequence) else str(data)


def quantity_basis(quantity: str) -> str:
    """What a quantity is, in a sentence."""
    return {
        "mIoU": "mIoU over all pictures together.",
        "IoU ratio": "mIoU over that without an attack (Arnab, Miksik & Torr, CVPR 2018).",
        "NmIoU": "The mean over pictures of each picture's mIoU (Halmosi, Mohos & Jelasity, ECCV 2024).",
        "pixel accuracy": "Share of the labelled pixels of all pictures that are right.",
        "IoU of one class": "IoU of the class over all pictures together.",
    }[quantity]


def picture_title(cell: Cell) -> str:
    """What the choice of the picture shows."""
    return samples()[cell.image.name].title if cell.image.sample else cell.image.name


def open_in_lab(cell: Cell) -> None:
    """Go to the attack lab, which runs what the cell is: its settings on its picture; a transfer attack on the model it is made on."""
    settings: Settings = replace(cell.settings, model=cell.source)
    if cell.image.sample:
        run_in_lab(settings)
    else:
        labels, photo = cell.image.labels, cell.image.photo
        own = photo.name, photo.read_bytes(), labels.read_bytes() if labels else None
        run_in_lab(replace(settings, image=OWN), own, open_picture(photo.name, photo, labels, model_entry(settings.model)))
