"""The charts of a study, drawn alike on the page and in the terminal's HTML file."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from segviz.studies.lines import CLEAN, ON_THE_WAY, Line, Mark, clean_values, lines_over_eps
from segviz.studies.table import Row

EPS_NAMES = {0.25: "1/4", 0.5: "1/2", 1.0: "1", 2.0: "2", 4.0: "4", 8.0: "8", 16.0: "16", 32.0: "32", 64.0: "64", 128.0: "128"}
"""The ticks of an axis of radii, in grey levels."""
COUNT_MARKS = tuple(digit * 10**power for power in range(5) for digit in (1, 2, 5))
COLOURS = ("#d9480f", "#1971c2", "#2f9e44", "#9c36b5", "#e8a200", "#0b7285", "#c2255c", "#5c4033")
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
GREY = "#868e96"
ABREAST = 3


@dataclass(frozen=True)
class Axis:
    """What an axis shows; `log` for powers of two or ten, `percent` for rates, `eps` for the usual radii as ticks."""

    title: str
    log: bool = False
    percent: bool = False
    eps: bool = False


EPS_AXIS = Axis("ε, in n/255", log=True, eps=True)


class Panels:
    """An empty figure with a panel per model, or one that all share; where a model is drawn, and how its lines look."""

    def __init__(self, models: Sequence[str], multiples: bool):
        self.models, self.multiples = models, multiples
        count = max(len(models), 1) if multiples else 1
        self.columns = min(count, ABREAST)
        self.rows = -(-count // self.columns)
        self.figure = make_subplots(
            rows=self.rows,
            cols=self.columns,
            shared_xaxes=True,
            shared_yaxes=True,
            horizontal_spacing=0.03,
            vertical_spacing=0.16 / self.rows,
            subplot_titles=models if multiples else None,
        )

    @property
    def mixed(self) -> bool:
        """Whether lines of several models share a panel."""
        return not self.multiples and len(self.models) > 1

    def place(self, model: str) -> dict[str, int]:
        """Row and column of a model's panel."""
        number = self.models.index(model) if self.multiples else 0
        return {"row": number // self.columns + 1, "col": number % self.columns + 1}

    def dash(self, model: str) -> str:
        """How the lines of a model are dashed: each in its own way where several share a panel."""
        return DASHES[self.models.index(model) % len(DASHES)] if self.mixed else DASHES[0]


def robustness_curves(lines: Sequence[Line], clean: Mapping[str, float], x: Axis, y: Axis, multiples: bool = True) -> go.Figure:
    """The lines with their bands; `clean` holds the value of each model without an attack, drawn as a dashed rule.

    With `multiples` every model has its own panel; else a model has its own dash, and all share one panel.
    """
    panels = Panels(list(clean), multiples)
    names = list(dict.fromkeys(line.name for line in lines))
    firsts = {name: next(line for line in lines if line.name == name) for name in names}
    for line in lines:
        add_line(panels, line, COLOURS[names.index(line.name) % len(COLOURS)], panels.mixed or firsts[line.name] is line, y.percent)
    figure = panels.figure
    for model, value in clean.items():
        figure.add_hline(
            y=value,
            line={"color": GREY, "width": 1.5, "dash": panels.dash(model) if panels.mixed else "dash"},
            annotation_text=f"{CLEAN} {model}" if panels.mixed else CLEAN,
            annotation_position="top left",
            annotation_font={"size": 11, "color": GREY},
            **panels.place(model),
        )
    if x.log:
        figure.update_xaxes(
            type="log", tickvals=list(EPS_NAMES) if x.eps else COUNT_MARKS, ticktext=list(EPS_NAMES.values()) if x.eps else None
        )
    for column in range(1, panels.columns + 1):
        figure.update_xaxes(title_text=x.title, row=panels.rows, col=column)
    figure.update_yaxes(title_text=y.title, col=1)
    top = max([1.0, *clean.values(), *(max(mark.y, mark.high or 0.0) for line in lines for mark in line.marks)])
    figure.update_yaxes(range=[-0.03, 1.05 * top])
    if y.percent:
        figure.update_yaxes(tickformat=".0%")
    return finished(figure, 420 if panels.rows == 1 else 340 * panels.rows)


def add_line(panels: Panels, line: Line, colour: str, in_legend: bool, percent: bool) -> None:
    """Draw a line over its band, if it has one, into the panel of its model."""
    title = f"{line.name} · {line.model}" if panels.mixed else line.name
    banded = [(mark.x, mark.low, mark.high) for mark in line.marks if mark.low is not None and mark.high is not None]
    if banded:
        panels.figure.add_scatter(
            x=[x for x, _, _ in banded] + [x for x, _, _ in reversed(banded)],
            y=[high for _, _, high in banded] + [low for _, low, _ in reversed(banded)],
            fill="toself",
            fillcolor=faint(colour),
            mode="none",
            hoverinfo="skip",
            showlegend=False,
            legendgroup=title,
            name=title,
            **panels.place(line.model),
        )
    panels.figure.add_scatter(
        x=[mark.x for mark in line.marks],
        y=[mark.y for mark in line.marks],
        customdata=[[mark.key, mark.note] for mark in line.marks],
        mode="lines+markers",
        marker={"size": [mark_size(mark) for mark in line.marks], "opacity": 1},
        line={"color": colour, "dash": panels.dash(line.model)},
        name=title,
        legendgroup=title,
        showlegend=in_legend,
        hovertemplate="%{y:.1%} %{customdata[1]}" if percent else "%{y:.3g} %{customdata[1]}",
        **panels.place(line.model),
    )


def mark_size(mark: Mark) -> int:
    """Pixels across: small for what is no run of its own."""
    return 5 if mark.note == ON_THE_WAY else 9


def plain_lines(
    lines: Mapping[str, Sequence[tuple[float, float]]], colours: Mapping[str, str], x: Axis, y: Axis, step: bool = False
) -> go.Figure:
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
        figure.update_xaxes(tickvals=list(EPS_NAMES), ticktext=list(EPS_NAMES.values()))
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


def curves_html(title: str, rows: Sequence[Row]) -> str:
    """The robustness curves as one HTML file that needs nothing else: mIoU over eps, a panel per model, clean mIoU dashed."""
    figure = robustness_curves(
        lines_over_eps(rows, "mIoU"), clean_values(rows, "mIoU"), EPS_AXIS, Axis("mIoU of the data set", percent=True)
    )
    figure.update_layout(title={"text": title, "x": 0, "yref": "container", "y": 0.98}, template="plotly_white", margin_t=120)
    return str(figure.to_html(include_plotlyjs=True, full_html=True))
