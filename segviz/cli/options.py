"""What the commands share: options that make up settings, checks of arguments, JSON and folders for results."""

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn, TypeAlias

from segviz.attacks.catalog import attack_entry, published
from segviz.attacks.transforms import TRANSFORMS
from segviz.data.datasets import Pairs, open_data_set
from segviz.data.label_sets import READ_BY, LabelSet, label_set_named
from segviz.data.samples import samples
from segviz.export import json_of
from segviz.fields import Field, fields_of
from segviz.models.entry import ModelEntry
from segviz.records import LeftOut
from segviz.report.document import Document, report_html
from segviz.settings import Settings
from segviz.types import UNSAID, Reading, UserError

Commands: TypeAlias = "argparse._SubParsersAction[OneLineParser]"


class OneLineParser(argparse.ArgumentParser):
    """Wrong arguments end in one clear line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}\n")


def add_settings(command: argparse.ArgumentParser, attack_required: bool) -> None:
    """The options that make up `Settings`, one for each field that the terminal can ask for, and where the JSON goes."""
    for field in terminal_fields(Settings):
        if field.name == "attack":
            add_option(command, replace(field, default=None), required=attack_required)
        elif field.name == "transforms":
            add_option(command, replace(field, help=f"{field.help}: {', '.join(TRANSFORMS)}"))
        else:
            add_option(command, field)
    command.add_argument(
        "--published",
        nargs="?",
        const="",
        metavar="PAPER",
        help="settings of a paper in place of the options they set: that of a name that begins so, as kurakin, or the attack's first",
    )
    command.add_argument("--json", type=Path, metavar="FILE", help="write the result here instead of to stdout")


def terminal_fields(record: type) -> list[Field]:
    """The fields of a record of settings that the terminal can ask for."""
    return [field for field in fields_of(record).values() if "terminal" in field.where]


def add_option(command: argparse.ArgumentParser, field: Field, **more: Any) -> None:
    """The option of a field: a switch away from the default of one that is true or false, repeatable for a list."""
    flag, more = f"--{field.option or field.name}", {"dest": field.name, "help": field.help or None} | more
    if field.kind is bool:
        command.add_argument(flag, action="store_false" if field.default else "store_true", **more)
        return

    def value(text: str) -> Any:
        try:
            return field.parse(text)
        except UserError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    metavar = f"{{{','.join(field.choices())}}}" if field.choices is not None else field.metavar
    if field.kind is tuple:
        command.add_argument(flag, action="extend", type=value, default=list(field.default), metavar=metavar, **more)
    else:
        command.add_argument(flag, type=value, default=field.default, metavar=metavar, **more)


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
    add_reading(command)


def add_reading(command: argparse.ArgumentParser) -> None:
    """The options that say of label maps what their files leave open."""
    command.add_argument(
        "--mask-class", default="", metavar="CLASS", help="label maps are masks of this class: it is 255, or the higher of two"
    )
    command.add_argument("--read-labels", choices=READ_BY[1:], default="", help="what counts in label maps with a palette")
    command.add_argument("--labels-turned", action="store_true", help="label maps lie as their photos are stored; EXIF turns both")


def reading_from(options: argparse.Namespace) -> Reading:
    """What the options of `add_reading` say."""
    return Reading(options.mask_class, options.read_labels, options.labels_turned)


def as_read(entry: ModelEntry, options: argparse.Namespace) -> ModelEntry:
    """A model whose label maps are read as the options of `add_reading` say, if they say anything."""
    reading = reading_from(options)
    return entry if reading == UNSAID else replace(entry, label_set=replace(entry.label_set, reading=reading))


def data_set_from(options: argparse.Namespace) -> tuple[Pairs, LabelSet | None, LabelSet | None]:
    """The chosen pairs, what the ids in their label maps mean (None: unsaid), and the label set to read them in (None: the model's)."""
    data = open_data_set(options.data, options.split)
    stored = label_set_named(options.data_labels) if options.data_labels else data.label_set
    wanted = label_set_named(options.label_set) if options.label_set else None
    if stored is not None and reading_from(options) != UNSAID:
        stored = replace(stored, reading=reading_from(options))
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


def photo(text: str) -> Path:
    """A file, or the photo of the sample of that name."""
    sample = samples().get(text)
    return sample.photo if sample else Path(text)


def settings_from(options: argparse.Namespace, image: str) -> Settings:
    """The settings that the options of `add_settings` ask for, of a picture."""
    settings = Settings(image=image, **{field.name: getattr(options, field.name) for field in terminal_fields(Settings)})
    return as_published(settings, options.published)


def as_published(settings: Settings, paper: str | None) -> Settings:
    """The settings with those of the paper whose name begins so, of the first for an empty name; as they are for None."""
    if paper is None:
        return settings
    named = [name for name in attack_entry(settings.attack).published if name.lower().startswith(paper.lower())]
    return published(settings, named[0] if named and paper else paper)


def write_json(result: Any, file: Path | None) -> None:
    """JSON to a file, or to stdout; raises UserError where the file cannot be written."""
    text = json_of(result)
    if file is None or file == Path("-"):
        sys.stdout.write(text)
        return
    try:
        file.write_text(text)
    except OSError as error:
        raise UserError(f"Cannot write {file}: {error.strerror}.") from None


def add_report(command: argparse.ArgumentParser) -> None:
    """The option for a report."""
    command.add_argument(
        "--report", type=Path, metavar="FILE", help="write a report here: one HTML file with settings, pictures, curves, figures, code"
    )


def write_report(document: Document, file: Path) -> None:
    """Write a report; raises UserError where that is not possible."""
    try:
        file.write_text(report_html(document), encoding="utf-8")
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


def say_warnings(warnings: Sequence[str]) -> None:
    """A line on stderr for everything that must be read beside the figures."""
    for warning in warnings:
        print(f"warning: {warning}", file=sys.stderr)


def say_left_out(left_out: Sequence[LeftOut]) -> None:
    """A line on stderr for every picture that does not count."""
    for lacking in left_out:
        print(f"left out: {lacking.picture}: {lacking.why}", file=sys.stderr)
