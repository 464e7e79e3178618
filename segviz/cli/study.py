"""The command `study`: a grid of models, attacks, eps, steps and images from a TOML file, computed as far as it is not stored."""

import argparse
import sys
from pathlib import Path

from tqdm import tqdm

from segviz.cli.options import Commands, add_report, make_folders, say_warnings, write_json, write_report
from segviz.report.kinds import study_document
from segviz.studies.grid import read_study
from segviz.studies.plot import curves_html
from segviz.studies.run import ENGINES, run
from segviz.studies.store import Store
from segviz.studies.table import Row, as_csv, as_values, table
from segviz.types import UserError


def add(commands: Commands) -> None:
    """The command and its options."""
    study = commands.add_parser("study", help="curves over models, attacks, eps and steps; goes on where it stopped")
    study.add_argument("study", type=Path, help="TOML file, such as assets/studies/quick.toml")
    study.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="where table.csv, table.json and curves.html go")
    study.add_argument("--store", type=Path, metavar="FOLDER", help="where results are kept; default: SEGVIZ_STUDIES, or the cache folder")
    study.add_argument("--engine", choices=ENGINES, default="local", help="ray: spread over the workers of Ray (pip install ray)")
    add_report(study)
    study.set_defaults(command=study_command)


def study_command(options: argparse.Namespace) -> None:
    study = read_study(options.study)
    store = Store(options.store)
    make_folders(options.out, store.folder, options.report and options.report.parent)
    try:
        with tqdm(total=0, unit="run", file=sys.stderr) as bar:
            for progress in run(study, store, options.engine):
                if bar.total != progress.total:
                    bar.reset(progress.total)
                    bar.initial = progress.reused
                bar.set_postfix(left=tqdm.format_interval(progress.eta) if progress.eta is not None else "?", refresh=False)
                bar.update(progress.done - bar.n)
        print(f"{progress.done - progress.reused} runs computed, {progress.reused} were stored, {progress.failed} failed", file=sys.stderr)
    finally:
        # Also of a run that is broken off: what is there so far.
        rows = table(study, store)
        write_text(options.out / "table.csv", as_csv(rows))
        write_json(as_values(rows), options.out / "table.json")
        write_text(options.out / "curves.html", curves_html(study.name, rows))
        if options.report:
            write_report(study_document(study, rows, ""), options.report)
    for row in rows:
        say(row)


def say(row: Row) -> None:
    """One line on stdout: a point of the curves."""
    settings = row.point.settings
    figures = "no image" if row.adversarial is None or row.clean is None else f"{row.clean.miou:6.1%} -> {row.adversarial.miou:6.1%}"
    problem = f"  {row.errors[0]}" if row.errors else ""
    say_warnings(row.warnings)
    print(f"{settings.model:<22} {row.point.row.title:<28} eps {settings.eps:<5g} steps {settings.steps:<4} mIoU {figures}{problem}")


def write_text(file: Path, text: str) -> None:
    """Text to a file; raises UserError where it cannot be written."""
    try:
        file.write_text(text)
    except OSError as error:
        raise UserError(f"Cannot write {file}: {error.strerror}.") from None
