"""What is shown of each kind of run while it is under way."""

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from segviz import draw
from segviz.attacks.catalog import gradients_of, iterations_of
from segviz.attacks.regions import pixels_of_region
from segviz.classroom.evidence import Evidence
from segviz.classroom.lessons import LessonRun
from segviz.classroom.make import evidence_of_runs
from segviz.defences.catalog import evaluations_of, passes_of_key
from segviz.engine.view import LivePicture, LiveView, Series
from segviz.models.zoo import model_entry
from segviz.records import Point, Trajectory, figures_of_frame
from segviz.settings import Settings
from segviz.studies import runs
from segviz.studies.certify import Certificate, CertifySettings
from segviz.studies.compare import Entrant, budget_of, spent_at
from segviz.studies.defences import Ladder, Survey, Trial
from segviz.studies.gallery import NoView, PhotoView
from segviz.studies.ledger import Progress
from segviz.studies.scaling import DetectionStudy, ScalingStudy
from segviz.studies.smallest import Search
from segviz.studies.targets import PASSED, Victim
from segviz.studies.transfer import Transfer
from segviz.studies.why import Reason

COLOURS = {"mIoU of this image": "#d9480f", "pixel accuracy": "#1971c2", "target reached": "#2f9e44", "loss": "#868e96"}


def attack_view(run: Trajectory, *asked: Any) -> LiveView:
    """An attack on one picture: its curves, the newest stored iteration, the maps."""
    settings, curve, clean, frame = run.settings, run.curve, run.clean, run.frames[-1]
    point = curve[-1]
    total = iterations_of(settings)
    attacked = settings.steps > 0
    figures = [
        ("mIoU of this image", as_percent(point.miou), as_points(point.miou - clean.miou) if attacked else ""),
        ("Pixel accuracy", as_percent(point.pixel_accuracy), as_points(point.pixel_accuracy - clean.pixel_accuracy) if attacked else ""),
    ]
    if run.target is not None:
        figures.append(("Target reached", as_percent(point.success), as_points(point.success - curve[0].success)))
    elif settings.goal == "class":
        figures.append((f"Broken {settings.target}", as_percent(point.success), ""))
    elif attacked:
        figures.append(("IoU ratio", f"{point.miou / clean.miou:.2f}" if clean.miou > 0 else "–", ""))
    figures.append(("Gradients", str(point.gradients), ""))
    pictures = {
        "photo": LivePicture(run.picture.pixels),
        "clean": LivePicture(run.frames[0].prediction, often=True),
        "adversarial": LivePicture(frame.pixels, "photo"),
        "map": LivePicture(frame.prediction, often=True),
        "clean confidence": LivePicture(run.frames[0].confidence),
        "confidence": LivePicture(frame.confidence),
    }
    if not run.own_prediction:
        pictures["labels"] = LivePicture(run.reference, often=True)
    if run.target is not None:
        pictures["target"] = LivePicture(run.target, often=True)
    label_set = model_entry(settings.model).label_set
    for name, region in (("region", settings.region), ("region to break", settings.break_region)):
        if region:
            pictures[name] = LivePicture(draw.within(pixels_of_region(region, run.whole_reference, label_set), run.picture.pixels))
    at_work = f", {point.member}" if point.member else ""
    doing = f"Iteration {point.index} of {total}{at_work}"
    return LiveView(point.index, total, doing, tuple(figures), curves_of(run, total), pictures, classes_of_frame(run, label_set.classes))


