"""What a comparison can be taken home as."""

from collections.abc import Sequence
from dataclasses import asdict, fields

from segviz.export import csv_of
from segviz.records import Point
from segviz.studies.compare import Entrant


def comparison_csv(entrants: Sequence[Entrant]) -> str:
    """The curves of all attacks under one another, one row per attack and iteration, rates as fractions of 1."""
    rows = (
        {"attack": entrant.settings.attack, "variant": entrant.settings.variant, **asdict(point)}
        for entrant in entrants
        if entrant.trajectory is not None
        for point in entrant.trajectory.curve
    )
    return csv_of(["attack", "variant", *(field.name for field in fields(Point))], rows)
