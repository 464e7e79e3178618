"""The robust twins on trial: `python -m segviz.studies.twins --data FOLDER` measures them and prints a Markdown table."""

import argparse
import json
import sys
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from tqdm import tqdm

from segviz.data.datasets import labelled_pairs
from segviz.defences.load import load_model
from segviz.models.load import default_device
from segviz.models.zoo import MODELS, model_entry
from segviz.places import ASSETS
from segviz.settings import Settings
from segviz.studies.evaluate import evaluate

KEPT = ASSETS / "studies" / "twins.jsonl"
"""What was measured for the table in the documentation."""
CLEAN = "voc7-lraspp"
ATTACKS = {
    "PGD-3": Settings(attack="pgd", steps=3),
    "PGD-20": Settings(attack="pgd", steps=20),
    "SEA": Settings(attack="sea", steps=100),
}
"""By what the table calls them; SEA takes its 100 steps with each of its three losses."""
EPS = (2.0, 4.0, 8.0)


@dataclass(frozen=True)
class Measured:
    """One attack on one model over the first `images` pairs of a data set; rates in [0,1], as in `SetFigures`, `eps` in grey levels.

    `constant_miou` is what a map of one class alone has on these pairs (`Evaluation`). `weights` are the first digits of the model's
    sha256: figures of other weights are not taken for its own.
    """

    model: str
    weights: str
    attack: str
    eps: float
    images: int
    constant_miou: float
    clean_miou: float
    miou: float
    image_accuracy: float


def read(file: Path) -> list[Measured]:
    """What is stored in `file`, a JSON record a line; nothing where there is no file."""
    return [Measured(**json.loads(line)) for line in file.read_text().splitlines()] if file.is_file() else []


def weights_of(key: str) -> str:
    """The first digits of the sha256 of a model's weights."""
    return model_entry(key).sha256[:12]


def measure(folder: Path, keys: list[str], attacks: list[str], eps: list[float], images: int, file: Path) -> None:
    """Attack the first `images` pairs of `folder` and add what comes out to `file`, a line each; what is there is not done again.

    An attack ends where it has won every labelled pixel. Raises UserError as `evaluate` does.
    """
    pairs = labelled_pairs(folder)[:images]
    for key in keys:
        for name in attacks:
            for radius in eps:
                if measurement(read(file), key, name, radius, images) is not None:
                    continue
                settings = replace(ATTACKS[name], model=key, eps=radius)
                with tqdm(total=len(pairs), desc=f"{key}, {name}, {radius:g}/255", unit="image", file=sys.stderr) as bar:
                    model = load_model(key, default_device())
                    evaluation = evaluate(pairs, model_entry(key), model, settings, bar.update, until_won=True)
                assert evaluation.adversarial is not None
                figures = (
                    evaluation.constant_miou,
                    evaluation.clean.miou,
                    evaluation.adversarial.miou,
                    evaluation.adversarial.image_accuracy,
                )
                rounded = (round(figure, 5) for figure in figures)
                with file.open("a") as lines:
                    lines.write(json.dumps(asdict(Measured(key, weights_of(key), name, radius, images, *rounded))) + "\n")


def measurement(measured: list[Measured], key: str, attack: str, eps: float, images: int) -> Measured | None:
    """The figures of a model's present weights under an attack, if they are there."""
    wanted = (key, weights_of(key), attack, eps, images)
    return next((one for one in measured if (one.model, one.weights, one.attack, one.eps, one.images) == wanted), None)


def twins_table(measured: list[Measured], keys: list[str], attacks: list[str], eps: list[float], images: int) -> str:
    """A Markdown table of mIoU in percent: a row per model, a column per attack of `ATTACKS`, a figure for each of `eps`.

    A dash stands for what is missing. The last row is that of a map of one class alone, which no attack changes.
    """
    radii = " / ".join(f"{radius:g}" for radius in eps)
    heading = ["model", "clean", *(f"{name} at {radii}" for name in attacks)]
    rows = [heading, ["---", *["---:"] * (len(heading) - 1)]]
    for key in keys:
        of_model = [[measurement(measured, key, name, radius, images) for radius in eps] for name in attacks]
        clean = next((percent(one.clean_miou) for cells in of_model for one in cells if one is not None), "–")
        attacked = [" / ".join("–" if one is None else percent(one.miou) for one in cells) for cells in of_model]
        rows.append([f"`{key}`", clean, *attacked])
    constant = next((percent(one.constant_miou) for one in measured if one.images == images), None)
    if constant is not None:
        rows.append(["one class everywhere", constant, *[" / ".join([constant] * len(eps))] * len(attacks)])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def percent(rate: float) -> str:
    return f"{100 * rate:.1f}"


def main() -> None:
    twins = [key for key in MODELS if key.startswith(CLEAN)]
    parser = argparse.ArgumentParser(prog="python -m segviz.studies.twins", description=__doc__)
    parser.add_argument("--data", type=Path, help="folder with images/ and labels/; without it, the table of what is stored")
    parser.add_argument("--models", nargs="+", default=twins, metavar="KEY")
    parser.add_argument("--attacks", nargs="+", default=list(ATTACKS), choices=ATTACKS)
    parser.add_argument("--eps", nargs="+", type=float, default=EPS, metavar="GREY_LEVELS")
    parser.add_argument("--images", type=int, default=100, metavar="N", help="the first N pairs")
    parser.add_argument("--file", type=Path, default=KEPT, help="where the figures are kept; more are added to it")
    options = parser.parse_args()
    if options.data is not None:
        measure(options.data, options.models, options.attacks, options.eps, options.images, options.file)
    print(twins_table(read(options.file), options.models, options.attacks, options.eps, options.images))


if __name__ == "__main__":
    main()
