"""Transfer: adversarial pictures made on source models, as victim models see them, over one picture or many."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from statistics import mean
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from segviz import metrics
from segviz.attacks.catalog import attack_entry, iterations_of, published, rounding_notice
from segviz.attacks.regions import confined
from segviz.data.images import FORMATS, opened, orientation_of
from segviz.data.label_sets import LabelSet, translation
from segviz.data.samples import samples
from segviz.defences.catalog import evaluations_of
from segviz.defences.load import load_model
from segviz.deferred import torch
from segviz.lab import (
    DRAWS,
    Task,
    counts_by_draw,
    frame_of,
    judges_of,
    maps_by_draw,
    nothing_left,
    open_picture,
    prepare,
    stored_iterations,
)
from segviz.models.zoo import ModelEntry, model_entry
from segviz.records import LeftOut, Picture, gathered
from segviz.settings import Settings
from segviz.studies.compare import within_budget
from segviz.studies.evaluate import BATCH, in_label_set
from segviz.types import UNSAID, Reading, StepKind, UserError

if TYPE_CHECKING:
    from torch import Tensor

    from segviz.models.segmenter import Segmenter


@dataclass(frozen=True)
class PhotoFile:
    """A photo to attack, with its label map if it has one: files, or their contents; `reading` is what is said of that, if anything."""

    name: str
    photo: Path | bytes
    labels: Path | bytes | None
    reading: Reading = UNSAID

    def opened_for(self, entry: ModelEntry) -> Picture:
        """The picture for a model; raises UserError as `open_picture`."""
        if self.reading != UNSAID:
            entry = replace(entry, label_set=replace(entry.label_set, reading=self.reading))
        return open_picture(self.name, self.photo, self.labels, entry)


@dataclass(frozen=True)
class Run:
    """One attack on one source, which is the model of its settings; `group` is the table that it belongs to, `name` its place there."""

    group: str
    name: str
    settings: Settings


@dataclass(frozen=True)
class Plan:
    """What is run, and the keys of the models that look at the results.

    `looks` are iterations at whose iterates the victims look as well, beside the clean picture and the result.
    """

    runs: tuple[Run, ...]
    victims: tuple[str, ...]
    looks: tuple[int, ...] = ()

    @property
    def gradients(self) -> int:
        """Gradient evaluations per picture."""
        return sum(evaluations_of(run.settings) for run in self.runs)


@dataclass(frozen=True)
class Rates:
    """Agreement with the labels, in [0,1], from one confusion matrix over all labelled pixels of all pictures."""

    miou: float
    pixel_accuracy: float


@dataclass(frozen=True)
class TransferCell:
    """What victim number `victim` makes of the pictures of run number `run`.

    `clean` is measured on the very pictures, at the very size, that were attacked. `adversarial` is measured on the 8-bit results, None
    before there are any. `curve` holds the victim's mIoU after the iterations that it looked at, 0 being the clean picture; each iterate
    is rounded to 8 bits within the ball before. `draws` are the lowest and the highest adversarial mIoU over the draws of a victim that
    draws at random, which are counted together in all figures; None where nothing is random.
    """

    run: int
    victim: int
    clean: Rates
    adversarial: Rates | None
    curve: tuple[tuple[int, float], ...]
    draws: tuple[float, float] | None = None

    @property
    def iou_ratio(self) -> float | None:
        """Adversarial over clean mIoU of the victim (Arnab, Miksik & Torr, CVPR 2018, 1711.09856)."""
        return self.adversarial.miou / self.clean.miou if self.adversarial is not None and self.clean.miou > 0 else None


@dataclass(frozen=True)
class Exhibit:
    """The pictures of one run on one photo: `pixels` and `adversarial` (H,W,3) uint8, and for each victim that has looked at the result the
    maps of both, (H,W) uint8."""

    pixels: np.ndarray
    adversarial: np.ndarray
    clean_maps: tuple[np.ndarray, ...]
    maps: tuple[np.ndarray, ...]


@dataclass(frozen=True)
class Transfer:
    """Where a study stands; immutable.

    The `cells` are over the first `pictures` of `total` photos: those that every run has been through, or the first batch while there is no
    such photo yet. `spent` counts gradient evaluations over all pictures, of `budget`. `exhibits` are there if there
    is one photo only: a run's, by its number. `own_prediction`: without label maps a victim is measured against its own clean prediction.
    `stopped_after` is the iteration that the last run was stopped at, where that is part of the figures. Photos `left_out` count nowhere.
    `warnings` are what must be read beside the figures. `passes` as in `Step` are those of each run, mean per picture; None before its
    first result, empty where they were not counted.
    """

    plan: Plan
    total: int
    pictures: int = 0
    spent: int = 0
    cells: tuple[TransferCell, ...] = ()
    exhibits: tuple[Exhibit, ...] = ()
    own_prediction: bool = False
    ended: bool = False
    stopped_after: int | None = None
    left_out: tuple[LeftOut, ...] = ()
    warnings: tuple[str, ...] = ()
    passes: tuple[float | None, ...] = ()

    @property
    def budget(self) -> int:
        """Gradient evaluations of the whole study."""
        return (self.total - len(self.left_out)) * self.plan.gradients

    def passes_of(self, run: int) -> float | None:
        """The passes of a run, None where they are not known."""
        return self.passes[run] if self.passes else None

    def cell(self, run: int, victim: int) -> TransferCell | None:
        """The cell of a run and a victim, if there is one yet."""
        return next((cell for cell in self.cells if (cell.run, cell.victim) == (run, victim)), None)


RESULT = -1
"""Stands for the 8-bit result where else there is an iteration."""

Counts: TypeAlias = "dict[tuple[int, int, int], Tensor]"
"""Run, victim and iteration (0: clean) to confusion matrices (draws,C,C)."""


def transfer(
    plan: Plan,
    photos: Sequence[PhotoFile],
    device: torch.device,
    stopped: Callable[[], bool] = lambda: False,
    stored: LabelSet | None = None,
    wanted: LabelSet | None = None,
) -> Iterator[Transfer]:
    """Attack every photo in every run and let every victim look; yields where that stands, after every iteration and every look.

    An adversarial picture is made at its source's working size, and every victim sees that same picture, whatever its own working size.
    All models are read in one label set (`common_label_set`); sources are attacked in it. An attack breaks the label map, or the
    source's own clean prediction where its settings are against that; victims are measured against the label map in either case, and
    against their own clean prediction where there is no label map. Models come from the cache, so that those least recently used may be
    loaded again if they do not all fit. Photos that `prepare` leaves out in any run are left out in all.

    Once `stopped` says yes, the photo at work is dropped; if it is the first one, the run at work ends with the result that it reached.
    Raises UserError for models without a common label set, bad pictures and settings that do not fit.
    """
    # Long: what is shown after every look follows from all that came before it.
    label_set = common_label_set([run.settings.model for run in plan.runs] + list(plan.victims), stored, wanted)

    def loaded(key: str) -> tuple[ModelEntry, Segmenter]:
        return in_label_set(model_entry(key), load_model(key, device), stored, label_set)

    shown = Transfer(plan, len(photos))
    yield shown
    notices: dict[str, tuple[str, ...]] = {}
    keys = dict.fromkeys([*(run.settings.model for run in plan.runs), *plan.victims])
    of_models = tuple(f"{key}: {notice}" for key in keys for notice in loaded(key)[1].notices)
    of_models += tuple(dict.fromkeys(notice for run in plan.runs for notice in rounding_notice(run.settings)))
    of_models += tuple(
        f"{key} draws at random. Its figures are over {DRAWS} draws; the lowest and the highest of them stand beside them."
        for key in plan.victims
        if len(judges_of(loaded(key)[1])) > 1
    )
    total: Counts = {}
    passes: list[list[int]] = [[] for _ in plan.runs]
    spent = finished = 0
    for batch in batches(photos, BATCH if device.type == "cuda" else 1):
        tasks, lacking = tasks_of(plan, batch, loaded)
        shown = replace(shown, left_out=(*shown.left_out, *lacking))
        if not tasks:
            yield shown
            continue
        notices |= {picture.name: picture.notices for picture in tasks[0].pictures}
        shown = replace(shown, warnings=of_models + gathered(notices.items()))
        size = len(tasks[0].pictures)
        audience = Audience(plan.victims, loaded)
        exhibits: list[Exhibit] = []
        for number, (run, task) in enumerate(zip(plan.runs, tasks, strict=True)):
            _, source = loaded(run.settings.model)
            x, goal, attack = task.x, task.goal, task.attack
            labels = None if task.pictures[0].labels is None else task.labels
            steps = attack.run(source, x, goal)
            step = next(steps)
            interrupted = False
            while step.kind is not StepKind.RESULT:
                shown = replace(shown, own_prediction=labels is None, spent=spent + size * step.gradient_evaluations)
                yield shown
                interrupted = stopped()
                if interrupted and (total or (number > 0 and step.index == 0)):
                    yield replace(shown, ended=True)
                    return
                step = attack.conclude(step, source, x, goal) if interrupted else next(steps)
                if step.index in plan.looks and step.kind is StepKind.ITERATE:
                    rounded = attack.conclude(replace(step, best=step.x_adv), source, x, goal).x_adv
                    for _ in audience.look(number, step.index, x, rounded, labels, task.judged):
                        if not total:
                            shown = replace(shown, pictures=size, cells=cells_of(plan, audience.counts))
                        yield shown
            spent += size * step.gradient_evaluations
            passes[number] += size * [step.passes]
            shown = replace(shown, passes=tuple(mean(of) if of else None for of in passes))
            exhibit = Exhibit(task.pictures[0].pixels, frame_of(step).pixels, (), ())
            for before, after in audience.look(number, RESULT, x, step.x_adv, labels, task.judged):
                exhibit = replace(exhibit, clean_maps=(*exhibit.clean_maps, as_map(before)), maps=(*exhibit.maps, as_map(after)))
                shown = replace(shown, spent=spent)
                if not total:
                    shown = replace(shown, pictures=size, cells=cells_of(plan, audience.counts))
                if len(photos) == 1:
                    shown = replace(shown, exhibits=(*exhibits, exhibit))
                yield shown
            exhibits.append(exhibit)
            if interrupted:
                yield replace(shown, ended=True, stopped_after=step.index)
                return
        for place, counted in audience.counts.items():
            total[place] = total.get(place, 0) + counted
        finished += size
        shown = replace(shown, pictures=finished, cells=cells_of(plan, total))
        yield shown
    if not total:
        raise nothing_left(shown.left_out)
    yield replace(shown, ended=True)


def tasks_of(
    plan: Plan, batch: Sequence[PhotoFile], loaded: Callable[[str], tuple[ModelEntry, Segmenter]]
) -> tuple[list[Task], tuple[LeftOut, ...]]:
    """What each run does to the photos, which come out alike at any size, and those that are left out: the ones that any run cannot take.

    There are no tasks where none is left. All runs take the same photos, so that their figures can be compared.
    """
    files, left_out = list(batch), list[LeftOut]()
    while files:
        tasks: list[Task] = []
        for run in plan.runs:
            entry, source = loaded(run.settings.model)
            task, lacking = prepare(run.settings, [file.opened_for(entry) for file in files], source)
            if lacking:
                left_out += lacking
                files = [] if task is None else [files[number] for number in task.numbers]
                break
            assert task is not None
            tasks.append(task)
        else:
            return tasks, tuple(left_out)
    return [], tuple(left_out)


class Audience:
    """The victims of one batch: what each makes of the clean and the adversarial pictures, with its counts of pixels."""

    def __init__(self, victims: Sequence[str], loaded: Callable[[str], tuple[ModelEntry, Segmenter]]):
        self.victims, self.loaded = victims, loaded
        self.counts: Counts = {}
        self._clean: dict[tuple[int, torch.Size], Tensor] = {}

    def look(
        self, run: int, iteration: int, x: Tensor, x_adv: Tensor, labels: Tensor | None, judged: Tensor
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield each victim's maps (N,H,W) of the clean pictures `x` and of `x_adv` (N,3,H,W) once they are counted against `labels`, or
        against its own maps, where they are `judged` (N,H,W) bool.

        The maps of a random defence are those of the first of the draws by which it is judged.
        """
        for victim, key in enumerate(self.victims):
            _, model = self.loaded(key)
            judges, classes = judges_of(model), len(model.label_set.classes)
            # The same photos have the same pixels wherever they have the same size.
            place = victim, x.shape
            with torch.no_grad():
                if place not in self._clean:
                    self._clean[place] = maps_by_draw(judges, model(x).argmax(1), x)
                clean, attacked = self._clean[place], maps_by_draw(judges, model(x_adv).argmax(1), x_adv)
            reference = confined(clean[0] if labels is None else labels, judged)
            self.counts[run, victim, 0] = counts_by_draw(clean, reference, classes).sum(1)
            self.counts[run, victim, iteration] = counts_by_draw(attacked, reference, classes).sum(1)
            yield clean[0], attacked[0]


