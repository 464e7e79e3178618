"""Parts of the curves page: cost, status, curves that lead to the attack lab, classes, sizes, smallest radii, table, presets, downloads."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import plotly.graph_objects as go
import streamlit as st

from segviz.data.label_sets import LabelSet
from segviz.data.samples import samples
from segviz.defences.titles import short_title
from segviz.engine.jobs import Job
from segviz.lab import open_picture
from segviz.models.zoo import model_entry
from segviz.settings import Settings
from segviz.studies import lines as curves
from segviz.studies import plot
from segviz.studies.grid import SAMPLES, Cell, Study
from segviz.studies.lines import AXES, QUANTITIES, Line, line_name
from segviz.studies.plot import EPS_AXIS, Axis
from segviz.studies.runs import run_search
from segviz.studies.smallest import Damage, Search, found_in
from segviz.studies.store import SIZE_EDGES
from segviz.studies.table import Row, as_csv
from segviz.ui.curves.presets import Preset, presets
from segviz.ui.kit.handover import run_in_lab
from segviz.ui.kit.session import queue
from segviz.ui.kit.words import OWN
from segviz.ui.study.page import Shown, store

VIEWS = ("Curves", "Classes", "Sizes", "Smallest ε", "Table")
DAMAGES = {"iou_ratio": "IoU ratio", "pixel_accuracy": "pixel accuracy"}
BISECT = "Looks for the smallest ε of each picture between 1 and the largest of the study, for every model and attack. Runs are kept."
PICTURE = {"displaylogo": False, "toImageButtonOptions": {"format": "png", "filename": "curves", "scale": 2}}
"""Of the bar at a chart: its camera saves the chart as PNG, made by the browser."""


def describe(shown: Shown) -> str:
    """One line that tells what is on screen."""
    study, images = shown.study, max((row.images for row in shown.rows), default=0)
    photos = "photo" if images == 1 else "photos"
    pictures = f"sample {photos}" if study.images.folder == SAMPLES else f"{photos} of {Path(study.images.folder).name}"
    models = ", ".join(short_title(key) for key in study.models)
    fall = "fall" if len(study.models) > 1 else "falls"
    text = f"**How far {models} {fall}** under growing attacks, over {images} {pictures}; the dashed line is the model without an attack."
    if shown.made_before:
        text += " This study was made beforehand with the bundled models; **Run** computes it here."
    return text


def show_body(shown: Shown, active: bool) -> None:
    """The chosen view of the study, with what belongs to it."""
    st.session_state.setdefault("curves_view", VIEWS[0])
    st.session_state.setdefault("curves_axis", AXES[0])
    show_presets(st.session_state.curves_running if active else shown.study)
    st.markdown(describe(shown))
    view = str(st.segmented_control("View", VIEWS, required=True, key="curves_view", label_visibility="collapsed", persist_state="session"))
    errors = list(dict.fromkeys(error for row in shown.rows for error in row.errors))
    for error in errors[:3]:
        st.warning(error)
    if shown.empty:
        st.info("Nothing of this study is computed yet." if not errors else "Nothing of this study could be computed.")
        return
    drawn: dict[str, Callable[[Shown], go.Figure | None]] = {
        "Curves": show_curves,
        "Classes": show_classes,
        "Sizes": show_sizes,
        "Smallest ε": show_smallest,
        "Table": show_table,
    }
    figure = drawn[view](shown)
    if not active:
        show_downloads(shown, figure)


def show_curves(shown: Shown) -> go.Figure:
    """The robustness curves, with the choice of their axes; a click on a point opens its run."""
    clicked: Cell | None = st.session_state.pop("curves_clicked", None)
    if clicked is not None:
        open_in_lab(clicked)
    bar = st.container(horizontal=True, vertical_alignment="bottom")
    axis = str(bar.segmented_control("Over", AXES, required=True, key="curves_axis", persist_state="session"))
    quantity = bar.selectbox("Of", QUANTITIES, key="curves_quantity", width=190, persist_state="session")
    name = ""
    if quantity == "IoU of one class":
        classes = list(dict.fromkeys(name for row in shown.rows for name in row.classes))
        name = bar.selectbox("Class", classes, index=min(1, len(classes) - 1), key="curves_class", width=160)
    eps = 0.0
    if axis != "ε":
        radii = sorted({row.point.settings.eps for row in shown.rows if row.images})
        wanted = st.session_state.get("curves_at_wish", 1.0)
        nearest = min(radii, key=lambda value: abs(value - wanted))
        eps = bar.selectbox(
            "At ε", radii, index=radii.index(nearest), format_func=lambda value: f"{value:g}/255", key="curves_at", width=120
        )
    images = [cell for cell, _ in next(iter(shown.pairs.values()))]
    picture = bar.selectbox(
        "A click on a point opens",
        range(len(images)),
        format_func=lambda number: picture_title(images[number]),
        help="In the attack lab, with the settings of that point, on this picture.",
        key="curves_picture",
        width=230,
    )
    several = len(shown.study.models) > 1
    multiples = bar.toggle("A panel per model", True, key="curves_multiples", persist_state="session") if several else True
    clean = curves.clean_values(shown.rows, quantity, name)
    title = quantity if quantity != "IoU of one class" else f"IoU of {name}"
    lines: tuple[Line, ...]
    if axis == "ε":
        lines = curves.lines_over_eps(shown.rows, quantity, name)
        x = EPS_AXIS
    else:
        lines = curves.lines_over_cost(shown.rows, shown.results, eps, axis, quantity, name)
        x = Axis(axis + (" per image" if axis != "iterations" else ""), log=True)
    figure = plot.robustness_curves(lines, clean, x, Axis(title, percent=True), multiples)
    st.plotly_chart(
        figure,
        key="curves_chart",
        on_select=lambda: note_click(shown, picture),
        selection_mode="points",
        config=PICTURE,
        alt=f"{title} over {axis} for every attack",
    )
    st.caption(
        "Click a point to open that very run in the attack lab; click a name in the legend to hide its line. "
        + ("Of pictures made on another model the lab shows what that one sees. " if any(row.source for row in shown.study.attacks) else "")
        + basis(quantity)
        + (" Measured on 8-bit results, in which a change below one grey level is rounded away." if axis == "ε" else "")
        + ("" if axis == "ε" else " Each point is a run of that many steps; a run alone shows its strongest iterates on the way.")
    )
    return figure


def note_click(shown: Shown, picture: int) -> None:
    """Remember the run of the point that was clicked, on the picture of this number.

    Streamlit takes a chart that has changed for another one and forgets the click on it, so a callback has to note it before the next
    drawing: while a study runs its chart changes all the time.
    """
    chosen = [point for point in st.session_state.curves_chart["selection"]["points"] if point.get("customdata")]
    if chosen:
        pairs = shown.pairs[shown.rows[int(key_of_point(chosen[0]))].point]
        st.session_state.curves_clicked = pairs[min(picture, len(pairs) - 1)][0]


def key_of_point(point: Mapping[str, object]) -> str:
    """The key of the mark that was clicked."""
    data = point["customdata"]
    if isinstance(data, Mapping):
        data = list(data.values())
    return str(data[0]) if isinstance(data, Sequence) else str(data)


def basis(quantity: str) -> str:
    """What a quantity is, in a sentence."""
    return {
        "mIoU": "mIoU over all pictures together; the band is the 95 % bootstrap band over pictures.",
        "IoU ratio": "mIoU over that without an attack (Arnab, Miksik & Torr, CVPR 2018); the band is the 95 % one over pictures.",
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


def choose_line(shown: Shown, key: str) -> list[Row]:
    """The rows of one model and attack over all radii, as chosen; of several seeds the first."""
    lines: dict[str, list[Row]] = {}
    for row in shown.rows:
        if row.images and row.point.settings.seed == shown.study.seeds[0]:
            lines.setdefault(f"{short_title(row.point.settings.model)} · {line_name(row.point)}", []).append(row)
    names = list(lines)
    return lines[st.selectbox("Model and attack", names, index=len(names) - 1, key=key, width=420)]


def label_set_of(row: Row) -> LabelSet:
    """The label set of a row's model."""
    return model_entry(row.point.settings.model).label_set


