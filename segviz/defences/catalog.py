"""From the name of a wrapper or a defence, as it stands in a model key, to the thing itself."""

from __future__ import annotations

import math
from functools import cache
from typing import TYPE_CHECKING

from segviz.attacks.catalog import gradients_of
from segviz.defences.rows import DEFENCES, DefenceEntry
from segviz.models.keys import WRAPPER_PASSES, split_key
from segviz.settings import Settings
from segviz.types import UserError

if TYPE_CHECKING:
    from segviz.models.segmenter import Segmenter


def defence_entry(name: str) -> DefenceEntry:
    """Entry of a defence by its key, with or without values; raises UserError for an unknown one."""
    key = name.partition("=")[0]
    if key not in DEFENCES:
        raise UserError(f"Unknown defence '{key}'. Known: {', '.join(DEFENCES)}.")
    return DEFENCES[key]


def values_of(name: str) -> tuple[float, ...]:
    """The values of a defence's parameters: those of a name such as `random-noise=8,4`, defaults for the rest.

    Raises UserError for an unknown defence, too many values, or one out of range.
    """
    entry = defence_entry(name)
    texts = name.partition("=")[2].split(",") if "=" in name else []
    if len(texts) > len(entry.parameters):
        raise UserError(f"{entry.title} takes {len(entry.parameters)} values, not {len(texts)}. Leave some out.")
    values = [parameter.default for parameter in entry.parameters]
    for number, (text, parameter) in enumerate(zip(texts, entry.parameters, strict=False)):
        kind = type(parameter.default)
        try:
            value = kind(text)
        except ValueError:
            value = float("nan")
        if not parameter.low <= value <= parameter.high:
            raise UserError(
                f"{parameter.title} of {entry.title} is '{text}'; it must be {'a whole number' if kind is int else 'a number'} "
                f"between {parameter.low:g} and {parameter.high:g}."
            )
        values[number] = value
    return tuple(values)


def name_of(key: str, values: tuple[float, ...]) -> str:
    """The name of a defence with its values, as it stands in a model key; plain where they are the defaults."""
    defaults = tuple(parameter.default for parameter in defence_entry(key).parameters)
    return key if values == defaults else f"{key}={','.join(f'{value:g}' for value in values)}"


def wrap(model: Segmenter, name: str) -> Segmenter:
    """The wrapper or defence `name` around `model`; raises UserError for an unknown name or values out of range."""
    from segviz.models.wrappers import WRAPPERS

    check_name(name)
    key = name.partition("=")[0]
    return DEFENCES[key].build(model, *values_of(name)) if key in DEFENCES else WRAPPERS[key](model)


def check_name(name: str) -> None:
    """Raise UserError unless `name` is a wrapper or a defence, with values in range."""
    key, equals, _ = name.partition("=")
    if key in DEFENCES:
        values_of(name)
    elif key not in WRAPPER_PASSES:
        raise UserError(f"Unknown wrapper '{key}'. Known: {', '.join(dict.fromkeys([*WRAPPER_PASSES, *DEFENCES]))}.")
    elif equals:
        raise UserError(f"The wrapper '{key}' takes no values. Leave out what follows '='.")


@cache
def passes_of_key(key: str) -> int:
    """Passes through the network that one look of an attack at the model of that key takes; raises UserError as `wrap`."""
    return math.prod(wrapper_passes(name) for name in split_key(key)[1])


def wrapper_passes(name: str) -> int:
    """By what factor a wrapper or a defence raises the passes of a look; raises UserError as `wrap`."""
    check_name(name)
    key = name.partition("=")[0]
    return DEFENCES[key].passes(*values_of(name)) if key in DEFENCES else WRAPPER_PASSES[key]


def evaluations_of(settings: Settings, source: str = "") -> int:
    """Gradient evaluations per image of a whole run on the `source`, by default the settings' model, counted as in `Step`."""
    return gradients_of(settings) * passes_of_key(source or settings.model)
