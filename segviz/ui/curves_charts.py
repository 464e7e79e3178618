"""Charts of a study: robustness curves with bands, classes, sizes, smallest radii."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import plotly.graph_objects as go
from plotly.subplots import make_subplots

EPS_MARKS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
EPS_NAMES = ("1/4", "1/2", "1", "2", "4", "8", "16")
COLOURS = ("#d9480f", "#1971c2", "#2f9e44", "#9c36b5", "#e8a200", "#0b7285", "#c2255c", "#5c4033")
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
ABREAST = 3


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
            marker_size=9,
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
    marks = [mark.x for line in lines for mark in line.marks]
    if x.eps:
        figure.update_xaxes(tickvals=EPS_MARKS, ticktext=EPS_NAMES)
    if x.log:
        figure.update_xaxes(type="log")
        if not x.eps:
            shown = sorted(set(marks))
            figure.update_xaxes(tickvals=shown, ticktext=[f"{value:g}" for value in shown], minor_ticks="")
    for column in range(1, columns + 1):
        figure.update_xaxes(title_text=x.title, row=rows, col=column)
    figure.update_yaxes(title_text=y.title, col=1)
    top = max([1.0, *clean.values(), *(mark.y for line in lines for mark in line.marks)])
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
            line={"color": colours[name], "shape": "hv" if step else "linear"},
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
    """The figure with the layout that all share."""
    figure.update_layout(
        height=height,
        margin={"l": 10, "r": 10, "t": 60, "b": 10},
        hovermode="closest",
        legend={"orientation": "h", "yanchor": "bottom", "y": 1.08, "bgcolor": "rgba(0,0,0,0)"},
        uirevision="study",
    )
    return figure


def faint(colour: str) -> str:
    """A colour #rrggbb made transparent."""
    red, green, blue = bytes.fromhex(colour[1:])
    return f"rgba({red},{green},{blue},0.13)"
