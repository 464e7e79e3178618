"""Charts of a study: robustness curves with bands, classes, sizes, smallest radii; and the lines that they draw."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from segviz.attacks.rows import ATTACKS
from segviz.attacks.transforms import TRANSFORMS
from segviz.studies.evaluate import SetFigures
from segviz.studies.grid import AttackRow, Point
from segviz.studies.smallest import Found, cumulative
from segviz.studies.store import CellResult
from segviz.studies.table import Row, accuracy_by_size, curve_over_iterations
from segviz.ui.kit.models import short_title

EPS_MARKS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
EPS_NAMES = ("1/4", "1/2", "1", "2", "4", "8", "16")
COUNT_MARKS = tuple(digit * 10**power for power in range(5) for digit in (1, 2, 5))
COLOURS = ("#d9480f", "#1971c2", "#2f9e44", "#9c36b5", "#e8a200", "#0b7285", "#c2255c", "#5c4033")
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
ABREAST = 3
QUANTITIES = ("mIoU", "IoU ratio", "NmIoU", "pixel accuracy", "IoU of one class")
"""What the curves can show; "NmIoU" is the mean over images of each image's mIoU."""
ON_THE_WAY = "on the way"
CLEAN = "clean"
"""The note of a mark that is no run of its own."""
AXES = ("ε", "iterations", "gradient evaluations")

Results = Mapping[Point, Sequence[CellResult | None]]
"""The results of each point of a study, image by image; None where there is none yet."""


@dataclass(frozen=True)
class Mark:
    """A point of a line; `low` to `high` is its confidence band (None: unknown), `key` tells which runs it stands for."""

    x: float
    y: float
    low: float | None
    high: float | None
    key: str
    note: str = ""


@dataclass(frozen=True)
class Line:
    """One curve of one model; lines of one `name` share a colour and an entry of the legend in all panels."""

    model: str
    name: str
    marks: tuple[Mark, ...]


@dataclass(frozen=True)
class Axis:
    """What an axis shows; `log` for powers of two or ten, `percent` for rates, `eps` for the usual radii as ticks."""

    title: str
    log: bool = False
    percent: bool = False
    eps: bool = False


def value_of(figures: SetFigures, quantity: str, name: str, classes: Sequence[str], clean: SetFigures) -> float | None:
    """One of QUANTITIES from figures over a data set; `name` is the one class, `clean` the figures without an attack."""
    if quantity == "IoU of one class":
        return figures.iou[classes.index(name)] if name in classes else None
    if quantity == "IoU ratio":
        return figures.miou / clean.miou if clean.miou > 0 else None
    return {"mIoU": figures.miou, "NmIoU": figures.nmiou, "pixel accuracy": figures.pixel_accuracy}[quantity]


def band_of(row: Row, quantity: str) -> tuple[float, float] | None:
    """The confidence band of a row, for the quantities that there is one of: mIoU, and the IoU ratio with the clean mIoU held fixed."""
    if row.band is None or row.clean is None or quantity not in ("mIoU", "IoU ratio"):
        return None
    scale = 1.0 if quantity == "mIoU" else row.clean.miou
    return (row.band[0] / scale, row.band[1] / scale) if scale > 0 else None


def mark_of(rows: Sequence[tuple[int, Row]], x: float, quantity: str, name: str) -> Mark | None:
    """The point of a line from the rows of all its seeds, each with its number: their mean, in the widest of their bands."""
    values = [
        value_of(row.adversarial, quantity, name, row.classes, row.clean)
        for _, row in rows
        if row.adversarial is not None and row.clean is not None
    ]
    found = [value for value in values if value is not None]
    if not found:
        return None
    bands = [band for _, row in rows if (band := band_of(row, quantity)) is not None]
    images = sum(row.images for _, row in rows)
    note = f"{images} image{'s' if images != 1 else ''}" + (f", {len(rows)} seeds" if len(rows) > 1 else "")
    number = next(number for number, row in rows if row.images)
    low, high = (min(band[0] for band in bands), max(band[1] for band in bands)) if bands else (None, None)
    return Mark(x, float(np.mean(found)), low, high, str(number), note)


