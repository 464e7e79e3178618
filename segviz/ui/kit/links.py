"""Links: one codec between the parameters of a URL and the values of a page's table of fields, and what a link asks for in vain."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from difflib import get_close_matches
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from segviz.attacks.catalog import check_settings
from segviz.attacks.rows import ATTACKS
from segviz.attacks.transforms import TRANSFORMS
from segviz.defences.titles import WRAPPER_TITLES
from segviz.fields import WORDS, Field, Table, fields_of, parameters, parts_of
from segviz.models.zoo import catalogue, model_entry
from segviz.settings import FIELDS, Settings
from segviz.types import UserError
from segviz.ui.kit.fields import OTHERS
from segviz.ui.kit.state import page_state
from segviz.ui.kit.words import REGIONS, image_keys, unformatted

SHARED = ("model", "wrapper", "image", "goal", "target", "other", "against", "norm", "eps", "seed", *OTHERS)
"""Settings that mean the same whatever is attacked how; pages carry them over to one another."""


def model_here(key: str) -> None:
    """Raise UserError for a model that no widget can have."""
    if key not in {base + wrapper for base in catalogue() for wrapper in ("", *(f"+{name}" for name in WRAPPER_TITLES if name))}:
        raise UserError(f"The link asks for the model {key}, which this server does not have. Choose one of those on the left.")


def all_classes() -> set[str]:
    """The classes of all models."""
    return {name for entry in catalogue().values() for name in entry.label_set.classes}


LINK: Table = {
    **FIELDS,
    "model": replace(FIELDS["model"], verify=model_here),
    "image": replace(FIELDS["image"], choices=image_keys),
    "target": replace(FIELDS["target"], choices=all_classes),
    "other": replace(FIELDS["other"], choices=all_classes),
    "attack": replace(FIELDS["attack"], choices=lambda: ATTACKS),
    "variant": replace(FIELDS["variant"], choices=lambda: {"", *(name for entry in ATTACKS.values() for name in entry.variants)}),
    "transforms": replace(FIELDS["transforms"], choices=lambda: TRANSFORMS),
}
"""The table of settings with what only the catalogues know."""

SECOND: Table = {
    "second": Field("second", str, "", choices=lambda: ["", *catalogue()]),
    "alike": Field("alike", bool, False),
}
"""What a link of the lab can say of a second network, besides the settings: which one, and whether it is attacked alike."""
LAB: Table = {**LINK, **SECOND}


def page_table(record: type, *names: str) -> Table:
    """The table of a page: the settings of these names, and the fields of the page's own record but those that are records."""
    own = {name: field for name, field in fields_of(record).items() if field.kind in WORDS}
    return {name: LINK[name] for name in names if name in LINK} | own


@dataclass(frozen=True)
class Link:
    """What a link says: values by name, and a line for each that was not taken."""

    values: Mapping[str, Any]
    refused: tuple[str, ...] = ()


@dataclass
class Refusals:
    """What the link of a page asked for in vain, `place` where it is said, and the `query` that the page made of the rest of the link.

    `fresh` on the first run of the page.
    """

    page: str = ""
    lines: tuple[str, ...] = ()
    fresh: bool = False
    query: Mapping[str, str] | None = None
    place: DeltaGenerator | None = None


Check = Callable[[dict[str, Any], list[str]], None]
"""Takes values out that do not fit together, and adds a line for each to what is refused."""


def read_link(query: Mapping[str, str], table: Table = LINK, check: Check | None = None) -> Link:
    """What the parameters of a link say by a table of fields; `check` looks at what only the page knows.

    Of a list the parts that mean something are taken.
    """
    values: dict[str, Any] = {}
    refused: list[str] = []
    named = {field.link or name: (name, field) for name, field in table.items()}
    for parameter, text in query.items():
        if parameter not in named:
            like = get_close_matches(parameter, named, 1)
            refused.append(f"This page has no setting {parameter!r}." + (f" Perhaps {like[0]} is meant." if like else ""))
            continue
        name, field = named[parameter]
        if field.kind is tuple:
            read_list(field, text, values, refused)
        else:
            try:
                values[name] = meant(field, text, parameter)
            except UserError as error:
                refused.append(str(error))
    names = [name for name in ("target", "other", *REGIONS) if name in values and table[name] in (LINK[name], FIELDS[name])]
    check_classes(names, values, refused)
    if table.get("variant") == LINK["variant"]:
        check_variant(values, refused)
    if table.get("attack") == LINK["attack"]:
        check_attack(values, refused)
    if values.get("goal") == "swap" and None is not values.get("target") == values.get("other"):
        refused.append(f"other is {values.pop('other')!r}; a class cannot be swapped with itself.")
    if check is not None:
        check(values, refused)
    return Link(values, tuple(refused))


