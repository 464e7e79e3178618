"""Results that are kept: files of plain data, found by the content that decides them, the oldest given up first.

A file has a line of JSON that tells the records and their arrays, then the arrays, compressed. Nothing in it is run: what it names are
frozen dataclasses of this package, anything else makes it worthless.
"""

import dataclasses
import hashlib
import importlib
import json
import logging
import math
import os
import threading
import zlib
from collections.abc import Sequence
from enum import Enum, EnumType
from pathlib import Path
from typing import Any

import numpy as np

from segviz.models.fetch import cache_folder

LIMIT_MB = 512
VERSION = 1
NEAR = 20.0
"""Mean distance below which an array is stored as the difference from another."""

KINDS = ("uint8", "int64", "int32", "float32", "float64", "bool")

logger = logging.getLogger(__name__)


def limit() -> int:
    """Bytes that kept results may take: SEGVIZ_RUNS_MB megabytes, 512 by default or where that is no number; 0 keeps none."""
    text = os.environ.get("SEGVIZ_RUNS_MB", "")
    return (int(text) if text.isdecimal() else LIMIT_MB) * 10**6


def kept_file(key: str) -> Path:
    """Where the result of that key is, or would be."""
    return cache_folder() / "runs" / f"{key}.run"


def content_of(array: np.ndarray) -> tuple[str, tuple[int, ...], bytes]:
    """What makes two arrays the same."""
    return array.dtype.name, array.shape, hashlib.sha256(np.ascontiguousarray(array).tobytes()).digest()


class Packer:
    """Values as plain data, with their arrays apart, the `known` ones in front; an array that occurs twice is stored once."""

    def __init__(self, known: Sequence[np.ndarray] = ()) -> None:
        self.arrays: list[np.ndarray] = list(known)
        self._places = {content_of(array): number for number, array in enumerate(known)}

    def pack(self, value: Any) -> Any:
        """Plain data for a value; raises TypeError for what is none."""
        if value is None or isinstance(value, bool | int | float | str):
            return value
        if isinstance(value, np.ndarray) and value.dtype.name in KINDS:
            place = self._places.setdefault(content_of(value), len(self.arrays))
            if place == len(self.arrays):
                self.arrays.append(value)
            return {"array": place}
        if isinstance(value, tuple | list):
            return {type(value).__name__: [self.pack(item) for item in value]}
        if isinstance(value, dict):
            return {"dict": [[self.pack(name), self.pack(item)] for name, item in value.items()]}
        if isinstance(value, Enum):
            return {"choice": f"{type(value).__module__}:{type(value).__qualname__}", "name": value.name}
        if is_record(type(value)):
            names = [field.name for field in dataclasses.fields(value)]
            kind = f"{type(value).__module__}:{type(value).__qualname__}"
            return {"record": kind, "fields": {name: self.pack(getattr(value, name)) for name in names}}
        raise TypeError(f"{type(value).__name__} is no plain data")


def is_record(kind: Any) -> bool:
    """Whether it is a frozen dataclass of this package."""
    return isinstance(kind, type) and kind.__module__.startswith("segviz.") and dataclasses.is_dataclass(kind) and frozen(kind)


def frozen(kind: Any) -> bool:
    """Whether a dataclass is frozen."""
    return bool(kind.__dataclass_params__.frozen)


def unpack(value: Any, arrays: list[np.ndarray]) -> Any:
    """What `Packer.pack` packed; raises ValueError or TypeError for anything else."""
    if not isinstance(value, dict):
        return value
    if "array" in value:
        return arrays[value["array"]]
    if "tuple" in value:
        return tuple(unpack(item, arrays) for item in value["tuple"])
    if "list" in value:
        return [unpack(item, arrays) for item in value["list"]]
    if "dict" in value:
        return {unpack(name, arrays): unpack(item, arrays) for name, item in value["dict"]}
    module, _, name = value["choice" if "choice" in value else "record"].partition(":")
    if not module.startswith("segviz."):
        raise ValueError(f"{module} is not of this package")
    kind = getattr(importlib.import_module(module), name, None)
    if "choice" in value and isinstance(kind, EnumType):
        return kind[value["name"]]
    if not is_record(kind):
        raise ValueError(f"{name} is no record")
    return kind(**{field: unpack(item, arrays) for field, item in value["fields"].items()})  # type: ignore[misc]


