"""The grid of a study as widgets: models, attacks, radii, steps, pictures, seeds; they live in the link of their page."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import streamlit as st

from segviz.attacks.rows import ATTACKS
from segviz.attacks.transforms import TRANSFORMS
from segviz.data.samples import samples
from segviz.defences.titles import WRAPPER_TITLES, short_title
from segviz.fields import Field, Table
from segviz.models.zoo import catalogue, model_entry
from segviz.settings import FIELDS, LABEL_SOURCES, Settings
from segviz.studies.grid import SAMPLES, AttackRow, Images, Study, points
from segviz.studies.lines import attack_name
from segviz.studies.plot import EPS_NAMES
from segviz.types import UserError
from segviz.ui.kit.attacks import attack_choices
from segviz.ui.kit.fields import OTHERS, choice, number, other_controls
from segviz.ui.kit.models import is_here, model_keys, model_title
from segviz.ui.kit.state import put
from segviz.ui.kit.words import LABEL_TITLES, NORM_TITLES, image_title

SHARED_BY_ALL = ("norm", "against", *OTHERS)
"""Settings that all runs of a grid of the page share."""
STEP_MARKS = (1, 2, 3, 5, 10, 20, 50, 100, 200, 300)
MAX_LISTED = 16
"""Largest radius, in grey levels, that the list offers; larger ones are typed."""
MAX_SEEDS = 10
MAX_POINTS = 2000
ROW = re.compile(
    r"(?P<attack>[\w-]+)(?: (?P<variant>[\w-]+))?(?P<transforms>(?:\+[a-z][\w-]*)*)(?:@(?P<steps>\d+))?(?:<(?P<source>[^\s,<]+))?"
)
FORM = "Write the key of an attack, such as pgd; pgd@3 for 3 steps of its own; pgd<voc7-fcn8s for pictures made on another model."


def written_attack(text: str) -> AttackRow:
    """An attack as it stands in a link: key, space and variant, + transforms, @ steps of its own, < model that the pictures are made on.

    Raises UserError where the text means no attack.
    """
    parts = ROW.fullmatch(text.strip())
    if parts is None or parts["attack"] not in ATTACKS:
        raise UserError(f"'{text}' is no attack. {FORM}")
    attack, variant = parts["attack"], parts["variant"] or ""
    if variant and variant not in ATTACKS[attack].variants:
        raise UserError(f"{ATTACKS[attack].title} has no variant '{variant}'. Known: {', '.join(ATTACKS[attack].variants) or 'none'}.")
    transforms = tuple(name for name in parts["transforms"].split("+") if name)
    unknown = [name for name in transforms if name not in TRANSFORMS]
    if unknown:
        raise UserError(f"There is no input transform '{unknown[0]}'. Known: {', '.join(TRANSFORMS)}.")
    steps = FIELDS["steps"].parse(parts["steps"]) if parts["steps"] else None
    if parts["source"]:
        model_entry(parts["source"])
    return AttackRow(attack, variant=variant, transforms=transforms, steps=steps, source=parts["source"] or "")


def attack_text(row: AttackRow) -> str:
    """The inverse of `written_attack`."""
    steps = row.own("steps")
    return (
        f"{row.attack} {row.own('variant') or ''}".strip()
        + "".join(f"+{name}" for name in row.own("transforms") or ())
        + (f"@{steps}" if steps is not None else "")
        + (f"<{row.source}" if row.source else "")
    )


def eps_title(text: str) -> str:
    """A radius as it stands on the axis."""
    try:
        return EPS_NAMES.get(float(text), text)
    except ValueError:
        return text


TABLE: Table = {
    field.name: field
    for field in (
        Field("models", tuple, choices=lambda: all_models(), label="Models"),
        Field("attacks", tuple, item=Field(verify=written_attack), label="Attacks", tip=FORM),
        Field(
            "eps",
            tuple,
            item=replace(FIELDS["eps"], low=0.01),
            label=FIELDS["eps"].label,
            tip="Largest change of any colour value, in grey levels out of 255. Others than these can be typed.",
        ),
        Field(
            "steps",
            tuple,
            item=FIELDS["steps"],
            label=FIELDS["steps"].label,
            tip="Every attack runs once with each number, but those that take one step or have steps of their own (pgd@3).",
        ),
        Field("seeds", int, 1, low=1, high=MAX_SEEDS, label="Seeds", tip="Runs with the seeds 0, 1, ..."),
        Field("images", tuple, choices=samples),
        Field("data"),
        Field("split"),
        Field("limit", int, optional=True, low=1, label="First pictures"),
        *(FIELDS[name] for name in SHARED_BY_ALL),
    )
}
"""What the page of a study and its link can say; `data` is a folder."""


def numbers(field: Field, texts: Iterable[str]) -> tuple[Any, ...]:
    """The numbers of a list, in rising order and each once; raises UserError for what is no number, or out of range."""
    return tuple(sorted({field.part.parse(text, field.name) for text in texts}))


def read_grid(link: Mapping[str, Any], default: Study) -> Study:
    """The grid of the values of a link; what is missing is taken from `default`."""
    images = default.images
    if "data" in link:
        images = Images(link["data"], split=link.get("split") or None, limit=link.get("limit"))
    elif "images" in link:
        images = Images(names=link["images"])
    return Study(
        "page",
        link.get("models") or default.models,
        tuple(map(written_attack, link.get("attacks", ()))) or default.attacks,
        tuple(sorted(link.get("eps") or default.eps)),
        tuple(sorted(link.get("steps") or default.steps)),
        tuple(range(link["seeds"])) if "seeds" in link else default.seeds,
        images,
        replace(default.base, **{name: link[name] for name in SHARED_BY_ALL if name in link}),
    )


def link_of_grid(study: Study, default: Study) -> dict[str, str]:
    """The parameters of a link that reproduces a grid of the page; what is as in `default` is left out."""
    before = grid_values(default)
    return {name: TABLE[name].format(value) for name, value in grid_values(study).items() if value != before.get(name)}


def grid_values(study: Study) -> dict[str, Any]:
    """What a link says of a grid of the page, by the names of `TABLE`."""
    images = study.images
    if images.folder == SAMPLES:
        where: dict[str, Any] = {"images": images.names}
    else:
        where = {"data": images.folder, "split": images.split, "limit": images.limit}
    return {
        "models": study.models,
        "attacks": tuple(map(attack_text, study.attacks)),
        "eps": study.eps,
        "steps": study.steps,
        **{name: value for name, value in where.items() if value is not None},
        "seeds": len(study.seeds),
        **{name: getattr(study.base, name) for name in SHARED_BY_ALL},
    }


def all_models() -> list[str]:
    """Keys of the models that are on this machine, alone first, then with each wrapper."""
    here = [key for key in model_keys() if is_here(catalogue()[key])]
    return [*here, *(f"{key}+{wrapper}" for wrapper in WRAPPER_TITLES if wrapper for key in here)]


def fill_grid(study: Study, page: str) -> None:
    """Put a grid into the state of a page's widgets, whose keys begin with `page`."""
    images = study.images
    values = {
        "models": list(study.models),
        "attacks": [attack_text(row) for row in study.attacks],
        "eps": [TABLE["eps"].part.format(eps) for eps in study.eps],
        "steps": [str(steps) for steps in study.steps],
        "from": "Samples" if images.folder == SAMPLES else "Folder",
        "images": list(images.names) if images.folder == SAMPLES else [],
        "folder": "" if images.folder == SAMPLES else images.folder,
        "split": images.split or "",
        "limit": images.limit,
        "seeds": len(study.seeds),
        **{name: getattr(study.base, name) for name in SHARED_BY_ALL},
    }
    put(f"{page}_", values)


