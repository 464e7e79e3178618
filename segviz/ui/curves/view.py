"""A study on screen: the figures of the papers, its views, its table and its files."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
import streamlit as st

from segviz.defences.titles import short_title
from segviz.report.kinds import study_document
from segviz.studies.grid import SAMPLES, Study
from segviz.studies.lines import AXES, line_name
from segviz.studies.table import Row, as_csv
from segviz.ui.curves.breakdown import PICTURE, show_classes, show_sizes, show_smallest
from segviz.ui.curves.presets import FIGURES, PaperFigure
from segviz.ui.curves.robustness import show_robustness
from segviz.ui.curves.state import curves
from segviz.ui.kit.beside import show_warnings
from segviz.ui.kit.export import File, download_buttons, page_link, report_file
from segviz.ui.kit.words import PASSES_HELP
from segviz.ui.study.page import show_errors
from segviz.ui.study.state import Shown

VIEWS = ("Curves", "Classes", "Sizes", "Smallest ε", "Table")


def show_chosen_view(shown: Shown, active: bool) -> None:
    """The chosen view of the study, with what belongs to it."""
    st.session_state.setdefault("curves_view", VIEWS[0])
    st.session_state.setdefault("curves_axis", AXES[0])
    state = curves()
    show_figures_of_papers(state.study if active and state.study is not None else shown.study)
    st.markdown(curves_in_words(shown))
    view = str(st.segmented_control("View", VIEWS, required=True, key="curves_view", label_visibility="collapsed", persist_state="session"))
    errors = show_errors(shown)
    if shown.empty:
        st.info("Nothing of this study is computed yet." if not errors else "Nothing of this study could be computed.")
        return
    drawn: dict[str, Callable[[Shown], go.Figure | None]] = {
        "Curves": show_robustness,
        "Classes": show_classes,
        "Sizes": show_sizes,
        "Smallest ε": show_smallest,
        "Table": show_points,
    }
    figure = drawn[view](shown)
    if not active:
        show_files(shown, figure)


def show_figures_of_papers(study: Study) -> None:
    """The papers' figures, a button each; of the one whose study this is also what to look at and what the paper found."""
    bar = st.container(horizontal=True, vertical_alignment="center")
    bar.markdown("**Figures of the papers**", width="content")
    clicked = [
        bar.button(figure.title, help=figure.look, key=f"run-{figure.key}", on_click=take_figure, args=(figure,)) for figure in FIGURES
    ]
    if any(clicked):
        st.rerun()
    chosen = next((figure for figure in FIGURES if figure.study == study), None)
    if chosen is not None:
        with st.container(border=True, key="curves_figure"):
            st.markdown(f"**{chosen.title}.** {chosen.look}")
            st.markdown(f"*What they found, on their models and data:* {chosen.found} [{chosen.paper}]({chosen.url})")
            if chosen.page:
                st.page_link(f"pages/{chosen.page}", label=chosen.page_title)


def take_figure(figure: PaperFigure) -> None:
    """Have the page run a figure's study next."""
    widgets, state = st.session_state, curves()
    widgets.curves_axis, widgets.curves_quantity, widgets.curves_view = figure.axis, figure.quantity, VIEWS[0]
    state.eps_wish, state.wanted = figure.eps, figure.study


def curves_in_words(shown: Shown) -> str:
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


def show_points(shown: Shown) -> None:
    """The table behind the curves."""
    show_warnings(tuple(dict.fromkeys(said for row in shown.rows for said in row.warnings)))
    rates = ("clean mIoU", "mIoU", "from", "to", "NmIoU", "accuracy")
    columns = {name: st.column_config.NumberColumn(format="%.1f %%") for name in rates} | {
        "IoU ratio": st.column_config.NumberColumn(format="%.2f"),
        "left out": st.column_config.NumberColumn(help="Photos that this point cannot be measured on; above the table it says why."),
        "gradients": st.column_config.NumberColumn(format="%.0f", help="Gradient evaluations per image."),
        "passes": st.column_config.NumberColumn(format="%.0f", help=PASSES_HELP),
        "draws": st.column_config.TextColumn(help="mIoU in per cent over the draws of a random defence, which are counted together."),
        "max |d|": st.column_config.NumberColumn(format="%.0f", help="Largest change of any value in the 8-bit results."),
    }
    table = [values for row in shown.rows if (values := point_values(row)) is not None]
    st.dataframe(table, hide_index=True, column_config=columns, alt="Every point of the study")
    st.caption(
        "Measured on the 8-bit results; from and to: 95 % bootstrap band of the mIoU over the photos of the row. Of few it says little."
    )


def point_values(row: Row) -> dict[str, Any] | None:
    """A line of the table, rates in per cent; None where nothing has been measured."""
    if row.clean is None or row.adversarial is None:
        return None
    settings = row.point.settings
    low, high = row.band if row.band is not None else (None, None)
    return {
        "model": short_title(settings.model),
        "attack": line_name(row.point),
        "ε": settings.eps,
        "seed": settings.seed,
        "images": row.images,
        "left out": len(row.left_out),
        "clean mIoU": 100 * row.clean.miou,
        "mIoU": 100 * row.adversarial.miou,
        "from": None if low is None else 100 * low,
        "to": None if high is None else 100 * high,
        "IoU ratio": row.iou_ratio,
        "NmIoU": 100 * row.adversarial.nmiou,
        "accuracy": 100 * row.adversarial.pixel_accuracy,
        "gradients": row.gradient_evaluations,
        "passes": row.passes,
        "max |d|": row.linf,
        "draws": None if row.draws is None else f"{100 * row.draws[0]:.1f} to {100 * row.draws[1]:.1f}",
    }


def show_files(shown: Shown, figure: go.Figure | None) -> None:
    """The table as CSV, the report, and the chart on screen as a page of its own."""
    link = page_link()
    files = [File("Table (CSV)", "curves.csv", lambda: as_csv(shown.rows), ":material/table:")]
    files.append(report_file(lambda: study_document(shown.study, shown.rows, link)))
    if figure is not None:
        html = partial(figure.to_html, include_plotlyjs=True, config=PICTURE)
        files.append(File("Chart (HTML)", "curves.html", html, ":material/show_chart:"))
    download_buttons("curves", files)
    if figure is not None:
        st.caption("As PNG: the camera at the upper right of the chart.")
