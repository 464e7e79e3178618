"""What the pages show before anything has been run is what running it gives, with the weights of today."""

from itertools import islice

import numpy as np
import pytest

from segviz.settings import Settings
from segviz.studies import first_views
from segviz.studies.first_views import FIRST, FOLDER, FRAMES, load, made

RUNS = {name: work() for name, work in FIRST.items()}


def looks(name: str, number: int):
    """The snapshot after a number of looks at the run of a page."""
    function, arguments = RUNS[name]
    return list(islice(function(*arguments, stopped=lambda: False), number))[-1]


def same_start(shown, now):
    """Whether the curve of a run that has begun is the beginning of that of a finished one; processors round differently."""
    assert len(now) > 1
    for before, after in zip(shown, now, strict=False):
        assert before.index == after.index
        assert before.miou == pytest.approx(after.miou, abs=0.01)
        assert before.pixel_accuracy == pytest.approx(after.pixel_accuracy, abs=0.01)


def test_the_lab_begins_with_the_run_of_the_default_settings():
    shown, now = load("lab"), made(RUNS["lab"], FRAMES)
    assert shown.settings == Settings()
    assert [frame.index for frame in shown.frames] == [frame.index for frame in now.frames] == list(FRAMES)
    assert (shown.frames[0].prediction == now.frames[0].prediction).mean() > 0.999
    assert shown.clean.miou == pytest.approx(now.clean.miou, abs=0.002)
    # The iterates drift apart a little; the damage done must be the same.
    assert shown.report.adversarial.miou == pytest.approx(now.report.adversarial.miou, abs=0.03)
    assert shown.report.adversarial.pixel_accuracy == pytest.approx(now.report.adversarial.pixel_accuracy, abs=0.05)
    assert shown.report.linf == now.report.linf == 4
    assert np.abs(shown.final.pixels.astype(int) - shown.picture.pixels).max() == 4


def test_the_comparison_and_the_trial_hold_the_run_of_the_lab():
    lab, entrants, trial = load("lab"), load("compare"), load("defences")
    assert tuple(entrant.settings for entrant in entrants) == RUNS["compare"][1][0]
    assert all(entrant.ended and entrant.error is None for entrant in entrants)
    assert trial.ended
    for run in (entrants[0].trajectory, trial.plain):
        assert run.settings == lab.settings
        assert run.report.adversarial.miou == pytest.approx(lab.report.adversarial.miou, abs=0.03)
    for entrant, now in zip(entrants, looks("compare", 11), strict=True):
        same_start(entrant.trajectory.curve, now.trajectory.curve)
    now = looks("defences", 5)
    same_start(trial.naive.curve, now.naive.curve)
    same_start(trial.adaptive.curve, now.adaptive.curve)


def test_the_certificate():
    shown, now = load("certificate"), looks("certificate", 4)
    assert shown.settings == now.settings
    assert (shown.ended, shown.looks) == (True, shown.settings.looks)
    assert now.looks == 0
    assert (shown.clean == now.clean).mean() > 0.999
    assert (shown.top == now.top).mean() > 0.99


def test_the_morphing_pictures_reach_the_map():
    shown, now = load("targets"), looks("targets", 4)
    for victim, today in zip(shown, now, strict=True):
        assert (victim.picture.name, victim.error) == (today.picture.name, None)
        assert [moment.target_accuracy for moment in victim.curve][: len(today.curve)] == pytest.approx(
            [moment.target_accuracy for moment in today.curve], abs=0.01
        )
        assert victim.now.target_accuracy > 0.9
        assert len(victim.curve) == first_views.MORPH.steps + 1


def test_the_scaled_picture_is_the_hidden_one():
    shown = load("scaling")
    function, arguments = RUNS["scaling"]
    now = next(study for study in function(*arguments, stopped=lambda: False) if study.result is not None)
    assert shown.ended
    assert shown.settings == now.settings
    assert np.array_equal(shown.result.pixels, now.result.pixels)
    assert shown.result.verdict is now.result.verdict


def test_the_picture_of_the_page_of_transfer():
    shown, now = load("transfer"), made(RUNS["transfer"])
    assert shown.plan == now.plan
    assert shown.ended
    for one, other in zip(shown.cells, now.cells, strict=True):
        assert (one.run, one.victim) == (other.run, other.victim)
        assert one.adversarial.miou == pytest.approx(other.adversarial.miou, abs=0.02)
    assert len(shown.exhibits) == len(now.exhibits) == 2


def test_all_of_them_together_are_small():
    assert sorted(file.stem for file in FOLDER.iterdir()) == sorted(RUNS)
    assert sum(file.stat().st_size for file in FOLDER.iterdir()) < 4e6
