"""The command `defences`: what each defence costs and holds, over the samples or a data-set folder."""

import argparse
import sys
from pathlib import Path

from tqdm import tqdm

from segviz.attacks.catalog import attack_entry
from segviz.cli.options import (
    Commands,
    add_data_set,
    add_report,
    add_settings,
    as_read,
    data_set_from,
    make_folders,
    positive,
    say_left_out,
    say_warnings,
    settings_from,
    write_json,
    write_report,
)
from segviz.data.samples import samples
from segviz.defences.catalog import values_of
from segviz.defences.load import load_model
from segviz.defences.rows import DEFENCES
from segviz.lab import open_picture, sample_picture
from segviz.models.load import default_device
from segviz.models.zoo import model_entry
from segviz.report.kinds import survey_document
from segviz.results import survey_csv, survey_result
from segviz.studies.defences import survey
from segviz.studies.evaluate import in_label_set
from segviz.types import UserError


def add(commands: Commands) -> None:
    """The command and its options."""
    command = commands.add_parser("defences", help="clean, naive and adaptive mIoU of defences, as CSV")
    command.add_argument(
        "--defence",
        action="append",
        metavar="NAME",
        help=f"any number of times, with values as in jpeg=50; default all: {', '.join(DEFENCES)}",
    )
    command.add_argument("--budget", type=positive, default=20, help="gradient evaluations of each attack; its steps follow from that")
    command.add_argument("--csv", type=Path, metavar="FILE", help="write the table here instead of to stdout")
    add_data_set(command, required=False)
    add_settings(command, attack_required=True)
    add_report(command)
    command.set_defaults(command=defences_command)


def defences_command(options: argparse.Namespace) -> None:
    entry, names = model_entry(options.model), options.defence or list(DEFENCES)
    attack_entry(options.attack)
    for name in names:
        values_of(name)
    model = load_model(options.model, default_device())
    if options.data is None:
        pictures = [sample_picture(key, entry) for key in samples()]
    else:
        pairs, stored, wanted = data_set_from(options)
        entry, model = in_label_set(entry, model, stored, wanted)
        entry = as_read(entry, options)
        pictures = [open_picture(photo.stem, photo, labels, entry) for photo, labels in pairs]
    make_folders(options.csv and options.csv.parent, options.json and options.json.parent, options.report and options.report.parent)
    settings = settings_from(options, "")
    table = None
    with tqdm(unit="trial", file=sys.stderr) as bar:
        for table in survey(settings, names, pictures, model, options.budget):
            bar.total = table.total
            bar.update(table.done - bar.n)
    assert table is not None
    say_left_out(table.left_out)
    say_warnings(table.warnings)
    if options.json:
        write_json(survey_result(table, settings, options.budget), options.json)
    if options.report:
        write_report(survey_document(table, settings, options.budget, ""), options.report)
    text = survey_csv(table)
    if options.csv is None:
        if options.json is None:
            sys.stdout.write(text)
        return
    try:
        options.csv.write_text(text)
    except OSError as error:
        raise UserError(f"Cannot write {options.csv}: {error.strerror}.") from None
