"""The precomputed study that the curves are drawn from before anything has been run.

`python -m segviz.studies.first_study` makes it anew from the bundled weights.
"""

import json
import tempfile
from collections import deque
from dataclasses import fields
from pathlib import Path

import numpy as np

from segviz.data.samples import ASSETS
from segviz.studies.grid import AttackRow, Cell, Point, Study, cells, points
from segviz.studies.run import run
from segviz.studies.store import CellResult, Store
from segviz.studies.table import results_at

FILE = ASSETS / "studies" / "first.npz"
FIRST = Study(
    name="first",
    models=("voc7-lraspp", "voc7-fcn8s"),
    attacks=(AttackRow("fgsm"), AttackRow("pgd", steps=3), AttackRow("pgd")),
    eps=(0.25, 0.5, 1.0, 2.0, 4.0, 8.0),
    steps=(20,),
)
ARRAYS = ("clean", "adversarial", "sizes")
DROPPED = ("agreement", "members", "hits", "labelled", "predicted")
"""Arrays that are left out, as nothing on the page is drawn from them here."""


def make_first_study() -> dict[Point, list[CellResult]]:
    """Run the study in a store of its own."""
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder))
        deque(run(FIRST, store), maxlen=0)
        found = results_at(FIRST, store)
    return {point: [result for _, result in pairs if result is not None] for point, pairs in found.items()}


def save(results: dict[Point, list[CellResult]], file: Path) -> None:
    """Write the results of all points, in the order of the study, without curves and what belongs to them."""
    flat = [result for of_point in results.values() for result in of_point]
    kept = [field.name for field in fields(CellResult) if field.name not in (*ARRAYS, *DROPPED, "curve")]
    facts = [{name: getattr(result, name) for name in kept} for result in flat]
    stacks = {name: np.stack([getattr(result, name) for result in flat]) for name in ARRAYS}
    file.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(file, facts=np.array(json.dumps(facts)), **stacks)  # type: ignore[arg-type]


def load(file: Path = FILE) -> dict[Point, list[tuple[Cell, CellResult | None]]]:
    """Read what `save` wrote, as `results_at` would give it."""
    with np.load(file, allow_pickle=False) as stored:
        facts = json.loads(str(stored["facts"]))
        stacks = [stored[name] for name in ARRAYS]
    none = dict.fromkeys(DROPPED, np.zeros((0, 0), np.int64))
    tuples = ("classes", "member_names", "member_gradients", "smallest")
    flat = [
        CellResult(**{**one, **{name: tuple(one[name]) for name in tuples}}, **dict(zip(ARRAYS, arrays, strict=True)), **none)
        for one, *arrays in zip(facts, *stacks, strict=True)
    ]
    found: dict[Point, list[tuple[Cell, CellResult | None]]] = {point: [] for point in points(FIRST)}
    grid = cells(FIRST)
    images = len(grid) // len(found)
    for cell in grid:
        place = list(found).index(cell.point) * images + len(found[cell.point])
        found[cell.point].append((cell, flat[place]))
    return found


if __name__ == "__main__":
    save(make_first_study(), FILE)
    print(f"wrote {FILE}")
