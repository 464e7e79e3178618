"""What the commands share: options that make up settings, checks of arguments, JSON and folders for results."""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn, TypeAlias

from segviz.attacks.catalog import published
from segviz.attacks.constraints import NORMS
from segviz.attacks.regions import FORMS
from segviz.attacks.transforms import TRANSFORMS
from segviz.data.datasets import Pairs, open_data_set
from segviz.data.label_sets import LabelSet, label_set_named
from segviz.records import LeftOut
from segviz.settings import GOALS, LABEL_SOURCES, Settings
from segviz.types import UserError

Commands: TypeAlias = "argparse._SubParsersAction[OneLineParser]"


class OneLineParser(argparse.ArgumentParser):
    """Wrong arguments end in one clear line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}\n")


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


def add_data_set(command: argparse.ArgumentParser, required: bool) -> None:
    """The options that choose a data-set folder and how its label maps are read."""
    data = os.environ.get("SEGVIZ_DATA")
    command.add_argument(
        "--data",
        type=Path,
        required=required and data is None,
        default=data and Path(data),
        help="folder with images/ and labels/, or of VOC, Cityscapes, ADE20K or CamVid; default: the environment variable SEGVIZ_DATA",
    )
    command.add_argument("--split", help="part of the data set: val, test ...; default: the usual one")
    command.add_argument("--data-labels", metavar="SET", help="what the ids in the label maps mean, where the folder does not tell")
    command.add_argument("--label-set", metavar="SET", help="read model and labels in this coarser label set, such as VOC7")
    command.add_argument("--limit", type=positive, help="only the first N pairs")


def data_set_from(options: argparse.Namespace) -> tuple[Pairs, LabelSet | None, LabelSet | None]:
    """The chosen pairs, what the ids in their label maps mean (None: unsaid), and the label set to read them in (None: the model's)."""
    data = open_data_set(options.data, options.split)
    stored = label_set_named(options.data_labels) if options.data_labels else data.label_set
    wanted = label_set_named(options.label_set) if options.label_set else None
    return data.pairs[: options.limit], stored, wanted


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


def say_left_out(left_out: Sequence[LeftOut]) -> None:
    """A line on stderr for every picture that does not count."""
    for lacking in left_out:
        print(f"left out: {lacking.picture}: {lacking.why}", file=sys.stderr)
