"""The precomputed studies that ship with the project: what the pages show before anything has been run.

`python -m segviz.studies.precomputed` makes them anew from the bundled weights.
"""

import json
from collections import deque
from dataclasses import astuple, fields
from pathlib import Path
from typing import Any

import numpy as np

from segviz.places import ASSETS
from segviz.studies.grid import AttackRow, Study, cells, points
from segviz.studies.run import run
from segviz.studies.store import CellResult, CurvePoint, Store
from segviz.studies.table import Pairs, results_at

FIRST = Study(
    name="first",
    models=("voc7-lraspp", "voc7-fcn8s"),
    attacks=(AttackRow("fgsm"), AttackRow("pgd", steps=3), AttackRow("pgd")),
    eps=(1.0, 2.0, 4.0, 8.0),
)
STANDINGS = Study(
    name="leaderboard",
    models=(
        "voc7-lraspp",
        "voc7-fcn8s",
        "voc7-deeplab",
        "voc7-pspnet",
        "voc7-lraspp-pgd",
        "voc7-lraspp-pgd-half",
        "voc7-lraspp-segpgd",
        "voc7-lraspp-eroseg",
    ),
    attacks=(AttackRow("sea"),),
    eps=(1.0, 2.0, 4.0, 8.0),
)
STUDIES = (FIRST, STANDINGS)
ARRAYS = ("clean", "adversarial", "members", "sizes")
TRACES = ("hits", "labelled", "predicted")
"""Arrays with a row per point of a result's curve."""


def file_of(study: Study) -> Path:
    """Where a precomputed study is."""
    return ASSETS / "studies" / f"{study.name}.npz"


def save(pairs: Pairs, file: Path) -> None:
    """Write the results of a whole study, without the `agreement`, from which no page draws anything, and `draws`: nothing is random."""
    results = [result for of_point in pairs.values() for _, result in of_point if result is not None]
    kept = [field.name for field in fields(CellResult) if field.name not in (*ARRAYS, *TRACES, "agreement", "curve", "draws")]
    facts = [{name: getattr(one, name) for name in kept} | {"curve": [astuple(point) for point in one.curve]} for one in results]
    arrays = {name: np.stack([getattr(result, name) for result in results]) for name in ARRAYS}
    arrays |= {name: np.concatenate([getattr(result, name) for result in results]) for name in TRACES}
    file.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(file, facts=np.frombuffer(json.dumps(facts).encode(), np.uint8), **arrays)  # type: ignore[arg-type]


def load(study: Study) -> Pairs:
    """Read what `save` wrote, as `results_at` would give it."""
    with np.load(file_of(study), allow_pickle=False) as stored:
        facts = json.loads(stored["facts"].tobytes())
        ends = np.cumsum([len(one["curve"]) for one in facts])[:-1]
        columns = [*(stored[name] for name in ARRAYS), *(np.split(stored[name], ends) for name in TRACES)]
    results = iter([result_of(one, arrays) for one, *arrays in zip(facts, *columns, strict=True)])
    grid = cells(study)
    return {point: [(cell, next(results)) for cell in grid if cell.point == point] for point in points(study)}


def result_of(facts: dict[str, Any], arrays: list[np.ndarray]) -> CellResult:
    """A result from its JSON values and its arrays."""
    lists = {name: tuple(value) for name, value in facts.items() if isinstance(value, list)}
    lists["curve"] = tuple(CurvePoint(*point) for point in facts["curve"])
    named = dict(zip((*ARRAYS, *TRACES), arrays, strict=True))
    return CellResult(**{**facts, **lists, **named, "agreement": np.zeros((0, 0), np.int64)})


def main() -> None:
    """Compute what is missing of both studies in this machine's store, and write them."""
    store = Store()
    for study in STUDIES:
        deque(run(study, store), maxlen=0)
        save(results_at(study, store), file_of(study))
        print(f"wrote {file_of(study)}")


if __name__ == "__main__":
    main()