def meant(field: Field, text: str, name: str) -> Any:
    """The value of a text, also where a + of a model's key was not encoded, which comes out of a URL as a space."""
    try:
        return field.parse(text, name)
    except UserError:
        if " " not in text:
            raise
        try:
            return field.parse(text.replace(" ", "+"), name)
        except UserError:
            return field.parse(text, name)


def read_list(field: Field, text: str, values: dict[str, Any], refused: list[str]) -> None:
    """Add to `values` what a list in a link holds, and to `refused` what of it means nothing."""
    found = []
    for part in parts_of(text):
        try:
            found.append(meant(field.part, part, field.parameter))
        except UserError as error:
            refused.append(str(error))
    if field.most is not None and len(found) > field.most:
        refused.append(f"{field.parameter} has {len(found)} parts; only the first {field.most} are taken.")
    if found or not text:
        values[field.name] = tuple(dict.fromkeys(found))[: field.most]


def check_classes(names: Sequence[str], values: dict[str, Any], refused: list[str]) -> None:
    """Take the settings out that name a class which the link's model does not have."""
    for name in names:
        kind, _, wanted = values[name].partition(":") if name in REGIONS else ("class", "", values[name])
        if kind in ("class", "outside") and wanted is not None:
            check_class(name, wanted, values, refused)


def check_class(name: str, wanted: str, values: dict[str, Any], refused: list[str]) -> None:
    """Take the value `name`, which names the class `wanted`, out if the link's model does not have that class."""
    classes = model_entry(values.get("model", FIELDS["model"].default)).label_set.classes
    if wanted not in classes:
        allowed = Field(choices=lambda: classes).allowed(wanted)
        refused.append(f"{name} is {values.pop(name)!r}; of the classes of this model it must be {allowed}.")


def check_variant(values: dict[str, Any], refused: list[str]) -> None:
    """Take a variant out that the link's attack does not have."""
    attack = ATTACKS[values.get("attack", FIELDS["attack"].default)]
    if values.get("variant") and values["variant"] not in attack.variants:
        known = f"it must be one of {', '.join(attack.variants)}" if attack.variants else "there are none"
        refused.append(f"variant is {values.pop('variant')!r}; of the variants of {attack.title} {known}.")


OF_THE_ATTACK = ("goal", "norm", "restarts", "layer", "q", "transforms")
"""Settings that not every attack takes."""


def check_attack(values: dict[str, Any], refused: list[str]) -> None:
    """Take the settings out that the link's attack cannot do anything with."""
    plain = Settings(attack=values.get("attack", FIELDS["attack"].default), target="any", other="another")
    for name in OF_THE_ATTACK:
        if name in values:
            try:
                check_settings(replace(plain, **{name: values[name]}))
            except UserError as error:
                refused.append(f"{name} is {FIELDS[name].format(values.pop(name))!r}. {error}")


def open_link(page: str, table: Table, check: Check | None = None) -> dict[str, Any]:
    """The values of the page's link, when it opens and later; says what the link asked for in vain until something is changed.

    `check` as in `read_link`.
    """
    link, kept = read_link(st.query_params.to_dict(), table, check), page_state(Refusals)
    kept.fresh = bool(link.refused)
    if link.refused:
        kept.page, kept.lines, kept.query = page, link.refused, None
    elif kept.page != page:
        kept.page, kept.lines = page, ()
    kept.place = st.empty()
    if kept.lines:
        # What stands in a link is shown as it is, not as Markdown.
        kept.place.warning(unformatted("  \n".join(kept.lines)))
    return dict(link.values)


def write_link(query: Mapping[str, str]) -> None:
    """Make these parameters the page's link."""
    kept = page_state(Refusals)
    if kept.query is None:
        kept.query = query
    elif kept.place is not None and query != kept.query:
        kept.lines = ()
        kept.place.empty()
    st.query_params.from_dict(query)


def link_refused() -> bool:
    """Whether the page is just being opened by a link that asks for something in vain, so that nothing is to start by itself."""
    return page_state(Refusals).fresh


def link_of(settings: Settings) -> dict[str, str]:
    """The parameters of a link that reproduces the settings; defaults are left out."""
    return parameters(asdict(settings), LINK)