def classes_of_frame(run: Trajectory, classes: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """A table of the classes in the labels or in a map: IoU before and at the newest stored iteration, and share of the pixels there."""
    frame = run.frames[-1]
    after = figures_of_frame(frame, run.reference, len(classes)).iou
    shares = np.bincount(frame.prediction.ravel(), minlength=len(classes)) / frame.prediction.size
    rows: list[tuple[str, ...]] = [("class", "IoU before", f"IoU, iteration {frame.index}", "pixels")]
    for name, old, new, share in zip(classes, run.clean.iou, after, shares[: len(classes)], strict=True):
        if old is not None or new is not None or share:
            rows.append((name, *("–" if iou is None else as_percent(iou) for iou in (old, new)), as_percent(share)))
    return tuple(rows)


def curves_of(run: Trajectory, total: int) -> tuple[Series, ...]:
    """The curves of an attack over its iterations, broken where it begins anew."""
    curve = run.curve
    x = tuple(with_gaps([float(point.index) for point in curve], curve, curve[0].index))
    rates: dict[str, Callable[[Point], float]] = {
        "mIoU of this image": lambda point: point.miou,
        "pixel accuracy": lambda point: point.pixel_accuracy,
    }
    if run.target is not None:
        rates["target reached"] = lambda point: point.success
    end = float(max(total, 1))
    series = [
        Series(name, COLOURS[name], x, tuple(with_gaps([rate(point) for point in curve], curve)), to=end) for name, rate in rates.items()
    ]
    loss = tuple(with_gaps([point.loss for point in curve], curve))
    return (*series, Series("loss", COLOURS["loss"], x, loss, panel="loss", percent=False, to=end))


def with_gaps(values: Sequence[float], curve: Sequence[Point], gap: Any = None) -> list[Any]:
    """Values of the points of a curve, with a gap wherever the attack begins anew."""
    spaced: list[Any] = list(values[:1])
    for value, (before, after) in zip(values[1:], pairwise(curve), strict=True):
        spaced += [value] if after.stage == before.stage else [gap, value]
    return spaced


def as_percent(rate: float) -> str:
    """A rate for people."""
    return f"{rate:.1%}"


def as_points(change: float) -> str:
    """A change of a rate in percentage points; empty for none that would be seen."""
    return f"{100 * change:+.1f} points" if abs(change) >= 0.0005 else ""


PALETTE = ("#d9480f", "#1971c2", "#2f9e44", "#9c36b5", "#e8590c", "#0c8599", "#c2255c", "#5f3dc4", "#66a80f", "#868e96")
"""Colours of curves side by side."""


def spent_curve(name: str, number: int, run: Trajectory, budget: float, value: Callable[[Point], float]) -> Series:
    """A curve of an attack over the gradient evaluations that it has spent."""
    x = tuple(float(spent_at(point)) for point in run.curve)
    return Series(name, PALETTE[number % len(PALETTE)], x, tuple(value(point) for point in run.curve), to=max(budget, 1.0))


def sides(name: str, run: Trajectory, picture: str = "photo") -> dict[str, LivePicture]:
    """The newest stored iteration of one attack of several, and its map."""
    frame = run.frames[-1]
    return {
        f"{name} picture": LivePicture(frame.pixels, picture, f"{name}: adversarial"),
        f"{name} map": LivePicture(frame.prediction, caption=f"{name}: adversarial map", often=True),
    }


def comparison_view(entrants: tuple[Entrant, ...], *asked: Any) -> LiveView:
    """Attacks side by side: pixels won over the gradient evaluations, the newest maps."""
    budgets = [budget_of(entrant.settings) * passes_of_key(entrant.settings.model) for entrant in entrants]
    budget = sum(budgets)
    spent = sum(max(entrant.spent, 0) for entrant in entrants)
    names = [entrant.settings.attack for entrant in entrants]
    names = [name if names.count(name) == 1 else f"{name} {number + 1}" for number, name in enumerate(names)]
    rows = [("attack", "gradients", "pixels won", "mIoU of this image")]
    series, pictures = list[Series](), dict[str, LivePicture]()
    longest = max(budgets)
    for number, (name, entrant) in enumerate(zip(names, entrants, strict=True)):
        run = entrant.trajectory
        if run is None:
            rows.append((name, entrant.error or "", "–", "–"))
            continue
        if not pictures:
            pictures["photo"] = LivePicture(run.picture.pixels, caption="Input")
            pictures["clean"] = LivePicture(run.frames[0].prediction, caption="Clean map", often=True)
        series.append(spent_curve(name, number, run, longest, lambda point: point.success))
        pictures |= sides(name, run)
        rows.append((name, str(entrant.spent), as_percent(entrant.success), as_percent(run.curve[-1].miou)))
    unit = "gradient evaluations" if any(gradients_of(entrant.settings) for entrant in entrants) else "looks"
    return LiveView(spent, budget, f"{spent} of {budget} {unit}", (), tuple(series), pictures, tuple(rows))


def morph_view(victims: tuple[Victim, ...], settings: Settings, *asked: Any) -> LiveView:
    """Pictures on their way to a target map: how much of it each has reached."""
    started = [victim for victim in victims if victim.curve]
    series, pictures = list[Series](), dict[str, LivePicture]()
    rows = [("picture", "iteration", "target reached", f"{PASSED:.0%} reached", "mIoU with the target")]
    for number, victim in enumerate(victims):
        name = victim.picture.name
        pictures[f"{name} photo"] = LivePicture(victim.picture.pixels, caption=name)
        now = victim.now
        if now is None or victim.prediction is None or victim.pixels is None:
            rows.append((name, victim.error or "–", "–", "–", "–"))
            continue
        x = tuple(float(moment.index) for moment in victim.curve)
        y = tuple(moment.target_accuracy for moment in victim.curve)
        series.append(Series(name, PALETTE[number % len(PALETTE)], x, y, to=max(*x, 1.0)))
        pictures[f"{name} picture"] = LivePicture(victim.pixels, f"{name} photo", f"{name}: adversarial")
        pictures[f"{name} map"] = LivePicture(
            victim.prediction, caption=f"{name}: map, {as_percent(now.target_accuracy)} reached", often=True
        )
        passed = f"below {PASSED:.0%}" if victim.passed is None else f"{PASSED:.0%} at iteration {victim.passed}"
        rows.append((name, str(now.index), as_percent(now.target_accuracy), passed, as_percent(now.target_miou)))
    done = sum(victim.spent for victim in started)
    total = evaluations_of(settings) * sum(victim.error is None for victim in victims)
    figures: tuple[tuple[str, str, str], ...] = ()
    if started:
        reached = sum(victim.curve[-1].target_accuracy for victim in started) / len(started)
        figures = (("Target reached, mean", as_percent(reached), ""),)
    return LiveView(done, total, f"{done} of {total} gradient evaluations", figures, tuple(series), pictures, tuple(rows))


def transfer_view(study: Transfer, *asked: Any) -> LiveView:
    """Sources and victims: the IoU ratios so far."""
    runs_, victims = study.plan.runs, study.plan.victims
    rows = [("victim", *(f"{run.group} on {run.settings.model}" for run in runs_))]
    for number, victim in enumerate(victims):
        cells = [study.cell(run, number) for run in range(len(runs_))]
        rows.append((victim, *("–" if cell is None or cell.iou_ratio is None else f"{cell.iou_ratio:.2f}" for cell in cells)))
    over = f"{study.pictures} of {study.total} pictures, " if study.total > 1 else ""
    series = []
    if study.plan.looks:
        end = float(max(*study.plan.looks, 1))
        for cell in study.cells:
            x, y = zip(*cell.curve, strict=True) if cell.curve else ((), ())
            series.append(Series(victims[cell.victim], PALETTE[cell.victim % len(PALETTE)], tuple(map(float, x)), tuple(y), to=end))
    pictures: dict[str, LivePicture] = {}
    for number, (run, exhibit) in enumerate(zip(runs_, study.exhibits, strict=False)):
        pictures[f"photo {number}"] = LivePicture(exhibit.pixels, caption="Input")
        caption = f"{run.group} on {run.settings.model}"
        pictures[f"picture {number}"] = LivePicture(exhibit.adversarial, f"photo {number}", caption)
        for victim, labels in zip(victims, exhibit.maps, strict=False):
            pictures[f"{victim} {number}"] = LivePicture(labels, caption=f"{caption}, as {victim} sees it", often=True)
    doing = f"{over}{study.spent} of {study.budget} gradient evaluations"
    return LiveView(study.spent, study.budget, doing, (), tuple(series), pictures, tuple(rows))


def scaling_view(study: ScalingStudy, *asked: Any) -> LiveView:
    """A scaling attack: the stage that it is at, the pictures that there are."""
    pictures = {"honest": LivePicture(study.honest, caption="What scaling makes of the source")}
    if study.hidden is not None:
        pictures["hidden"] = LivePicture(study.hidden, caption="To be hidden")
    for name, frame in study.frames.items():
        pictures[f"{name} map"] = LivePicture(frame.prediction, caption=f"Map, {name}", often=True)
    rows = [("scaler", "map as hidden", "largest error")]
    rows += [(cell.key, as_percent(cell.map_share), f"{cell.max_error:.0f}/255") for cell in study.grid]
    return LiveView(study.progress, 1, study.stage, (), (), pictures, tuple(rows) if study.grid else ())


def detection_view(study: DetectionStudy, *asked: Any) -> LiveView:
    """Detectors over the samples."""
    return LiveView(study.done, study.total, f"{study.done} of {study.total} pictures scored")


def trial_view(trial: Trial, *asked: Any) -> LiveView:
    """A defence on trial: the attack without it, unaware of it and through it."""
    named = {"without the defence": trial.plain, "unaware of it": trial.naive, "through it": trial.adaptive}
    series, pictures = list[Series](), dict[str, LivePicture]()
    figures, spent = list[tuple[str, str, str]](), 0
    for number, (name, run) in enumerate(named.items()):
        if run is None:
            continue
        point = run.curve[-1]
        spent = max(spent, spent_at(point))
        figures.append((f"mIoU, {name}", as_percent(point.miou), as_points(point.miou - run.clean.miou)))
        series.append(spent_curve(name, number, run, trial.budget, lambda point: point.miou))
        pictures.setdefault("photo", LivePicture(run.picture.pixels, caption="Input"))
        pictures |= sides(name, run)
    doing = f"{spent} of {trial.budget} gradient evaluations each"
    return LiveView(spent, trial.budget, doing, tuple(figures), tuple(series), pictures)


def survey_view(survey: Survey, *asked: Any) -> LiveView:
    """Defences over the samples: mIoU without an attack, unaware, and through the defence."""
    rows = [("defence", "pictures", "clean mIoU", "attacked unaware", "attacked through it")]
    for row in survey.rows:
        name = row.defence or "none"
        values = (row.error, "–", "–") if row.error else (as_percent(row.clean), as_percent(row.naive), as_percent(row.adaptive))
        rows.append((name, str(row.pictures), *values))
    return LiveView(survey.done, survey.total, f"{survey.done} of {survey.total} trials", table=tuple(rows))


def ladder_view(ladder: Ladder, *asked: Any) -> LiveView:
    """Models at growing eps: the mIoU of what has ended."""
    done, total = sum(map(len, ladder.runs.values())), len(ladder.eps) * len(ladder.runs)
    series, pictures = list[Series](), dict[str, LivePicture]()
    for number, (key, ended) in enumerate(ladder.runs.items()):
        results = [run.report.adversarial.miou for run in ended if run.report is not None]
        series.append(
            Series(key, PALETTE[number % len(PALETTE)], tuple(ladder.eps[: len(results)]), tuple(results), to=max(ladder.eps, default=1.0))
        )
        for eps, run in zip(ladder.eps, ended, strict=False):
            if run.final is not None:
                pictures[f"{key} {eps:g}"] = LivePicture(run.final.prediction, caption=f"{key} at ε = {eps:g}/255", often=True)
    return LiveView(done, total, f"{done} of {total} runs", (), tuple(series), pictures)


def certificate_view(found: Certificate, settings: CertifySettings, *asked: Any) -> LiveView:
    """A certificate: its map by the looks so far, white where it abstains."""
    palette = model_entry(settings.model).label_set.screen_palette
    done, total = found.first + found.looks, settings.first_looks + settings.looks
    pictures = {
        "photo": LivePicture(found.picture.pixels, caption="Input"),
        "clean": LivePicture(found.clean, caption="Clean map, one look", often=True),
    }
    figures: tuple[tuple[str, str, str], ...] = ()
    if found.first:
        pictures["top"] = LivePicture(found.top, caption="Under noise, most looks", often=True)
    if found.looks:
        certified = found.certified()
        pictures["certified"] = LivePicture(draw.certified_map(certified, palette), caption="Certified, white: abstains", often=True)
        accuracy = found.figures_of(certified).pixel_accuracy
        figures = (("Certified pixel accuracy", as_percent(accuracy), ""), ("Abstains at", as_percent(found.abstained), ""))
    doing = f"{done} of {total} noisy looks" + (", which choose the classes" if found.first < settings.first_looks else "")
    return LiveView(done, total, doing, figures, (), pictures)


def study_view(progress: Progress, *asked: Any) -> LiveView:
    """A study of many runs: how far it is."""
    rest = f", about {time_in_words(progress.eta)} to go" if progress.eta is not None else ""
    text = f"{progress.done} of {progress.total} runs, {progress.gradients:,} of {progress.all_gradients:,} gradient evaluations{rest}"
    return LiveView(progress.gradients, progress.all_gradients, text, results=progress.done)


def search_view(search: Search, *asked: Any) -> LiveView:
    """A search for the smallest eps."""
    return LiveView(search.done, search.total, f"{search.done} of {search.total} bisections, {search.computed} runs", results=search.done)


def gallery_view(views: tuple[PhotoView | NoView, ...], keys: Sequence[str], *asked: Any) -> LiveView:
    """A photo through several models."""
    return LiveView(len(views), len(keys), f"{len(views)} of {len(keys)} models", results=len(views))


def lesson_view(found: Mapping[str, Evidence], lesson_runs: Sequence[LessonRun]) -> LiveView:
    """The runs of a lesson, one after the other."""
    done = sum(seen.progress for seen in found.values())
    return LiveView(done, len(lesson_runs), f"Run {len(found)} of {len(lesson_runs)}")


def time_in_words(seconds: float) -> str:
    """A time for people."""
    if seconds < 90:
        return f"{max(round(seconds), 1)} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def why_view(reasons: tuple[Reason, ...], key: str, pictures: Sequence[np.ndarray], *asked: Any) -> LiveView:
    """Why a pixel has its class: how many pictures are explained."""
    return LiveView(len(reasons), len(pictures), f"{len(reasons)} of {len(pictures)} pictures explained")


VIEWS: dict[Callable[..., Any], Callable[..., LiveView]] = {
    runs.run_attack: attack_view,
    runs.run_seen_by: attack_view,
    runs.run_why: why_view,
    runs.run_comparison: comparison_view,
    runs.run_morph: morph_view,
    runs.run_transfer: transfer_view,
    runs.run_scaling: scaling_view,
    runs.run_detection: detection_view,
    runs.run_trial: trial_view,
    runs.run_survey: survey_view,
    runs.run_ladder: ladder_view,
    runs.run_certificate: certificate_view,
    runs.run_study: study_view,
    runs.run_search: search_view,
    runs.run_views: gallery_view,
    evidence_of_runs: lesson_view,
}
"""The view of each run; it gets a snapshot and what the run was asked."""
