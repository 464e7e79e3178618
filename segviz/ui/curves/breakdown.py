"""Views of a study that take its mean apart: classes, sizes of objects, pictures."""

import plotly.graph_objects as go
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from segviz.defences.titles import short_title
from segviz.models.zoo import model_entry
from segviz.studies.lines import line_name
from segviz.studies.smallest import Damage, found_in
from segviz.studies.table import Row
from segviz.ui.curves.charts import class_chart, size_chart, smallest_chart
from segviz.ui.curves.state import curves
from segviz.ui.kit.charts import show_chart
from segviz.ui.kit.status import show_job
from segviz.ui.study.state import Shown

DAMAGES = {"iou_ratio": "IoU ratio", "pixel_accuracy": "pixel accuracy"}
BISECT = "Finds the smallest ε that breaks each picture, from 1 to the largest of the study, for every model and attack. Runs are kept."
PICTURE = {"displaylogo": False, "toImageButtonOptions": {"format": "png", "filename": "curves", "scale": 2}}
"""Of the bar at a chart: its camera saves the chart as PNG, made by the browser."""


def choose_line(shown: Shown, key: str) -> list[Row]:
    """The rows of one model and attack over all radii, as chosen; of several seeds the first."""
    lines: dict[str, list[Row]] = {}
    for row in shown.rows:
        if row.images and row.point.settings.seed == shown.study.seeds[0]:
            lines.setdefault(f"{short_title(row.point.settings.model)} · {line_name(row.point)}", []).append(row)
    names = list(lines)
    return lines[st.selectbox("Model and attack", names, index=len(names) - 1, key=key, width=420)]


def show_classes(shown: Shown) -> go.Figure:
    """IoU of each class over eps, for one model and attack."""
    rows = choose_line(shown, "curves_classes_of")
    before = rows[0].clean
    assert before is not None
    figure = class_chart(rows, model_entry(rows[0].point.settings.model).label_set)
    show_chart(figure, key="curves_class_chart", config=PICTURE, alt="IoU of each class over eps")
    clean = ", ".join(f"{name} {iou:.0%}" for name, iou in zip(rows[0].classes, before.iou, strict=True) if iou is not None)
    st.caption(f"Without an attack: {clean}. Classes do not fall together: the mean hides which ones go first.")
    return figure


def show_sizes(shown: Shown) -> go.Figure:
    """Accuracy over the size of the connected component, for one model and attack."""
    figure = size_chart(choose_line(shown, "curves_sizes_of"), shown.results)
    show_chart(figure, key="curves_size_chart", config=PICTURE, alt="Accuracy over the size of the connected component")
    st.caption(
        "Share of the pixels that are right, in all connected components of the labels of that size; dashed: without an attack. Small "
        "objects are missed most and go first, and a mIoU over all pictures together hardly shows it. That is why Halmosi, Mohos & "
        "Jelasity (ECCV 2024) also take the mean over pictures, the NmIoU."
    )
    return figure


def show_smallest(shown: Shown) -> go.Figure | None:
    """The smallest eps that breaks each picture, as the share of pictures broken: of the grid at first, then by bisection."""
    state = curves()
    bar = st.container(horizontal=True, vertical_alignment="bottom")
    damage = damage_control(bar)
    if bar.button("Bisect", icon=":material/compare_arrows:", key="curves_bisect", disabled=state.searching, help=BISECT):
        state.bisect(shown.study, damage)
        st.rerun()
    stop = state.search.stop if state.search is not None else None
    bar.button("Stop", icon=":material/stop:", key="curves_search_stop", disabled=not state.searching, on_click=stop)
    show_job(state.search, "curves_search")
    searched = state.found(shown.study, damage)
    figure = smallest_chart(found_in(shown.pairs, damage) if searched is None else searched.found)
    if figure is None:
        st.info("No picture is done at every ε yet.")
        return None
    show_chart(figure, key="curves_smallest_chart", config=PICTURE, alt="Share of pictures broken over eps")
    how = "To one grey level, by bisection." if searched is not None else "Only ε of the study; **Bisect** finds it to one grey level."
    st.caption(f"Share of pictures broken at each ε. {how}")
    return figure


def damage_control(bar: DeltaGenerator) -> Damage:
    """When a picture counts as broken."""
    measure = bar.selectbox(
        "A picture is broken when its",
        list(DAMAGES),
        format_func=DAMAGES.__getitem__,
        key="curves_measure",
        width=230,
        persist_state="session",
    )
    return Damage(measure, bar.slider("is at most", 0.0, 0.95, 0.5, 0.05, key="curves_level", width=260, persist_state="session"))
