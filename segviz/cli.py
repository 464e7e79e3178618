"""The terminal: attack a picture, evaluate over a data set, list models and attacks."""

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any, NoReturn

import torch
from tqdm import tqdm

from segviz import draw
from segviz.attacks.catalog import attack_entry, iterations_of, published
from segviz.attacks.constraints import NORMS
from segviz.attacks.regions import FORMS
from segviz.attacks.rows import ATTACKS
from segviz.attacks.transforms import TRANSFORMS
from segviz.data.datasets import open_data_set
from segviz.data.label_sets import LabelSet, label_set_named
from segviz.data.samples import sample_of_file
from segviz.lab import Trajectory, attack_picture, device_name, labels_of_sample, open_picture
from segviz.models.load import default_device, load_model
from segviz.models.zoo import catalogue, model_entry
from segviz.results import attack_result, evaluation_result
from segviz.settings import GOALS, LABEL_SOURCES, Settings
from segviz.studies.evaluate import evaluate, in_label_set
from segviz.types import UserError


class OneLineParser(argparse.ArgumentParser):
    """Wrong arguments end in one clear line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}\n")


def main(arguments: list[str]) -> int:
    """Run one command; returns the exit code: 0, 2 with one line on stderr for what the user can put right, 1 out of memory."""
    options = parser().parse_args(arguments)
    try:
        options.command(options)
    except UserError as error:
        print(f"segviz: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except torch.OutOfMemoryError:
        print("segviz: the device is out of memory; end other programs on it, or hide the GPU with CUDA_VISIBLE_DEVICES=", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("segviz: stopped", file=sys.stderr)
        return 130
    return 0


def parser() -> argparse.ArgumentParser:
    top = OneLineParser(prog="python -m segviz", description="Attack semantic-segmentation networks.")
    commands = top.add_subparsers(required=True, metavar="attack|evaluate|models|attacks", parser_class=OneLineParser)

    attack = commands.add_parser("attack", help="attack one picture")
    attack.add_argument("--image", type=Path, required=True, help="PNG, JPEG or WebP")
    attack.add_argument("--labels", type=Path, help="PNG of class ids; found by itself for a bundled sample")
    add_settings(attack, attack_required=True)
    attack.add_argument("--save", type=Path, metavar="FOLDER", help="write the six pictures here")
    attack.set_defaults(command=attack_command)

    over = commands.add_parser("evaluate", help="clean and adversarial figures over a data-set folder")
    data = os.environ.get("SEGVIZ_DATA")
    over.add_argument(
        "--data",
        type=Path,
        required=data is None,
        default=data and Path(data),
        help="folder with images/ and labels/, or of VOC, Cityscapes, ADE20K or CamVid; default: the environment variable SEGVIZ_DATA",
    )
    over.add_argument("--split", help="part of the data set: val, test ...; default: the usual one")
    over.add_argument("--data-labels", metavar="SET", help="what the ids in the label maps mean, where the folder does not tell")
    over.add_argument("--label-set", metavar="SET", help="read model and labels in this coarser label set, such as VOC7")
    over.add_argument("--limit", type=positive, help="only the first N pairs")
    add_settings(over, attack_required=False)
    over.set_defaults(command=evaluate_command)

    for name, rows in (("models", list_models), ("attacks", list_attacks)):
        listing = commands.add_parser(name, help=f"list the {name}")
        listing.add_argument("--json", action="store_true", help="as JSON on stdout")
        listing.set_defaults(command=list_command, rows=rows)
    return top


def add_settings(command: argparse.ArgumentParser, attack_required: bool) -> None:
    """The options that make up `Settings`, and where the JSON goes."""
    defaults = Settings()
    command.add_argument("--model", default=defaults.model, metavar="KEY", help=f"default {defaults.model}; see the command models")
    command.add_argument("--attack", required=attack_required, metavar="KEY", help="see the command attacks")
    command.add_argument("--goal", choices=GOALS, default=defaults.goal)
    command.add_argument("--target", metavar="CLASS", help="class of every goal but break")
    command.add_argument("--other", metavar="CLASS", help="the class that the goal swap swaps with the target")
    command.add_argument("--region", default="", metavar="WHERE", help=f"change only this part of the picture: {FORMS}")
    command.add_argument("--against", choices=LABEL_SOURCES, default=defaults.against, help="labels to break")
    command.add_argument("--norm", choices=NORMS, default=defaults.norm)
    command.add_argument("--eps", type=float, default=defaults.eps, help="grey levels (n of n/255); for l2 their root mean square")
    command.add_argument("--steps", type=positive, default=defaults.steps, help="iterations")
    command.add_argument("--alpha", type=float, help="step size in grey levels; default: the attack's own rule")
    command.add_argument("--restarts", type=positive, default=defaults.restarts)
    command.add_argument("--seed", type=int, default=defaults.seed)
    command.add_argument("--variant", default="", help="variant of the attack; see attacks --json")
    command.add_argument("--layer", default="", metavar="NAME", help="layer of cira and cira-plus; default: the encoder")
    command.add_argument(
        "--transform", action="append", default=[], metavar="KEY", help=f"input transform, any number of times: {', '.join(TRANSFORMS)}"
    )
    command.add_argument("--unclipped", action="store_true", help="do not bring a smallest perturbation into the ball of radius eps")
    command.add_argument("--published", action="store_true", help="the paper's own settings at this eps, in place of the options they set")
    command.add_argument("--json", type=Path, metavar="FILE", help="write the result here instead of to stdout")


def positive(text: str) -> int:
    """An integer of at least 1."""
    try:
        value = int(text)
    except ValueError:
        value = 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number above 0")
    return value


def settings_from(options: argparse.Namespace, image: str) -> Settings:
    settings = Settings(
        model=options.model,
        image=image,
        goal=options.goal,
        target=options.target,
        other=options.other,
        region=options.region,
        against=options.against,
        attack=options.attack,
        norm=options.norm,
        eps=options.eps,
        steps=options.steps,
        alpha=options.alpha,
        restarts=options.restarts,
        seed=options.seed,
        variant=options.variant,
        layer=options.layer,
        transforms=tuple(options.transform),
        clip=not options.unclipped,
    )
    return published(settings) if options.published else settings


def attack_command(options: argparse.Namespace) -> None:
    entry = model_entry(options.model)
    attack_entry(options.attack)
    settings = settings_from(options, str(options.image))
    sample = sample_of_file(options.image)
    labels = options.labels or (labels_of_sample(sample, entry) if sample else None)
    picture = open_picture(options.image.stem, options.image, labels, entry)
    model = load_model(options.model, default_device())
    make_folders(options.json and options.json.parent, options.save)
    trajectories = attack_picture(settings, picture, model)
    trajectory = next(trajectories)
    with tqdm(total=iterations_of(settings), unit="step", file=sys.stderr) as bar:
        for trajectory in trajectories:
            bar.update(trajectory.curve[-1].index - bar.n)
            bar.set_postfix(pixel_accuracy=f"{trajectory.curve[-1].pixel_accuracy:.3f}")
    result = attack_result(trajectory, model.label_set)
    if not trajectory.own_prediction:
        result["labels"] = str(labels)
    if options.save:
        save_pictures(trajectory, model.label_set, options.save)
    write_json(result, options.json)
    say_outcome(result)


def say_outcome(result: dict[str, Any]) -> None:
    """One line on stderr: what happened to the mIoU."""
    clean, adversarial = result["clean"], result["adversarial"]
    change = f"{clean['miou']:.1%}" + (f" -> {adversarial['miou']:.1%}" if adversarial else "")
    print(f"mIoU of the {result['scope'].removeprefix('one ')}: {change}", file=sys.stderr)


def save_pictures(trajectory: Trajectory, label_set: LabelSet, folder: Path) -> None:
    """Write input, adversarial, perturbation, both maps and the flipped pixels as lossless PNG."""
    assert trajectory.final is not None
    photo, clean, final = trajectory.picture.pixels, trajectory.frames[0], trajectory.final
    pictures = {
        "input": photo,
        "adversarial": final.pixels,
        "perturbation": draw.perturbation(final.pixels, photo, draw.full_scale(trajectory.settings.eps, trajectory.settings.norm)),
        "clean_map": draw.colour_map(clean.prediction, label_set),
        "adversarial_map": draw.colour_map(final.prediction, label_set),
        "flipped": draw.flipped(clean.prediction, final.prediction, photo),
    }
    for name, picture in pictures.items():
        (folder / f"{name}.png").write_bytes(draw.png(picture))


def evaluate_command(options: argparse.Namespace) -> None:
    entry = model_entry(options.model)
    settings = None
    if options.attack is not None:
        attack_entry(options.attack)
        settings = settings_from(options, str(options.data))
    data = open_data_set(options.data, options.split)
    stored = label_set_named(options.data_labels) if options.data_labels else data.label_set
    wanted = label_set_named(options.label_set) if options.label_set else None
    make_folders(options.json and options.json.parent)
    entry, model = in_label_set(entry, load_model(options.model, default_device()), stored, wanted)
    pairs = data.pairs[: options.limit]
    with tqdm(total=len(pairs), unit="image", file=sys.stderr) as bar:
        evaluation = evaluate(pairs, entry, model, settings, bar.update)
    result = evaluation_result(evaluation, settings, model.label_set)
    result |= {
        "model": options.model,
        "data": str(options.data),
        "label_set": model.label_set.name,
        "device": device_name(model.mean.device),
    }
    write_json(result, options.json)
    say_outcome(result)


def list_models() -> list[dict[str, Any]]:
    return [
        {
            "key": entry.key,
            "title": entry.title,
            "state": entry.state,
            "label_set": entry.label_set.name,
            "classes": entry.label_set.classes,
            "bytes": entry.bytes,
            "working_size": entry.working_size,
            "val_miou": entry.val_miou,
            "val_data": entry.val_data if entry.val_miou is not None else None,
            "published": entry.published or None,
            "data": entry.data,
            "licence": entry.licence,
            "sha256": entry.sha256 or None,
            "url": entry.url,
        }
        for entry in catalogue().values()
    ]


def list_attacks() -> list[dict[str, Any]]:
    return [
        {
            "key": entry.key,
            "title": entry.title,
            "summary": entry.summary,
            "formula": entry.formula,
            "paper": entry.paper,
            "url": entry.url,
            "family": entry.family,
            "norms": entry.norms,
            "targeted": entry.takes_target,
            "variants": dict(entry.variants),
            "ours": entry.ours,
        }
        for entry in ATTACKS.values()
    ]


def list_command(options: argparse.Namespace) -> None:
    rows = options.rows()
    if options.json:
        write_json(rows, None)
        return
    columns = MODEL_COLUMNS if options.rows is list_models else ATTACK_COLUMNS
    table = [{name: shown(name, row[name]) for name in columns} for row in rows]
    if options.rows is list_models:
        table.insert(0, {name: name.replace("_", " ") for name in columns})
    widths = {name: max(len(row[name]) for row in table) for name in columns}
    for row in table:
        print("  ".join(f"{row[name]:<{widths[name]}}" for name in columns).rstrip())


MODEL_COLUMNS = ("key", "state", "label_set", "bytes", "val_miou", "licence", "title")
ATTACK_COLUMNS = ("key", "title")


def shown(name: str, value: Any) -> str:
    """A value of a listing as text."""
    if value is None:
        return "–"
    return {"bytes": lambda: f"{value / 10**6:.1f} MB", "val_miou": lambda: f"{value:.1%}"}.get(name, lambda: str(value))()


def write_json(result: Any, file: Path | None) -> None:
    """JSON to a file, or to stdout; raises UserError where the file cannot be written."""
    text = json.dumps(result, indent=2) + "\n"
    if file is None or file == Path("-"):
        sys.stdout.write(text)
        return
    try:
        file.write_text(text)
    except OSError as error:
        raise UserError(f"Cannot write {file}: {error.strerror}.") from None


def make_folders(*folders: Path | None) -> None:
    """Create the folders of the results before any work is done; raises UserError where that is not possible."""
    for folder in folders:
        try:
            if folder is not None:
                folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"Cannot create the folder {folder}: {error.strerror}.") from None
