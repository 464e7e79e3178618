"""The user's own models by way of a configuration file, `segviz.toml`."""

from __future__ import annotations

import os
import re
import tomllib
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segviz.data.label_sets import read_label_file
from segviz.deferred import deferred
from segviz.models.entry import ModelEntry
from segviz.models.statements import FIELDS
from segviz.places import folder_of_the_user
from segviz.types import UserError

if TYPE_CHECKING:
    from segviz.models import hub, own
else:
    hub, own = deferred("segviz.models.hub"), deferred("segviz.models.own")


SOURCES = ("factory", "hub", "checkpoint", "checkpoint_part", "labels")
STATED = ("channels", "input_range", "output", "outputs")
"""What can be said of a model behind its key as well: `net.py:build@channels=bgr@outputs=probabilities`."""


def split_statements(key: str) -> tuple[str, dict[str, Any]]:
    """A model key into that of the model and what is said of it behind @; raises UserError with what is wrong there."""
    base, *parts = re.split(rf"@(?=(?:{'|'.join(STATED)})=)", key)
    stated: dict[str, Any] = {}
    for part in parts:
        field, _, value = part.partition("=")
        read, wanted = FIELDS[field]
        try:
            stated[field] = read(float(value) if field == "input_range" else value)
        except (TypeError, ValueError):
            raise UserError(f"{field}={value} behind the model's key is not {wanted}.") from None
    return base, stated


def configuration_file() -> Path:
    """`segviz.toml` in the folder of the user, or the file that SEGVIZ_CONFIG names."""
    chosen = os.environ.get("SEGVIZ_CONFIG")
    return Path(chosen) if chosen else folder_of_the_user() / "segviz.toml"


@dataclass(frozen=True)
class Configuration:
    """The configuration file: its models by key, and by key what is wrong with those that cannot be used ("" for the file as a whole)."""

    entries: dict[str, ModelEntry]
    faults: dict[str, str]


def read_configured(taken: frozenset[str]) -> Configuration:
    """The configuration file as it is now, empty where there is none; keys in `taken` are refused.

    Table by table, so that a wrong one does not take the others along. An entry stays the same object until the configuration or a file
    that its table names changes.
    """
    file = configuration_file()
    if not file.is_file():
        chosen = os.environ.get("SEGVIZ_CONFIG")
        return Configuration({}, {"": f"SEGVIZ_CONFIG names the file {file}, which is not there."} if chosen else {})
    try:
        tables = read_tables(file, file.stat().st_mtime_ns)
    except UserError as error:
        return Configuration({}, {"": str(error)})
    entries, faults = {}, {}
    for key, table in tables.items():
        if key in taken:
            found: ModelEntry | str = "the key belongs to a model of the catalogue; choose another one."
        else:
            found = entry_or_fault(file, key, changes(table, file))
        if isinstance(found, str):
            faults[key] = f"[models.{key}] in {file}: {found}"
        else:
            entries[key] = found
    return Configuration(entries, faults)


@cache
def read_tables(file: Path, changed: int) -> dict[str, dict[str, Any]]:
    """The tables of models by key, read again once the file has `changed`; raises UserError where it is no such file."""
    try:
        found = tomllib.loads(file.read_text())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{file} is no TOML: {error}.") from None
    tables = found.pop("models", {})
    if found or not isinstance(tables, dict) or not all(isinstance(table, dict) for table in tables.values()):
        odd = f"; it has {next(iter(found))}" if found else ""
        raise UserError(f"{file} must hold one table [models.KEY] per model and nothing else{odd}.")
    return tables


def changes(table: dict[str, Any], file: Path) -> tuple[int, ...]:
    """When the configuration was changed, the files that a table of it names, and those beside its factory."""
    named = [file.parent / str(table[field]) for field in ("checkpoint", "labels") if field in table]
    these = tuple(path.stat().st_mtime_ns for path in (file, *named) if path.is_file())
    return these + (own.stamps(file.parent / str(table["factory"]).rpartition(":")[0]) if "factory" in table else ())


@cache
def entry_or_fault(file: Path, key: str, changed: tuple[int, ...]) -> ModelEntry | str:
    """The entry of a table of the configuration, or what is wrong; made again once one of its files has `changed`."""
    try:
        return configured_entry(key, read_tables(file, changed[0])[key], file.parent)
    except UserError as error:
        return str(error)


def configured_entry(key: str, table: dict[str, Any], folder: Path) -> ModelEntry:
    """The entry of one table of the configuration, whose paths are relative to `folder`; raises UserError with what is wrong in it."""
    if set(key) & set("+:/") or key.startswith("upload-"):
        raise UserError("keys have no +, : or / in them and do not begin with upload-.")
    unknown = sorted(set(table) - {*SOURCES, *FIELDS})
    if unknown:
        raise UserError(f"unknown field {unknown[0]}. Known: {', '.join(sorted({*SOURCES, *FIELDS}))}.")
    for field in SOURCES:
        if not isinstance(table.get(field, ""), str):
            raise UserError(f"{field} = {table[field]!r} is no text.")
    stated: dict[str, Any] = {}
    for field, (read, wanted) in FIELDS.items():
        if field in table:
            try:
                stated[field] = read(table[field])
            except (TypeError, ValueError):
                raise UserError(f"{field} = {table[field]!r} is not {wanted}.") from None
    labels = read_label_file(table["labels"], folder) if "labels" in table else None
    if "hub" in table:
        if "factory" in table or "checkpoint" in table:
            raise UserError("hub brings network and weights along; leave out factory and checkpoint.")
        return replace(hub.entry(table["hub"], labels), key=key, **stated)
    if "factory" not in table:
        raise UserError("the field factory is missing.")
    path, name = own.split_factory(table["factory"], folder)
    checkpoint = folder / table["checkpoint"] if "checkpoint" in table else None
    if checkpoint is not None and not checkpoint.is_file():
        raise UserError(f"there is no checkpoint {checkpoint}.")
    made = own.run_factory(path, name)
    if not isinstance(made, own.OwnModel):
        if labels is None:
            raise UserError("the field labels is missing.")
        made = own.OwnModel(made, labels)
    described = own.described_entry(key, path, name, made if labels is None else replace(made, labels=labels))
    told: dict[str, Any] = {
        "title": key,
        "build": partial(own.plain_module, path, name, checkpoint, table.get("checkpoint_part", "")),
    } | stated
    return replace(described, **told)
