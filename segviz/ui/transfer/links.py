"""What the page says of a study in a link: the values of its own widgets, and which are allowed."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from segviz.attacks.rows import ATTACKS
from segviz.attacks.transforms import TRANSFORMS
from segviz.defences.titles import WRAPPER_TITLES
from segviz.fields import Field, Table, parameters
from segviz.models.keys import split_key
from segviz.models.zoo import catalogue, model_entry
from segviz.settings import FIELDS, Settings
from segviz.studies.first_transfer import EACH, MODELS
from segviz.types import UserError
from segviz.ui.kit.attacks import attack_choices
from segviz.ui.kit.links import LINK, SHARED, link_of
from segviz.ui.kit.models import is_here

VIEWS = {
    "picture": "One picture",
    "matrix": "Source × victim",
    "scales": "Scales (Arnab Table 1)",
    "transforms": "Transforms at equal cost",
    "curves": "Over-fitting curves",
}
DATA = {"samples": "Samples", "photo": "One photo", "folder": "Data-set folder"}
MAX_SOURCES, MAX_VICTIMS, MAX_ATTACKS, MAX_PHOTOS = 6, 8, 4, 1000
COMBINATIONS = ("momentum+di+ti", "momentum+scale")
PLUSSED = tuple("+".join(keys) for keys in EACH)


@dataclass(frozen=True)
class TransferWish:
    """A study as the controls say it: `own` holds what the page's own widgets of this view say, by the names of OWN_FIELDS."""

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


def check_model(key: str) -> None:
    """Raise UserError for a model that cannot be chosen."""
    if not known_model(key):
        raise UserError(f"There is no model '{key}' on this server.")


MODEL = Field(verify=check_model)
OWN_FIELDS: Table = {
    field.name: field
    for field in (
        Field("view", str, "picture", choices=lambda: VIEWS),
        Field("sources", tuple, MODELS[:2], most=MAX_SOURCES, item=MODEL),
        Field("source", str, MODELS[0], verify=check_model),
        Field("victims", tuple, MODELS, most=MAX_VICTIMS, item=MODEL),
        Field("attack", str, "fgsm", choices=attack_choices),
        Field("iterative", str, "pgd", choices=iterative_attacks),
        Field("attacks", tuple, ("fgsm", "ifgsm-ll"), choices=attack_choices, most=MAX_ATTACKS),
        Field("through", tuple, (), choices=lambda: TRANSFORMS),
        Field("with", tuple, ("scale",), choices=lambda: TRANSFORMS),
        Field("each", tuple, PLUSSED, choices=transform_choices),
        FIELDS["steps"],
        Field("data", str, "samples", choices=lambda: DATA),
        Field("folder", str, ""),
        Field("limit", int, 20, low=1, high=MAX_PHOTOS, label="At most so many pairs", tip="The first ones, by name."),
        Field(
            "paper",
            bool,
            False,
            label="Settings of each attack's paper",
            tip="Steps, step size and labels as published for this epsilon, for attacks whose paper gives them.",
        ),
    )
}
"""What the page's own widgets say, by name; the widget of a name has the key `transfer_` and that name."""

TABLE: Table = {**{name: LINK[name] for name in SHARED if name in LINK}, **OWN_FIELDS}
"""What a link of this page can say."""


def link_of_transfer(wish: TransferWish) -> dict[str, str]:
    """The parameters of a link that reproduces the study; defaults are left out, but not the view and epsilon."""
    eps = {"eps": LINK["eps"].format(wish.shared.eps)}
    return {"view": wish.view} | link_of(wish.shared) | eps | parameters(wish.own, OWN_FIELDS)
