"""Defences on trial: equal cost, the naive column, adaptive at least as strong as naive or a warning, the table, models side by side."""

from collections import deque
from dataclasses import replace

import numpy as np
import pytest
import torch

from segviz.defences.load import load_model
from segviz.lab import DRAWS, attack_picture, sample_picture
from segviz.models.zoo import MODELS
from segviz.records import Picture
from segviz.settings import Settings
from segviz.studies.defences import growing_eps, on_trial, signs_of_masking, survey
from segviz.types import UserError

SETTINGS = Settings(attack="ifgsm", eps=4)
BUDGETS = {"jpeg": 8, "median": 8, "bits": 8, "tv": 8, "nlm": 8, "crf=2": 4, "random-resize": 32, "random-noise": 32, "random-jpeg": 32}


@pytest.fixture(scope="module")
def small() -> Picture:
    """A part of a sample."""
    picture = sample_picture("chelsea", MODELS["voc7-lraspp"])
    assert picture.labels is not None
    return replace(picture, pixels=picture.pixels[40:136, 60:188].copy(), labels=picture.labels[40:136, 60:188].copy())


def trial(small, model, defence, budget=8, settings=SETTINGS):
    return deque(on_trial(settings, defence, small, model, budget), maxlen=1).pop()


def test_plain_column_is_the_attack_and_naive_is_its_result_through_the_defence(small, model):
    done = trial(small, model, "median", budget=3)
    alone = deque(attack_picture(replace(SETTINGS, steps=3), small, model), maxlen=1).pop()
    assert np.array_equal(done.plain.final.pixels, alone.final.pixels)
    assert np.array_equal(done.naive.final.pixels, alone.final.pixels)
    x = torch.from_numpy(alone.final.pixels).permute(2, 0, 1)[None].float() / 255
    with torch.no_grad():
        defended = load_model("voc7-lraspp+median", torch.device("cpu"))(x).argmax(1)
    assert np.array_equal(done.naive.final.prediction, defended[0].numpy())
    through = deque(
        attack_picture(replace(SETTINGS, steps=3), small, load_model("voc7-lraspp+median", torch.device("cpu"))), maxlen=1
    ).pop()
    assert np.array_equal(done.adaptive.final.pixels, through.final.pixels)
    assert [len(run.curve) for run in (done.plain, done.naive, done.adaptive)] == [4, 4, 4]


def test_cost_is_equal_in_passes_through_the_network(small, model):
    done = trial(small, model, "random-noise=8,3", budget=7)
    assert done.passes == 3
    assert done.plain.report.gradient_evaluations == 7
    assert done.adaptive.report.gradient_evaluations == 6
    assert [point.gradients for point in done.adaptive.curve] == [0, 3, 6]
    with pytest.raises(UserError, match="takes 8 gradient evaluations"):
        trial(small, model, "scales-flip", budget=7)


@pytest.mark.parametrize("defence", BUDGETS)
def test_knowing_the_defence_makes_the_attack_at_least_as_strong(small, model, defence):
    done = trial(small, model, defence, BUDGETS[defence], replace(SETTINGS, attack="pgd"))
    naive, adaptive = done.naive.report.success, done.adaptive.report.success
    assert adaptive >= naive
    assert adaptive > 0.3


@pytest.mark.parametrize("defence", ["scales-flip", "random-crop", "random-rotation", "random-blur", "random-colour"])
def test_an_attack_that_is_the_weaker_for_knowing_the_defence_is_warned_of(small, model, defence):
    done = trial(small, model, defence, 16, replace(SETTINGS, attack="pgd"))
    naive, adaptive = done.naive.report.success, done.adaptive.report.success
    assert adaptive >= naive or signs_of_masking(done)


def test_the_denoiser_heals_the_naive_attack_only(small, model):
    done = trial(small, model, "denoiser", budget=20, settings=replace(SETTINGS, attack="pgd"))
    success = [run.report.success for run in (done.plain, done.naive, done.adaptive)]
    assert success[0] > 0.8
    assert success[1] < success[0] / 2
    assert success[2] > 0.8


def test_an_attack_through_too_few_looks_is_warned_of(small, model):
    done = trial(small, model, "random-crop", budget=8)
    assert done.adaptive.report.success < done.naive.report.success - 0.02
    assert any("should not be the weaker" in sign for sign in signs_of_masking(done))


