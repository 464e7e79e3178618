"""The curves of a study as one HTML file that needs nothing else."""

from collections.abc import Sequence

import plotly.graph_objects as go
from plotly.colors import qualitative
from plotly.subplots import make_subplots

from segviz.studies.table import Row


def curves_html(title: str, rows: Sequence[Row]) -> str:
    """Data-set mIoU in per cent against eps in grey levels, a panel per model, with 95 % bands over images; clean mIoU is dashed."""
    models = list(dict.fromkeys(row.point.settings.model for row in rows))
    named = list(zip(rows, names_of(rows), strict=True))
    names = list(dict.fromkeys(name for _, name in named))
    figure = make_subplots(rows=1, cols=len(models), subplot_titles=models, shared_yaxes=True)
    for column, model in enumerate(models, 1):
        there = [(row, name) for row, name in named if row.point.settings.model == model and row.adversarial is not None]
        for number, name in enumerate(names):
            curve = sorted((row for row, its in there if its == name), key=lambda row: row.point.settings.eps)
            colour = qualitative.D3[number % len(qualitative.D3)]
            place = {"row": 1, "col": column}
            eps = [row.point.settings.eps for row in curve]
            bands = [row.band or (row.adversarial.miou,) * 2 for row in curve if row.adversarial is not None]
            edge = [100 * high for _, high in bands] + [100 * low for low, _ in reversed(bands)]
            shared = {"legendgroup": name, "line_color": colour}
            figure.add_scatter(
                x=eps + eps[::-1],
                y=edge,
                fill="toself",
                opacity=0.2,
                mode="none",
                fillcolor=colour,
                showlegend=False,
                hoverinfo="skip",
                legendgroup=name,
                **place,
            )
            miou = [100 * row.adversarial.miou for row in curve if row.adversarial is not None]
            figure.add_scatter(x=eps, y=miou, name=name, mode="lines+markers", showlegend=column == 1, **shared, **place)
        clean = next((row.clean for row, _ in there if row.clean is not None), None)
        if clean is not None:
            figure.add_hline(100 * clean.miou, line_dash="dash", annotation_text="clean", row=1, col=column)
    figure.update_xaxes(type="log", title="eps (grey levels)", tickvals=[0.25, 0.5, 1, 2, 4, 8, 16, 32])
    figure.update_yaxes(range=[0, 100])
    figure.update_yaxes(title="mIoU of the data set (%)", col=1)
    figure.update_layout(title=title, template="plotly_white", title_x=0)
    return go.Figure(figure).to_html(include_plotlyjs=True, full_html=True)


def names_of(rows: Sequence[Row]) -> list[str]:
    """What tells each row's curve from the others of its model: the attack, and steps and seed where one attack has several."""
    steps, seeds = ({(row.point.row, getattr(row.point.settings, name)) for row in rows} for name in ("steps", "seed"))
    attacks = {row.point.row for row in rows}
    names = []
    for row in rows:
        parts = [row.point.row.title]
        parts += [f"{row.point.settings.steps} steps"] if len(steps) > len(attacks) else []
        parts += [f"seed {row.point.settings.seed}"] if len(seeds) > len(attacks) else []
        names.append(", ".join(parts))
    return names
