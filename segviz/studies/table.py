"""The table of a study: data-set figures with a confidence band for every point of its curves, from the cells that are stored."""

from dataclasses import dataclass

from segviz.studies.evaluate import SetFigures
from segviz.studies.grid import Point, Study
from segviz.studies.store import CellResult, Store


@dataclass(frozen=True)
class Row:
    """One point of the curves over the `images` that are there so far; figures as in `SetFigures`, of a suite as in `Evaluation`.

    `band` is the 95 % confidence band of `adversarial.miou`: the percentile bootstrap over images. `pending` cells are still to be
    computed, `errors` say why others cannot be. `gradient_evaluations` and `seconds` are means per image; `linf` is the largest change in
    grey levels, `success` the mean over images. Figures are None without images.
    """

    point: Point
    images: int
    pending: int
    errors: tuple[str, ...]
    classes: tuple[str, ...]
    clean: SetFigures | None
    adversarial: SetFigures | None
    band: tuple[float, float] | None
    iou_ratio: float | None
    success: float | None
    linf: float | None
    gradient_evaluations: float
    seconds: float
    own_prediction: bool = False


def table(study: Study, store: Store) -> tuple[Row, ...]:
    """A row for every point of the study, in its order."""
    raise NotImplementedError


def results_at(study: Study, store: Store) -> dict[Point, list[CellResult | None]]:
    """The stored results of each point, image by image; None where there is none yet."""
    raise NotImplementedError
