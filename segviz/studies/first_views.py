"""What the pages show before anything has been run: real runs, made beforehand with the bundled models.

`python -m segviz.studies.first_views` makes them anew, each as a file of `assets/first`.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any

import numpy as np

from segviz.data.label_sets import VOC7
from segviz.engine import kept
from segviz.lab import sample_picture
from segviz.models.zoo import model_entry
from segviz.places import ASSETS
from segviz.records import Picture, Trajectory
from segviz.settings import GIVEN, Settings
from segviz.studies import runs
from segviz.studies.certify import CertifySettings
from segviz.studies.compare import within_budget
from segviz.studies.first_transfer import MODELS
from segviz.studies.scaling import ScalingSettings, sample_full_size
from segviz.studies.target_maps import Given
from segviz.studies.transfer import by_source, sample_files

FOLDER = ASSETS / "first"
FRAMES = (0, 1, 2, 3, 5, 8, 12, 16, 20)
"""Iterations of the lab's run that are kept; of other runs only the clean picture and the result are."""

ATTACKS = ("pgd", "segpgd", "cospgd", "apgd-js", "padam-cos")
BUDGET = 20
DEFENCE = "jpeg"
MORPH = Settings(image="", goal=GIVEN, eps=8.0, steps=200)
MORPHED, REACHED = ("astronaut", "chelsea", "dog", "horses"), "chelsea"
"""The photos of the four-photo figure, and the one whose label map all of them are to reach."""

Work = tuple[Callable[..., Iterator[Any]], tuple[Any, ...]]


def first_photo(name: str) -> Picture:
    """A sample as the default model takes it."""
    return sample_picture(name, model_entry(Settings().model))


def attack_of_lab() -> Work:
    """The default settings."""
    return runs.run_attack, (Settings(), first_photo(Settings().image))


def attacks_side_by_side() -> Work:
    """Attacks of one budget on one photo."""
    entrants = tuple(within_budget(replace(Settings(), attack=attack), BUDGET) for attack in ATTACKS)
    return runs.run_comparison, (entrants, first_photo(Settings().image))


def defence_on_trial() -> Work:
    """A defence against an attack that knows it and one that does not."""
    return runs.run_trial, (Settings(), DEFENCE, first_photo(Settings().image), BUDGET)


def photos_to_a_map() -> Work:
    """The four-photo figure."""
    labels = first_photo(REACHED).labels
    assert labels is not None
    return runs.run_morph, (MORPH, Given(labels), [first_photo(name) for name in MORPHED])


def photo_in_a_photo() -> Work:
    """One photo hidden in another from scaling."""
    settings = ScalingSettings()
    return runs.run_scaling, (settings, sample_full_size(settings.image).pixels, sample_full_size(settings.other).pixels)


def one_photo_transferred() -> Work:
    """One photo attacked on two models, as three see it."""
    plan = by_source([Settings(attack="fgsm", eps=8.0)], MODELS[:2], MODELS)
    return runs.run_transfer, (plan, sample_files([Settings().image], VOC7), None)


def map_certified() -> Work:
    """The default settings of the page of certificates."""
    settings = CertifySettings()
    return runs.run_certificate, (settings, sample_picture(settings.image, model_entry(settings.model)))


FIRST: dict[str, Callable[[], Work]] = {
    "lab": attack_of_lab,
    "compare": attacks_side_by_side,
    "defences": defence_on_trial,
    "certificate": map_certified,
    "targets": photos_to_a_map,
    "scaling": photo_in_a_photo,
    "transfer": one_photo_transferred,
}
"""By page what is run, a function of `segviz.studies.runs` with its arguments: what Run does there with nothing changed."""


def made(work: Work, frames: Sequence[int] = (0,)) -> Any:
    """The result of a run, with the frames of the iterations `frames`."""
    function, arguments = work
    return trimmed(deque(function(*arguments, stopped=lambda: False), maxlen=1).pop(), frames)


def trimmed(value: Any, frames: Sequence[int]) -> Any:
    """Records without the frames that are not kept."""
    if isinstance(value, Trajectory):
        return replace(value, frames=tuple(frame for frame in value.frames if frame.index in frames))
    if isinstance(value, tuple):
        return tuple(trimmed(item, frames) for item in value)
    if is_dataclass(value) and not isinstance(value, type):
        parts = {field.name: getattr(value, field.name) for field in fields(value)}
        return replace(value, **{name: trimmed(part, frames) for name, part in parts.items() if isinstance(part, Trajectory)})
    return value


def arrays_in(value: Any) -> Iterator[np.ndarray]:
    """The arrays of what a run was asked, which its file need not hold."""
    if isinstance(value, np.ndarray):
        yield value
    elif isinstance(value, tuple | list):
        for item in value:
            yield from arrays_in(item)
    elif is_dataclass(value) and not isinstance(value, type):
        for field in fields(value):
            yield from arrays_in(getattr(value, field.name))


def load(name: str) -> Any:
    """The result that ships for a page."""
    _, arguments = FIRST[name]()
    return kept.from_bytes((FOLDER / f"{name}.run").read_bytes(), tuple(arrays_in(arguments)))


def main() -> None:
    """Make all of them."""
    FOLDER.mkdir(exist_ok=True)
    for name, work in FIRST.items():
        _, arguments = work()
        result = made(work(), FRAMES if name == "lab" else FRAMES[:1])
        (FOLDER / f"{name}.run").write_bytes(kept.to_bytes(result, tuple(arrays_in(arguments)), small=True))
        print(f"wrote {FOLDER / name}.run")


if __name__ == "__main__":
    main()
