"""The commands `attack` and `evaluate`: one picture, and a data-set folder."""

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from tqdm import tqdm

from segviz import draw
from segviz.attacks.catalog import attack_entry, iterations_of
from segviz.cli.films import add_film, film_from, save_film
from segviz.cli.options import (
    Commands,
    add_data_set,
    add_reading,
    add_report,
    add_settings,
    as_read,
    data_set_from,
    make_folders,
    photo,
    say_left_out,
    say_warnings,
    settings_from,
    write_json,
    write_report,
)
from segviz.data.label_sets import LabelSet, label_set_named
from segviz.data.samples import sample_of_file
from segviz.defences.load import load_model
from segviz.lab import attack_picture, labels_of_sample, open_picture, read_target_map
from segviz.models.load import computed_on, default_device
from segviz.models.zoo import model_entry
from segviz.records import Trajectory
from segviz.report.kinds import run_document
from segviz.results import attack_result, evaluation_result
from segviz.settings import GIVEN, Settings
from segviz.studies.evaluate import evaluate, in_label_set
from segviz.types import UserError

ADDRESS = "http://localhost:8501/"
"""Where the lab is once the command `app` has started it."""
OWN = "own"
"""The picture of a link that is not a sample."""


def add(commands: Commands) -> None:
    """The two commands and their options."""
    attack = commands.add_parser("attack", help="attack one picture")
    attack.add_argument("--image", type=photo, required=True, help="PNG, JPEG or WebP, or a sample by name, such as chelsea")
    attack.add_argument("--labels", type=Path, help="PNG of class ids; found by itself for a bundled sample")
    attack.add_argument("--label-ids", metavar="SET", help="what the ids in label map and target map mean, where it is not the model's set")
    add_reading(attack)
    attack.add_argument("--target-map", type=Path, metavar="FILE", help="reach this map: PNG of class ids, resized by nearest neighbour")
    add_settings(attack, attack_required=True)
    attack.add_argument("--save", type=Path, metavar="FOLDER", help="write the six pictures here")
    add_film(attack)
    add_report(attack)
    attack.set_defaults(command=attack_command)

    over = commands.add_parser("evaluate", help="clean and adversarial figures over a data-set folder")
    add_data_set(over, required=True)
    add_settings(over, attack_required=False)
    over.set_defaults(command=evaluate_command)


def attack_command(options: argparse.Namespace) -> None:
    entry = model_entry(options.model)
    if options.label_ids:
        entry = replace(entry, label_set=entry.label_set.for_files_of(label_set_named(options.label_ids)))
    entry = as_read(entry, options)
    attack_entry(options.attack)
    film = film_from(options)
    settings = settings_from(options, str(options.image))
    target_map = None
    if options.target_map:
        if settings.goal != Settings().goal:
            raise UserError(f"--target-map is a goal of its own. Leave out --goal {settings.goal}, or the map.")
        found = read_target_map(options.target_map, entry)
        settings, target_map = replace(settings, goal=GIVEN), found.indices
    sample = sample_of_file(options.image)
    labels = options.labels or (labels_of_sample(sample, entry) if sample else None)
    picture = open_picture(options.image.stem, options.image, labels, entry)
    model = load_model(options.model, default_device())
    make_folders(options.json and options.json.parent, options.save, *folders_of(options.animate, options.report))
    trajectories = attack_picture(settings, picture, model, target_map=target_map)
    trajectory = next(trajectories)
    with tqdm(total=iterations_of(settings), unit="step", file=sys.stderr) as bar:
        for trajectory in trajectories:
            bar.update(trajectory.curve[-1].index - bar.n)
            bar.set_postfix(pixel_accuracy=f"{trajectory.curve[-1].pixel_accuracy:.3f}")
    result = attack_result(trajectory, model.label_set)
    if not trajectory.own_prediction:
        result["labels"] = str(labels)
    if options.target_map:
        result["target_map"] = str(options.target_map)
        result["warnings"] += [f"Target map: {notice}" for notice in found.notices]
    if options.save:
        save_pictures(trajectory, model.label_set, options.save)
    if options.animate:
        save_film(trajectory, model.label_set, film, options.animate)
    if options.report:
        named = replace(trajectory, settings=replace(settings, image=sample.key if sample else OWN))
        write_report(run_document(named, model.label_set, ADDRESS), options.report)
    write_json(result, options.json)
    say_warnings(result["warnings"])
    say_outcome(result)


def folders_of(*files: Path | None) -> list[Path]:
    """The folders of those files that are asked for."""
    return [file.parent for file in files if file is not None]


def say_outcome(result: dict[str, Any]) -> None:
    """One line on stderr: what happened to the mIoU."""
    clean, adversarial = result["clean"], result["adversarial"]
    if result.get("against_target"):
        print(f"target reached: {result['success']:.1%} of the pixels", file=sys.stderr)
    change = f"{clean['miou']:.1%}" + (f" -> {adversarial['miou']:.1%}" if adversarial else "")
    constant = f" (one class everywhere: {result['constant_miou']:.1%})" if "constant_miou" in result else ""
    print(f"mIoU of the {result['scope'].removeprefix('one ')}: {change}{constant}", file=sys.stderr)


def save_pictures(trajectory: Trajectory, label_set: LabelSet, folder: Path) -> None:
    """Write input, adversarial, perturbation, both maps, the flipped pixels and the target map, if any, as lossless PNG."""
    assert trajectory.final is not None
    photo, clean, final = trajectory.picture.pixels, trajectory.frames[0], trajectory.final
    pictures = {
        "input": photo,
        "adversarial": final.pixels,
        "perturbation": draw.perturbation(final.pixels, photo, draw.full_scale(trajectory.settings.eps, trajectory.settings.norm)),
        "clean_map": draw.colour_map(clean.prediction, label_set.palette),
        "adversarial_map": draw.colour_map(final.prediction, label_set.palette),
        "flipped": draw.flipped(clean.prediction, final.prediction, photo),
    }
    if trajectory.target is not None:
        pictures["target_map"] = draw.colour_map(trajectory.target, label_set.palette)
    for name, picture in pictures.items():
        (folder / f"{name}.png").write_bytes(draw.png(picture))


def evaluate_command(options: argparse.Namespace) -> None:
    entry = model_entry(options.model)
    settings = None
    if options.attack is not None:
        attack_entry(options.attack)
        settings = settings_from(options, str(options.data))
    pairs, stored, wanted = data_set_from(options)
    make_folders(options.json and options.json.parent)
    entry, model = in_label_set(entry, load_model(options.model, default_device()), stored, wanted)
    entry = as_read(entry, options)
    with tqdm(total=len(pairs), unit="image", file=sys.stderr) as bar:
        evaluation = evaluate(pairs, entry, model, settings, bar.update)
    result = evaluation_result(evaluation, settings, model.label_set)
    result |= {
        "model": options.model,
        "data": str(options.data),
        "label_set": model.label_set.name,
        "working_size": entry.working_size,
        "device": computed_on(model.mean.device),
    }
    write_json(result, options.json)
    say_left_out(evaluation.left_out)
    say_warnings(evaluation.warnings)
    say_outcome(result)
