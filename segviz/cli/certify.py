"""The command `certify`: what no change within a radius can flip."""

import argparse
import sys
from collections import deque
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tqdm import tqdm

from segviz import draw
from segviz.cli.options import (
    Commands,
    add_data_set,
    add_option,
    as_read,
    data_set_from,
    make_folders,
    photo,
    say_left_out,
    say_warnings,
    terminal_fields,
    write_json,
)
from segviz.data.label_sets import LabelSet
from segviz.data.samples import sample_of_file
from segviz.defences.load import load_model
from segviz.lab import check_label_map, labels_of_sample, nothing_left, open_picture
from segviz.models.load import default_device
from segviz.models.zoo import model_entry
from segviz.records import LeftOut
from segviz.results import certificate_result, certified_set_result
from segviz.studies.certify import Certificate, CertifySettings, added_up, certify
from segviz.studies.evaluate import in_label_set
from segviz.types import UserError


def add(commands: Commands) -> None:
    """The command and its options."""
    command = commands.add_parser("certify", help="what no change of a picture within a radius can flip, by looks at it under noise")
    command.add_argument("--image", type=photo, help="PNG, JPEG or WebP, or a sample by name, such as chelsea; or a data set by --data")
    command.add_argument("--labels", type=Path, help="PNG of class ids; found by itself for a bundled sample")
    add_data_set(command, required=False)
    for field in terminal_fields(CertifySettings):
        add_option(command, field)
    command.add_argument("--json", type=Path, metavar="FILE", help="write the result here instead of to stdout")
    command.add_argument("--save", type=Path, metavar="FOLDER", help="write the pictures of one image here")
    command.set_defaults(command=certify_command)


def certify_command(options: argparse.Namespace) -> None:
    settings = CertifySettings(
        image=str(options.image or ""), **{field.name: getattr(options, field.name) for field in terminal_fields(CertifySettings)}
    )
    if options.image is not None:
        one_picture(options, settings)
    elif options.data is not None:
        whole_set(options, settings)
    else:
        raise UserError("Name a picture by --image, or a data-set folder by --data.")


def one_picture(options: argparse.Namespace, settings: CertifySettings) -> None:
    """A certificate of one picture, as JSON and pictures."""
    entry = as_read(model_entry(settings.model), options)
    sample = sample_of_file(options.image)
    labels = options.labels or (labels_of_sample(sample, entry) if sample else None)
    picture = open_picture(options.image.stem, options.image, labels, entry)
    model = load_model(settings.model, default_device())
    make_folders(options.json and options.json.parent, options.save)
    snapshots = certify(settings, picture, model)
    found = next(snapshots)
    with tqdm(total=settings.first_looks + settings.looks, unit="look", file=sys.stderr) as bar:
        for found in snapshots:
            bar.update(found.first + found.looks - bar.n)
    result = certificate_result(found, model.label_set)
    if options.save:
        save_maps(found, model.label_set, options.save)
    write_json(result, options.json)
    say_warnings(result["warnings"])
    say_certified(result)


def whole_set(options: argparse.Namespace, settings: CertifySettings) -> None:
    """Certificates of a data set, added up."""
    pairs, stored, wanted = data_set_from(options)
    make_folders(options.json and options.json.parent)
    entry, model = in_label_set(model_entry(settings.model), load_model(settings.model, default_device()), stored, wanted)
    entry = as_read(entry, options)
    certificates, left_out = [], list[LeftOut]()
    for image, labels in tqdm(pairs, unit="image", file=sys.stderr):
        picture = open_picture(image.stem, image, labels, entry)
        try:
            check_label_map(picture)
        except UserError as error:
            left_out.append(LeftOut(picture.name, str(error)))
            continue
        certificates.append(deque(certify(settings, picture, model), maxlen=1).pop())
    if not certificates:
        raise nothing_left(left_out)
    found = added_up(certificates)
    result = certified_set_result(found, settings, model.label_set)
    result |= {"data": str(options.data), "left_out": [asdict(lacking) for lacking in left_out]}
    write_json(result, options.json)
    say_left_out(left_out)
    say_warnings(found.warnings)
    say_certified(result)


def say_certified(result: dict[str, Any]) -> None:
    """One line on stderr: how much is certified, and within what."""
    certified = result["certified"]
    print(
        f"certified within an L2 radius of {result['radius_grey_levels']:.1f} grey levels: {certified['pixel_accuracy']:.1%} of the pixels"
        f" right, mIoU {certified['miou']:.1%}; abstains at {result['abstained']:.1%}",
        file=sys.stderr,
    )


def save_maps(found: Certificate, label_set: LabelSet, folder: Path) -> None:
    """Write input, clean map, the map of most first looks, and the certified map, white where it abstains, as lossless PNG."""
    pictures = {
        "input": found.picture.pixels,
        "clean_map": draw.colour_map(found.clean, label_set.palette),
        "noisy_map": draw.colour_map(found.top, label_set.palette),
        "certified_map": draw.certified_map(found.certified(), label_set.palette),
    }
    for name, picture in pictures.items():
        (folder / f"{name}.png").write_bytes(draw.png(picture))
