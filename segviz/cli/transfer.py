"""The command `transfer`: adversarial pictures made on source models, as victim models see them."""

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from tqdm import tqdm

from segviz.attacks.catalog import attack_entry
from segviz.attacks.transforms import TRANSFORMS
from segviz.cli.options import (
    Commands,
    add_data_set,
    add_option,
    add_report,
    as_published,
    data_set_from,
    make_folders,
    photo,
    reading_from,
    say_left_out,
    say_warnings,
    write_json,
    write_report,
)
from segviz.data.label_sets import LabelSet, label_set_named
from segviz.data.samples import sample_of_file, samples
from segviz.models.load import default_device
from segviz.report.kinds import transfer_document
from segviz.results import transfer_csv, transfer_result
from segviz.settings import FIELDS, Settings
from segviz.studies.transfer import (
    PhotoFile,
    Plan,
    Transfer,
    by_scale,
    by_source,
    by_transform,
    common_label_set,
    over_iterations,
    sample_files,
    transfer,
)
from segviz.types import UserError

STUDIES = {
    "matrix": "every source against every victim",
    "scales": "Table 1 of Arnab et al.: the first source at 50, 75, 100 % and multi-scale, by FGSM and I-FGSM least-likely",
    "transforms": "the first source, plain and through each --transform on its own, at --steps gradient evaluations each",
    "curves": "the first source, plain and through all --transform together; victims look at some of the iterations as well",
}


def add(commands: Commands) -> None:
    """The command and its options."""
    command = commands.add_parser("transfer", help="adversarial pictures of source models, seen by victim models")
    command.add_argument(
        "--sources", nargs="+", default=[FIELDS["model"].default], metavar="KEY", help="models to attack; see the command models"
    )
    command.add_argument("--victims", nargs="+", metavar="KEY", help="models that see the results; default: the sources")
    known = "; ".join(f"{name}: {what}" for name, what in STUDIES.items())
    command.add_argument("--study", choices=STUDIES, default="matrix", help=known.replace("%", "%%"))
    command.add_argument("--attack", action="append", metavar="KEY", help="any number of times for the study matrix; default pgd")
    add_option(command, replace(FIELDS["transforms"], help=f"input transform: {', '.join(TRANSFORMS)}"))
    add_option(command, FIELDS["norm"])
    add_option(command, replace(FIELDS["eps"], default=8.0))
    add_option(command, replace(FIELDS["steps"], help="iterations, or the budget of the study transforms"))
    add_option(command, FIELDS["alpha"])
    add_option(command, FIELDS["seed"])
    add_option(command, replace(FIELDS["against"], help="labels that attacks break"))
    command.add_argument(
        "--published",
        nargs="?",
        const="",
        metavar="PAPER",
        help="a paper's settings at this eps in place of the options they set: of the one whose name begins so, or each attack's first",
    )
    command.add_argument(
        "--image", type=photo, help="one photo, or a sample by name, in place of a data set; default without either: the bundled samples"
    )
    command.add_argument("--labels", type=Path, help="label map of the photo; found by itself for a bundled sample")
    add_data_set(command, required=False)
    command.add_argument("--csv", type=Path, metavar="FILE", help="write a row per source, victim and iteration here")
    command.add_argument("--json", type=Path, metavar="FILE", help="write the result here instead of to stdout")
    add_report(command)
    command.set_defaults(command=transfer_command)


