"""What a scaling attack can be taken home as: pictures, figures, the grid of scalers."""

from segviz import draw
from segviz.export import csv_of, json_of
from segviz.models.zoo import model_entry
from segviz.report.kinds import scaling_document
from segviz.results import scaler_rows, scaling_result
from segviz.studies.scaling import ScalingStudy
from segviz.ui.kit.export import File, download_buttons, page_link, report_file


def show_downloads(study: ScalingStudy) -> None:
    """The attack image, the hidden picture, figures and the grid, once there are any."""
    result, hidden = study.result, study.hidden
    if result is None or hidden is None:
        return
    link, label_set = page_link(), model_entry(study.settings.model).label_set
    download_buttons(
        "scaling",
        [
            File("Attack image (PNG)", "attack.png", lambda: draw.png(result.pixels)),
            File("Hidden picture (PNG)", "hidden.png", lambda: draw.png(hidden), ":material/hide_image:"),
            File("Figures (JSON)", "scaling.json", lambda: json_of(scaling_result(study))),
            File("Grid (CSV)", "scalers.csv", lambda: grid_csv(study), ":material/grid_on:"),
            report_file(lambda: scaling_document(study, label_set, link)),
        ],
    )


def grid_csv(study: ScalingStudy) -> str:
    """The grid, one row per scaler."""
    rows = scaler_rows(study)
    return csv_of(list(rows[0]) if rows else ["key"], rows)
