"""Finished runs as JSON values, the same for the terminal and for the page's download."""

from collections.abc import Sequence
from dataclasses import asdict, fields
from typing import Any

from segviz.attacks.catalog import alpha_of, steps_of
from segviz.data.label_sets import LabelSet
from segviz.defences.catalog import evaluations_of
from segviz.export import csv_of
from segviz.fields import fields_of
from segviz.records import Figures, Point, Trajectory, figures_of_frame, gathered
from segviz.settings import Settings
from segviz.studies.certify import Certificate, CertifiedSet, CertifySettings, root_mean_square
from segviz.studies.compare import Entrant, by_strength
from segviz.studies.defences import Survey, Trial
from segviz.studies.evaluate import Evaluation, SetFigures
from segviz.studies.scaling import Prevented, ScalerCell, ScalingSettings, ScalingStudy, agreement
from segviz.studies.targets import RATES, Victim, mean_now
from segviz.studies.transfer import Transfer
from segviz.studies.why import Reason


def attack_result(trajectory: Trajectory, label_set: LabelSet) -> dict[str, Any]:
    """A finished run: settings, clean and adversarial figures, how far the target map was reached, sizes of the change; rates are
    fractions of 1."""
    assert trajectory.report is not None
    assert trajectory.final is not None
    height, width = trajectory.picture.pixels.shape[:2]
    return {
        "scope": "one image",
        **run_settings(trajectory.settings),
        "reference": "own prediction" if trajectory.own_prediction else "label map",
        "device": trajectory.device,
        "width": width,
        "height": height,
        **asdict(trajectory.report),
        "clean": named(trajectory.clean, label_set),
        "adversarial": named(trajectory.report.adversarial, label_set),
        "against_target": None
        if trajectory.target is None
        else named(figures_of_frame(trajectory.final, trajectory.target, len(label_set.classes)), label_set),
        "members": [{**asdict(outcome), "gradient_evaluations": outcome.gradients} for outcome in trajectory.outcomes],
        "warnings": list(trajectory.warnings),
    }


def curve_csv(trajectory: Trajectory) -> str:
    """The curve of a run, one row per iteration, rates as fractions of 1."""
    return csv_of([field.name for field in fields(Point)], map(asdict, trajectory.curve))


def comparison_result(entrants: Sequence[Entrant], budget: int, label_set: LabelSet) -> dict[str, Any]:
    """A finished comparison: every attack as in `attack_result`, strongest first; those that could not go on with their error."""
    return {
        "scope": "several attacks on one image",
        "budget": budget,
        "warnings": list(dict.fromkeys(said for one in entrants if one.trajectory is not None for said in one.trajectory.warnings)),
        "attacks": [
            attack_result(entrant.trajectory, label_set)
            if entrant.trajectory is not None and entrant.trajectory.report is not None
            else {**run_settings(entrant.settings), "error": entrant.error}
            for entrant in by_strength(entrants)
        ],
    }


def targets_result(victims: Sequence[Victim], settings: Settings, target: str) -> dict[str, Any]:
    """Several pictures on their way to the map `target` (in words): each with clean and adversarial figures, or its error; and means."""
    attacked = run_settings(settings)
    attacked.pop("image")
    return {
        "scope": "several pictures, one target map",
        **attacked,
        "target": target,
        "mean": {rate: mean_now(victims, rate) for rate in RATES},
        "warnings": list(gathered((victim.picture.name, victim.warnings) for victim in victims)),
        "counted": sum(victim.result is not None for victim in victims),
        "left_out": [{"picture": victim.picture.name, "why": victim.error} for victim in victims if victim.error is not None],
        "pictures": [
            {"picture": victim.picture.name, "error": victim.error}
            if victim.result is None
            else {
                "picture": victim.picture.name,
                "width": victim.picture.pixels.shape[1],
                "height": victim.picture.pixels.shape[0],
                "passed": victim.passed,
                "there_before": victim.there_before,
                "clean": asdict(victim.curve[0]),
                "adversarial": asdict(victim.result.moment),
                **{name: value for name, value in asdict(victim.result).items() if name != "moment"},
            }
            for victim in victims
        ],
    }


