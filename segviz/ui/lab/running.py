"""A run of the attack lab that is under way: the same places as when it has ended, drawn by the browser from the stream."""

import streamlit as st

from segviz import draw
from segviz.engine.jobs import Job
from segviz.models.zoo import model_entry
from segviz.records import Picture, Trajectory
from segviz.settings import Settings
from segviz.ui.kit.layers import BASIC, SIX, layer_title
from segviz.ui.kit.state import tab
from segviz.ui.lab.glance import show_glance_live
from segviz.ui.lab.second import show_second
from segviz.ui.lab.view import choose_view, classes_ticked, legend
from segviz.ui.live import live_curves, live_figures, live_layers, live_table
from segviz.ui.viewer import layer_look, live_viewer


def show_running(job: Job[Trajectory], settings: Settings, picture: Picture) -> None:
    """Figures, pictures, curves and legend of a run with these settings."""
    glance = st.container()
    show_second(None)
    live_figures(job, "lab")
    height, width = picture.pixels.shape[:2]
    st.caption(
        f"Everything is at {width}x{height} pixels. Until the run has ended the figures are those of the newest iteration; the result is "
        "the strongest one, in 8-bit values."
    )
    pictures, side = st.columns([3, 2], gap="medium")
    label_set = model_entry(settings.model).label_set
    with side:
        live_curves(job, "lab")
        legend(label_set, tab().look)
        st.caption("Tick classes to see only those in the maps.")
        live_table(job, "lab")
    with pictures:
        names = list(BASIC)
        if picture.labels is not None and settings.against == "truth":
            names.append("Label map")
        if settings.region:
            names.append("Region")
        if settings.break_region:
            names.append("Region to break")
        if settings.goal not in ("break", "class"):
            names.append("Target map")
        six, left, right, chosen = choose_view(names)
        look = layer_look(label_set, classes_ticked(), chosen, draw.full_scale(settings.eps, settings.norm))
        with glance:
            show_glance_live(job, picture.pixels, look)
        if six:
            live_layers(job, "lab_six", {name: layer_title(name, settings) for name in SIX}, look, columns=3)
            return
        sides = (left, layer_title(left, settings)), (right, layer_title(right, settings))
        live_viewer(job, *sides, label_set.classes, look, key="viewer", height=400)