def grid_controls(page: str, default: Study) -> Study:
    """Draw the controls of a page and return what they say, `default` itself where they say the same.

    Raises UserError where that makes no study.
    """
    models, attacks, eps, steps = grid_models(page), grid_attacks(page), grid_radii(page), grid_steps(page)
    images = images_controls(page)
    seeds = number(TABLE["seeds"], f"{page}_seeds")
    with st.expander("More settings", key=f"{page}_more"):
        norm = choice(TABLE["norm"], NORM_TITLES, key=f"{page}_norm")
        against = st.segmented_control(
            "Attack against",
            LABEL_SOURCES,
            required=True,
            format_func=LABEL_TITLES.__getitem__,
            help="Which labels the attack breaks. Figures are always against the label maps.",
            key=f"{page}_against",
            persist_state="session",
        )
        others = other_controls(f"{page}_")
    for chosen, what in ((models, "model"), (attacks, "attack"), (eps, "epsilon"), (steps, "number of steps")):
        if not chosen:
            raise UserError(f"Choose at least one {what}.")
    study = Study(
        "page",
        tuple(models),
        tuple(written_attack(text) for text in attacks),
        numbers(TABLE["eps"], eps),
        numbers(TABLE["steps"], steps),
        tuple(range(seeds)),
        images,
        Settings(norm=norm, against=str(against), **others),
    )
    count = len(points(study))
    if count > MAX_POINTS:
        raise UserError(f"This grid has {count} points, more than the {MAX_POINTS} that one page can show. Choose fewer of something.")
    return default if link_of_grid(study, default) == {} else study


