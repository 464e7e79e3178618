"""The command `why`: which pixels of a picture the class of one pixel comes from."""

import argparse
import re
import sys
from pathlib import Path

from segviz import draw
from segviz.cli.options import Commands, add_option, make_folders, photo, write_json
from segviz.defences.load import load_model
from segviz.lab import open_picture
from segviz.models.load import default_device
from segviz.models.zoo import model_entry
from segviz.results import reason_result
from segviz.settings import FIELDS
from segviz.studies.why import explain


def add(commands: Commands) -> None:
    """The command and its options."""
    command = commands.add_parser("why", help="which pixels of a picture the class of one pixel comes from")
    add_option(command, FIELDS["model"])
    command.add_argument("--image", type=photo, required=True, help="PNG, JPEG or WebP, or a sample by name, such as chelsea")
    command.add_argument("--at", type=place, required=True, metavar="X,Y", help="the pixel, at the size that the model works at")
    command.add_argument("--json", type=Path, metavar="FILE", help="write the result here instead of to stdout")
    command.add_argument("--save", type=Path, metavar="FOLDER", help="write gradient.png and integrated.png here")
    command.set_defaults(command=why_command)


def place(text: str) -> tuple[int, int]:
    """The place of a pixel, from "X,Y"."""
    if not re.fullmatch(r"\d{1,6},\d{1,6}", text):
        raise argparse.ArgumentTypeError(f"'{text}' is no pixel. Write its column and its row, counted from 0, such as 150,100.")
    x, y = map(int, text.split(","))
    return x, y


def why_command(options: argparse.Namespace) -> None:
    picture = open_picture(options.image.stem, options.image, None, model_entry(options.model))
    make_folders(options.json and options.json.parent, options.save)
    model = load_model(options.model, default_device())
    reason = explain(model, picture.pixels, *options.at)
    if options.save:
        for name, weights in (("gradient", reason.gradient), ("integrated", reason.integrated.clip(0))):
            lit = draw.marked(draw.lit(weights, picture.pixels), reason.x, reason.y)
            (options.save / f"{name}.png").write_bytes(draw.png(lit))
    result = {"model": options.model, "image": str(options.image)} | reason_result(reason, model.label_set)
    write_json(result, options.json)
    print(
        f"{result['class']}, {result['confidence']:.0%} sure: half of the gradient lies within {result['reach']['0.5']} pixels, "
        f"90 % within {result['reach']['0.9']}",
        file=sys.stderr,
    )
