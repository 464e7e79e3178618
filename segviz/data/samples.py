"""The sample photos that ship with the project, each with a label map, a credit and a licence."""

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from segviz.places import ASSETS


@dataclass(frozen=True)
class Sample:
    """A sample photo; `labels` holds ids of `vocabulary`, 255 for void."""

    key: str
    title: str
    photo: Path
    labels: Path
    source: str
    credit: str
    licence: str
    vocabulary: str = "VOC"


@cache
def samples() -> dict[str, Sample]:
    """All samples by key, in the order of `assets/samples/samples.toml`."""
    folder = ASSETS / "samples"
    tables = tomllib.loads((folder / "samples.toml").read_text())
    return {
        key: Sample(
            key=key,
            title=table["title"],
            photo=folder / table["photo"],
            labels=folder / table["labels"],
            source=table["source"],
            credit=table["credit"],
            licence=table["licence"],
        )
        for key, table in tables.items()
    }


def sample_of_file(path: Path) -> Sample | None:
    """The sample whose photo `path` is, if any."""
    return next((sample for sample in samples().values() if sample.photo.resolve() == path.resolve()), None)