def as_map(maps: Tensor) -> np.ndarray:
    """The first of class maps (N,H,W) as (H,W) uint8."""
    return maps[0].byte().cpu().numpy()


def cells_of(plan: Plan, counts: Counts) -> tuple[TransferCell, ...]:
    """The cells that have been looked at, run by run."""
    total = {place: of.sum(0) for place, of in counts.items()}
    rates = {place: Rates(metrics.mean_iou(of).item(), metrics.pixel_accuracy(of).item()) for place, of in total.items()}
    return tuple(
        TransferCell(
            run,
            victim,
            clean=rates[run, victim, 0],
            adversarial=rates.get((run, victim, RESULT)),
            curve=tuple((at, rates[run, victim, at].miou) for at in (0, *plan.looks) if (run, victim, at) in rates) if plan.looks else (),
            draws=range_of(counts.get((run, victim, RESULT))),
        )
        for run in range(len(plan.runs))
        for victim in range(len(plan.victims))
        if (run, victim, 0) in rates
    )


def range_of(counts: Tensor | None) -> tuple[float, float] | None:
    """The lowest and the highest mIoU of the draws in confusion matrices (draws,C,C); None for less than two."""
    if counts is None or len(counts) < 2:
        return None
    by_draw = metrics.mean_iou(counts)
    return by_draw.min().item(), by_draw.max().item()


