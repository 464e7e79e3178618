"""The commands `models` and `attacks`: what there is, as a table or as JSON."""

import argparse
import sys
from typing import Any

from segviz.attacks.rows import ATTACKS
from segviz.cli.options import Commands, write_json
from segviz.models.zoo import catalogue, configured


def add(commands: Commands) -> None:
    """The two commands and their options."""
    for name, rows in (("models", list_models), ("attacks", list_attacks)):
        listing = commands.add_parser(name, help=f"list the {name}")
        listing.add_argument("--json", action="store_true", help="as JSON on stdout")
        listing.set_defaults(command=list_command, rows=rows)


def list_models() -> list[dict[str, Any]]:
    return [
        {
            "key": entry.key,
            "title": entry.title,
            "state": entry.state,
            "label_set": entry.label_set.name,
            "classes": entry.label_set.classes,
            "bytes": entry.bytes,
            "working_size": entry.working_size,
            "val_miou": entry.val_miou,
            "val_data": entry.val_data if entry.val_miou is not None else None,
            "published": entry.published or None,
            "data": entry.data,
            "licence": entry.licence,
            "sha256": entry.sha256 or None,
            "url": entry.url,
        }
        for entry in catalogue().values()
    ]


def list_attacks() -> list[dict[str, Any]]:
    return [
        {
            "key": entry.key,
            "title": entry.title,
            "summary": entry.summary,
            "formula": entry.formula,
            "paper": entry.paper,
            "url": entry.url,
            "family": entry.family,
            "norms": entry.norms,
            "targeted": entry.takes_target,
            "variants": dict(entry.variants),
            "published": list(entry.published),
            "ours": entry.ours,
        }
        for entry in ATTACKS.values()
    ]


def list_command(options: argparse.Namespace) -> None:
    rows, of_models = options.rows(), options.rows is list_models
    if options.json:
        write_json(rows, None)
    else:
        heading = {name: name.replace("_", " ") for name in MODEL_COLUMNS} if of_models else None
        print_table(rows, MODEL_COLUMNS if of_models else ATTACK_COLUMNS, heading)
    if of_models:
        for fault in configured().faults.values():
            print(fault, file=sys.stderr)


def print_table(rows: list[dict[str, Any]], columns: tuple[str, ...], heading: dict[str, str] | None) -> None:
    """Some of the rows' values in aligned columns."""
    table = [{name: shown(name, row[name]) for name in columns} for row in rows]
    if heading:
        table.insert(0, heading)
    widths = {name: max(len(row[name]) for row in table) for name in columns}
    for row in table:
        print("  ".join(f"{row[name]:<{widths[name]}}" for name in columns).rstrip())


MODEL_COLUMNS = ("key", "state", "label_set", "bytes", "val_miou", "licence", "title")
ATTACK_COLUMNS = ("key", "title")


def shown(name: str, value: Any) -> str:
    """A value of a listing as text."""
    if value is None:
        return "–"
    return {"bytes": lambda: f"{value / 10**6:.1f} MB", "val_miou": lambda: f"{value:.1%}"}.get(name, lambda: str(value))()
