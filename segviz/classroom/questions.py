"""Questions that ask for a prediction: what may be answered, and how far an answer is from what was measured.

An answer is a JSON value: a number, the place of a choice, a list of heights of a curve, or a pair of coordinates.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias, TypeGuard

from segviz.types import UserError

Answer: TypeAlias = float | int | list[float]


@dataclass(frozen=True)
class NumberQuestion:
    """A number on a scale from `low` to `high`, both included, in `unit`."""

    ask: str
    low: float
    high: float
    unit: str = ""

    def check(self, value: object) -> Answer:
        """The answer as a float. Raises UserError for anything that is no number on the scale."""
        if not is_number(value) or not self.low <= float(value) <= self.high:
            raise UserError(f"Answer with a number from {self.low:g} to {self.high:g}.")
        return float(value)


@dataclass(frozen=True)
class ChoiceQuestion:
    """One of several maps, by their names."""

    ask: str
    options: tuple[str, ...]

    def check(self, value: object) -> Answer:
        """The answer as a place in `options`, from 0. Raises UserError for anything else."""
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < len(self.options):
            raise UserError(f"Choose one of the {len(self.options)} maps.")
        return value


@dataclass(frozen=True)
class CurveQuestion:
    """A curve drawn over empty axes: a height in [0,1] at each place of `at`, which grow."""

    ask: str
    at: tuple[float, ...]
    x_title: str = ""
    y_title: str = ""

    def check(self, value: object) -> Answer:
        """The answer as a list of heights. Raises UserError where one is missing or outside [0,1]."""
        if not is_numbers(value, len(self.at)):
            raise UserError(f"Draw the curve over all of its {len(self.at)} places, between 0 and 100 %.")
        return [float(height) for height in value]


@dataclass(frozen=True)
class PlaceQuestion:
    """A click on the picture: x and y in [0,1], from its left and from its top."""

    ask: str

    def check(self, value: object) -> Answer:
        """The answer as [x, y]. Raises UserError for a point outside the picture."""
        if not is_numbers(value, 2):
            raise UserError("Click on the picture.")
        return [float(part) for part in value]


Question: TypeAlias = NumberQuestion | ChoiceQuestion | CurveQuestion | PlaceQuestion


def is_number(value: object) -> TypeGuard[int | float]:
    """Whether a JSON value is a finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def is_numbers(value: object, count: int) -> TypeGuard[list[float]]:
    """Whether a JSON value is a list of `count` numbers in [0,1]."""
    return isinstance(value, list) and len(value) == count and all(is_number(one) and 0 <= one <= 1 for one in value)


def mean_distance(guess: Sequence[float], measured: Sequence[float]) -> float:
    """Mean vertical distance of a drawn curve from the measured one, in units of the axis. Raises ValueError for other lengths."""
    return sum(abs(a - b) for a, b in zip(guess, measured, strict=True)) / len(measured)