def show_classes(shown: Shown) -> go.Figure:
    """IoU of each class over eps, for one model and attack."""
    rows = choose_line(shown, "curves_classes_of")
    label_set = label_set_of(rows[0])
    colours = {name: "#{:02x}{:02x}{:02x}".format(*colour) for name, colour in zip(label_set.classes, label_set.palette, strict=True)}
    lines = curves.classes_over_eps(rows)
    before = rows[0].clean
    assert before is not None
    known = {name: colours.get(name, plot.COLOURS[number % len(plot.COLOURS)]) for number, name in enumerate(lines)}
    known["background"] = "#868e96"
    figure = plot.plain_lines(lines, known, EPS_AXIS, Axis("IoU", percent=True))
    st.plotly_chart(figure, key="curves_class_chart", config=PICTURE, alt="IoU of each class over eps")
    clean = ", ".join(f"{name} {iou:.0%}" for name, iou in zip(rows[0].classes, before.iou, strict=True) if iou is not None)
    st.caption(f"Without an attack: {clean}. Classes do not fall together: the mean hides which ones go first.")
    return figure


def show_sizes(shown: Shown) -> go.Figure:
    """Accuracy over the size of the connected component, for one model and attack."""
    rows = choose_line(shown, "curves_sizes_of")
    lines = curves.sizes_over_eps(rows, shown.results, SIZE_EDGES)
    shades = ("#ffc078", "#ff922b", "#f76707", "#d9480f", "#a61e00", "#6b1300", "#400b00")
    colours = {name: shades[min(number, len(shades) - 1)] for number, name in enumerate(lines)}
    colours[curves.CLEAN] = "#868e96"
    figure = plot.plain_lines(lines, colours, Axis("size of the connected component, in pixels"), Axis("accuracy", percent=True))
    names = [*(f"{low}–{high - 1}" for low, high in pairwise(SIZE_EDGES)), f"{SIZE_EDGES[-1]} and more"]
    figure.update_xaxes(tickvals=list(range(len(names))), ticktext=names)
    st.plotly_chart(figure, key="curves_size_chart", config=PICTURE, alt="Accuracy over the size of the connected component")
    st.caption(
        "Share of the pixels that are right, pooled over all connected components of the labels of that size; dashed: without an attack. "
        "Small objects are missed most and go first, and a mIoU over all pictures together hardly sees them; this size bias is why "
        "Halmosi, Mohos & Jelasity (ECCV 2024) also take the mean over pictures, the NmIoU."
    )
    return figure


