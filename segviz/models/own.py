"""The user's own models: a factory in a Python file, by path or through `segviz.toml`."""

import hashlib
import importlib.util
import os
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from segviz.data.label_sets import LabelSet, plain_label_set, read_label_file
from segviz.models import hub
from segviz.models.checkpoint import load_weights, read_checkpoint, refuse_code
from segviz.models.entry import IMAGENET_MEAN, IMAGENET_STD, ModelEntry, Triple
from segviz.models.fetch import cache_folder
from segviz.types import UserError

APP = Path(__file__).parents[2]
FIELDS = {"title", "factory", "hub", "checkpoint", "labels", "mean", "std", "input_size", "working_size", "licence", "multiple", "layers"}
WORKING_SIZE = 320


@dataclass(frozen=True)
class OwnModel:
    """What a factory may return: a network with its weights, its input statistics on the [0,1] scale, and its label set.

    `labels` is the path of a label file (relative to the factory's file), the name of a known label set, or a LabelSet. `module` takes
    RGB images normalised by `mean` and `std`, squashed to `input_size` (width, height) if that is given.
    """

    module: nn.Module
    labels: str | Path | LabelSet
    mean: Triple = IMAGENET_MEAN
    std: Triple = IMAGENET_STD
    input_size: tuple[int, int] | None = None
    working_size: int = WORKING_SIZE


def configuration_file() -> Path:
    """`segviz.toml` next to the app, or the file that SEGVIZ_CONFIG names."""
    chosen = os.environ.get("SEGVIZ_CONFIG")
    return Path(chosen) if chosen else APP / "segviz.toml"


def configured_entries() -> dict[str, ModelEntry]:
    """The models of the configuration file by key, none where there is no such file; raises UserError where it says something wrong."""
    file = configuration_file()
    if not file.is_file():
        return {}
    return read_configuration(file, file.stat().st_mtime_ns)


@cache
def read_configuration(file: Path, changed: int) -> dict[str, ModelEntry]:
    """Entries of the table `models`; read again once the file has `changed`."""
    try:
        tables = tomllib.loads(file.read_text()).get("models", {})
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{file} is no TOML: {error}.") from None
    if not isinstance(tables, dict) or not all(isinstance(table, dict) for table in tables.values()):
        raise UserError(f"{file} must hold one table [models.KEY] per model.")
    return {key: configured_entry(key, table, file) for key, table in tables.items()}


def configured_entry(key: str, table: dict[str, Any], file: Path) -> ModelEntry:
    """The entry of one table of the configuration."""
    unknown = sorted(set(table) - FIELDS)
    if unknown:
        raise UserError(f"[models.{key}] in {file} has the unknown field {unknown[0]}. Known: {', '.join(sorted(FIELDS))}.")
    source = "hub" if "hub" in table else "factory"
    for field in (source, "labels"):
        if not isinstance(table.get(field), str):
            raise UserError(f"[models.{key}] in {file} needs the field {field}.")
    build: Callable[[], nn.Module]
    if source == "hub":
        build = partial(hub.build, table["hub"])
    else:
        checkpoint = table.get("checkpoint")
        build = partial(plain_module, *split_factory(table["factory"], file.parent), checkpoint and file.parent / checkpoint)
    input_size = table.get("input_size")
    try:
        return ModelEntry(
            key=key,
            title=str(table.get("title", key)),
            build=build,
            label_set=read_label_file(table["labels"], file.parent),
            working_size=positive(table.get("working_size", WORKING_SIZE)),
            mean=triple(table.get("mean", IMAGENET_MEAN)),
            std=triple(table.get("std", IMAGENET_STD)),
            input_size=None if input_size is None else (positive(input_size[0]), positive(input_size[1])),
            multiple=positive(table.get("multiple", 1)),
            layers=tuple(table.get("layers", ())),
            data="the user's own",
            licence=str(table.get("licence", "the user's own")),
        )
    except (TypeError, ValueError, IndexError) as error:
        raise UserError(f"[models.{key}] in {file} has a wrong value: {error}.") from None


UPLOADED: dict[str, ModelEntry] = {}
"""Models whose weights came through the browser, until the server ends."""


