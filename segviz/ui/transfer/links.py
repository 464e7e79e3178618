"""What the page says of a study in a link: the values of its own widgets, and which are allowed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from segviz.attacks.rows import ATTACKS
from segviz.attacks.transforms import TRANSFORMS
from segviz.defences.titles import WRAPPER_TITLES
from segviz.models.wrappers import split_key
from segviz.models.zoo import catalogue, model_entry
from segviz.settings import MAX_STEPS, Settings
from segviz.studies.first_transfer import EACH, MODELS
from segviz.ui.kit.attacks import attack_choices
from segviz.ui.kit.links import link_of
from segviz.ui.kit.models import is_here

VIEWS = {
    "picture": "One picture",
    "matrix": "Source × victim",
    "scales": "Scales (Arnab Table 1)",
    "transforms": "Transforms at equal cost",
    "curves": "Over-fitting curves",
}
DATA = {"samples": "Samples", "photo": "One photo", "folder": "Data-set folder"}
MAX_PHOTOS = 1000
COMBINATIONS = ("momentum+di+ti", "momentum+scale")
DEFAULTS: dict[str, Any] = {
    "view": "picture",
    "sources": MODELS[:2],
    "source": MODELS[0],
    "victims": MODELS,
    "attack": "fgsm",
    "iterative": "pgd",
    "attacks": ("fgsm", "ifgsm-ll"),
    "through": (),
    "with": ("scale",),
    "each": tuple("+".join(keys) for keys in EACH),
    "steps": 20,
    "data": "samples",
    "folder": "",
    "limit": 20,
    "paper": False,
}
"""What the page's own widgets start with, by name; the widget of a name has the key `transfer_` and that name."""
LISTS = ("sources", "victims", "attacks", "through", "with", "each")


@dataclass(frozen=True)
class TransferWish:
    """A study as the controls say it: `own` holds what the page's own widgets of this view say, by the names of DEFAULTS."""

    view: str
    shared: Settings
    own: Mapping[str, Any]


def known_model(key: str) -> bool:
    """Whether a key is that of a model of the catalogue that is here, with any known wrappers."""
    base, names = split_key(key)
    return base in catalogue() and is_here(model_entry(base)) and all(name in WRAPPER_TITLES for name in names)


def transform_choices() -> list[str]:
    """What an attack can be tried through, one transform or several joined by +."""
    return [*TRANSFORMS, *COMBINATIONS]


def iterative_attacks() -> list[str]:
    """The attacks of `attack_choices` that take more than one step."""
    return [name for name, settings in attack_choices().items() if not ATTACKS[settings.attack].one_step]


CHECKS: dict[str, Callable[[str], bool]] = {
    "view": lambda text: text in VIEWS,
    "source": known_model,
    "sources": known_model,
    "victims": known_model,
    "attack": lambda text: text in attack_choices(),
    "iterative": lambda text: text in iterative_attacks(),
    "attacks": lambda text: text in attack_choices(),
    "through": lambda text: text in TRANSFORMS,
    "with": lambda text: text in TRANSFORMS,
    "each": lambda text: text in transform_choices(),
    "steps": lambda text: text.isdecimal() and 1 <= int(text) <= MAX_STEPS,
    "data": lambda text: text in DATA,
    "folder": lambda text: True,
    "limit": lambda text: text.isdecimal() and 1 <= int(text) <= MAX_PHOTOS,
    "paper": lambda text: text == "True",
}


def read_own(query: Mapping[str, str]) -> dict[str, Any]:
    """The page's own settings from the parameters of a link; what no widget could have is left out."""
    found: dict[str, Any] = {}
    for name, default in DEFAULTS.items():
        text = query.get(name)
        if text is None:
            continue
        if name in LISTS:
            parts = tuple(dict.fromkeys(part for part in text.split(",") if CHECKS[name](part)))
            if parts or not text:
                found[name] = parts
        elif CHECKS[name](text):
            found[name] = type(default)(text)
    return found


def link_of_transfer(wish: TransferWish) -> dict[str, str]:
    """The parameters of a link that reproduces the study; defaults are left out, but not the view and epsilon."""
    link = link_of(wish.shared) | {"eps": f"{wish.shared.eps:g}"}
    for name, value in wish.own.items():
        if value != DEFAULTS[name]:
            link[name] = ",".join(value) if name in LISTS else str(value)
    return {"view": wish.view} | link
