"""Links: the settings of a run as parameters of a URL, and back."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from typing import Any

from segviz.attacks.rows import ATTACKS
from segviz.attacks.transforms import TRANSFORMS
from segviz.defences.titles import WRAPPER_TITLES
from segviz.models.zoo import catalogue
from segviz.settings import GOALS, LABEL_SOURCES, MAX_STEPS, NORMS, Settings
from segviz.ui.kit.words import image_keys

MAX_EPS = 16.0

SHARED = ("model", "wrapper", "image", "goal", "target", "other", "against", "norm", "eps", "seed")
"""Settings that mean the same whatever is attacked how; pages carry them over to one another."""

CHOICES: dict[str, Callable[[], Iterable[Any]]] = {
    "model": lambda: [key + wrapper for key in catalogue() for wrapper in ("", *(f"+{name}" for name in WRAPPER_TITLES if name))],
    "image": lambda: image_keys(),
    "goal": lambda: GOALS,
    "target": lambda: {name for entry in catalogue().values() for name in entry.label_set.classes},
    "against": lambda: LABEL_SOURCES,
    "attack": lambda: ATTACKS,
    "norm": lambda: NORMS,
    "variant": lambda: {name for entry in ATTACKS.values() for name in entry.variants},
    "clip": lambda: (True, False),
}

CHOICES["other"] = CHOICES["target"]

RANGES: dict[str, tuple[type, Any, Any]] = {
    "eps": (float, 0.0, MAX_EPS),
    "steps": (int, 1, MAX_STEPS),
    "alpha": (float, 0.01, 255.0),
    "restarts": (int, 1, 20),
    "seed": (int, 0, 2**31 - 1),
}

TEXTS = {"region": re.compile(r"(class|outside):[\w ]+|polygon:[\d., |-]*"), "layer": re.compile(r"[\w.]+")}


def read_link(query: Mapping[str, str]) -> dict[str, Any]:
    """Settings by name from the parameters of a link; unknown names and values that no widget could have are left out."""
    found: dict[str, Any] = {}
    for name, text in query.items():
        if name in CHOICES:
            known = {str(choice): choice for choice in CHOICES[name]()}
            if text in known:
                found[name] = known[text]
        elif name in RANGES:
            kind, low, high = RANGES[name]
            try:
                value = kind(text)
            except ValueError:
                continue
            if low <= value <= high:
                found[name] = value
        elif name == "transforms":
            found[name] = [key for key in dict.fromkeys(text.split(",")) if key in TRANSFORMS]
        elif name in TEXTS and TEXTS[name].fullmatch(text):
            found[name] = text
    return found


def link_of(settings: Settings) -> dict[str, str]:
    """The parameters of a link that reproduces the settings; defaults are left out."""
    defaults = asdict(Settings())
    changed = {name: value for name, value in asdict(settings).items() if value != defaults[name]}
    return {name: as_text(value) for name, value in changed.items()}


def as_text(value: Any) -> str:
    """A setting as it stands in a link."""
    if isinstance(value, tuple):
        return ",".join(value)
    return f"{value:g}" if isinstance(value, float) else str(value)
