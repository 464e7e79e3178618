"""What pictures on their way to a target map can be taken home as."""

import io
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, fields
from typing import Any

from segviz import draw
from segviz.export import csv_of
from segviz.studies.targets import RATES, Moment, Victim, mean_curve


def targets_zip(victims: Sequence[Victim]) -> bytes:
    """The adversarial pictures as lossless PNGs in a ZIP, named after the photos."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for victim in victims:
            if victim.result is not None and victim.pixels is not None:
                archive.writestr(victim.picture.name.removesuffix(".png") + ".png", draw.png(victim.pixels))
    return data.getvalue()


def targets_csv(victims: Sequence[Victim]) -> str:
    """The curves of all pictures under one another, one row per picture and iteration, and those of their mean; rates as fractions of 1."""

    def rows() -> Iterator[dict[str, Any]]:
        for victim in victims:
            yield from ({"picture": victim.picture.name, **asdict(moment)} for moment in victim.curve)
        means = zip(*(mean_curve(victims, rate) for rate in RATES), strict=True)
        yield from ({"picture": "mean", "index": index, **dict(zip(RATES, rates, strict=True))} for index, rates in enumerate(means))

    return csv_of(["picture", *(field.name for field in fields(Moment))], rows())