def distance_modulo(one: np.ndarray, other: np.ndarray) -> float:
    """How far the values of two uint8 arrays of one shape are apart, modulo 256."""
    difference = one - other
    return float(np.minimum(difference, 0 - difference).mean())


def to_bytes(value: Any, known: Sequence[np.ndarray] = (), small: bool = False) -> bytes:
    """A result as the bytes of a file, without the arrays that the reader knows; raises TypeError for what is no plain data.

    A `small` file takes its time to be made.
    """
    packer = Packer(known)
    tree = packer.pack(value)
    blobs, facts = [], []
    whole: dict[tuple[int, ...], list[int]] = {}
    for number, array in enumerate(packer.arrays):
        like = None
        data = np.ascontiguousarray(array)
        if array.dtype == np.uint8:
            # Iterates differ little from the picture: their differences take half the room.
            nearest = min(whole.get(array.shape, ()), key=lambda other: distance_modulo(data, packer.arrays[other]), default=None)
            if number >= len(known) and nearest is not None and distance_modulo(data, packer.arrays[nearest]) < NEAR:
                like, data = nearest, data - packer.arrays[nearest]
            else:
                whole.setdefault(array.shape, []).append(number)
        if number < len(known):
            continue
        coder = zlib.compressobj(1, strategy=zlib.Z_HUFFMAN_ONLY if array.ndim == 3 else zlib.Z_DEFAULT_STRATEGY)
        quick = coder.compress(data.tobytes()) + coder.flush()
        blobs.append(min(quick, zlib.compress(data.tobytes(), 9), key=len) if small else quick)
        facts.append({"kind": array.dtype.name, "shape": array.shape, "like": like, "bytes": len(blobs[-1])})
    return json.dumps({"version": VERSION, "arrays": facts, "tree": tree}).encode() + b"\n" + b"".join(blobs)


def from_bytes(data: bytes, known: Sequence[np.ndarray] = ()) -> Any:
    """The result in the bytes of a file, written with the same `known` arrays; raises one of several errors for anything else."""
    line, _, rest = data.partition(b"\n")
    head = json.loads(line)
    if head["version"] != VERSION:
        raise ValueError("another version")
    arrays: list[np.ndarray] = list(known)
    for fact in head["arrays"]:
        if fact["kind"] not in KINDS:
            raise ValueError(f"arrays of {fact['kind']}")
        kind = np.dtype(fact["kind"])
        size = math.prod(fact["shape"]) * kind.itemsize
        plain = zlib.decompressobj().decompress(rest[: fact["bytes"]], size + 1)
        rest = rest[fact["bytes"] :]
        if len(plain) != size:
            raise ValueError("an array of another size")
        array = np.frombuffer(plain, kind).reshape(fact["shape"])
        arrays.append(array if fact["like"] is None else array + arrays[fact["like"]])
    return unpack(head["tree"], arrays)


def size_when_read(data: bytes) -> int:
    """Bytes that the arrays of such a file take once it is read, as it says itself; raises as `from_bytes` for what is none."""
    head = json.loads(data.partition(b"\n")[0])
    return sum(abs(math.prod(fact["shape"])) * np.dtype(fact["kind"]).itemsize for fact in head["arrays"])


def write(file: Path, value: Any) -> None:
    """Keep a result, and give up the oldest ones beyond the limit. What cannot be kept is not: that costs a later run, nothing else."""
    try:
        data = to_bytes(value)
    except TypeError:
        return
    part = file.with_name(f"{file.name}.{os.getpid()}.{threading.get_ident()}.part")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(data)
        os.replace(part, file)
        make_room(file.parent)
    except OSError as error:
        part.unlink(missing_ok=True)
        logger.warning("A result could not be kept: %s", error)


def make_room(folder: Path) -> None:
    """Remove the results that were used least recently, until the rest is within the limit."""
    files = [(file.stat().st_mtime_ns, file.stat().st_size, file) for file in folder.glob("*.run")]
    total = sum(size for _, size, _ in files)
    for _, size, file in sorted(files):
        if total <= limit():
            return
        file.unlink(missing_ok=True)
        total -= size


def restore(file: Path) -> Any | None:
    """A kept result, None if there is none; a file that is damaged is removed."""
    if not limit() or not file.is_file():
        return None
    try:
        value = from_bytes(file.read_bytes())
        os.utime(file)
        return value
    except Exception as error:
        logger.warning("A kept result was damaged and is removed: %s", error)
        file.unlink(missing_ok=True)
        return None
