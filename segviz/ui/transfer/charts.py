"""Charts of a study of transfer: heat tables of victims against sources, and curves over the iterations."""

from collections.abc import Sequence

import plotly.graph_objects as go

from segviz.studies.transfer import Transfer

COLOURS = ("#d9480f", "#1971c2", "#2f9e44", "#9c36b5", "#e8a200", "#0b7285", "#c2255c", "#5c4033", "#495057")
DASHES = ("solid", "dash", "dot")
# Dark where the victim is broken; the text on a cell takes the colour that stands out from it.
SCALE = ((0.0, "#7f1d1d"), (0.35, "#dc6b2f"), (0.7, "#f6d58f"), (1.0, "#f4f6f8"))


def heat_table(values: Sequence[Sequence[float | None]], columns: Sequence[str], rows: Sequence[str], column_title: str) -> go.Figure:
    """A table of rates (a row per victim), coloured from 0 to 1, each cell with its value in percent; empty where there is none yet."""
    figure = go.Figure(
        go.Heatmap(
            z=values,
            x=list(columns),
            y=list(rows),
            zmin=0,
            zmax=1,
            colorscale=SCALE,
            showscale=False,
            texttemplate="%{z:.0%}",
            textfont={"size": 15},
            xgap=2,
            ygap=2,
            hoverongaps=False,
            hovertemplate="made on %{x}<br>seen by %{y}<br>%{z:.1%}<extra></extra>",
        )
    )
    fits = len(columns) * max(map(len, columns), default=0) < 60
    figure.update_xaxes(title_text=column_title, side="top", type="category", showgrid=False, tickangle=0 if fits else -25)
    figure.update_yaxes(title_text="seen by", autorange="reversed", type="category", showgrid=False)
    figure.update_layout(height=110 + 46 * max(len(rows), 2), margin={"l": 10, "r": 10, "t": 60 if fits else 90, "b": 10})
    return figure


def transfer_curves(study: Transfer, names: Sequence[str], quantity: str) -> go.Figure:
    """A victim's mIoU over the iterations of each run: a colour per victim, a dash per run; stars are the 8-bit results."""
    figure = go.Figure()
    last = max(study.plan.looks, default=1)
    for cell in study.cells:
        run, colour = study.plan.runs[cell.run], COLOURS[cell.victim % len(COLOURS)]
        name = names[cell.victim] + (f", {run.name}" if len(study.plan.runs) > 1 else "")
        figure.add_scatter(
            x=[at for at, _ in cell.curve],
            y=[miou for _, miou in cell.curve],
            name=name,
            mode="lines+markers",
            marker_size=5,
            line={"color": colour, "dash": DASHES[cell.run % len(DASHES)], "width": 3 if cell.victim == 0 else 2},
            legendgroup=name,
            hovertemplate="%{y:.1%}",
        )
        if cell.adversarial is not None:
            figure.add_scatter(
                x=[last],
                y=[cell.adversarial.miou],
                name=f"{name}, 8-bit result",
                mode="markers",
                marker={"symbol": "star", "size": 12, "color": colour, "line": {"width": 1, "color": "white"}},
                legendgroup=name,
                showlegend=False,
                hovertemplate="%{y:.1%}",
            )
    figure.update_xaxes(title_text="iteration on the source", range=[-0.02 * last, 1.04 * last])
    figure.update_yaxes(title_text=quantity, range=[-0.03, 1.03], tickformat=".0%")
    figure.update_layout(
        height=420,
        margin={"l": 10, "r": 10, "t": 60, "b": 10},
        hovermode="x unified",
        legend={"orientation": "h", "yanchor": "bottom", "y": 1.02, "bgcolor": "rgba(0,0,0,0)"},
        uirevision="transfer",
    )
    return figure