def show_smallest(shown: Shown) -> go.Figure | None:
    """The smallest eps that breaks each picture, as the share of pictures broken: of the grid at first, then by bisection."""
    state = st.session_state
    bar = st.container(horizontal=True, vertical_alignment="bottom")
    measure = bar.selectbox(
        "A picture is broken when its",
        list(DAMAGES),
        format_func=DAMAGES.__getitem__,
        key="curves_measure",
        width=230,
        persist_state="session",
    )
    level = bar.slider("is at most", 0.0, 0.95, 0.5, 0.05, key="curves_level", width=260, persist_state="session")
    damage = Damage(measure, level)
    job: Job[Search] | None = state.get("curves_search")
    active = job is not None and job.active
    wish = (shown.study, damage)
    if bar.button("Bisect", icon=":material/compare_arrows:", key="curves_bisect", disabled=active, help=BISECT):
        state.curves_search = queue(run_search, shown.study, store().folder, damage, beside="bisection")
        state.curves_searched = wish
        st.rerun()
    bar.button("Stop", icon=":material/stop:", key="curves_search_stop", disabled=not active, on_click=job.stop if job else None)
    there = job is not None and job.latest is not None and state.curves_searched == wish
    if active and job is not None and job.latest is not None:
        now = job.latest
        st.progress(now.done / max(now.total, 1), f"{now.done} of {now.total} bisections, {now.computed} runs computed")
    elif job is not None and job.error is not None:
        st.error(job.error)
    found = job.latest.found if there and job is not None and job.latest is not None else found_in(shown.pairs, damage)
    lines = curves.broken_over_eps(found)
    if not lines:
        st.info("No picture is done at every ε yet.")
        return None
    colours = {name: plot.COLOURS[number % len(plot.COLOURS)] for number, name in enumerate(lines)}
    figure = plot.plain_lines(lines, colours, Axis("ε, in n/255"), Axis("pictures broken", percent=True), step=True)
    st.plotly_chart(figure, key="curves_smallest_chart", config=PICTURE, alt="Share of pictures broken over eps")
    how = "By bisection, to one grey level." if there else "Of the ε in the study only; **Bisect** looks for it to one grey level."
    st.caption(f"The smallest ε that breaks a picture, as the share of pictures that an ε of at most this breaks. {how}")
    return figure


