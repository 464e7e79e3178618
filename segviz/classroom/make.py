"""The runs of lessons, really run.

`python -m segviz.classroom.make` runs all lessons anew and stores what they show beside them, as `KEY.zip`.
"""

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from segviz import draw
from segviz.attacks.catalog import published
from segviz.classroom.evidence import Evidence, check_named, measured_answer, save
from segviz.classroom.lessons import FOLDER, LessonRun, lesson_keys, read_lesson
from segviz.data.label_sets import LabelSet
from segviz.data.samples import samples
from segviz.defences.load import load_model
from segviz.deferred import cv2
from segviz.lab import attack_picture, sample_picture
from segviz.models.load import default_device
from segviz.models.zoo import model_entry
from segviz.records import Trajectory
from segviz.settings import GIVEN, Settings
from segviz.studies.defences import Trial, on_trial
from segviz.studies.scaling import ScalingSettings, ScalingStudy, sample_full_size, scaling_study
from segviz.studies.transfer import Plan, Run, Transfer, sample_files, transfer
from segviz.types import UserError

FLIPPED_FIRST = 0.1
"""Share of the pixels that are called the first to flip."""


def evidence_of(run: LessonRun, stopped: Callable[[], bool] = lambda: False) -> Iterator[Evidence]:
    """Run what a lesson's run says and yield what it shows, step by step; the last is that of the finished run.

    Raises UserError where its table says something that the run's kind does not take.
    """
    makers = {"attack": of_attack, "defence": of_defence, "transfer": of_transfer, "scaling": of_scaling}
    try:
        yield from makers[run.kind](dict(run.table), stopped)
    except TypeError as error:
        raise UserError(f"The run '{run.name}': {error}.") from None


def of_attack(table: dict[str, Any], stopped: Callable[[], bool]) -> Iterator[Evidence]:
    """An attack in the lab: fields of `Settings`; `target_map` is a sample whose label map is to be reached.

    `paper` takes the steps, step size and labels of the attack's paper.
    """
    target_key, paper = table.pop("target_map", None), table.pop("paper", False)
    settings = Settings(**table | ({"goal": GIVEN} if target_key else {}))
    settings = published(settings) if paper else settings
    entry = model_entry(settings.model)
    target_map = sample_picture(target_key, entry).labels if target_key else None
    picture = sample_picture(settings.image, entry)
    for trajectory in attack_picture(settings, picture, load_model(settings.model, default_device()), stopped, target_map=target_map):
        yield seen_of_trajectory(trajectory, entry.label_set)


def seen_of_trajectory(trajectory: Trajectory, label_set: LabelSet) -> Evidence:
    """What an attack shows. The curves are those of the iterates, the figures those of the 8-bit result once there is one."""
    settings, photo, clean = trajectory.settings, trajectory.picture.pixels, trajectory.frames[0]
    now, report, point = trajectory.final or trajectory.frames[-1], trajectory.report, trajectory.curve[-1]
    miou, accuracy, success = point.miou, point.pixel_accuracy, point.success
    if report is not None:
        miou, accuracy, success = report.adversarial.miou, report.adversarial.pixel_accuracy, report.success
    change = now.pixels.astype(int) - photo
    figures = {
        "clean_miou": trajectory.clean.miou,
        "miou": miou,
        "clean_accuracy": trajectory.clean.pixel_accuracy,
        "accuracy": accuracy,
        "success": success,
        "ratio": miou / trajectory.clean.miou if trajectory.clean.miou > 0 else 0.0,
        "flipped": float((clean.prediction != now.prediction).mean()),
        "linf": float(np.abs(change).max()),
        "changed": float((change != 0).any(2).mean()),
    }
    if report is not None and report.psnr is not None:
        figures["psnr"] = report.psnr
    falls = first_flipped(trajectory)
    if falls.any():
        figures["first unsure"] = float((clean.confidence <= np.quantile(clean.confidence, 0.25))[falls].mean())
    reached = [one.index for one in trajectory.curve if one.success >= 0.9]
    figures["steps to 90 %"] = float(reached[0] if reached else trajectory.curve[-1].index + 1)
    figures |= {f"share of {name}": float((now.prediction == number).mean()) for number, name in enumerate(label_set.classes)}
    steps = tuple(float(one.index) for one in trajectory.curve)
    named = {"miou": "miou", "accuracy": "pixel_accuracy", "loss": "loss", "success": "success"}
    total = max(settings.steps * settings.restarts, 1)
    return Evidence(
        figures,
        {name: (steps, tuple(getattr(one, attribute) for one in trajectory.curve)) for name, attribute in named.items()},
        pictures_of_attack(trajectory, label_set, falls),
        1.0 if report is not None else min(point.index / total, 0.99),
        trajectory.device,
    )


