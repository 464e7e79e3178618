"""The command `verify-runtime`: does a picture that breaks a selfie network here break it in Google's runtime, too?"""

import argparse
import sys
from collections import deque
from pathlib import Path

import numpy as np

from segviz import draw
from segviz.attacks.catalog import attack_entry
from segviz.cli.options import Commands, add_settings, make_folders, photo, say_warnings, settings_from, write_json
from segviz.data.images import read_photo
from segviz.data.samples import sample_of_file
from segviz.defences.load import load_model
from segviz.lab import attack_picture, labels_of_sample, open_picture
from segviz.models.load import default_device
from segviz.models.mediapipe import person_probability, runtime, shipped_file
from segviz.models.zoo import model_entry
from segviz.types import VOID, UserError

PERSON = 1


def add(commands: Commands) -> None:
    """The command and its options."""
    command = commands.add_parser("verify-runtime", help="give the attacked picture to Google's runtime, too")
    command.add_argument("--image", type=photo, default="astronaut", help="PNG, JPEG or WebP, or a sample by name; default %(default)s")
    command.add_argument(
        "--labels",
        type=Path,
        help="PNG of VOC ids, found by itself for a bundled sample; without it, masks are compared with that of the clean picture",
    )
    add_settings(command, attack_required=False)
    command.add_argument("--save", type=Path, metavar="FILE", help="write the attacked picture here, as PNG")
    command.set_defaults(command=verify_runtime, model="selfie", attack="sea")


def verify_runtime(options: argparse.Namespace) -> None:
    entry = model_entry(options.model)
    shipped_file(options.model)
    runtime()
    attack_entry(options.attack)
    if options.save and options.save.suffix.lower() != ".png":
        raise UserError(f"The attacked picture must stay as it is to the last bit: write it to a PNG file, not to {options.save.name}.")
    image: Path = options.image
    sample = sample_of_file(image)
    labels = options.labels or (labels_of_sample(sample, entry) if sample else None)
    picture = open_picture(image.stem, image, labels, entry)
    make_folders(options.json and options.json.parent, options.save and options.save.parent)
    settings = settings_from(options, str(image))
    trajectory = deque(attack_picture(settings, picture, load_model(options.model, default_device())), maxlen=1).pop()
    assert trajectory.final is not None
    png = draw.png(trajectory.final.pixels)
    if options.save:
        options.save.write_bytes(png)

    ours = {"clean": trajectory.frames[0].prediction == PERSON, "attacked": trajectory.final.prediction == PERSON}
    seen = {"clean": picture.pixels, "attacked": read_photo(png, None).pixels}
    theirs = {name: person_probability(options.model, pixels) > 0.5 for name, pixels in seen.items()}
    truth = trajectory.reference
    result = {
        "model": options.model,
        "image": str(image),
        "labels": None if trajectory.own_prediction else str(labels),
        "attack": options.attack,
        "eps": options.eps,
        "person_iou": {name: {"segviz": person_iou(ours[name], truth), "mediapipe": person_iou(theirs[name], truth)} for name in seen},
        "agreement": {name: float((ours[name] == theirs[name]).mean()) for name in seen},
        "warnings": list(trajectory.warnings),
    }
    write_json(result, options.json)
    say_warnings(trajectory.warnings)
    for name in seen:
        both = ", ".join(f"{person_iou(masks[name], truth):.1%} in {by}" for by, masks in (("segviz", ours), ("MediaPipe", theirs)))
        print(f"{name}: IoU of the person {both}; the masks agree on {result['agreement'][name]:.1%} of the pixels", file=sys.stderr)


def person_iou(mask: np.ndarray, truth: np.ndarray) -> float:
    """IoU of a mask (H,W) with the person of a label map (H,W), void pixels left out; 1 where both are empty."""
    labelled = truth != VOID
    mask, person = mask & labelled, (truth == PERSON) & labelled
    union = (mask | person).sum()
    return float((mask & person).sum() / union) if union else 1.0
