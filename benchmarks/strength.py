"""Attack by eps on a bundled model: accuracy, mIoU, NmIoU, gradient evaluations and seconds, as one Markdown table.

`python -m benchmarks.strength` attacks the sample photos; `--data DATA/val --limit 50` a data-set folder. Every attack gets the same
number of gradient evaluations, `--budget`, or, with `--steps`, the same number of steps. Step sizes are the published ones where there are
some. A finished cell is written to `--out` at once and not computed again by a later call.
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from tqdm import tqdm

from segviz.attacks.catalog import attack_entry, gradients_of
from segviz.attacks.rows import ATTACKS
from segviz.data.datasets import labelled_pairs
from segviz.data.samples import samples
from segviz.defences.load import load_model
from segviz.models.load import default_device
from segviz.models.zoo import model_entry
from segviz.results import evaluation_result
from segviz.settings import Settings
from segviz.studies.evaluate import evaluate

HEADER = ("attack", "eps", "accuracy", "image accuracy", "mIoU", "NmIoU", "wins", "gradients", "seconds")


def settings_for(name: str, eps: float, steps: int | None, budget: int) -> Settings:
    """An attack, KEY or KEY:VARIANT, with so many steps, or with as many as the budget of gradient evaluations allows (at least one)."""
    key, _, variant = name.partition(":")
    entry = attack_entry(key)
    published = next(iter(entry.published.values()))(eps) if entry.published else {}
    settings = Settings(attack=key, variant=variant, eps=eps, steps=1, alpha=published.get("alpha"))
    return replace(settings, steps=steps or max(budget // max(gradients_of(settings), 1), 1))


def rows_of(cell: dict[str, Any]) -> list[tuple[str, ...]]:
    """Table rows of one cell: the attack, and below a suite its members."""

    def row(name: str, eps: float, figures: dict[str, Any], wins: str, gradients: int, seconds: float) -> tuple[str, ...]:
        rates = [f"{100 * figures[rate]:.1f}" for rate in ("pixel_accuracy", "image_accuracy", "miou", "nmiou")]
        return (name, f"{eps:g}", *rates, wins, str(gradients), f"{seconds:.0f}")

    rows = [row(cell["name"], cell["eps"], cell["adversarial"], "", cell["gradient_evaluations"], cell["seconds"])]
    for member in cell["members"]:
        share = f"{100 * member['wins']:.0f} %"
        rows.append(row(f"– {member['name']}", cell["eps"], member["figures"], share, member["gradient_evaluations"], member["seconds"]))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="voc7-lraspp")
    parser.add_argument("--data", type=Path, help="data-set folder; default: the sample photos")
    parser.add_argument("--limit", type=int)
    parser.add_argument("--attacks", nargs="+", default=list(ATTACKS), metavar="KEY[:VARIANT]")
    parser.add_argument("--eps", nargs="+", type=float, default=[1.0, 4.0])
    parser.add_argument("--budget", type=int, default=60, help="gradient evaluations per image")
    parser.add_argument("--steps", type=int, help="steps of each attack (of each member of a suite), in place of --budget")
    parser.add_argument("--out", type=Path, default=Path("runs/strength.jsonl"))
    options = parser.parse_args()

    entry = model_entry(options.model)
    model = load_model(options.model, default_device())
    if options.data is None:
        pairs = [(sample.photo, sample.labels) for sample in samples().values()]
    else:
        pairs = labelled_pairs(options.data)[: options.limit]
    options.out.parent.mkdir(parents=True, exist_ok=True)
    cells = [json.loads(line) for line in options.out.read_text().splitlines()] if options.out.exists() else []
    done = {cell["key"]: cell for cell in cells}
    print("| " + " | ".join(HEADER) + " |\n|" + " --- |" * len(HEADER))
    for name in options.attacks:
        for eps in options.eps:
            settings = settings_for(name, eps, options.steps, options.budget)
            identity = f"{options.model} {options.data} {len(pairs)} {settings}"
            if identity not in done:
                with tqdm(total=len(pairs), unit="image", desc=f"{name} {eps:g}", leave=False) as bar:
                    evaluation = evaluate(pairs, entry, model, settings, bar.update)
                done[identity] = {
                    "key": identity,
                    "name": name,
                    **evaluation_result(evaluation, settings, model.label_set),
                }
                with options.out.open("a") as file:
                    file.write(json.dumps(done[identity]) + "\n")
            for row in rows_of(done[identity]):
                print("| " + " | ".join(row) + " |", flush=True)


if __name__ == "__main__":
    main()