def certificate_result(certificate: Certificate, label_set: LabelSet) -> dict[str, Any]:
    """A certificate of one picture: settings, the radius in L2, certified figures; rates are fractions of 1."""
    height, width = certificate.picture.pixels.shape[:2]
    return {
        "scope": "one image",
        **certified_settings(certificate.settings),
        "image": certificate.settings.image,
        "eps": root_mean_square(certificate.settings.radius, height, width),
        "reference": "own prediction" if certificate.own_prediction else "label map",
        "device": certificate.device,
        "width": width,
        "height": height,
        "looks_taken": certificate.first + certificate.looks,
        "stopped": certificate.stopped,
        "seconds": certificate.seconds,
        "clean": named(certificate.figures_of(certificate.clean), label_set),
        "certified": named(certificate.figures_of(certificate.certified()), label_set),
        "abstained": certificate.abstained,
        "accuracy_by_radius": [{"radius": radius, "accuracy": accuracy} for radius, accuracy in certificate.accuracy_by_radius()],
        "warnings": list(certificate.warnings),
    }


def reason_result(reason: Reason, label_set: LabelSet) -> dict[str, Any]:
    """Why a pixel has its class: the class, how far the gradient reaches, what integrated gradients add up to."""
    height, width = reason.gradient.shape
    return {
        "x": reason.x,
        "y": reason.y,
        "width": width,
        "height": height,
        "class": label_set.classes[reason.label],
        "confidence": reason.confidence,
        "reach": {str(share): reason.reach(share) for share in (0.5, 0.9)},
        "pixels_that_count": reason.touched,
        "rise": reason.rise,
        "integrated": float(reason.integrated.sum()),
    }


def certified_set_result(found: CertifiedSet, settings: CertifySettings, label_set: LabelSet) -> dict[str, Any]:
    """Certificates of a data set, likewise."""
    return {
        "scope": "data set",
        **certified_settings(settings),
        "pictures": found.pictures,
        "certified": named(found.figures, label_set),
        "abstained": found.abstained,
        "warnings": list(found.warnings),
    }


def certified_settings(settings: CertifySettings) -> dict[str, Any]:
    """How a certificate is made; `radius` is an L2 norm on the [0,1] scale, `radius_grey_levels` the same times 255."""
    asked = {name: value for name, value in asdict(settings).items() if name != "image"}
    return {**asked, "radius": settings.radius, "radius_grey_levels": 255 * settings.radius}


def evaluation_result(evaluation: Evaluation, settings: Settings | None, label_set: LabelSet) -> dict[str, Any]:
    """An evaluation over a data set, likewise."""
    attacked = run_settings(settings) if settings is not None else {}
    attacked.pop("image", None)
    return {
        "scope": "data set",
        **attacked,
        **asdict(evaluation),
        "clean": named(evaluation.clean, label_set),
        "adversarial": named(evaluation.adversarial, label_set) if evaluation.adversarial is not None else None,
        "members": [{**asdict(member), "figures": named(member.figures, label_set)} for member in evaluation.members],
    }


def transfer_result(study: Transfer) -> dict[str, Any]:
    """A study of transfer, as far as it got: the runs, and the rows of `transfer_rows`."""
    runs = []
    for number, run in enumerate(study.plan.runs):
        settings = run_settings(run.settings)
        settings.pop("image")
        cost = {"gradient_evaluations": evaluations_of(run.settings), "passes": study.passes_of(number)}
        runs.append({"table": run.group, "name": run.name, **settings, **cost})
    return {
        "scope": scope_of(study),
        "pictures": study.pictures,
        "of": study.total,
        "left_out": [asdict(lacking) for lacking in study.left_out],
        "warnings": list(study.warnings),
        "reference": "own prediction" if study.own_prediction else "label map",
        "stopped_after": study.stopped_after,
        "runs": runs,
        "victims": study.plan.victims,
        "cells": transfer_rows(study),
    }


def transfer_rows(study: Transfer) -> list[dict[str, Any]]:
    """A row per run, victim and iteration looked at; `iteration` is "result" for the 8-bit result, rates are fractions of 1.

    mIoU is that of the one image or of the data set, as `scope` says; an iteration has no other rate than its mIoU. `low_draw` and
    `high_draw` as in `TransferCell`.
    """
    rows = []
    for cell in study.cells:
        run = study.plan.runs[cell.run]
        common = {
            "scope": scope_of(study),
            "pictures": study.pictures,
            "attack": run.settings.attack,
            "variant": run.settings.variant,
            "transforms": "+".join(run.settings.transforms),
            "eps": run.settings.eps,
            "steps": steps_of(run.settings),
            "gradient_evaluations": evaluations_of(run.settings),
            "passes": study.passes_of(cell.run),
            "source": run.settings.model,
            "victim": study.plan.victims[cell.victim],
            "clean_miou": cell.clean.miou,
            "clean_pixel_accuracy": cell.clean.pixel_accuracy,
        }
        for iteration, miou in cell.curve:
            ratio = miou / cell.clean.miou if cell.clean.miou > 0 else None
            nothing = {"pixel_accuracy": None, "low_draw": None, "high_draw": None}
            rows.append({**common, "iteration": iteration, "miou": miou, "iou_ratio": ratio, **nothing})
        if cell.adversarial is not None:
            low, high = cell.draws or (None, None)
            rates = asdict(cell.adversarial) | {"low_draw": low, "high_draw": high}
            rows.append({**common, "iteration": "result", **rates, "iou_ratio": cell.iou_ratio})
    return rows


