"""What a scaling attack can be taken home as: pictures, figures, the grid of scalers."""

from typing import Any

from segviz import draw
from segviz.export import csv_of, json_of
from segviz.fields import fields_of
from segviz.studies.scaling import Prevented, ScalerCell, ScalingSettings, ScalingStudy, agreement
from segviz.ui.kit.export import File, download_buttons


def show_downloads(study: ScalingStudy) -> None:
    """The attack image, the hidden picture, figures and the grid, once there are any."""
    result, hidden = study.result, study.hidden
    if result is None or hidden is None:
        return
    download_buttons(
        "scaling",
        [
            File("Attack image (PNG)", "attack.png", lambda: draw.png(result.pixels)),
            File("Hidden picture (PNG)", "hidden.png", lambda: draw.png(hidden), ":material/hide_image:"),
            File("Figures (JSON)", "scaling.json", lambda: json_of(scaling_figures(study))),
            File("Grid (CSV)", "scalers.csv", lambda: grid_csv(study), ":material/grid_on:"),
        ],
    )


def scaling_figures(study: ScalingStudy) -> dict[str, Any]:
    """Settings and all figures, as JSON values."""
    frames = study.frames
    seen = {}
    if "scaled" in frames:
        seen = {
            "full_size": agreement(frames["source"], frames["attack"]),
            "scaled": agreement(frames["honest"], frames["scaled"]),
            "scaled_against_hidden": agreement(frames["hidden"], frames["scaled"]),
        }
    pictures = {"frame"}
    return {
        "settings": {field.parameter: getattr(study.settings, name) for name, field in fields_of(ScalingSettings).items()},
        "attack": study.result.figures() if study.result is not None else None,
        "same_classes": seen,
        "grid": [without(cell, pictures) for cell in study.grid],
        "prevention": [without(one, pictures) for one in study.prevention],
        "detectors": {key: {"source": of[0], "attack": of[1]} for key, of in study.scores.items()},
    }


def grid_csv(study: ScalingStudy) -> str:
    """The grid, one row per scaler."""
    rows = [without(cell, {"frame"}) for cell in study.grid]
    return csv_of(list(rows[0]) if rows else ["key"], rows)


def without(record: ScalerCell | Prevented, names: set[str]) -> dict[str, Any]:
    """The fields of a record but those in `names`."""
    return {name: value for name, value in vars(record).items() if name not in names}
