"""A result of `segviz.results` as tables: what was set, what was measured and how."""

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from segviz.settings import FIELDS

HOW = {
    "miou": "Mean IoU over the classes in the labels or in the prediction; of a data set from one confusion matrix over all pixels.",
    "pixel_accuracy": "Share of labelled pixels with the right class.",
    "iou_ratio": "Adversarial over clean mIoU (Arnab, Miksik & Torr, 2018).",
    "iou": "Intersection over union of each class; none where the class is in neither map.",
    "success": "Share of the pixels that count for the goal and are as it wants them.",
    "linf": "Largest change of any colour value in grey levels, on the 8-bit picture.",
    "l2": "Euclidean norm of the change, values in 0 to 1.",
    "psnr": "Peak signal-to-noise ratio in dB, on the 8-bit picture.",
    "iterations": "Steps made.",
    "strongest": "The step whose picture, rounded to 8 bits, is the result.",
    "gradient_evaluations": "Backward passes through the network.",
    "passes": "Forward and backward passes through the network, with the looks at the clean picture and at the result.",
    "seconds": "Time spent attacking, waiting not counted.",
    "reference": "What figures are measured against.",
    "device": "Other hardware or another number of threads may round sums otherwise.",
    "nmiou": "Mean over the pictures of their own mIoU (Halmosi & Jelasity).",
    "smallest": "Smallest L-inf norm, in grey levels, that wins 90, 98 and 99 % of the pixels.",
    "naive": "The attack does not know the defence.",
    "adaptive": "The attack goes through the defence, at equal cost.",
    "ssim": "Structural similarity to the source.",
    "max_error": "Largest difference between the scaled picture and the hidden one, in grey levels.",
    "mean_error": "Mean difference between the scaled picture and the hidden one, in grey levels.",
    "map_share": "Share of pixels that get the class they have in the hidden picture.",
    "hidden_share": "Where the scaled picture lies between the honest one (0) and the hidden one (1).",
    "budget": "Gradient evaluations that each attack may spend.",
}
"""How a figure was measured, by the last part of its name."""

TITLES = {
    "miou": "mIoU",
    "iou": "IoU",
    "iou_ratio": "IoU ratio",
    "nmiou": "NmIoU",
    "success": "pixels won",
    "linf": "largest change",
    "l2": "L2 norm of the change",
    "psnr": "PSNR, in dB",
    "ssim": "SSIM",
    "strongest": "strongest step",
}
"""What a report calls a figure that has a name of its own, by the last part of that."""

RATES = (
    "miou",
    "accuracy",
    "success",
    "iou",
    "share",
    "ratio",
    "clean",
    "naive",
    "adaptive",
    "_low",
    "_high",
    "band",
    "changed_pixels",
    "reads",
)
"""Ends of the names of rates in [0,1]."""

WIDE = 8
"""Columns from which on a table of no more records is turned."""

APART = ("warnings", "left_out", "scope")
"""What a report says elsewhere."""


def is_rate(name: str) -> bool:
    """Whether a figure is a rate in [0,1]."""
    parts = name.split(".")
    return parts[-1].endswith(RATES) or bool({"iou", "same_classes"} & set(parts))


def as_text(name: str, value: Any) -> str:
    """A value for people."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        if not math.isfinite(value):
            return str(value)
        return f"{value:.1%}" if is_rate(name) else f"{value:.4g}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(as_text(name, item) for item in value) or "–"
    return str(value) if value != "" else "–"


def flattened(value: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """A record without records in it: their fields have names with dots; lists of records are left out."""
    found: dict[str, Any] = {}
    for name, item in value.items():
        if isinstance(item, Mapping):
            found |= flattened(item, f"{prefix}{name}.")
        elif not is_rows(item):
            found[prefix + name] = item
    return found


def is_rows(value: Any) -> bool:
    """Whether a value is a list of records."""
    return isinstance(value, Sequence) and not isinstance(value, str) and bool(value) and all(isinstance(one, Mapping) for one in value)


def in_words(name: str) -> str:
    """The name of a figure or a setting for people."""
    if name in FIELDS and FIELDS[name].label:
        return FIELDS[name].label
    return ", ".join(TITLES.get(part, part.replace("_", " ")) for part in name.removeprefix("settings.").split("."))


def settings_of(result: Mapping[str, Any]) -> dict[str, Any]:
    """What was set, of a result."""
    return {name: value for name, value in flattened(result).items() if name in FIELDS or name.startswith("settings.")}


def figures_in(result: Mapping[str, Any]) -> dict[str, Any]:
    """What was measured once, of a result."""
    known = settings_of(result)
    found = {name: value for name, value in flattened(result).items() if name not in known and name not in APART}
    return {name: value for name, value in found.items() if value not in (None, [], ())}


def tables_in(result: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """What was measured of several things, by name, of a result."""
    return {name: [flattened(row) for row in rows] for name, rows in result.items() if name not in APART and is_rows(rows)}


def list_html(values: Mapping[str, Any], explained: bool = False) -> str:
    """A row per value, with how it was measured if `explained`."""
    rows = []
    for name, value in values.items():
        unit = FIELDS[name].unit if name in FIELDS else ""
        told = as_text(name, value) + (f" {unit}" if unit and value is not None else "")
        how = HOW.get(name.split(".")[-1], HOW["iou"] if ".iou." in f".{name}" else "")
        last = f'<td class="how">{escape(how)}</td>' if explained else ""
        rows.append(f'<tr><th scope="row">{escape(in_words(name))}</th><td class="number">{escape(told)}</td>{last}</tr>')
    return f"<table>{''.join(rows)}</table>" if rows else ""


def rows_html(rows: Sequence[Mapping[str, Any]]) -> str:
    """A table of records, a row each, or a column each where they are few and wide; what all have in common is said once below."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    same = {name: rows[0].get(name) for name in columns if len(rows) > 1 and all(row.get(name) == rows[0].get(name) for row in rows)}
    differing = [name for name in columns if name not in same and any(row.get(name) not in (None, [], ()) for row in rows)]
    if len(differing) > WIDE >= len(rows):
        across = "".join(
            f'<tr><th scope="row">{escape(in_words(name))}</th>'
            + "".join(f"<td>{escape(as_text(name, row.get(name)))}</td>" for row in rows)
            + "</tr>"
            for name in differing
        )
        return f'<div class="scroll"><table>{across}</table></div>{same_html(same)}'
    head = "".join(f"<th>{escape(in_words(name))}</th>" for name in differing)
    body = "".join("<tr>" + "".join(f"<td>{escape(as_text(name, row.get(name)))}</td>" for name in differing) + "</tr>" for row in rows)
    return f'<div class="scroll"><table><tr>{head}</tr>{body}</table></div>{same_html(same)}'


def same_html(same: Mapping[str, Any]) -> str:
    """What all records of a table have in common."""
    said = "; ".join(f"{in_words(name)}: {as_text(name, value)}" for name, value in same.items() if value not in (None, "", (), []))
    return f'<p class="how">The same for all: {escape(said)}.</p>' if said else ""
