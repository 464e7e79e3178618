"""The bundled models side by side: `python -m segviz.studies.family --data FOLDER` prints their accuracy over a data set as Markdown."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from segviz.data.datasets import labelled_pairs
from segviz.defences.load import load_model
from segviz.models.load import default_device, parameter_count
from segviz.models.zoo import FAMILY_KEYS, model_entry
from segviz.studies.evaluate import Evaluation, evaluate


def family_table(folder: Path, keys: Sequence[str], limit: int | None = None) -> str:
    """Evaluate the models over `folder` (images/ and labels/) and return a Markdown table, a row each; raises UserError as `evaluate` does.

    mIoU and IoU are those of the data set: one confusion matrix over all labelled pixels.
    """
    pairs = labelled_pairs(folder)[:limit]
    rows = []
    for key in keys:
        model = load_model(key, default_device())
        with tqdm(total=len(pairs), desc=key, unit="image", file=sys.stderr) as bar:
            evaluation = evaluate(pairs, model_entry(key), model, None, bar.update)
        parameters = parameter_count(model_entry(key), model)
        rows.append(table_row([f"`{key}`", f"{parameters / 1e6:.1f} M", *percentages(evaluation)]))
    classes = model_entry(keys[0]).label_set.classes
    heading = ["model", "parameters", "mIoU %", "pixel accuracy %", *classes]
    return "\n".join([table_row(heading), table_row(["---", *["---:"] * (len(heading) - 1)]), *rows])


def percentages(evaluation: Evaluation) -> list[str]:
    """mIoU, pixel accuracy and the classes' IoU with one decimal; a dash for a class in neither labels nor predictions."""
    figures = evaluation.clean
    return [f"{100 * value:.1f}" if value is not None else "-" for value in (figures.miou, figures.pixel_accuracy, *figures.iou)]


def table_row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m segviz.studies.family", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with images/ and labels/")
    parser.add_argument("--models", nargs="+", default=FAMILY_KEYS, metavar="KEY", help="default: all bundled ones; wrappers are welcome")
    parser.add_argument("--limit", type=int, help="only the first N pairs")
    options = parser.parse_args()
    print(family_table(options.data, options.models, options.limit))


if __name__ == "__main__":
    main()
