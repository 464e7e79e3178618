"""The precomputed studies of transfer that are on the page before anyone presses Run.

`python -m segviz.studies.first_transfer` makes them anew from the bundled weights.
"""

import json
from collections import deque
from dataclasses import asdict
from pathlib import Path
from typing import Any

from segviz.attacks.catalog import published
from segviz.data.label_sets import VOC7
from segviz.data.samples import samples
from segviz.models.load import default_device
from segviz.places import ASSETS
from segviz.records import LeftOut
from segviz.settings import Settings
from segviz.studies.transfer import (
    Plan,
    Rates,
    Run,
    Transfer,
    TransferCell,
    by_scale,
    by_source,
    by_transform,
    over_iterations,
    sample_files,
    transfer,
)

FILE = ASSETS / "transfer.json"
MODELS = ("voc7-lraspp", "voc7-fcn8s", "voc7-deeplab")
EACH = (("momentum",), ("di",), ("ti",), ("si",), ("scale",))
PGD = Settings(attack="pgd", eps=8, steps=20)

PLANS = {
    "matrix": by_source([published(Settings(attack=attack, eps=8)) for attack in ("fgsm", "ifgsm-ll")], MODELS, MODELS),
    "scales": by_scale(Settings(eps=8), MODELS[1:]),
    "transforms": by_transform(PGD, EACH, MODELS[1:], 20),
    "curves": over_iterations(Settings(attack="pgd", eps=8, steps=20, transforms=("scale",)), MODELS[1:]),
}
"""By the page's views."""


def make() -> dict[str, Transfer]:
    """Run the studies over the samples."""
    files = sample_files(list(samples()), VOC7)
    return {view: deque(transfer(plan, files, default_device()), maxlen=1).pop() for view, plan in PLANS.items()}


def save(studies: dict[str, Transfer], file: Path) -> None:
    """Write finished studies without exhibits."""
    file.write_text(json.dumps({view: asdict(study) for view, study in studies.items()}) + "\n")


def load(file: Path = FILE) -> dict[str, Transfer]:
    """Read what `save` wrote."""
    return {view: transfer_of(facts) for view, facts in json.loads(file.read_text()).items()}


def transfer_of(facts: dict[str, Any]) -> Transfer:
    """A study from its JSON values."""
    runs = tuple(Run(run["group"], run["name"], Settings(**run["settings"])) for run in facts["plan"]["runs"])
    plan = Plan(runs, tuple(facts["plan"]["victims"]), tuple(facts["plan"]["looks"]))
    cells = tuple(
        # Nothing in them is random.
        TransferCell(one["run"], one["victim"], Rates(**one["clean"]), Rates(**one["adversarial"]), tuple(map(tuple, one["curve"])))
        for one in facts["cells"]
    )
    left_out = tuple(LeftOut(**one) for one in facts.get("left_out", ()))
    told = {name: tuple(facts.get(name, ())) for name in ("warnings", "passes")}
    return Transfer(**facts | told | {"plan": plan, "cells": cells, "exhibits": (), "left_out": left_out})


if __name__ == "__main__":
    save(make(), FILE)
    print(f"wrote {FILE}")
