"""What a report holds of each kind of result; how it looks is the same for all."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import pairwise
from urllib.parse import urlencode

import numpy as np

from segviz import draw
from segviz.attacks.rows import ATTACKS
from segviz.data.label_sets import LabelSet
from segviz.data.samples import samples
from segviz.defences.titles import short_title
from segviz.fields import parameters
from segviz.records import Frame, Trajectory
from segviz.report.charts import ReportChart, ReportCurve
from segviz.report.code import comparison_code, scaled_code, scaling_code, snippet, study_code, survey_code, transfer_code, trial_code
from segviz.report.document import Document, Shot
from segviz.results import (
    attack_result,
    comparison_result,
    run_settings,
    scaling_result,
    survey_result,
    transfer_result,
    transfer_rows,
    trial_result,
)
from segviz.scaling.attack import Scaled
from segviz.settings import FIELDS, GIVEN, Settings
from segviz.studies.compare import Entrant, by_strength
from segviz.studies.defences import Survey, Trial
from segviz.studies.grid import SAMPLES, Study
from segviz.studies.lines import clean_values, lines_over_eps
from segviz.studies.scaling import ScalingStudy
from segviz.studies.table import Row, as_values
from segviz.studies.transfer import Transfer, common_label_set

LOOKS = {
    "source": "the source",
    "honest": "the source, scaled",
    "hidden": "the hidden picture",
    "attack": "the attack image",
    "scaled": "the attack image, scaled",
}
"""What the looks of a scaling attack are of."""

Points = list[tuple[float, float | None]]


def link_to_run(settings: Settings, address: str) -> str:
    """The link to the attack lab at `address` that makes the run; empty for a target map, which no link can hold."""
    if settings.goal == GIVEN:
        return ""
    query = urlencode(parameters(asdict(settings), FIELDS))
    return f"{address}?{query}" if query else address


def run_document(trajectory: Trajectory, label_set: LabelSet, address: str) -> Document:
    """One attack on one picture; the attack lab is at `address`."""
    final = trajectory.final
    assert final is not None
    settings, photo = trajectory.settings, trajectory.picture.pixels
    shots = [Shot("Input", photo), *shots_of(trajectory, final, label_set)]
    shots.insert(2, Shot("Clean map", draw.colour_map(trajectory.frames[0].prediction, label_set.screen_palette)))
    if not trajectory.own_prediction:
        shots.append(Shot("Label map", draw.colour_map(trajectory.reference, label_set.screen_palette)))
    if trajectory.target is not None:
        shots.append(Shot("Target map", draw.colour_map(trajectory.target, label_set.screen_palette)))
    return Document(
        title=f"{ATTACKS[settings.attack].title} against {short_title(settings.model)}",
        result=attack_result(trajectory, label_set),
        models=[settings.model],
        pictures=shots,
        charts=[
            ReportChart(
                "Over the run",
                "iteration",
                "",
                [
                    ReportCurve("mIoU of this image", over_run(trajectory, "miou")),
                    ReportCurve("pixel accuracy", over_run(trajectory, "pixel_accuracy")),
                    ReportCurve("pixels won", over_run(trajectory, "success")),
                    ReportCurve("mIoU of the result", [mark_of_result(trajectory)]),
                ],
            ),
            ReportChart("Loss", "iteration", "loss", [ReportCurve("loss", over_run(trajectory, "loss"))], percent=False),
        ],
        link=link_to_run(settings, address),
        code=snippet(trajectory, settings.image in samples()),
        hashed={"input": photo, "result": final.pixels},
    )


def shots_of(run: Trajectory, frame: Frame, label_set: LabelSet, prefix: str = "") -> list[Shot]:
    """What an attack made, as pictures."""
    photo, settings = run.picture.pixels, run.settings
    scale = draw.full_scale(settings.eps, settings.norm)
    return [
        Shot(f"{prefix}Adversarial", frame.pixels),
        Shot(f"{prefix}Adversarial map", draw.colour_map(frame.prediction, label_set.screen_palette)),
        Shot(f"{prefix}Perturbation, blue -{scale} to red +{scale} of 255", draw.perturbation(frame.pixels, photo, scale)),
        Shot(f"{prefix}Flipped pixels", draw.flipped(run.frames[0].prediction, frame.prediction, photo)),
    ]


def over_run(run: Trajectory, figure: str, over: str = "index") -> Points:
    """A figure over the iterations of a run, or over its gradient evaluations, with a gap where the attack begins anew."""
    points: Points = [(getattr(point, over), getattr(point, figure)) for point in run.curve[:1]]
    for before, after in pairwise(run.curve):
        x = getattr(after, over)
        points += [(x, None)] if after.stage != before.stage else []
        points.append((x, getattr(after, figure)))
    return points


def mark_of_result(run: Trajectory) -> tuple[float, float | None]:
    """Strongest iteration and mIoU of the result."""
    assert run.report is not None
    return run.report.strongest, run.report.adversarial.miou


def comparison_document(entrants: Sequence[Entrant], budget: int, label_set: LabelSet, link: str) -> Document:
    """Several attacks on one picture."""
    runs = {
        ATTACKS[one.settings.attack].title + (f" {one.settings.variant}" if one.settings.variant else ""): one
        for one in by_strength(entrants)
    }
    done = {name: one.trajectory for name, one in runs.items() if one.trajectory is not None and one.trajectory.final is not None}
    first = next(iter(done.values()))
    shots = [Shot("Input", first.picture.pixels), Shot("Clean map", draw.colour_map(first.frames[0].prediction, label_set.screen_palette))]
    for name, run in done.items():
        if run.final is not None:
            shots += shots_of(run, run.final, label_set, f"{name}: ")[:3]
    return Document(
        title=f"{len(runs)} attacks on {short_title(first.settings.model)}",
        result=comparison_result(entrants, budget, label_set),
        models=[first.settings.model],
        pictures=shots,
        charts=costs_of(done),
        link=link,
        code=comparison_code([one.settings for one in entrants], first.picture),
        hashed={"input": first.picture.pixels} | finals_of(done),
    )


def costs_of(runs: Mapping[str, Trajectory]) -> list[ReportChart]:
    """Runs by name over what they cost."""
    return [
        ReportChart(
            f"{told} over cost",
            "gradient evaluations",
            told,
            [ReportCurve(name, over_run(run, key, "gradients")) for name, run in runs.items()],
        )
        for key, told in (("miou", "mIoU of this image"), ("success", "pixels won"))
    ]


def finals_of(runs: Mapping[str, Trajectory]) -> dict[str, np.ndarray]:
    """The results of runs by name."""
    return {f"result of {name}": run.final.pixels for name, run in runs.items() if run.final is not None}


def trial_document(trial: Trial, label_set: LabelSet, link: str) -> Document:
    """A defence on trial on one picture."""
    columns = {"No defence": trial.plain, "Attack does not know the defence": trial.naive, "Attack knows the defence": trial.adaptive}
    done = {name: run for name, run in columns.items() if run is not None and run.final is not None}
    first = next(iter(done.values()))
    shots = [Shot("Input", first.picture.pixels)]
    for name, run in done.items():
        assert run.final is not None
        shots.append(Shot(f"{name}: Clean map", draw.colour_map(run.frames[0].prediction, label_set.screen_palette)))
        shots += shots_of(run, run.final, label_set, f"{name}: ")[:3]
    return Document(
        title=f"{trial.defence} on trial against {ATTACKS[trial.settings.attack].title}",
        result=run_settings(trial.settings) | trial_result(trial, label_set),
        models=[trial.settings.model],
        pictures=shots,
        charts=costs_of(done),
        link=link,
        code=trial_code(trial, first.picture),
        hashed={"input": first.picture.pixels} | finals_of(done),
    )


def survey_document(survey: Survey, settings: Settings, budget: int, link: str) -> Document:
    """Defences over many pictures."""
    names = [row.defence for row in survey.rows if row.defence]
    return Document(
        title=f"Defences against {ATTACKS[settings.attack].title}",
        result=survey_result(survey, settings, budget),
        models=[settings.model],
        link=link,
        code=survey_code(settings, names, budget),
    )


def transfer_document(study: Transfer, link: str, wanted: LabelSet | None = None) -> Document:
    """Adversarial pictures of source models, as victims see them; read in the label set `wanted`, if any."""
    models = [*(run.settings.model for run in study.plan.runs), *study.plan.victims]
    palette = common_label_set(models, wanted=wanted)
    images = {run.settings.image for run in study.plan.runs} & set(samples())
    rows = [row for row in transfer_rows(study) if row["iteration"] != "result"]
    lines: dict[str, Points] = {}
    for row in rows:
        lines.setdefault(f"{row['attack']} {row['transforms']} {short_title(row['source'])} → {short_title(row['victim'])}", []).append(
            (row["iteration"], row["miou"])
        )
    shots, hashed = [], {}
    for run, exhibit in zip(study.plan.runs, study.exhibits, strict=False):
        name = f"{run.group}, {run.name}"
        hashed[f"result of {name}"] = exhibit.adversarial
        shots.append(Shot(f"{name}: adversarial", exhibit.adversarial))
        for victim, labels in zip(study.plan.victims, exhibit.maps, strict=False):
            shots.append(Shot(f"{name}: as {short_title(victim)} sees it", draw.colour_map(labels, palette.screen_palette)))
    if study.exhibits:
        shots.insert(0, Shot("Input", study.exhibits[0].pixels))
        hashed["input"] = study.exhibits[0].pixels
    grown = [ReportCurve(name, points) for name, points in lines.items() if len(points) > 1]
    return Document(
        title=f"Transfer from {', '.join(dict.fromkeys(short_title(run.settings.model) for run in study.plan.runs))}",
        result=transfer_result(study),
        models=models,
        pictures=shots,
        charts=[ReportChart("mIoU of the victims", "iteration", "mIoU", grown)] if grown else [],
        link=link,
        code=transfer_code(study.plan, sorted(images) or list(samples())),
        hashed=hashed,
    )


def scaling_document(study: ScalingStudy, label_set: LabelSet, link: str) -> Document:
    """A scaling attack and what it does."""
    result, hidden = study.result, study.hidden
    assert result is not None
    assert hidden is not None
    shots = [
        Shot("Source", study.source),
        Shot("Attack image", result.pixels),
        Shot("Hidden picture", hidden),
        Shot("Attack image, scaled", result.scaled),
        Shot("Source, scaled", study.honest),
        *(
            Shot(f"Map of {LOOKS[name]}", draw.colour_map(frame.prediction, label_set.screen_palette))
            for name, frame in study.frames.items()
        ),
    ]
    return Document(
        title=f"A picture hidden from {study.settings.scaler}",
        result={"scope": "one image that is scaled down", **scaling_result(study)},
        models=[study.settings.model],
        pictures=shots,
        link=link,
        code=scaling_code(study.settings),
        hashed={"source": study.source, "attack image": result.pixels, "hidden picture": hidden},
    )


def scaled_document(result: Scaled, warnings: Sequence[str]) -> Document:
    """A scaling attack alone, without what networks make of it."""
    scaler = result.scaler
    return Document(
        title=f"A picture hidden from {scaler.key}",
        result={"scope": "one image that is scaled down", **result.figures(), "warnings": list(warnings)},
        models=[],
        pictures=[
            Shot("Source", result.source),
            Shot("Attack image", result.pixels),
            Shot("Hidden picture", result.target),
            Shot("Attack image, scaled", result.scaled),
        ],
        code=scaled_code(scaler, result.eps),
        hashed={"source": result.source, "attack image": result.pixels, "hidden picture": result.target},
    )


def study_document(study: Study, rows: Sequence[Row], link: str) -> Document:
    """A grid of runs."""
    lines, clean = lines_over_eps(rows, "mIoU"), clean_values(rows, "mIoU")
    radii = [mark.x for line in lines for mark in line.marks if mark.x > 0]
    curves = [ReportCurve(f"{line.name}, {short_title(line.model)}", [(mark.x, mark.y) for mark in line.marks]) for line in lines]
    if radii:
        curves += [
            ReportCurve(f"clean, {short_title(model)}", [(min(radii), value), (max(radii), value)], True) for model, value in clean.items()
        ]
    over, images = "samples" if study.images.folder == SAMPLES else "data set", max((row.images for row in rows), default=0)
    return Document(
        title=f"Study {study.name}",
        result={
            "scope": f"{over}, {images} images",
            "warnings": list(dict.fromkeys(said for row in rows for said in row.warnings)),
            "points": as_values(rows),
        },
        models=list(study.models),
        charts=[ReportChart("mIoU of the data set over eps", "eps, in n/255", "mIoU", curves, log=True)],
        link=link,
        code=study_code(study),
    )
