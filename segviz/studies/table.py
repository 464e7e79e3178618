"""The table of a study: data-set figures with a confidence band for every point of its curves, from the cells that are stored."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from segviz.attacks.catalog import rounding_notice
from segviz.export import csv_of
from segviz.records import LeftOut, gathered
from segviz.studies import worst_case
from segviz.studies.counts import mious
from segviz.studies.evaluate import SetFigures, set_figures, worst_figures
from segviz.studies.grid import Cell, GridPoint, Study, points
from segviz.studies.ledger import keyed_cells
from segviz.studies.store import CellResult, Store

RESAMPLES, SUITE_RESAMPLES = 1000, 200
"""Of one attack, and of a suite, whose choice of the attacks is made anew in each."""
BAND = (0.025, 0.975)
Band = tuple[float, float]


@dataclass(frozen=True)
class Row:
    """One point of the curves over the `images` that are there so far; figures as in `SetFigures`, of a suite as in `Evaluation`.

    `band` is the 95 % confidence band of `adversarial.miou`, the percentile bootstrap over images, and `ratio_band` that of `iou_ratio`,
    whose two mIoUs are of the same resampled images; None for fewer than two images. Of a suite every resample chooses its attacks anew.
    `draws` are the lowest and the highest mIoU over the draws of a random defence, which are counted together in all figures; None where
    nothing is random. `pending` cells are still to be computed; images `left_out` count nowhere, `errors` are the reasons.
    `gradient_evaluations`, `passes` (None where they were not counted) and `seconds` are means per image; `linf` is the largest change in
    grey levels, `success` the mean over images. Figures are None without images. `own_prediction`: there is no label map, so figures refer
    to the model's clean prediction.
    """

    point: GridPoint
    images: int
    pending: int
    errors: tuple[str, ...]
    classes: tuple[str, ...] = ()
    clean: SetFigures | None = None
    adversarial: SetFigures | None = None
    band: Band | None = None
    ratio_band: Band | None = None
    iou_ratio: float | None = None
    success: float | None = None
    linf: float | None = None
    gradient_evaluations: float = 0.0
    seconds: float = 0.0
    own_prediction: bool = False
    left_out: tuple[LeftOut, ...] = ()
    warnings: tuple[str, ...] = ()
    passes: float | None = None
    draws: Band | None = None


@dataclass(frozen=True)
class IterationPoint:
    """A point of the curve over iterations: data-set mIoU and accuracy of the strongest iterates after `index` iterations."""

    index: int
    gradients: int
    miou: float
    pixel_accuracy: float


Pairs = dict[GridPoint, list[tuple[Cell, CellResult | None]]]
"""The cells of each point, image by image, with their results; None where there is none yet."""


def results_at(study: Study, store: Store) -> Pairs:
    """The cells of a study with what is stored of them; raises UserError as `cells`."""
    found: Pairs = {point: [] for point in points(study)}
    for cell, key in keyed_cells(study):
        found[cell.point].append((cell, store.get(key)))
    return found


def table(study: Study, store: Store) -> tuple[Row, ...]:
    """A row for every point of the study, in its order, from what is stored; raises UserError as `cells`."""
    return tuple(row_of(point, [result for _, result in pairs]) for point, pairs in results_at(study, store).items())


def row_of(point: GridPoint, results: Sequence[CellResult | None]) -> Row:
    """The row of one point."""
    there = [result for result in results if result is not None and not result.error]
    left_out = tuple(LeftOut(result.image, result.error) for result in results if result is not None and result.error)
    errors = tuple(dict.fromkeys(lacking.why for lacking in left_out))
    pending = sum(result is None for result in results)
    if not there:
        return Row(point, 0, pending, errors, left_out=left_out)
    clean, adversarial = stacked(there, "clean"), stacked(there, "adversarial")
    before, after = set_figures(clean), set_figures(adversarial)
    attacks = adversarial[None]
    if there[0].member_names:
        attacks = member_counts(there)
        after = worst_figures(attacks)
    band, ratio_band = bootstrap_bands(attacks, clean)
    return Row(
        point=point,
        images=len(there),
        pending=pending,
        errors=errors,
        classes=there[0].classes,
        clean=before,
        adversarial=after,
        band=band,
        ratio_band=ratio_band,
        iou_ratio=after.miou / before.miou if before.miou > 0 else None,
        success=float(np.mean([result.success for result in there])),
        linf=max(result.linf for result in there),
        gradient_evaluations=float(np.mean([result.gradient_evaluations for result in there])),
        seconds=float(np.mean([result.seconds for result in there])),
        own_prediction=there[0].own_prediction,
        left_out=left_out,
        warnings=gathered((result.image, result.notices) for result in there) + rounding_notice(point.settings),
        passes=float(np.mean([result.passes for result in there])) if all(result.passes for result in there) else None,
        draws=range_of_draws(there),
    )


def stacked(results: Sequence[CellResult], name: str) -> np.ndarray:
    """One array of several results, the images in front."""
    return np.stack([getattr(result, name) for result in results])


def member_counts(results: Sequence[CellResult]) -> np.ndarray:
    """The confusion matrices (members,N,C,C) of a suite's attacks."""
    return np.ascontiguousarray(stacked(results, "members").swapaxes(0, 1))


