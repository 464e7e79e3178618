"""What can be stated of a model, in a configuration or by a factory: how each statement is read, and what it must be."""

from collections.abc import Callable
from typing import Any

from segviz.models.entry import CHANNELS, OUTPUTS, Triple


def text(value: object) -> str:
    """A text; raises TypeError otherwise."""
    if not isinstance(value, str):
        raise TypeError
    return value


def positive_number(value: object) -> int:
    """A whole number above 0; raises ValueError otherwise."""
    if type(value) is not int or value < 1:
        raise ValueError
    return value


def size(value: Any) -> tuple[int, int]:
    """Width and height; raises TypeError or ValueError otherwise."""
    if not isinstance(value, list):
        raise TypeError
    width, height = map(positive_number, value)
    return width, height


def triple(value: Any) -> Triple:
    """Three numbers of 0 to 1; raises TypeError or ValueError otherwise."""
    if not isinstance(value, list):
        raise TypeError
    red, green, blue = map(float, value)
    if not 0 <= min(red, green, blue) <= max(red, green, blue) <= 1:
        raise ValueError
    return red, green, blue


def deviations(value: Any) -> Triple:
    """Three numbers above 0 and up to 1; raises TypeError or ValueError otherwise."""
    found = triple(value)
    if min(found) <= 0:
        raise ValueError
    return found


def one_of(*known: str) -> Callable[[Any], str]:
    """A reader of one of some words; it raises ValueError otherwise."""

    def read(value: Any) -> str:
        if value not in known:
            raise ValueError
        return str(value)

    return read


def factor(value: Any) -> float:
    """A number above 0; raises TypeError or ValueError otherwise."""
    if isinstance(value, bool | str) or not float(value) > 0:
        raise ValueError
    return float(value)


def layers(value: Any) -> tuple[str, ...]:
    """Names of modules; raises TypeError otherwise."""
    if not isinstance(value, list):
        raise TypeError
    return tuple(map(text, value))


FIELDS: dict[str, tuple[Callable[[Any], Any], str]] = {
    "title": (text, "a text"),
    "licence": (text, "a text"),
    "mean": (triple, "a list of three numbers of 0 to 1; divide those of grey levels by 255"),
    "std": (deviations, "a list of three numbers above 0 and up to 1; divide those of grey levels by 255"),
    "input_size": (size, "[width, height] in pixels"),
    "working_size": (positive_number, "a whole number above 0"),
    "multiple": (positive_number, "a whole number above 0"),
    "layers": (layers, "a list of module names"),
    "channels": (one_of(*CHANNELS), "'rgb' or 'bgr', the order that the network takes them in"),
    "input_range": (factor, "a number above 0: 255 for a network that takes grey levels"),
    "output": (text, "a text: the name or the number of the scores in what the network returns"),
    "outputs": (one_of(*OUTPUTS[1:]), "'scores' or 'probabilities'"),
}
"""By the name of the statement: what reads a value or raises TypeError or ValueError, and what the value must be."""