def test_draws_of_the_attack_are_those_wished_for(small, model):
    done = deque(on_trial(SETTINGS, "random-noise", small, model, 4, draws=2), maxlen=1).pop()
    assert [point.gradients for point in done.adaptive.curve] == [0, 2, 4]


def test_a_defence_without_gradient_is_warned_of(small, model, monkeypatch):
    """Rounding whose gradient is really zero: what the stand-in is there to avoid."""
    monkeypatch.setattr("segviz.defences.filters.with_gradient_of", lambda smooth, real: real + 0 * smooth)
    done = trial(small, model, "bits=4", budget=4)
    assert any("hardly moves" in sign for sign in signs_of_masking(done))
    assert any("should not be the weaker" in sign for sign in signs_of_masking(done))


def test_stop_keeps_what_was_reached(small, model):
    steps = on_trial(SETTINGS, "jpeg", small, model, 50, stopped := iter([False] * 4 + [True] * 9).__next__)
    assert callable(stopped)
    done = deque(steps, maxlen=1).pop()
    assert done.ended
    assert done.plain.report.stopped
    assert done.adaptive.report.stopped


def test_survey(small, model):
    snapshots = list(survey(SETTINGS, ["median", "scales-flip"], [small, small], model, 3))
    last = snapshots[-1]
    assert [snapshot.done for snapshot in snapshots] == [1, 2, 3, 4, 5, 6]
    assert [row.defence for row in last.rows] == ["", "median", "scales-flip"]
    assert [row.pictures for row in last.rows] == [2, 2, 0]
    assert "takes 8 gradient evaluations" in last.rows[2].error
    none, median, _ = last.rows
    assert none.naive == none.adaptive < none.clean
    done = trial(small, model, "median", budget=3)
    assert median.clean == pytest.approx(done.naive.clean.miou)
    assert (median.views, median.passes) == (1, done.adaptive.report.passes)
    assert median.naive == pytest.approx(done.naive.report.adversarial.miou)
    assert median.adaptive == pytest.approx(done.adaptive.report.adversarial.miou)
    assert median.ratio(median.naive) == pytest.approx(median.naive / median.clean)
    assert len(last.clean_entropy) == len(last.attacked_entropy) == 2
    with pytest.raises(UserError, match="label map"):
        next(survey(SETTINGS, ["median"], [replace(small, labels=None)], model, 3))


def test_growing_eps(small, model):
    models = {"voc7-lraspp": model, "voc7-lraspp+median": load_model("voc7-lraspp+median", torch.device("cpu"))}
    last = deque(growing_eps(replace(SETTINGS, steps=2), (1, 4), small, models), maxlen=1).pop()
    for key in models:
        weak, strong = last.runs[key]
        assert (weak.settings.eps, strong.settings.eps, weak.settings.model) == (1, 4, key)
        assert weak.report.linf <= 1 < strong.report.linf <= 4


def test_a_random_defence_is_judged_by_several_draws(small, model):
    done = trial(small, model, "random-noise=16,1", budget=3)
    for judged, report in ((done.naive_judged, done.naive.report), (done.adaptive_judged, done.adaptive.report)):
        assert len(judged.success) == len(judged.miou) == DRAWS
        assert len(set(judged.miou)) > 1
        assert judged.success[0] == pytest.approx(report.success)
        assert judged.miou[0] == pytest.approx(report.adversarial.miou)
    assert trial(small, model, "median", budget=1).adaptive_judged is None


def test_a_trial_does_not_depend_on_what_was_tried_before(small, model):
    """Neither alone nor in a survey, whose row is the mean over the draws."""
    other = replace(small, pixels=small.pixels[:, ::-1].copy(), labels=small.labels[:, ::-1].copy())
    tables = [
        deque(survey(SETTINGS, ["random-noise=16,1"], pictures, model, 3), maxlen=1).pop().rows[1]
        for pictures in ([small, other], [other, small])
    ]
    assert tables[0] == tables[1]
    alone = deque(survey(SETTINGS, ["random-noise=16,1"], [small], model, 3), maxlen=1).pop().rows[1]
    done = trial(small, model, "random-noise=16,1", budget=3)
    assert alone.draws == DRAWS
    assert alone.adaptive == pytest.approx(sum(done.adaptive_judged.miou) / DRAWS)
    assert alone.adaptive_low == pytest.approx(min(done.adaptive_judged.miou))
    assert alone.naive_low < alone.naive < alone.naive_high