def scope_of(study: Transfer) -> str:
    """What the mIoU of a study is that of."""
    return "one image" if study.pictures <= 1 else "data set"


def transfer_csv(study: Transfer) -> str:
    """The figures of a study of transfer as CSV: `transfer_rows`."""
    rows = transfer_rows(study)
    return csv_of(list(rows[0]) if rows else [], rows)


def run_settings(settings: Settings) -> dict[str, Any]:
    """The settings with the step size and the number of steps that they led to."""
    return {**asdict(settings), "steps": steps_of(settings), "alpha": alpha_of(settings)}


def named(figures: Figures | SetFigures, label_set: LabelSet) -> dict[str, Any]:
    """Figures as JSON values, with the IoU by class name."""
    return {**asdict(figures), "iou": dict(zip(label_set.classes, figures.iou, strict=True))}


def survey_result(survey: Survey, settings: Settings, budget: int) -> dict[str, Any]:
    """A survey of defences: settings and the rows of `survey_rows`."""
    attacked = run_settings(settings)
    attacked.pop("image")
    return {
        "scope": "defences",
        **attacked,
        "budget": budget,
        "left_out": [asdict(lacking) for lacking in survey.left_out],
        "warnings": list(survey.warnings),
        "rows": survey_rows(survey),
    }


def survey_rows(survey: Survey) -> list[dict[str, Any]]:
    """A row per defence, rates as fractions of 1; the first is the network alone. One that could not be tried has its error alone."""
    return [
        {**asdict(row), "naive_ratio": row.ratio(row.naive), "adaptive_ratio": row.ratio(row.adaptive)}
        if row.pictures
        else {"defence": row.defence, "error": row.error}
        for row in survey.rows
    ]


def survey_csv(survey: Survey) -> str:
    """The table of a survey of defences as CSV: `survey_rows`."""
    return csv_of([*asdict(survey.rows[0]), "naive_ratio", "adaptive_ratio"], survey_rows(survey))


def trial_result(trial: Trial, label_set: LabelSet) -> dict[str, Any]:
    """A defence on trial: the attack on the network alone, its pictures through the defence, the attack that goes through it."""
    runs = {"no defence": trial.plain, "defence, attack does not know it": trial.naive, "defence, attack knows it": trial.adaptive}
    done = {seen: run for seen, run in runs.items() if run is not None and run.report is not None}
    return {
        "scope": "a defence, one image",
        "defence": trial.defence,
        "views": trial.passes,
        "budget": trial.budget,
        "warnings": list(dict.fromkeys(said for run in done.values() for said in run.warnings)),
        "attacks": [{"seen": seen, **attack_result(run, label_set)} for seen, run in done.items()],
    }


def scaling_result(study: ScalingStudy) -> dict[str, Any]:
    """A scaling attack: settings and all figures."""
    frames = study.frames
    seen = {}
    if "scaled" in frames:
        seen = {
            "full_size": agreement(frames["source"], frames["attack"]),
            "scaled": agreement(frames["honest"], frames["scaled"]),
            "scaled_against_hidden": agreement(frames["hidden"], frames["scaled"]),
        }
    return {
        "settings": {field.parameter: getattr(study.settings, name) for name, field in fields_of(ScalingSettings).items()},
        "attack": study.result.figures() if study.result is not None else None,
        "same_classes": seen,
        "grid": scaler_rows(study),
        "prevention": [without_frame(one) for one in study.prevention],
        "detectors": {key: {"source": of[0], "attack": of[1]} for key, of in study.scores.items()},
    }


def scaler_rows(study: ScalingStudy) -> list[dict[str, Any]]:
    """What each scaler makes of the attack image, a row each."""
    return [without_frame(cell) for cell in study.grid]


def without_frame(record: ScalerCell | Prevented) -> dict[str, Any]:
    """The fields of a record but its look."""
    return {name: value for name, value in vars(record).items() if name != "frame"}