def bootstrap_bands(counts: np.ndarray, clean: np.ndarray) -> tuple[Band | None, Band | None]:
    """The 95 % bands of the data set's mIoU and of its IoU ratio over images: percentiles of seeded resamples.

    `counts` (attacks,N,C,C) are the confusion matrices under each attack of a suite, or under the one attack, `clean` (N,C,C) those
    without. Both figures of a ratio are of the same resample. None for fewer than two images, and a ratio where a clean mIoU is 0.
    """
    images = len(clean)
    if images < 2:
        return None, None
    times = resamples(images, RESAMPLES if len(counts) == 1 else SUITE_RESAMPLES)
    after, before = worst_case.resampled_miou(counts, times), worst_case.resampled_miou(clean[None], times)
    return percentiles(after), percentiles(after / before) if (before > 0).all() else None


def resamples(images: int, number: int, seed: int = 0) -> np.ndarray:
    """How often each image is in each of a number of bootstrap resamples, (number,images)."""
    return np.random.default_rng(seed).multinomial(images, np.full(images, 1 / images), number).astype(float)


def range_of_draws(results: Sequence[CellResult]) -> Band | None:
    """The lowest and the highest mIoU of the data set over the draws of a random defence; None where nothing is random."""
    if not results[0].draws.size:
        return None
    by_draw = mious(stacked(results, "draws").sum(0))
    return float(by_draw.min()), float(by_draw.max())


def percentiles(values: np.ndarray) -> Band:
    """The ends of the 95 % band of resampled values."""
    low, high = np.quantile(values, BAND)
    return float(low), float(high)


def curve_over_iterations(results: Sequence[CellResult]) -> tuple[IterationPoint, ...]:
    """The data set's curve of one point over the iterations of its runs, from results without errors; empty for transfer attacks."""
    if not results or not results[0].curve:
        return ()
    hits = stacked(results, "hits").sum(0).astype(float)
    labelled, predicted = stacked(results, "labelled").sum(0).astype(float), stacked(results, "predicted").sum(0).astype(float)
    miou = worst_case.miou(hits, labelled + predicted - hits)
    accuracy = hits.sum(1) / labelled.sum(1)
    looks = zip(results[0].curve, miou.tolist(), accuracy.tolist(), strict=True)
    return tuple(IterationPoint(look.index, look.gradients, now, right) for look, now, right in looks)


@dataclass(frozen=True)
class SizeRow:
    """Connected components of the labels of at least `smallest` pixels (and below the next row's): how many, and the share of their
    pixels, pooled, that is right before and after the attack; None where there are none."""

    smallest: int
    components: int
    clean: float | None
    adversarial: float | None


def accuracy_by_size(results: Sequence[CellResult], edges: Sequence[int], classes: Sequence[int] | None = None) -> tuple[SizeRow, ...]:
    """Accuracy against the size of the component, over images; of all classes, or of those with the indices `classes`."""
    if not results:
        return ()
    counts = np.sum([result.sizes for result in results], 0)
    counts = counts.sum(0) if classes is None else counts[list(classes)].sum(0)
    return tuple(
        SizeRow(smallest, int(number), before / area if area else None, after / area if area else None)
        for smallest, (number, area, before, after) in zip(edges, counts.tolist(), strict=True)
    )


def as_values(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Rows as JSON values; rates are fractions of 1, `attack` is the row's title and `iou` goes by class name."""
    return [
        {
            "model": row.point.settings.model,
            "attack": row.point.row.title,
            "eps": row.point.settings.eps,
            "steps": row.point.settings.steps,
            "seed": row.point.settings.seed,
            "images": row.images,
            "pending": row.pending,
            "errors": list(row.errors),
            "left_out": [asdict(lacking) for lacking in row.left_out],
            "warnings": list(row.warnings),
            "clean": figures_as_values(row.clean, row.classes),
            "adversarial": figures_as_values(row.adversarial, row.classes),
            "band": row.band,
            "ratio_band": row.ratio_band,
            "iou_ratio": row.iou_ratio,
            "success": row.success,
            "linf": row.linf,
            "gradient_evaluations": row.gradient_evaluations,
            "passes": row.passes,
            "draws": row.draws,
            "reference": "own prediction" if row.own_prediction else "label map",
            "seconds": row.seconds,
            "settings": {key: value for key, value in asdict(row.point.settings).items() if key != "image"},
        }
        for row in rows
    ]


def figures_as_values(figures: SetFigures | None, classes: Sequence[str]) -> dict[str, Any] | None:
    """Figures with the IoU by class name."""
    return None if figures is None else {**asdict(figures), "iou": dict(zip(classes, figures.iou, strict=True))}


def as_csv(rows: Sequence[Row]) -> str:
    """Rows as CSV with a heading; rates are fractions of 1, empty where there is no value, a column of IoU per class."""
    classes = list(dict.fromkeys(name for row in rows for name in row.classes))
    heading = ["model", "attack", "eps", "steps", "seed", "images", "pending", "clean_miou", "miou", "low", "high", "iou_ratio", "nmiou"]
    heading += ["pixel_accuracy", "success", "linf", "gradient_evaluations", "passes", "left_out", "low_draw", "high_draw"]
    heading += [*(f"iou_{name}" for name in classes), "errors"]
    lines = []
    for row in rows:
        settings, after = row.point.settings, row.adversarial
        low, high = row.band or (None, None)
        iou = dict(zip(row.classes, after.iou, strict=True)) if after else {}
        where = [settings.model, row.point.row.title, settings.eps, settings.steps, settings.seed, row.images, row.pending]
        rates = [row.clean and row.clean.miou, after and after.miou, low, high, row.iou_ratio, after and after.nmiou]
        more = [after and after.pixel_accuracy, row.success, row.linf, row.gradient_evaluations, row.passes, len(row.left_out)]
        more += row.draws or (None, None)
        by_class = [iou.get(name) for name in classes]
        lines.append(dict(zip(heading, [*where, *rates, *more, *by_class, "; ".join(row.errors)], strict=True)))
    return csv_of(heading, lines)