def batches(photos: Sequence[PhotoFile], size: int) -> Iterator[list[PhotoFile]]:
    """The photos in batches of at most `size` that come out alike at any working size; in the given order if `size` is 1."""
    if size == 1:
        yield from ([file] for file in photos)
        return

    def shape(file: PhotoFile) -> tuple[int, int, int, bool]:
        try:
            with opened(file.photo, FORMATS) as photo:
                return (*photo.size, orientation_of(photo)[0], file.labels is None)
        except UserError:
            # Reading it in full will tell what is wrong.
            return 0, 0, 0, file.labels is None

    for _, group in groupby(sorted(photos, key=shape), key=shape):
        alike = list(group)
        yield from (alike[first : first + size] for first in range(0, len(alike), size))


def common_label_set(keys: Sequence[str], stored: LabelSet | None = None, wanted: LabelSet | None = None) -> LabelSet:
    """The label set that all these models can be read in, for label maps of `stored` if given; `wanted` settles it.

    Raises UserError where there is none.
    """
    if wanted is not None:
        return wanted
    found = [model_entry(key).label_set for key in keys]
    for candidate in [*found, *([stored] if stored is not None else [])]:
        try:
            if stored is not None:
                candidate.for_files_of(stored)
            for label_set in found:
                translation(label_set, candidate)
        except UserError:
            continue
        return candidate
    names = ", ".join(dict.fromkeys(label_set.name for label_set in [*found, *([stored] if stored is not None else [])]))
    raise UserError(
        f"These models have no label set in common ({names}), so their maps cannot be compared. Choose models of one label set; VOC21 can "
        "be read in VOC7 and Cityscapes19 in CamVid11."
    )