def lines_over_eps(rows: Sequence[Row], quantity: str, name: str = "") -> tuple[Line, ...]:
    """A line over eps for every model, attack and number of steps; keys are the numbers of the rows."""
    groups: dict[tuple[str, str], dict[float, list[tuple[int, Row]]]] = {}
    for number, row in enumerate(rows):
        settings = row.point.settings
        by_x = groups.setdefault((settings.model, name_of(row.point)), {})
        by_x.setdefault(settings.eps, []).append((number, row))
    return drawn_lines(groups, quantity, name)


def lines_over_cost(rows: Sequence[Row], results: Results, eps: float, axis: str, quantity: str, name: str = "") -> tuple[Line, ...]:
    """A line over iterations or gradient evaluations for every model and attack at one eps.

    Each point is a run with that many steps. Where an attack ran with one number of steps only, the line is what its strongest iterates
    had reached on the way, which mIoU, IoU ratio and pixel accuracy can be told of.
    """
    groups: dict[tuple[str, str], dict[float, list[tuple[int, Row]]]] = {}
    for number, row in enumerate(rows):
        settings = row.point.settings
        if settings.eps == eps and row.images:
            by_x = groups.setdefault((settings.model, row_title(row.point.row)), {})
            by_x.setdefault(settings.steps if axis == "iterations" else row.gradient_evaluations, []).append((number, row))
    lines = []
    for drawn in drawn_lines(groups, quantity, name):
        marks = drawn.marks
        if len(marks) == 1:
            row = rows[int(marks[0].key)]
            marks = marks_on_the_way(row, results[row.point], axis, quantity, marks[0])
        lines.append(Line(drawn.model, drawn.name, marks))
    return tuple(lines)


def marks_on_the_way(row: Row, results: Sequence[CellResult | None], axis: str, quantity: str, last: Mark) -> tuple[Mark, ...]:
    """What a run's strongest iterates had reached, and its 8-bit result as the last mark."""
    if quantity not in ("mIoU", "IoU ratio", "pixel accuracy") or row.clean is None:
        return (last,)
    scale = row.clean.miou if quantity == "IoU ratio" and row.clean.miou > 0 else 1.0
    there = [result for result in results if result is not None and not result.error]
    marks = []
    for moment in curve_over_iterations(there):
        x = moment.index if axis == "iterations" else moment.gradients
        if 0 < x < last.x:
            value = moment.pixel_accuracy if quantity == "pixel accuracy" else moment.miou / scale
            marks.append(Mark(x, value, None, None, last.key, ON_THE_WAY))
    return (*marks, last)


def drawn_lines(groups: Mapping[tuple[str, str], Mapping[float, list[tuple[int, Row]]]], quantity: str, name: str) -> tuple[Line, ...]:
    """Lines by model and name, their marks in rising order."""
    lines = []
    for (model, title), line in groups.items():
        marks = [mark for x in sorted(line) if (mark := mark_of(line[x], x, quantity, name)) is not None]
        if marks:
            lines.append(Line(short_title(model), title, tuple(marks)))
    return tuple(lines)


def clean_values(rows: Sequence[Row], quantity: str, name: str = "") -> dict[str, float]:
    """The value without an attack of every model that has any result, from the row with most images."""
    found: dict[str, tuple[int, float]] = {}
    for row in rows:
        if row.clean is None:
            continue
        model = short_title(row.point.settings.model)
        value = value_of(row.clean, quantity, name, row.classes, row.clean)
        if value is not None and row.images > found.get(model, (0, 0.0))[0]:
            found[model] = (row.images, value)
    return {model: value for model, (_, value) in found.items()}


def name_of(point: Point) -> str:
    """What a line over eps is called: the attack with its steps."""
    title, steps = row_title(point.row), point.settings.steps
    own = point.row.steps is not None or ATTACKS[point.row.attack].one_step
    return title if own else f"{title}, {steps} step{'s' if steps != 1 else ''}"


