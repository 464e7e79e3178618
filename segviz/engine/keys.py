"""What decides a run: its key is the same for whoever asks for the same thing."""

import dataclasses
import functools
import hashlib
import importlib.metadata
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from segviz.places import CODE

PACKAGE = CODE / "segviz"
LIBRARIES = ("torch", "torchvision", "numpy", "opencv-python-headless", "pillow", "transformers", "segmentation-models-pytorch")


class Sink(Protocol):
    """What takes bytes, as a hash does."""

    def update(self, data: bytes, /) -> object:
        """Take more bytes."""


def content_key(function: Callable[..., Any], arguments: tuple[Any, ...], models: str) -> str | None:
    """A key for a function with its arguments, where `models` says which weights there are; None if they are no plain data."""
    found = hashlib.sha256()
    feed(found, [code_version(), models, f"{function.__module__}:{function.__qualname__}"])
    try:
        feed(found, list(arguments))
    except TypeError:
        return None
    return found.hexdigest()


def feed(sink: Sink, value: Any) -> None:
    """Hash a value so that different ones give different bytes; raises TypeError for what is no plain data."""
    if value is None or isinstance(value, bool | int | float | str | bytes | Path):
        text = value if isinstance(value, bytes) else repr(value).encode()
        sink.update(f"{type(value).__name__} {len(text)} ".encode() + text)
    elif isinstance(value, np.ndarray):
        sink.update(f"array {value.dtype} {value.shape} ".encode() + np.ascontiguousarray(value).tobytes())
    elif isinstance(value, tuple | list):
        sink.update(f"{type(value).__name__} {len(value)} ".encode())
        for item in value:
            feed(sink, item)
    elif isinstance(value, dict):
        feed(sink, [item for pair in value.items() for item in pair])
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        sink.update(f"{type(value).__qualname__} ".encode())
        feed(sink, [getattr(value, field.name) for field in dataclasses.fields(value)])
    else:
        raise TypeError(f"{type(value).__name__} is no plain data")


def texts_in(value: Any) -> Iterator[str]:
    """All texts in plain data."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, tuple | list):
        for item in value:
            yield from texts_in(item)
    elif isinstance(value, dict):
        yield from texts_in(list(value.items()))
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        for field in dataclasses.fields(value):
            yield from texts_in(getattr(value, field.name))


@functools.cache
def code_version() -> str:
    """A hash of this package's code and of the versions of what computes."""
    found = hashlib.sha256()
    for file in sorted(PACKAGE.rglob("*.py")):
        feed(found, [file.relative_to(PACKAGE).as_posix(), file.read_bytes()])
    for library in LIBRARIES:
        try:
            feed(found, [library, importlib.metadata.version(library)])
        except importlib.metadata.PackageNotFoundError:
            continue
    return found.hexdigest()