def upload(base: ModelEntry, name: str, data: bytes) -> ModelEntry:
    """Make weights that came through the browser a model with the network of `base`, and keep it in the catalogue.

    Raises UserError for anything but safetensors.
    """
    sha256 = hashlib.sha256(data).hexdigest()
    folder = cache_folder() / "uploads"
    file = folder / f"{sha256[:16]}.safetensors"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    except OSError as error:
        raise UserError(f"Cannot write {file}: {error.strerror}.") from None
    try:
        refuse_code(file, name)
        load_weights(base.build(), read_checkpoint(file), name)
    except UserError:
        file.unlink()
        raise
    entry = replace(
        base,
        key=f"upload-{sha256[:8]}",
        title=f"{Path(name).stem} ({base.title})",
        weights=file,
        url=None,
        sha256=sha256,
        val_miou=None,
        published="",
        data=f"uploaded weights in the network of {base.key}",
        licence="the user's own",
        own=True,
    )
    # The same weights stay the same entry, so that the loaded model is found again.
    return UPLOADED.setdefault(entry.key, entry)


def positive(value: object) -> int:
    """A whole number above 0; raises ValueError otherwise."""
    if not isinstance(value, int) or value < 1:
        raise ValueError(f"{value!r} is not a whole number above 0")
    return value


def triple(values: Any) -> Triple:
    """Three numbers; raises ValueError otherwise."""
    if len(values) != 3:
        raise ValueError(f"{values!r} are not three numbers")
    red, green, blue = map(float, values)
    return red, green, blue


def split_factory(text: str, folder: Path = Path()) -> tuple[Path, str]:
    """`file.py:callable` as a path, relative to `folder`, and a name; raises UserError where it is something else."""
    path, colon, name = text.rpartition(":")
    if not colon or not path.endswith(".py") or not name.isidentifier():
        raise UserError(f"'{text}' is no factory. Expected path/to/factory.py:callable.")
    return folder / path, name


def run_factory(path: Path, name: str) -> nn.Module | OwnModel:
    """Import a Python file and call the factory in it; raises UserError where that fails or returns something else."""
    if not path.is_file():
        raise UserError(f"There is no file {path} with a factory.")
    specification = importlib.util.spec_from_file_location(f"segviz_own_{path.stem}", path)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    try:
        specification.loader.exec_module(module)
        factory: Callable[[], object] | None = getattr(module, name, None)
        if not callable(factory):
            raise UserError(f"{path} has no callable {name}.")
        made = factory()
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"The factory {path}:{name} failed: {type(error).__name__}: {error}") from None
    if not isinstance(made, nn.Module | OwnModel):
        raise UserError(f"The factory {path}:{name} returned {type(made).__name__}; expected an nn.Module or segviz.models.own.OwnModel.")
    return made


def plain_module(path: Path, name: str, checkpoint: Path | None) -> nn.Module:
    """The network of a factory, with the weights of a checkpoint if there is one."""
    made = run_factory(path, name)
    module = made.module if isinstance(made, OwnModel) else made
    if checkpoint is not None:
        if not checkpoint.is_file():
            raise UserError(f"There is no checkpoint {checkpoint}.")
        load_weights(module, read_checkpoint(checkpoint), checkpoint.name)
    return module


def factory_entry(key: str) -> ModelEntry:
    """Entry of `path/to/factory.py:callable`; raises UserError as `run_factory` and label files do.

    A plain nn.Module is given images in [0,1] as they are, and gets classes without names, as many as it has outputs.
    """
    path, name = split_factory(key)
    return made_entry(key, path, name, path.stat().st_mtime_ns if path.is_file() else 0)


@cache
def made_entry(key: str, path: Path, name: str, changed: int) -> ModelEntry:
    """`factory_entry`, made again once the file has `changed`."""
    made = run_factory(path, name)
    if isinstance(made, nn.Module):
        made = OwnModel(made, unnamed_classes(made, path.stem), (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
    labels = made.labels if isinstance(made.labels, LabelSet) else read_label_file(str(made.labels), path.parent)
    return ModelEntry(
        key=key,
        title=f"{path.stem}:{name}",
        build=partial(plain_module, path, name, None),
        label_set=labels,
        working_size=made.working_size,
        mean=made.mean,
        std=made.std,
        input_size=made.input_size,
        data="the user's own",
        licence="the user's own",
    )


def unnamed_classes(module: nn.Module, name: str) -> LabelSet:
    """Classes 0, 1, ... of a network, as many as it gives scores to; raises UserError where a picture of 128x96 gets none."""
    try:
        with torch.no_grad():
            scores = module.eval()(torch.zeros(1, 3, 96, 128))
        count = scores.shape[1]
    except Exception as error:
        raise UserError(
            f"{name} fails on a picture of 128x96 pixels ({type(error).__name__}: {error}). "
            "Return an OwnModel with its statistics and label file, or a module that maps (N,3,H,W) in [0,1] to scores (N,C,H,W)."
        ) from None
    return plain_label_set(name, [f"class {index}" for index in range(count)])
