"""The user's own models by way of a configuration file, `segviz.toml`."""

import os
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

from segviz.data.label_sets import read_label_file
from segviz.models import hub
from segviz.models.entry import ModelEntry, Triple
from segviz.models.own import WORKING_SIZE, plain_module, split_factory
from segviz.types import UserError

APP = Path(__file__).parents[2]


def text(value: object) -> str:
    """A text; raises TypeError otherwise."""
    if not isinstance(value, str):
        raise TypeError
    return value


def positive(value: object) -> int:
    """A whole number above 0; raises ValueError otherwise."""
    if type(value) is not int or value < 1:
        raise ValueError
    return value


def size(value: Any) -> tuple[int, int]:
    """Width and height; raises TypeError or ValueError otherwise."""
    if not isinstance(value, list):
        raise TypeError
    width, height = map(positive, value)
    return width, height


def triple(value: Any) -> Triple:
    """Three numbers; raises TypeError or ValueError otherwise."""
    if not isinstance(value, list):
        raise TypeError
    red, green, blue = map(float, value)
    return red, green, blue


def deviations(value: Any) -> Triple:
    """Three numbers above 0; raises TypeError or ValueError otherwise."""
    found = triple(value)
    if min(found) <= 0:
        raise ValueError
    return found


def layers(value: Any) -> tuple[str, ...]:
    """Names of modules; raises TypeError otherwise."""
    if not isinstance(value, list):
        raise TypeError
    return tuple(map(text, value))


SOURCES = ("factory", "hub", "checkpoint", "labels")
FIELDS: dict[str, tuple[Callable[[Any], Any], str]] = {
    "title": (text, "a text"),
    "licence": (text, "a text"),
    "mean": (triple, "a list of three numbers"),
    "std": (deviations, "a list of three numbers above 0"),
    "input_size": (size, "[width, height] in pixels"),
    "working_size": (positive, "a whole number above 0"),
    "multiple": (positive, "a whole number above 0"),
    "layers": (layers, "a list of module names"),
}
"""What else a table may say of its model: how it is read, and what it must be."""


def configuration_file() -> Path:
    """`segviz.toml` next to the app, or the file that SEGVIZ_CONFIG names."""
    chosen = os.environ.get("SEGVIZ_CONFIG")
    return Path(chosen) if chosen else APP / "segviz.toml"


@dataclass(frozen=True)
class Configuration:
    """The configuration file: its models by key, and by key what is wrong with those that cannot be used ("" for the file as a whole)."""

    entries: dict[str, ModelEntry]
    faults: dict[str, str]


def read_configured(taken: frozenset[str]) -> Configuration:
    """The configuration file as it is now, empty where there is none; keys in `taken` are refused."""
    file = configuration_file()
    if not file.is_file():
        return Configuration({}, {})
    return read_configuration(file, file.stat().st_mtime_ns, taken)


@cache
def read_configuration(file: Path, changed: int, taken: frozenset[str]) -> Configuration:
    """Table by table, so that a wrong one does not take the others along; read again once the file has `changed`."""
    try:
        tables = tomllib.loads(file.read_text()).get("models", {})
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        return Configuration({}, {"": f"{file} is no TOML: {error}."})
    if not isinstance(tables, dict) or not all(isinstance(table, dict) for table in tables.values()):
        return Configuration({}, {"": f"{file} must hold one table [models.KEY] per model."})
    entries, faults = {}, {}
    for key, table in tables.items():
        try:
            if key in taken:
                raise UserError("the key belongs to a model of the catalogue; choose another one.")
            entries[key] = configured_entry(key, table, file.parent)
        except UserError as error:
            faults[key] = f"[models.{key}] in {file}: {error}"
    return Configuration(entries, faults)


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
    if "factory" not in table or labels is None:
        raise UserError(f"the field {'labels' if 'factory' in table else 'factory'} is missing.")
    checkpoint = folder / table["checkpoint"] if "checkpoint" in table else None
    build = partial(plain_module, *split_factory(table["factory"], folder), checkpoint)
    own = ModelEntry(key, key, build, labels, WORKING_SIZE, data="the user's own", licence="the user's own")
    return replace(own, **stated)