def plan_from(options: argparse.Namespace) -> Plan:
    """The study that the options describe; raises UserError where they do not fit together."""
    keys = options.attack or ["pgd"]
    attacks = []
    for key in keys:
        attack_entry(key)
        settings = Settings(
            model=options.sources[0],
            image="",
            attack=key,
            norm=options.norm,
            eps=options.eps,
            steps=options.steps,
            alpha=options.alpha,
            seed=options.seed,
            against=options.against,
            transforms=() if options.study == "transforms" else tuple(options.transforms),
        )
        attacks.append(as_published(settings, options.published))
    victims = options.victims or options.sources
    if options.study != "matrix" and len(options.sources) + len(attacks) > 2:
        raise UserError(f"The study {options.study} takes one source and one attack.")
    if options.study == "scales":
        if options.attack or options.transforms or options.norm != "linf":
            raise UserError("The study scales has attacks of its own. Leave --attack, --transform and --norm out.")
        return by_scale(attacks[0], options.victims or [])
    if options.study == "transforms":
        return by_transform(attacks[0], [(key,) for key in options.transforms], victims, options.steps)
    if options.study == "curves":
        return over_iterations(attacks[0], victims)
    return by_source(attacks, options.sources, victims)


def photos_from(options: argparse.Namespace, plan: Plan) -> tuple[list[PhotoFile], LabelSet | None, LabelSet | None]:
    """The photos, what the ids in their label maps mean (None: unsaid), and the label set to read them in (None: the models')."""
    if options.image is None and options.data is not None:
        pairs, stored, wanted = data_set_from(options)
        return [PhotoFile(photo.stem, photo, labels, reading_from(options)) for photo, labels in pairs], stored, wanted
    wanted = label_set_named(options.label_set) if options.label_set else None
    if options.image is None:
        label_set = common_label_set([*(run.settings.model for run in plan.runs), *plan.victims], wanted=wanted)
        return sample_files(list(samples())[: options.limit], label_set), None, wanted
    label_set = common_label_set([*(run.settings.model for run in plan.runs), *plan.victims], wanted=wanted)
    sample = sample_of_file(options.image)
    if sample is not None and options.labels is None:
        return sample_files([sample.key], label_set), None, wanted
    return [PhotoFile(options.image.stem, options.image, options.labels, reading_from(options))], None, wanted


def transfer_command(options: argparse.Namespace) -> None:
    plan = plan_from(options)
    photos, stored, wanted = photos_from(options, plan)
    make_folders(*(file.parent for file in (options.csv, options.json, options.report) if file is not None))
    studies = transfer(plan, photos, default_device(), stored=stored, wanted=wanted)
    study = next(studies)
    with tqdm(total=study.budget, unit="gradient", file=sys.stderr) as bar:
        for study in studies:
            bar.update(study.spent - bar.n)
            bar.set_postfix(pictures=f"{study.pictures}/{study.total}", refresh=False)
    if options.csv:
        try:
            options.csv.write_text(transfer_csv(study))
        except OSError as error:
            raise UserError(f"Cannot write {options.csv}: {error.strerror}.") from None
    if options.report:
        write_report(transfer_document(study, "", wanted), options.report)
    if options.json or not options.csv:
        write_json(transfer_result(study), options.json)
    say_left_out(study.left_out)
    say_warnings(study.warnings)
    print(markdown(study), file=sys.stderr)


def markdown(study: Transfer) -> str:
    """IoU ratios in percent as Markdown tables: a table per attack, a row per victim, a column per source or transform."""
    scope = "this image" if study.total == 1 else f"{study.pictures} pictures"
    lines = []
    for group in dict.fromkeys(run.group for run in study.plan.runs):
        numbers = [number for number, run in enumerate(study.plan.runs) if run.group == group]
        names = [study.plan.runs[number].name for number in numbers]
        lines += ["", f"{group}: IoU ratio in % over {scope}; made on the column, seen by the row", ""]
        lines += [f"| victim | clean mIoU | {' | '.join(names)} |", "| --- |" + " ---: |" * (len(names) + 1)]
        for victim, key in enumerate(study.plan.victims):
            cells = [study.cell(number, victim) for number in numbers]
            clean = "" if cells[0] is None else f"{cells[0].clean.miou:.1%}"
            ratios = [f"{100 * cell.iou_ratio:.1f}" if cell is not None and cell.iou_ratio is not None else "-" for cell in cells]
            lines.append(f"| {key} | {clean} | {' | '.join(ratios)} |")
    return "\n".join(lines[1:])
