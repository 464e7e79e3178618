"""The lines of a study's charts, from the rows of its table: robustness, classes, sizes, smallest radii."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from segviz.attacks.rows import ATTACKS
from segviz.attacks.transforms import TRANSFORMS
from segviz.defences.titles import short_title
from segviz.studies.evaluate import SetFigures
from segviz.studies.grid import AttackRow, GridPoint
from segviz.studies.smallest import Found, cumulative
from segviz.studies.store import CellResult
from segviz.studies.table import Row, accuracy_by_size, curve_over_iterations

QUANTITIES = ("mIoU", "IoU ratio", "NmIoU", "pixel accuracy", "IoU of one class")
"""What the curves can show; "NmIoU" is the mean over images of each image's mIoU."""
AXES = ("ε", "iterations", "gradient evaluations")
ON_THE_WAY = "on the way"
"""The note of a mark that is no run of its own."""
CLEAN = "clean"

Results = Mapping[GridPoint, Sequence[CellResult | None]]
"""The results of each point of a study, image by image; None where there is none yet."""


@dataclass(frozen=True)
class Mark:
    """A point of a line; `low` to `high` is its confidence band, of several seeds the envelope of theirs (None: unknown).

    `key` tells which runs it stands for.
    """

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


def quantity_of(figures: SetFigures, quantity: str, name: str, classes: Sequence[str], clean: SetFigures) -> float | None:
    """One of QUANTITIES from figures over a data set; `name` is the one class, `clean` the figures without an attack."""
    if quantity == "IoU of one class":
        return figures.iou[classes.index(name)] if name in classes else None
    if quantity == "IoU ratio":
        return figures.miou / clean.miou if clean.miou > 0 else None
    return {"mIoU": figures.miou, "NmIoU": figures.nmiou, "pixel accuracy": figures.pixel_accuracy}[quantity]


def band_of(row: Row, quantity: str) -> tuple[float, float] | None:
    """The confidence band of a row, for the quantities that there is one of."""
    return {"mIoU": row.band, "IoU ratio": row.ratio_band}.get(quantity)


def mark_of(rows: Sequence[tuple[int, Row]], x: float, quantity: str, name: str) -> Mark | None:
    """The point of a line from the rows of all its seeds, each with its number: their mean, in the envelope of their bands."""
    values = [
        quantity_of(row.adversarial, quantity, name, row.classes, row.clean)
        for _, row in rows
        if row.adversarial is not None and row.clean is not None
    ]
    found = [value for value in values if value is not None]
    if not found:
        return None
    bands = [band for _, row in rows if (band := band_of(row, quantity)) is not None]
    images = max(row.images for _, row in rows)
    note = f"{images} photo{'s' if images != 1 else ''}" + (f", each with {len(rows)} seeds" if len(rows) > 1 else "")
    number = next(number for number, row in rows if row.images)
    low, high = (min(band[0] for band in bands), max(band[1] for band in bands)) if bands else (None, None)
    return Mark(x, float(np.mean(found)), low, high, str(number), note)


def lines_over_eps(rows: Sequence[Row], quantity: str, name: str = "") -> tuple[Line, ...]:
    """A line over eps for every model, attack and number of steps; keys are the numbers of the rows."""
    groups: dict[tuple[str, str], dict[float, list[tuple[int, Row]]]] = {}
    for number, row in enumerate(rows):
        settings = row.point.settings
        by_x = groups.setdefault((settings.model, line_name(row.point)), {})
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
            by_x = groups.setdefault((settings.model, attack_name(row.point.row)), {})
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
        value = quantity_of(row.clean, quantity, name, row.classes, row.clean)
        if value is not None and row.images > found.get(model, (0, 0.0))[0]:
            found[model] = (row.images, value)
    return {model: value for model, (_, value) in found.items()}


def line_name(point: GridPoint) -> str:
    """What a line over eps is called: the attack with its steps."""
    title, steps = attack_name(point.row), point.settings.steps
    own = point.row.own("steps") is not None or ATTACKS[point.row.attack].one_step
    return title if own else f"{title}, {steps} step{'s' if steps != 1 else ''}"


def broken_over_eps(found: Mapping[GridPoint, Sequence[Found]]) -> dict[str, list[tuple[float, float]]]:
    """The share of images that an eps of at most x breaks, for every model and attack, from 0 to the largest eps that was tried."""
    lines = {}
    for point, images in found.items():
        if images:
            curve = cumulative(images)
            start = [] if curve and curve[0][0] == 0 else [(0.0, 0.0)]
            end = curve[-1][1] if curve else 0.0
            name = f"{short_title(point.settings.model)} · {line_name(point)}"
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


def attack_name(row: AttackRow) -> str:
    """What the page calls an attack of the grid."""
    title = ATTACKS[row.attack].title
    variant, steps = row.own("variant"), row.own("steps")
    text = " + ".join([f"{title} ({variant})" if variant else title, *(TRANSFORMS[key].title for key in row.own("transforms") or ())])
    if steps is not None:
        text += f", {steps} step{'s' if steps != 1 else ''}"
    text += "".join(f", {told}" for told in row.others("variant", "transforms", "steps"))
    return text + (f", made on {short_title(row.source)}" if row.source else "")