def sample_files(keys: Sequence[str], label_set: LabelSet) -> list[PhotoFile]:
    """Sample photos, with label maps where they can be read in the label set; raises UserError for an unknown key."""
    unknown = [key for key in keys if key not in samples()]
    if unknown:
        raise UserError(f"Unknown sample '{unknown[0]}'. Known: {', '.join(samples())}.")
    chosen = [samples()[key] for key in keys]
    return [PhotoFile(one.key, one.photo, one.labels if one.vocabulary == label_set.vocabulary else None) for one in chosen]


SCALES = {"50 %": "+scale50", "75 %": "+scale75", "100 %": "", "multi-scale": "+multiscale"}
"""The columns of Arnab's Table 1, as wrappers around one network."""

MAX_LOOKS = 12
"""Iterations at which victims look, beside the clean picture."""


def title_of(settings: Settings) -> str:
    """What an attack is called in tables: title, variant, input transforms."""
    variant = f" ({settings.variant})" if settings.variant else ""
    return attack_entry(settings.attack).title + variant + "".join(f" + {key}" for key in settings.transforms)


def by_source(attacks: Sequence[Settings], sources: Sequence[str], victims: Sequence[str]) -> Plan:
    """Every attack on every source, seen by every victim: a table per attack."""
    runs = [Run(title_of(attack), source, replace(attack, model=source)) for attack in attacks for source in sources]
    return Plan(tuple(runs), tuple(victims))


