"""Defences on trial: an attack that does not know the defence, and one that does, at equal cost; and robust beside clean models."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from statistics import mean
from typing import TYPE_CHECKING, Self

from segviz import metrics
from segviz.attacks.catalog import rounding_notice
from segviz.attacks.goals import build_goal
from segviz.attacks.regions import confined, region_mask
from segviz.defences.catalog import wrap
from segviz.defences.uncertainty import mean_entropy
from segviz.deferred import deferred, torch
from segviz.lab import Task, attack_picture, figures_of, judges_of, nothing_left, prepare, to_tensor
from segviz.records import MARGIN, Frame, LeftOut, Picture, Trajectory, gathered, lost_again, still_loss
from segviz.settings import Settings
from segviz.studies.compare import spent_at, within_budget
from segviz.types import Goal, UserError

if TYPE_CHECKING:
    from torch import Tensor

    from segviz.defences import wrappers
    from segviz.models.segmenter import Segmenter
else:
    wrappers = deferred("segviz.defences.wrappers")

MAX_FRAMES = 10
"""Iterations that are stored of each attack."""


@dataclass(frozen=True)
class Judgement:
    """What several draws of a random defence make of one 8-bit result: the share of pixels won and the mIoU of this image, per draw."""

    success: tuple[float, ...]
    miou: tuple[float, ...]


@dataclass(frozen=True)
class Trial:
    """One attack on one picture against one defence at one moment.

    `plain` is the attack on the network without the defence, `naive` what the defended network makes of its iterates, `adaptive` the
    attack that goes through the defence; None until their first look. Gradient evaluations count passes through the network, of which a
    defence that averages `passes` views takes that many at a time. Pictures, maps and reports show the first draw of a random defence;
    `naive_judged` and `adaptive_judged` are the results under `DRAWS` of them, None until then and where nothing is drawn.
    """

    settings: Settings
    defence: str
    passes: int = 1
    budget: int = 0
    plain: Trajectory | None = None
    naive: Trajectory | None = None
    adaptive: Trajectory | None = None
    naive_judged: Judgement | None = None
    adaptive_judged: Judgement | None = None

    @property
    def ended(self) -> bool:
        """Whether all results are there."""
        return all(run is not None and run.report is not None for run in (self.plain, self.naive, self.adaptive))


def on_trial(
    settings: Settings,
    defence: str,
    picture: Picture,
    model: Segmenter,
    budget: int,
    stopped: Callable[[], bool] = lambda: False,
    draws: int | None = None,
) -> Iterator[Trial]:
    """Attack `model`, and `model` behind `defence`, with `budget` gradient evaluations each, in turns; yields after every step.

    `settings.steps` follows from the budget; 0 only looks. `draws` as in `RandomViews.attack_with`, for a random defence. `stopped` is as
    in `attack_picture`. Raises UserError for an unknown defence, where the budget does not allow one step, and as `attack_picture` does.
    """
    defended = wrap(model, defence)
    if draws is not None and isinstance(defended, wrappers.RandomViews):
        defended.attack_with(draws)
    through = replace(settings, model=f"{settings.model}+{defence}")
    if settings.steps > 0:
        settings, through = within_budget(settings, budget), through_budget(through, budget, defended.passes)
    trial = Trial(settings, defence, defended.passes, budget)
    plain = attack_picture(settings, picture, model, stopped, MAX_FRAMES)
    adaptive = attack_picture(through, picture, defended, stopped, MAX_FRAMES)
    while not trial.ended:
        if waits(trial.plain) and (spent(trial.plain) <= spent(trial.adaptive) or not waits(trial.adaptive)):
            reached = next(plain)
            trial = replace(trial, plain=reached, naive=transferred(reached, trial.naive, defended, through.model))
        else:
            trial = replace(trial, adaptive=next(adaptive))
        if trial.ended and len(judges := judges_of(defended)) > 1:
            assert trial.plain is not None
            assert trial.adaptive is not None
            naive, knowing = judgement(trial.plain, judges), judgement(trial.adaptive, judges)
            trial = replace(trial, naive_judged=naive, adaptive_judged=knowing)
        yield trial


def judgement(run: Trajectory, judges: Sequence[Segmenter]) -> Judgement:
    """What each of the judges makes of the result of a run that has ended."""
    assert run.final is not None
    model = judges[0]
    goal, reference = goal_of(run, model)
    x = to_tensor(run.final.pixels, model.mean.device)
    with torch.no_grad():
        predictions = [judge(x).argmax(1) for judge in judges]
    figures = [figures_of(prediction, reference, len(model.label_set.classes)) for prediction in predictions]
    return Judgement(tuple(goal.success(seen).item() for seen in predictions), tuple(one.miou for one in figures))


def goal_of(run: Trajectory, model: Segmenter) -> tuple[Goal, Tensor]:
    """The goal of a run on one picture, and the labels (1,H,W) that its figures refer to."""
    device = model.mean.device
    whole, reference = (torch.from_numpy(labels).to(device).long().unsqueeze(0) for labels in (run.whole_reference, run.reference))
    clean_prediction = torch.from_numpy(run.frames[0].prediction).to(device).long().unsqueeze(0)
    goal = build_goal(run.settings, whole, clean_prediction, model.label_set)
    judged = region_mask(run.settings.break_region, whole, model.label_set)
    return replace(goal, labels=confined(goal.labels, judged)), reference


def through_budget(settings: Settings, budget: int, passes: int) -> Settings:
    """As `within_budget`, for a model of which one look takes `passes` passes through the network."""
    if budget < passes:
        raise UserError(
            f"One look through this defence takes {passes} gradient evaluations, the budget is {budget}."
            " Raise the budget or take fewer views."
        )
    return within_budget(settings, budget, passes)


def waits(trajectory: Trajectory | None) -> bool:
    """Whether a run has not ended."""
    return trajectory is None or trajectory.report is None


def spent(trajectory: Trajectory | None) -> int:
    """Gradient evaluations so far; -1 before the first look."""
    return -1 if trajectory is None else spent_at(trajectory.curve[-1])


def transferred(reached: Trajectory, before: Trajectory | None, defended: Segmenter, key: str) -> Trajectory:
    """What `defended`, of the model key `key`, makes of the stored iterates of a run, in 8-bit values; `before` is the same, one step ago.

    Its loss is nan: nothing is attacked here.
    """
    device, classes = defended.mean.device, len(defended.label_set.classes)
    goal, reference = goal_of(reached, defended)

    def look(frame: Frame) -> tuple[Frame, Tensor]:
        with torch.no_grad():
            logits = defended(to_tensor(frame.pixels, device))
        prediction, confidence = logits.argmax(1), (logits[0].softmax(0).amax(0) * 255).round()
        return replace(frame, prediction=prediction[0].byte().cpu().numpy(), confidence=confidence.byte().cpu().numpy()), prediction

    frames, curve = ((), ()) if before is None else (before.frames, before.curve)
    for frame in reached.frames[len(frames) :]:
        seen, prediction = look(frame)
        figures = figures_of(prediction, reference, classes)
        point = next(point for point in reached.curve if point.index == frame.index)
        point = replace(
            point,
            loss=float("nan"),
            success=goal.success(prediction).item(),
            pixel_accuracy=figures.pixel_accuracy,
            miou=figures.miou,
        )
        frames, curve = (*frames, seen), (*curve, point)
    if before is None:
        clean = figures
        before = replace(reached, settings=replace(reached.settings, model=key), clean=clean)
    final = report = None
    if reached.final is not None and reached.report is not None:
        final, prediction = look(reached.final)
        adversarial = figures_of(prediction, reference, classes)
        ratio = adversarial.miou / before.clean.miou if before.clean.miou > 0 else None
        report = replace(reached.report, adversarial=adversarial, iou_ratio=ratio, success=goal.success(prediction).item())
    return replace(before, frames=frames, curve=curve, final=final, report=report)


def signs_of_masking(trial: Trial) -> tuple[str, ...]:
    """Signs that the attack through the defence was led astray by its gradients, so that its failure says little; empty while it runs.

    After Athalye, Carlini & Wagner (ICML 2018, 1802.00420, Sec. 3.1) and Carlini et al. (1902.06705).
    """
    if not trial.ended or trial.settings.steps == 0:
        return ()
    assert trial.naive is not None
    assert trial.adaptive is not None
    assert trial.naive.report is not None
    assert trial.adaptive.report is not None
    found = []
    naive = mean(trial.naive_judged.success) if trial.naive_judged else trial.naive.report.success
    adaptive = mean(trial.adaptive_judged.success) if trial.adaptive_judged else trial.adaptive.report.success
    if adaptive < naive - MARGIN:
        found.append(
            f"The attack through the defence wins {adaptive:.1%} of the pixels, the one that does not know it {naive:.1%}: a white-box"
            " attack should not be the weaker one. Its gradients mislead it, or the budget is too small for the views it takes."
        )
    if still_loss(trial.adaptive.curve):
        found.append("The loss of the attack through the defence hardly moves: it gets no useful gradient.")
    if lost := lost_again(trial.adaptive.curve):
        found.append(lost)
    return tuple(found)


@dataclass(frozen=True)
class DefenceFigures:
    """One defence over `pictures` pictures; mIoU in [0,1], each from one confusion matrix over all labelled pixels.

    `clean` without an attack, `naive` under the attack on the network without the defence, `adaptive` under the one through it.
    `defence` is empty for the network alone. `error` says why it could not be tried. Each is the mean over `draws` of a random defence,
    by which the same results are judged, with the lowest and the highest of them; 1 draw where nothing is random. `views` is how many
    passes through the network one look of the attack through the defence takes, `passes` as in `Step` are those of that whole attack, mean
    per picture.
    """

    defence: str
    views: int
    pictures: int = 0
    clean: float = 0.0
    naive: float = 0.0
    adaptive: float = 0.0
    error: str = ""
    draws: int = 1
    clean_low: float = 0.0
    clean_high: float = 0.0
    naive_low: float = 0.0
    naive_high: float = 0.0
    adaptive_low: float = 0.0
    adaptive_high: float = 0.0
    passes: float = 0.0

    def ratio(self, attacked: float) -> float | None:
        """IoU ratio: an attacked mIoU over the clean one of the same defence (Arnab et al., 1711.09856)."""
        return attacked / self.clean if self.clean > 0 else None


@dataclass(frozen=True)
class Survey:
    """Defences over pictures at one moment: `done` of `total` trials; mean entropies of the network alone on clean and attacked ones.

    Pictures `left_out` count in no row; `warnings` are what must be read beside the figures."""

    rows: tuple[DefenceFigures, ...]
    done: int
    total: int
    clean_entropy: tuple[float, ...] = ()
    attacked_entropy: tuple[float, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass
class Counts:
    """Confusion matrices (draws,C,C) of one defence, and the passes of the attacks through it, added up."""

    clean: Tensor
    naive: Tensor
    adaptive: Tensor
    pictures: int = 0
    error: str = ""
    passes: int = 0

    @classmethod
    def of(cls, classes: int, draws: int) -> Self:
        """Nothing counted yet."""
        zero = torch.zeros(draws, classes, classes, dtype=torch.int64)
        return cls(zero, zero, zero)


def survey(
    settings: Settings,
    defences: Sequence[str],
    pictures: Sequence[Picture],
    model: Segmenter,
    budget: int,
    stopped: Callable[[], bool] = lambda: False,
) -> Iterator[Survey]:
    """Try every defence on every picture, picture by picture, and yield what is known after each trial; the network alone is the first row.

    Labels to break are those of the label maps, or the network's own predictions, as the settings say; figures refer to the label maps.
    Pictures without a label map, and those that `prepare` leaves out for the network alone or behind any of the defences, are left out of
    all rows, so that the rows can be compared. All attacks get the same `budget`; a defence that it does not suffice for gets an error.
    Once `stopped` says yes, it ends with what there is. Raises UserError where no picture is left and where the settings fit no picture.
    """
    # Long: what is summed up belongs to all of it.
    classes = len(model.label_set.classes)
    names = ["", *defences]
    models = [model, *(wrap(model, name) for name in defences)]
    judges = [judges_of(one) for one in models]
    counts = [Counts.of(classes, len(those)) for those in judges]
    limited: list[Settings] = []
    for one, count in zip(models, counts, strict=True):
        try:
            limited.append(through_budget(settings, budget, one.passes))
        except UserError as error:
            limited.append(settings)
            count.error = str(error)
    labelled = [picture for picture in pictures if picture.labels is not None]
    if not labelled:
        raise UserError("None of the pictures has a label map in the model's classes, so there is nothing to measure against.")
    total, done = len(labelled) * len(names), 0
    clean_entropy: list[float] = []
    attacked_entropy: list[float] = []
    warnings = model.notices + gathered((picture.name, picture.notices) for picture in labelled) + rounding_notice(settings)
    left_out = [LeftOut(picture.name, "It has no label map in the model's classes.") for picture in pictures if picture.labels is None]

    @torch.no_grad()
    def confusion(those: Sequence[Segmenter], x: Tensor, labels: Tensor) -> Tensor:
        return torch.cat([metrics.confusion_matrix(judge(x).argmax(1), labels, classes).cpu() for judge in those])

    def state() -> Survey:
        rows = tuple(defence_figures(name, one.passes, count) for name, one, count in zip(names, models, counts, strict=True))
        return Survey(rows, done, total, tuple(clean_entropy), tuple(attacked_entropy), tuple(left_out), warnings)

    for picture in labelled:
        if stopped():
            return
        payable = [None if count.error else own for own, count in zip(limited, counts, strict=True)]
        tasks, lacking = tasks_on(picture, names, models, payable)
        if lacking is not None:
            left_out.append(lacking)
            done += len(names)
            yield state()
            continue
        plain: Tensor | None = None
        for name, one, those, count, task in zip(names, models, judges, counts, tasks, strict=True):
            if stopped():
                return
            if task is not None:
                step = deque(task.attack.run(one, task.x, task.goal), maxlen=1).pop()
                adaptive = step.x_adv
                plain = adaptive if plain is None else plain
                naive = confusion(those, plain, task.labels)
                count.clean = count.clean + confusion(those, task.x, task.labels)
                count.naive = count.naive + naive
                count.adaptive = count.adaptive + (confusion(those, adaptive, task.labels) if name else naive)
                count.pictures += 1
                count.passes += step.passes
                if not name:
                    with torch.no_grad():
                        clean_entropy.append(mean_entropy(one(task.x)).item())
                        attacked_entropy.append(mean_entropy(one(plain)).item())
            done += 1
            yield state()
    if len(left_out) == len(pictures):
        raise nothing_left(left_out)


def tasks_on(
    picture: Picture, names: Sequence[str], models: Sequence[Segmenter], settings: Sequence[Settings | None]
) -> tuple[list[Task | None], LeftOut | None]:
    """The attack on each of the models, None where there are no settings for it; or why the picture cannot be attacked on one of them."""
    tasks: list[Task | None] = []
    for name, model, own in zip(names, models, settings, strict=True):
        task, lacking = (None, ()) if own is None else prepare(own, [picture], model)
        if lacking:
            return [], LeftOut(picture.name, f"Behind the defence {name}: {lacking[0].why}" if name else lacking[0].why)
        tasks.append(task)
    return tasks, None


def defence_figures(name: str, views: int, count: Counts) -> DefenceFigures:
    """The figures of a defence so far."""
    if count.pictures == 0:
        return DefenceFigures(name, views, error=count.error)
    clean, naive, adaptive = (metrics.mean_iou(counts).tolist() for counts in (count.clean, count.naive, count.adaptive))
    return DefenceFigures(
        defence=name,
        views=views,
        pictures=count.pictures,
        clean=mean(clean),
        naive=mean(naive),
        adaptive=mean(adaptive),
        error=count.error,
        draws=len(clean),
        clean_low=min(clean),
        clean_high=max(clean),
        naive_low=min(naive),
        naive_high=max(naive),
        adaptive_low=min(adaptive),
        adaptive_high=max(adaptive),
        passes=count.passes / count.pictures,
    )


@dataclass(frozen=True)
class Ladder:
    """Runs of several models at growing eps: `runs` by model key, those that have ended, in the order of `eps` (grey levels)."""

    eps: tuple[float, ...]
    runs: dict[str, tuple[Trajectory, ...]]


def growing_eps(
    settings: Settings,
    eps: Sequence[float],
    picture: Picture,
    models: dict[str, Segmenter],
    stopped: Callable[[], bool] = lambda: False,
) -> Iterator[Ladder]:
    """The same attack on each model at every eps, in turns; yields after every step of any, with the runs that have ended so far."""
    ladder = Ladder(tuple(eps), dict.fromkeys(models, ()))
    for level in eps:
        for key, model in models.items():
            if stopped():
                return
            for trajectory in attack_picture(replace(settings, model=key, eps=level), picture, model, stopped, max_frames=1):
                if trajectory.report is not None:
                    ladder = replace(ladder, runs={**ladder.runs, key: (*ladder.runs[key], trajectory)})
                yield ladder