def pictures_of_attack(trajectory: Trajectory, label_set: LabelSet, falls: np.ndarray) -> dict[str, np.ndarray]:
    """The pictures of an attack; `falls` (H,W) bool are the pixels that flip first."""
    settings, photo, clean = trajectory.settings, trajectory.picture.pixels, trajectory.frames[0]
    now = trajectory.final or trajectory.frames[-1]
    scale = draw.full_scale(settings.eps, settings.norm)

    def coloured(labels: np.ndarray) -> np.ndarray:
        return draw.seen_map(labels, label_set, photo, draw.MapLook())

    pictures = {
        "photo": photo,
        "adversarial": now.pixels,
        "perturbation": draw.perturbation_rgb(now.pixels, photo, scale),
        "clean map": coloured(clean.prediction),
        "map": coloured(now.prediction),
        "flipped": draw.flipped(clean.prediction, now.prediction, photo),
        "confidence": draw.heat(clean.confidence),
        "unsure": as_mask(clean.confidence <= np.quantile(clean.confidence, FLIPPED_FIRST)),
        "first flipped": as_mask(falls),
    }
    if trajectory.target is not None:
        pictures["target map"] = coloured(trajectory.target)
    if not trajectory.own_prediction:
        pictures["label map"] = coloured(trajectory.reference)
    return pictures


def first_flipped(trajectory: Trajectory) -> np.ndarray:
    """(H,W) bool: the pixels that have flipped at the first stored iteration at which `FLIPPED_FIRST` of all have."""
    clean = trajectory.frames[0].prediction
    flipped = np.zeros_like(clean, bool)
    for frame in trajectory.frames:
        flipped = frame.prediction != clean
        if flipped.mean() >= FLIPPED_FIRST:
            break
    return flipped


def as_mask(where: np.ndarray) -> np.ndarray:
    """(H,W) bool as a picture: white where it is so, a little widened, as a click is never exact."""
    wide = cv2.dilate(where.astype(np.uint8) * 255, np.ones((5, 5), np.uint8))
    return cv2.cvtColor(wide, cv2.COLOR_GRAY2RGB)


def of_defence(table: dict[str, Any], stopped: Callable[[], bool]) -> Iterator[Evidence]:
    """A defence on trial: fields of `Settings`, the `defence` and the `budget` of gradient evaluations."""
    defence, budget = table.pop("defence"), table.pop("budget", 20)
    settings = Settings(**table)
    entry = model_entry(settings.model)
    picture = sample_picture(settings.image, entry)
    for trial in on_trial(settings, defence, picture, load_model(settings.model, default_device()), budget, stopped):
        yield seen_of_trial(trial, entry.label_set)


def seen_of_trial(trial: Trial, label_set: LabelSet) -> Evidence:
    """Figures and pictures of the three attacks, with "plain", "unaware" or "aware" before each name."""
    seen = Evidence(progress=0.0)
    for name, trajectory in (("plain", trial.plain), ("unaware", trial.naive), ("aware", trial.adaptive)):
        if trajectory is None:
            continue
        one = seen_of_trajectory(trajectory, label_set)
        seen = Evidence(
            {**seen.figures, **{f"{name} {key}": value for key, value in one.figures.items()}},
            {**seen.curves, **{f"{name} {key}": value for key, value in one.curves.items()}},
            {**seen.pictures, **{f"{name} {key}": value for key, value in one.pictures.items()}},
            seen.progress + one.progress / 3,
            one.device,
        )
    return replace(seen, progress=1.0) if trial.ended else seen


