"""From what the controls say to the study that is run, and its photos."""

from dataclasses import replace
from pathlib import Path

import streamlit as st

from segviz.attacks.catalog import check_settings, published
from segviz.attacks.rows import ATTACKS
from segviz.data.datasets import DataSet, open_data_set
from segviz.data.label_sets import LabelSet
from segviz.data.samples import samples
from segviz.settings import Settings
from segviz.studies.transfer import PhotoFile, Plan, by_scale, by_source, by_transform, common_label_set, over_iterations, sample_files
from segviz.types import UserError
from segviz.ui.kit.attacks import with_attack
from segviz.ui.kit.state import tab
from segviz.ui.kit.words import OWN
from segviz.ui.transfer.links import TransferWish


def plan_of(wish: TransferWish) -> Plan:
    """The study that is wished; raises UserError where something is missing or does not fit."""
    own, victims = wish.own, wish.own["victims"]
    if not own.get("sources", True) or (not victims and wish.view not in ("scales", "curves")):
        raise UserError("Choose at least one source and one victim.")
    if wish.view == "scales":
        return by_scale(replace(wish.shared, image="", model=own["source"]), victims)
    if wish.view == "matrix":
        if not own["attacks"]:
            raise UserError("Choose at least one attack.")
        return by_source([attack_settings(wish, name, own["through"]) for name in own["attacks"]], own["sources"], victims)
    if wish.view == "picture":
        everyone = tuple(dict.fromkeys([*own["sources"], *victims]))
        return by_source([attack_settings(wish, own["attack"], own["through"])], own["sources"], everyone)
    if wish.view == "transforms":
        settings = replace(attack_settings(wish, own["iterative"], ()), model=own["source"])
        each = [tuple(name.split("+")) for name in own["each"]]
        for keys in each:
            check_settings(replace(settings, transforms=keys))
        return by_transform(settings, each, victims, own["steps"])
    return over_iterations(replace(attack_settings(wish, own["iterative"], own["with"]), model=own["source"]), victims)


def attack_settings(wish: TransferWish, name: str, transforms: tuple[str, ...]) -> Settings:
    """The settings of one attack of the wish; raises UserError where it cannot do what is wished."""
    image = wish.shared.image if wish.own.get("data", "photo") == "photo" else ""
    settings = replace(with_attack(wish.shared, name), image=image, steps=wish.own["steps"], transforms=transforms)
    if wish.own.get("paper") and ATTACKS[settings.attack].published:
        settings = published(settings)
    check_settings(settings)
    return settings


def photos_of(wish: TransferWish, plan: Plan) -> tuple[list[PhotoFile], LabelSet | None]:
    """The photos of the wish, none while there is none, and what the ids in their label maps mean (None: unsaid).

    Raises UserError for a bad folder, and for models that cannot be read in one label set.
    """
    keys = [*(run.settings.model for run in plan.runs), *plan.victims]
    data = wish.own.get("data", "photo")
    if data == "folder":
        if not wish.own["folder"]:
            return [], None
        found = listing(wish.own["folder"])
        common_label_set(keys, found.label_set)
        return [PhotoFile(photo.stem, photo, labels) for photo, labels in found.pairs[: wish.own["limit"]]], found.label_set
    label_set = common_label_set(keys)
    if data == "samples":
        return sample_files(list(samples()), label_set), None
    if wish.shared.image == OWN:
        kept = tab().own
        return ([PhotoFile(*kept, tab().own_reading)] if kept is not None else []), None
    return sample_files([wish.shared.image], label_set), None


@st.cache_data(ttl=60, max_entries=8, show_spinner=False)
def listing(folder: str) -> DataSet:
    """The data set in a folder, looked up at most once a minute."""
    return open_data_set(Path(folder))
