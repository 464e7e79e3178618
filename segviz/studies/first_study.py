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
from segviz.studies.grid import AttackRow, Point, Study, images_of, points
from segviz.studies.run import run
from segviz.studies.store import CellResult, Store
from segviz.studies.table import results_at

FILE = ASSETS / "studies" / "first.npz"
FIRST = Study(
    name="first",
    models=("voc7-lraspp", "voc7-fcn8s"),
    attacks=(AttackRow("fgsm"), AttackRow("pgd", steps=3), AttackRow("pgd", steps=20)),
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
    return {point: [result for result in results if result is not None] for point, results in found.items()}


def save(results: dict[Point, list[CellResult]], file: Path) -> None:
    """Write the results of all points, in the order of the study, without curves and what belongs to them."""
    flat = [result for of_point in results.values() for result in of_point]
    kept = [field.name for field in fields(CellResult) if field.name not in (*ARRAYS, *DROPPED, "curve")]
    facts = [{name: getattr(result, name) for name in kept} for result in flat]
    stacks = {name: np.stack([getattr(result, name) for result in flat]) for name in ARRAYS}
    file.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(file, facts=np.array(json.dumps(facts)), **stacks)  # type: ignore[arg-type]


def load(file: Path = FILE) -> dict[Point, list[CellResult | None]]:
    """Read what `save` wrote: the results of each point, image by image."""
    with np.load(file, allow_pickle=False) as stored:
        facts = json.loads(str(stored["facts"]))
        stacks = [stored[name] for name in ARRAYS]
    none = dict.fromkeys(DROPPED, np.zeros((0, 0), np.int64))
    tuples = ("classes", "member_names", "member_gradients", "smallest")
    flat = [
        CellResult(**{**one, **{name: tuple(one[name]) for name in tuples}}, **dict(zip(ARRAYS, arrays, strict=True)), **none)
        for one, *arrays in zip(facts, *stacks, strict=True)
    ]
    size = len(images_of(FIRST))
    return {point: list(flat[start * size : (start + 1) * size]) for start, point in enumerate(points(FIRST))}


if __name__ == "__main__":
    save(make_first_study(), FILE)
    print(f"wrote {FILE}")
