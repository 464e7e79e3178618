"""What pages have the engine run: functions of records that can be sent to another process, each of which loads its models itself.

They are called as `function(*arguments, stopped=...)` and yield snapshots; `stopped` says whether to end with what was reached.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from segviz.data.label_sets import LabelSet
from segviz.data.samples import samples
from segviz.defences.load import load_model
from segviz.lab import attack_picture, sample_picture
from segviz.models.load import default_device
from segviz.models.zoo import model_entry
from segviz.records import Picture, Trajectory
from segviz.settings import Settings
from segviz.studies.certify import Certificate, CertifySettings, certify
from segviz.studies.compare import Entrant, compare
from segviz.studies.defences import Ladder, Survey, Trial, growing_eps, on_trial, survey
from segviz.studies.gallery import NoView, PhotoView, view_photo
from segviz.studies.grid import Study
from segviz.studies.ledger import Progress
from segviz.studies.run import run
from segviz.studies.scaling import DetectionStudy, ScalingSettings, ScalingStudy, detection_study, sample_full_size, scaling_study
from segviz.studies.second import as_seen_by
from segviz.studies.smallest import Damage, Search, search
from segviz.studies.store import Store
from segviz.studies.target_maps import TargetMap
from segviz.studies.targets import Victim, morph
from segviz.studies.transfer import PhotoFile, Plan, Transfer, transfer
from segviz.studies.why import Reason, why

Stopped = Callable[[], bool]


def run_attack(settings: Settings, picture: Picture, stopped: Stopped) -> Iterator[Trajectory]:
    """One attack on one picture, as `attack_picture`."""
    return attack_picture(settings, picture, load_model(settings.model, default_device()), stopped)


def run_seen_by(key: str, settings: Settings, picture: Picture, stopped: Stopped) -> Iterator[Trajectory]:
    """An attack as `run_attack`, whose pictures the model of that key sees, as `as_seen_by`."""
    return as_seen_by(key, load_model(key, default_device()), run_attack(settings, picture, stopped))


def run_why(key: str, pictures: tuple[np.ndarray, ...], x: int, y: int, stopped: Stopped) -> Iterator[tuple[Reason, ...]]:
    """Why the model of that key gives the pixel (x, y) of each picture its class, as `why`."""
    return why(load_model(key, default_device()), pictures, x, y, stopped)


def run_comparison(runs: Sequence[Settings], picture: Picture, stopped: Stopped) -> Iterator[tuple[Entrant, ...]]:
    """Several attacks of one model on one picture, as `compare`."""
    return compare(runs, picture, load_model(runs[0].model, default_device()), stopped)


def run_morph(settings: Settings, target: TargetMap | None, pictures: Sequence[Picture], stopped: Stopped) -> Iterator[tuple[Victim, ...]]:
    """Several pictures towards one target map, as `morph`."""
    return morph(settings, target, pictures, load_model(settings.model, default_device()), stopped)


def run_views(keys: Sequence[str], sample: str, stopped: Stopped) -> Iterator[tuple[PhotoView | NoView, ...]]:
    """A sample photo, by name, through several models, as `view_photo`."""
    return view_photo(list(keys), samples()[sample], default_device(), stopped)


def run_transfer(plan: Plan, photos: Sequence[PhotoFile], stored: LabelSet | None, stopped: Stopped) -> Iterator[Transfer]:
    """A study of transfer, as `transfer`."""
    return transfer(plan, photos, default_device(), stopped, stored)


def run_scaling(settings: ScalingSettings, source: np.ndarray, other: np.ndarray | None, stopped: Stopped) -> Iterator[ScalingStudy]:
    """A scaling attack with its consequences, as `scaling_study`."""
    return scaling_study(settings, source, other, load_model(settings.model, default_device()), stopped)


def run_detection(settings: ScalingSettings, stopped: Stopped) -> Iterator[DetectionStudy]:
    """The detectors of scaling attacks on the samples, as `detection_study`."""
    photos = {key: sample_full_size(key).pixels for key in samples()}
    return detection_study(settings, photos, load_model(settings.model, default_device()), stopped)


def run_trial(settings: Settings, defence: str, picture: Picture, budget: int, stopped: Stopped) -> Iterator[Trial]:
    """A defence on trial, as `on_trial`."""
    return on_trial(settings, defence, picture, load_model(settings.model, default_device()), budget, stopped)


def run_survey(settings: Settings, defences: Sequence[str], budget: int, stopped: Stopped) -> Iterator[Survey]:
    """Several defences over the samples, as `survey`."""
    entry = model_entry(settings.model)
    pictures = [sample_picture(key, entry) for key in samples()]
    return survey(settings, defences, pictures, load_model(settings.model, default_device()), budget, stopped)


def run_ladder(settings: Settings, eps: Sequence[float], picture: Picture, keys: Sequence[str], stopped: Stopped) -> Iterator[Ladder]:
    """Several models, by their keys, under one attack at growing eps, as `growing_eps`."""
    return growing_eps(settings, eps, picture, {key: load_model(key, default_device()) for key in keys}, stopped)


def run_certificate(settings: CertifySettings, picture: Picture, stopped: Stopped) -> Iterator[Certificate]:
    """A certificate of one picture, as `certify`."""
    return certify(settings, picture, load_model(settings.model, default_device()), stopped)


def run_study(study: Study, results: Path, stopped: Stopped) -> Iterator[Progress]:
    """What is not stored yet of a study, into the folder of `results`."""
    return run(study, Store(results), stopped=stopped)


def run_search(study: Study, results: Path, damage: Damage, stopped: Stopped) -> Iterator[Search]:
    """The smallest eps of each picture that does the damage, as `search`, with the folder of `results`."""
    return search(study, Store(results), damage, stopped=stopped)