def show_table(shown: Shown) -> None:
    """The table behind the curves."""
    there = [row for row in shown.rows if row.clean is not None and row.adversarial is not None]
    rates = ("clean mIoU", "mIoU", "from", "to", "NmIoU", "accuracy")
    table = [
        {
            "model": short_title(row.point.settings.model),
            "attack": line_name(row.point),
            "ε": row.point.settings.eps,
            "seed": row.point.settings.seed,
            "images": row.images,
            "clean mIoU": 100 * row.clean.miou,
            "mIoU": 100 * row.adversarial.miou,
            "from": 100 * row.band[0] if row.band else None,
            "to": 100 * row.band[1] if row.band else None,
            "IoU ratio": row.iou_ratio,
            "NmIoU": 100 * row.adversarial.nmiou,
            "accuracy": 100 * row.adversarial.pixel_accuracy,
            "gradients": row.gradient_evaluations,
            "max |d|": row.linf,
        }
        for row in there
        if row.clean is not None and row.adversarial is not None
    ]
    columns = {name: st.column_config.NumberColumn(format="%.1f %%") for name in rates} | {
        "IoU ratio": st.column_config.NumberColumn(format="%.2f"),
        "gradients": st.column_config.NumberColumn(format="%.0f", help="Gradient evaluations per image."),
        "max |d|": st.column_config.NumberColumn(format="%.0f", help="Largest change of any value in the 8-bit results."),
    }
    st.dataframe(table, hide_index=True, column_config=columns, alt="Every point of the study")
    st.caption("Measured on the 8-bit results; from and to are the 95 % bootstrap band of the mIoU over pictures.")


def show_downloads(shown: Shown, figure: go.Figure | None) -> None:
    """The table as CSV, and the chart on screen as a page of its own."""
    bar = st.container(horizontal=True, vertical_alignment="center")
    bar.download_button(
        "Table (CSV)",
        lambda: as_csv(shown.rows),
        "curves.csv",
        "text/csv",
        on_click="ignore",
        icon=":material/table:",
        key="curves_csv",
    )
    if figure is not None:
        bar.download_button(
            "Chart (HTML)",
            lambda: figure.to_html(include_plotlyjs=True, config=PICTURE),
            "curves.html",
            "text/html",
            on_click="ignore",
            icon=":material/show_chart:",
            key="curves_html",
        )
        bar.caption("As PNG: the camera at the upper right of the chart.")


def start(preset: Preset) -> None:
    """Have the page run a figure's study next."""
    state = st.session_state
    state.curves_axis, state.curves_at_wish, state.curves_quantity = preset.axis, preset.eps, preset.quantity
    state.curves_view, state.curves_wanted = "Curves", preset.study


def show_presets(study: Study) -> None:
    """The papers' figures, a button each; of the one whose study this is also what to look at and what the paper found."""
    bar = st.container(horizontal=True, vertical_alignment="center")
    bar.markdown("**Figures of the papers**", width="content")
    clicked = [
        bar.button(
            preset.title,
            help=preset.look,
            key=f"run-{preset.key}",
            on_click=start,
            args=(preset,),
        )
        for preset in presets()
    ]
    if any(clicked):
        st.rerun()
    chosen = next((preset for preset in presets() if preset.study == study), None)
    if chosen is not None:
        with st.container(border=True, key="curves_figure"):
            st.markdown(f"**{chosen.title}.** {chosen.look}")
            st.markdown(f"*What they found, on their models and data:* {chosen.found} [{chosen.paper}]({chosen.url})")
            if chosen.page:
                st.page_link(f"pages/{chosen.page}", label=chosen.page_title)