def of_transfer(table: dict[str, Any], stopped: Callable[[], bool]) -> Iterator[Evidence]:
    """A study of transfer: `images` (samples), `victims` (models) and `made`, by name the settings of each attack.

    `paper` in an attack's settings takes those of its paper. The figures are IoU ratios, "NAME on VICTIM", and clean mIoUs,
    "clean VICTIM", over all images.
    """
    victims, images, made = table.pop("victims"), table.pop("images", list(samples())), table.pop("made")
    if table:
        raise UserError(f"A run of transfer takes images, victims and made, not {', '.join(table)}.")
    runs = []
    for name, values in made.items():
        wanted = dict(values)
        paper = wanted.pop("paper", False)
        settings = Settings(**wanted)
        runs.append(Run("", name, published(settings) if paper else settings))
    plan = Plan(tuple(runs), tuple(victims))
    label_set = model_entry(victims[0]).label_set
    for study in transfer(plan, sample_files(images, label_set), default_device(), stopped):
        yield seen_of_transfer(study)


def seen_of_transfer(study: Transfer) -> Evidence:
    """The cells so far."""
    figures = {}
    for cell in study.cells:
        run, victim = study.plan.runs[cell.run].name, study.plan.victims[cell.victim]
        figures[f"clean {victim}"] = cell.clean.miou
        if cell.iou_ratio is not None:
            figures[f"{run} on {victim}"] = cell.iou_ratio
    done = 1.0 if study.ended else min(study.spent / max(study.budget, 1), 0.99)
    return Evidence(figures, progress=done)


def of_scaling(table: dict[str, Any], stopped: Callable[[], bool]) -> Iterator[Evidence]:
    """An image-scaling attack: fields of `ScalingSettings`."""
    settings = ScalingSettings(**table)
    source = sample_full_size(settings.image).pixels
    other = sample_full_size(settings.other).pixels if settings.hidden == "photo" else None
    label_set = model_entry(settings.model).label_set
    for study in scaling_study(settings, source, other, load_model(settings.model, default_device()), stopped):
        yield seen_of_scaling(study, label_set)


def seen_of_scaling(study: ScalingStudy, label_set: LabelSet) -> Evidence:
    """The pictures at both sizes, the maps, and by scaler whether the hidden picture comes out."""
    pictures = {"source": study.source, "honest": study.honest}
    figures: dict[str, float] = {}
    if study.hidden is not None:
        pictures["hidden"] = study.hidden
    if study.result is not None:
        pictures["attack picture"] = study.result.pixels
        change = study.result.pixels.astype(float) - study.source
        figures["changed"] = float((change != 0).any(2).mean())
        figures["psnr"] = float(10 * np.log10(255**2 / max((change**2).mean(), 1e-9)))
    for name, frame in study.frames.items():
        pictures[f"{name} map"] = draw.seen_map(frame.prediction, label_set, frame.pixels, draw.MapLook())
        pictures.setdefault(name, frame.pixels)
    for cell in study.grid:
        figures[f"{cell.key} share"] = cell.hidden_share
        figures[f"{cell.key} works"] = float(cell.works)
        figures[f"{cell.key} reads"] = cell.reads
        pictures[f"{cell.key} sees"] = cell.frame.pixels
    return Evidence(figures, {}, pictures, study.progress)


def evidence_of_runs(runs: Sequence[LessonRun], stopped: Callable[[], bool] = lambda: False) -> Iterator[dict[str, Evidence]]:
    """Several runs one after the other, as `evidence_of`: what each has shown so far, by name, after every step."""
    found: dict[str, Evidence] = {}
    for run in runs:
        for seen in evidence_of(run, stopped):
            found[run.name] = seen
            yield dict(found)


def main() -> None:
    """Make the stored evidence of all lessons, or of those named, anew."""
    parser = argparse.ArgumentParser(prog="python -m segviz.classroom.make", description=__doc__)
    parser.add_argument("lessons", nargs="*", metavar="KEY", help="default: all")
    for key in parser.parse_args().lessons or lesson_keys():
        lesson = read_lesson(FOLDER / f"{key}.toml")
        *_, evidence = evidence_of_runs(tuple(lesson.runs.values()))
        check_named(lesson, evidence, FOLDER / f"{key}.toml")
        for number, step in enumerate(lesson.steps):
            if step.asked is not None:
                answer = measured_answer(lesson, number, evidence)
                print(f"{key} {number + 1}: {step.asked.measured} = {'a place' if isinstance(answer, np.ndarray) else answer}")
        save(lesson, evidence, FOLDER / f"{key}.zip")


if __name__ == "__main__":
    main()
