"""The user's own models: a factory in a Python file."""

import hashlib
import importlib.util
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from segviz.data.label_sets import LabelSet, plain_label_set, read_label_file
from segviz.models.adapt import scores_of
from segviz.models.checkpoint import load_weights, read_checkpoint
from segviz.models.contained import TURNED_FOR, contained, what_it_raised
from segviz.models.entry import IMAGENET_MEAN, IMAGENET_STD, ModelEntry, Triple
from segviz.models.statements import FIELDS
from segviz.types import UserError

WORKING_SIZE = 320
IMPORTING = threading.RLock()
"""Held while a factory is imported and called, as the search path is everyone's."""
IMPORTED: list[str] = []
"""The modules that the last factory imported from files beside it."""


@dataclass(frozen=True)
class OwnModel:
    """What a factory may return: a network with its weights, its input statistics on the [0,1] scale, and its label set.

    `labels` is the path of a label file (relative to the factory's file), the name of a known label set, or a LabelSet. `module` takes
    RGB images normalised by `mean` and `std`, squashed to `input_size` (width, height) if that is given, else brought to a multiple of
    `multiple` pixels; `channels`, `input_range`, `output` and `outputs` as in `ModelEntry`.
    """

    module: nn.Module
    labels: str | Path | LabelSet
    mean: Triple = IMAGENET_MEAN
    std: Triple = IMAGENET_STD
    input_size: tuple[int, int] | None = None
    working_size: int = WORKING_SIZE
    multiple: int = 1
    channels: str = "rgb"
    input_range: float = 1.0
    output: str = ""
    outputs: str = ""


STATEMENTS = ("mean", "std", "input_size", "working_size", "multiple", "channels", "input_range", "output", "outputs")
"""What a factory says of how its network is fed and read."""


def split_factory(text: str, folder: Path = Path()) -> tuple[Path, str]:
    """`file.py:callable` as a path, relative to `folder`, and a name; raises UserError where it is something else."""
    path, colon, name = text.rpartition(":")
    if not colon or not path.endswith(".py") or not name.isidentifier():
        raise UserError(f"'{text}' is no factory. Expected path/to/factory.py:callable.")
    return folder / path, name


def run_factory(path: Path, name: str) -> nn.Module | OwnModel:
    """Import a Python file, which may import files beside it, and call the factory in it.

    Raises UserError where that fails or returns something else.
    """
    if not path.is_file():
        raise UserError(f"There is no file {path} with a factory.")
    folder = str(path.parent.resolve())
    specification = importlib.util.spec_from_file_location(f"segviz_own_{hashlib.sha256(str(path).encode()).hexdigest()}", path)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    with IMPORTING:
        # What was imported for the last factory may have changed since, or be another project's file of the same name.
        for imported in IMPORTED:
            sys.modules.pop(imported, None)
        before = set(sys.modules)
        sys.modules[specification.name] = module
        sys.path.insert(0, folder)
        try:
            with contained() as turned:
                specification.loader.exec_module(module)
                factory: Callable[[], object] | None = getattr(module, name, None)
                if not callable(factory):
                    raise UserError(f"{path} has no callable {name}.")
                made = factory()
        except UserError:
            raise
        except (Exception, SystemExit) as error:
            raise UserError(f"The factory {path}:{name} failed: {what_it_raised(error)}") from None
        finally:
            sys.path.remove(folder)
            beside = {file.stem for file in path.parent.glob("*.py")} | {file.parent.name for file in path.parent.glob("*/__init__.py")}
            IMPORTED[:] = [imported for imported in set(sys.modules) - before if imported.partition(".")[0] in beside]
    if not isinstance(made, nn.Module | OwnModel):
        raise UserError(f"The factory {path}:{name} returned {type(made).__name__}; expected an nn.Module or segviz.models.own.OwnModel.")
    TURNED_FOR[made.module if isinstance(made, OwnModel) else made] = tuple(turned)
    return made


def plain_module(path: Path, name: str, checkpoint: Path | None = None, part: str = "") -> nn.Module:
    """The network of a factory, with the weights of a checkpoint, or of the `part` of it that is called so, if there is one."""
    made = run_factory(path, name)
    module = made.module if isinstance(made, OwnModel) else made
    if checkpoint is not None:
        if not checkpoint.is_file():
            raise UserError(f"There is no checkpoint {checkpoint}.")
        load_weights(module, read_checkpoint(checkpoint, part), checkpoint.name)
    return module


def factory_entry(key: str) -> ModelEntry:
    """Entry of `path/to/factory.py:callable`; raises UserError as `run_factory` and label files do.

    A plain nn.Module is given images in [0,1] as they are, and gets classes without names, as many as it has outputs.
    """
    path, name = split_factory(key)
    return made_entry(key, path, name, stamps(path))


def stamps(path: Path) -> tuple[int, ...]:
    """When a factory's file and those beside it, which it may import, were changed."""
    return tuple(file.stat().st_mtime_ns for file in sorted(path.parent.glob("*.py")))


@cache
def made_entry(key: str, path: Path, name: str, changed: tuple[int, ...]) -> ModelEntry:
    """`factory_entry`, made again once a file has `changed`."""
    made = run_factory(path, name)
    if isinstance(made, nn.Module):
        made = OwnModel(made, unnamed_classes(made, path.stem), (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
    return described_entry(key, path, name, made)


def described_entry(key: str, path: Path, name: str, made: OwnModel) -> ModelEntry:
    """Entry of a model with what its factory says of it; raises UserError for label files and statements that cannot be used."""
    stated: dict[str, Any] = {}
    for field in STATEMENTS:
        value = getattr(made, field)
        if (value is None and field == "input_size") or (isinstance(value, str) and not value):
            continue
        read, wanted = FIELDS[field]
        try:
            stated[field] = read(value if isinstance(value, str | int | float) else list(value))
        except (TypeError, ValueError):
            raise UserError(f"{field} = {value!r} of {path}:{name} is not {wanted}.") from None
    return ModelEntry(
        key=key,
        title=f"{path.stem}:{name}",
        build=partial(plain_module, path, name),
        label_set=made.labels if isinstance(made.labels, LabelSet) else read_label_file(str(made.labels), path.parent),
        data="the user's own",
        licence="the user's own",
        **stated,
    )


def unnamed_classes(module: nn.Module, name: str) -> LabelSet:
    """Classes 0, 1, ... of a network, as many as it has outputs, two for a mask; raises UserError where a picture of 128x96 gets none."""
    try:
        with contained(), torch.no_grad():
            shape = scores_of(module.eval().float()(torch.zeros(1, 3, 96, 128))).shape
    except (Exception, SystemExit) as error:
        raise UserError(
            f"{name} fails on a picture of 128x96 pixels ({what_it_raised(error)}). "
            "Return an OwnModel with its statistics and label file, or a module that maps (N,3,H,W) in [0,1] to scores (N,C,H,W)."
        ) from None
    return plain_label_set(name, [f"class {index}" for index in range(max(shape[1], 2) if len(shape) > 1 else 0)])