def written_title(text: str) -> str:
    """The title of an attack of the list, or the text itself where it means none."""
    try:
        return attack_name(written_attack(text))
    except UserError:
        return text


def grid_models(page: str) -> list[str]:
    """The choice of the models."""
    chosen: list[str] = st.multiselect(
        "Models",
        [*dict.fromkeys([*all_models(), *st.session_state[f"{page}_models"]])],
        format_func=lambda key: model_title(key) if key in catalogue() else short_title(key),
        placeholder="Choose models",
        select_all=False,
        key=f"{page}_models",
        persist_state="session",
    )
    return chosen


def grid_attacks(page: str) -> list[str]:
    """The choice of the attacks; others than those of the list can be typed."""
    chosen: list[str] = st.multiselect(
        "Attacks",
        [*dict.fromkeys([*attack_choices(), *st.session_state[f"{page}_attacks"]])],
        format_func=written_title,
        accept_new_options=True,
        placeholder="Choose attacks",
        select_all=False,
        help=FORM,
        key=f"{page}_attacks",
        persist_state="session",
    )
    return chosen


def grid_radii(page: str) -> list[str]:
    """The choice of the radii, in grey levels; others can be typed."""
    chosen: list[str] = st.multiselect(
        TABLE["eps"].label,
        [*dict.fromkeys([*(f"{value:g}" for value in EPS_NAMES if 1 <= value <= MAX_LISTED), *st.session_state[f"{page}_eps"]])],
        format_func=eps_title,
        accept_new_options=True,
        select_all=False,
        help=TABLE["eps"].tip,
        key=f"{page}_eps",
        persist_state="session",
    )
    return chosen


def grid_steps(page: str) -> list[str]:
    """The choice of the numbers of steps; others can be typed."""
    chosen: list[str] = st.multiselect(
        TABLE["steps"].label,
        [*dict.fromkeys([*map(str, STEP_MARKS), *st.session_state[f"{page}_steps"]])],
        accept_new_options=True,
        select_all=False,
        help=TABLE["steps"].tip,
        key=f"{page}_steps",
        persist_state="session",
    )
    return chosen


def images_controls(page: str) -> Images:
    """The choice of the pictures."""
    source = st.segmented_control("Pictures", ("Samples", "Folder"), required=True, key=f"{page}_from", persist_state="session")
    if source == "Samples":
        chosen = st.multiselect(
            "Samples",
            list(samples()),
            format_func=image_title,
            placeholder=f"All {len(samples())} samples",
            label_visibility="collapsed",
            select_all=False,
            key=f"{page}_images",
            persist_state="session",
        )
        return Images(names=tuple(chosen))
    folder = st.text_input(
        "Data-set folder on this server",
        placeholder="/data/VOC2012",
        help="With images/ and labels/, or the layout of VOC, Cityscapes, ADE20K or CamVid.",
        key=f"{page}_folder",
        persist_state="session",
    )
    left, right = st.columns(2)
    split = left.text_input("Part", placeholder="the usual one", key=f"{page}_split", persist_state="session")
    limit = right.number_input("First pictures", 1, None, None, placeholder="all", key=f"{page}_limit", persist_state="session")
    if not folder.strip():
        raise UserError("Name the folder of a data set, or take the samples.")
    return Images(folder.strip(), split=split.strip() or None, limit=limit)