def by_scale(shared: Settings, victims: Sequence[str]) -> Plan:
    """Table 1 of Arnab, Miksik & Torr (CVPR 2018, 1711.09856) for the network of `shared`: FGSM and I-FGSM least-likely with their settings
    at its eps, made and seen at 50, 75 and 100 % of the size and by the three fused; further `victims` see them as well."""
    attacks = [published(replace(shared, attack=attack)) for attack in ("fgsm", "ifgsm-ll")]
    at_scales = [shared.model + wrapper for wrapper in SCALES.values()]
    runs = [
        Run(title_of(attack), name, replace(attack, model=key)) for attack in attacks for name, key in zip(SCALES, at_scales, strict=True)
    ]
    return Plan(tuple(runs), tuple(dict.fromkeys([*at_scales, *victims])))


def by_transform(settings: Settings, choices: Sequence[tuple[str, ...]], victims: Sequence[str], budget: int) -> Plan:
    """The attack plain and through each choice of input transforms, each with as many steps as `budget` gradient evaluations allow.

    Raises UserError as `within_budget`.
    """
    runs = []
    for transforms in dict.fromkeys([(), *choices]):
        run = within_budget(replace(settings, transforms=transforms), budget)
        runs.append(Run(attack_entry(settings.attack).title, " + ".join(transforms) or "plain", run))
    return Plan(tuple(runs), tuple(dict.fromkeys([settings.model, *victims])))


def over_iterations(settings: Settings, victims: Sequence[str]) -> Plan:
    """The attack, plain and with the input transforms of `settings` if it has any; source and victims look at some of its iterations."""
    choices = dict.fromkeys([(), settings.transforms])
    title = title_of(replace(settings, transforms=()))
    runs = tuple(Run(title, " + ".join(keys) or "plain", replace(settings, transforms=keys)) for keys in choices)
    looks = sorted(stored_iterations(iterations_of(settings), MAX_LOOKS) - {0})
    return Plan(runs, tuple(dict.fromkeys([settings.model, *victims])), tuple(looks))
