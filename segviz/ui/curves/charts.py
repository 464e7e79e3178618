"""Charts of the page beside the robustness curves: classes, sizes of objects, smallest radii."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import plotly.graph_objects as go

from segviz.data.label_sets import LabelSet
from segviz.studies.grid import GridPoint
from segviz.studies.lines import CLEAN, Results, broken_over_eps, classes_over_eps, sizes_over_eps
from segviz.studies.plot import COLOURS, EPS_AXIS, GREY, Axis, plain_lines
from segviz.studies.smallest import Found
from segviz.studies.store import SIZE_EDGES
from segviz.studies.table import Row

SHADES = ("#ffc078", "#ff922b", "#f76707", "#d9480f", "#a61e00", "#6b1300", "#400b00")
"""From the smallest to the largest eps."""


def in_turn(names: Mapping[str, object]) -> dict[str, str]:
    """A colour for each name."""
    return {name: COLOURS[number % len(COLOURS)] for number, name in enumerate(names)}


def class_chart(rows: Sequence[Row], label_set: LabelSet) -> go.Figure:
    """IoU of each class over eps, in the colours of the label set."""
    lines = classes_over_eps(rows)
    own = {name: "#{:02x}{:02x}{:02x}".format(*colour) for name, colour in zip(label_set.classes, label_set.palette, strict=True)}
    return plain_lines(lines, in_turn(lines) | own | {"background": GREY}, EPS_AXIS, Axis("IoU", percent=True))


def size_chart(rows: Sequence[Row], results: Results) -> go.Figure:
    """Accuracy over the size of the connected component, a line for each eps."""
    lines = sizes_over_eps(rows, results, SIZE_EDGES)
    colours = {name: SHADES[min(number, len(SHADES) - 1)] for number, name in enumerate(lines)} | {CLEAN: GREY}
    figure = plain_lines(lines, colours, Axis("size of the connected component, in pixels"), Axis("accuracy", percent=True))
    names = [*(f"{low}–{high - 1}" for low, high in pairwise(SIZE_EDGES)), f"{SIZE_EDGES[-1]} and more"]
    figure.update_xaxes(tickvals=list(range(len(names))), ticktext=names)
    return figure


def smallest_chart(found: Mapping[GridPoint, Sequence[Found]]) -> go.Figure | None:
    """Share of pictures broken over eps, a line for each model and attack; None where no picture is done."""
    lines = broken_over_eps(found)
    if not lines:
        return None
    return plain_lines(lines, in_turn(lines), Axis("ε, in n/255"), Axis("pictures broken", percent=True), step=True)