def broken_over_eps(found: Mapping[Point, Sequence[Found]]) -> dict[str, list[tuple[float, float]]]:
    """The share of images that an eps of at most x breaks, for every model and attack, from 0 to the largest eps that was tried."""
    lines = {}
    for point, images in found.items():
        if images:
            curve = cumulative(images)
            start = [] if curve and curve[0][0] == 0 else [(0.0, 0.0)]
            end = curve[-1][1] if curve else 0.0
            name = f"{short_title(point.settings.model)} · {name_of(point)}"
            lines[name] = [*start, *curve, (point.settings.eps, end)]
    return lines


def sizes_over_eps(rows: Sequence[Row], results: Results, edges: Sequence[int]) -> dict[str, list[tuple[float, float]]]:
    """Accuracy over the size of the connected component, pooled over images: a line for each eps and, last, one without an attack.

    `x` is the number of the bin of `edges`; empty bins are left out.
    """
    lines: dict[str, list[tuple[float, float]]] = {}
    clean: list[tuple[float, float]] = []
    for row in rows:
        there = [result for result in results[row.point] if result is not None and not result.error]
        bins = accuracy_by_size(there, edges)
        clean = clean or [(x, one.clean) for x, one in enumerate(bins) if one.clean is not None]
        lines[f"ε = {row.point.settings.eps:g}/255"] = [(x, one.adversarial) for x, one in enumerate(bins) if one.adversarial is not None]
    return lines | {CLEAN: clean}


def classes_over_eps(rows: Sequence[Row]) -> dict[str, list[tuple[float, float]]]:
    """IoU of each class over eps, for classes that are in the labels or in a prediction."""
    lines: dict[str, list[tuple[float, float]]] = {}
    for row in sorted(rows, key=lambda row: row.point.settings.eps):
        for name, iou in zip(row.classes, row.adversarial.iou if row.adversarial else (), strict=False):
            if iou is not None:
                lines.setdefault(name, []).append((row.point.settings.eps, iou))
    return lines


def row_title(row: AttackRow) -> str:
    """What the page calls an attack of the grid."""
    title = ATTACKS[row.attack].title
    parts = [f"{title} ({row.variant})" if row.variant else title, *(TRANSFORMS[key].title for key in row.transforms)]
    text = " + ".join(parts)
    if row.steps is not None:
        text += f", {row.steps} step{'s' if row.steps != 1 else ''}"
    return text + (f", made on {short_title(row.source)}" if row.source else "")


def robustness_curves(lines: Sequence[Line], clean: Mapping[str, float], x: Axis, y: Axis, multiples: bool) -> go.Figure:
    """The lines with their bands; `clean` holds the value of each model without an attack, drawn as a dashed rule.

    With `multiples` every model has its own panel; else a model has its own dash, and all share one panel.
    """
    models = list(clean)
    names = list(dict.fromkeys(line.name for line in lines))
    panels = len(models) if multiples else 1
    columns = min(panels, ABREAST)
    rows = -(-panels // max(columns, 1))
    figure = make_subplots(
        rows=max(rows, 1),
        cols=max(columns, 1),
        shared_xaxes=True,
        shared_yaxes=True,
        horizontal_spacing=0.03,
        vertical_spacing=0.16 / max(rows, 1),
        subplot_titles=models if multiples else None,
    )

    def place(model: str) -> dict[str, int]:
        number = models.index(model) if multiples else 0
        return {"row": number // columns + 1, "col": number % columns + 1}

    for line in lines:
        colour = COLOURS[names.index(line.name) % len(COLOURS)]
        dash = DASHES[0 if multiples else models.index(line.model) % len(DASHES)]
        several = not multiples and len(models) > 1
        title = f"{line.name} · {line.model}" if several else line.name
        first = next(one for one in lines if one.name == line.name) is line
        banded = [mark for mark in line.marks if mark.low is not None and mark.high is not None]
        if banded:
            figure.add_scatter(
                x=[mark.x for mark in banded] + [mark.x for mark in reversed(banded)],
                y=[mark.high for mark in banded] + [mark.low for mark in reversed(banded)],
                fill="toself",
                fillcolor=faint(colour),
                mode="none",
                hoverinfo="skip",
                showlegend=False,
                legendgroup=title,
                name=title,
                **place(line.model),
            )
        figure.add_scatter(
            x=[mark.x for mark in line.marks],
            y=[mark.y for mark in line.marks],
            customdata=[[mark.key, mark.note] for mark in line.marks],
            mode="lines+markers",
            marker={"size": [9 if mark.note != ON_THE_WAY else 5 for mark in line.marks], "opacity": 1},
            line={"color": colour, "dash": dash},
            name=title,
            legendgroup=title,
            showlegend=several or first,
            hovertemplate="%{y:.1%} %{customdata[1]}" if y.percent else "%{y:.3g} %{customdata[1]}",
            **place(line.model),
        )
    for model, value in clean.items():
        dash = "dash" if multiples or len(models) == 1 else DASHES[models.index(model) % len(DASHES)]
        figure.add_hline(
            y=value,
            line={"color": "#868e96", "width": 1.5, "dash": dash},
            annotation_text="clean" if multiples or len(models) == 1 else f"clean {model}",
            annotation_position="top left",
            annotation_font={"size": 11, "color": "#868e96"},
            **place(model),
        )
    if x.log:
        figure.update_xaxes(type="log", tickvals=EPS_MARKS if x.eps else COUNT_MARKS, ticktext=EPS_NAMES if x.eps else None)
    for column in range(1, columns + 1):
        figure.update_xaxes(title_text=x.title, row=rows, col=column)
    figure.update_yaxes(title_text=y.title, col=1)
    top = max([1.0, *clean.values(), *(max(mark.y, mark.high or 0.0) for line in lines for mark in line.marks)])
    if y.percent:
        figure.update_yaxes(range=[-0.03, 1.05 * top], tickformat=".0%")
    else:
        figure.update_yaxes(range=[-0.03, 1.05 * top])
    return finished(figure, 420 if rows == 1 else 340 * rows)


def plain_lines(lines: Mapping[str, Sequence[tuple[float, float]]], colours: Mapping[str, str], x: Axis, y: Axis, step: bool) -> go.Figure:
    """Lines by name in one panel, as steps from point to point if `step`; both axes as in `Axis`."""
    figure = go.Figure()
    for name, points in lines.items():
        figure.add_scatter(
            x=[point[0] for point in points],
            y=[point[1] for point in points],
            name=name,
            mode="lines" if step else "lines+markers",
            line={"color": colours[name], "shape": "hv" if step else "linear", "dash": "dash" if name == CLEAN else "solid"},
            hovertemplate="%{y:.1%}" if y.percent else "%{y:.3g}",
        )
    if x.eps:
        figure.update_xaxes(tickvals=EPS_MARKS, ticktext=EPS_NAMES)
    figure.update_xaxes(title_text=x.title, type="log" if x.log else "linear")
    figure.update_yaxes(title_text=y.title)
    if y.percent:
        figure.update_yaxes(range=[-0.03, 1.03], tickformat=".0%")
    return finished(figure, 380)


def finished(figure: go.Figure, height: int) -> go.Figure:
    """The figure with the layout that all share, legible also where it is saved: room for the labels, a font that is everywhere."""
    figure.update_xaxes(automargin=True)
    figure.update_yaxes(automargin=True)
    figure.update_layout(
        height=height,
        margin={"l": 10, "r": 10, "t": 60, "b": 10},
        hovermode="closest",
        font={"family": "Arial, sans-serif"},
        legend={"orientation": "h", "yanchor": "bottom", "y": 1.08, "bgcolor": "rgba(0,0,0,0)"},
        uirevision="study",
    )
    return figure


def faint(colour: str) -> str:
    """A colour #rrggbb made transparent."""
    red, green, blue = bytes.fromhex(colour[1:])
    return f"rgba({red},{green},{blue},0.13)"
