"""Several attacks with one budget: its split, the turns, errors, Stop."""

from collections import deque
from dataclasses import replace

import numpy as np
import pytest

from segviz.attacks.rows import ATTACKS
from segviz.defences.catalog import wrap
from segviz.lab import attack_picture, sample_picture
from segviz.models.zoo import MODELS
from segviz.settings import Settings
from segviz.studies.compare import budget_of, by_strength, compare, within_budget
from segviz.types import UserError


@pytest.fixture
def picture():
    """A corner of a sample, small enough for many runs."""
    whole = sample_picture("astronaut", MODELS["voc7-lraspp"])
    return replace(whole, pixels=np.ascontiguousarray(whole.pixels[:96, 60:156]), labels=whole.labels[:96, 60:156])


@pytest.mark.parametrize("key", ATTACKS)
def test_every_attack_spends_as_much_of_the_budget_as_it_can(key):
    settings = within_budget(Settings(attack=key), 50)
    assert budget_of(settings) <= 50
    if ATTACKS[key].one_step:
        assert settings.steps == 1
    else:
        assert budget_of(replace(settings, steps=settings.steps + 1)) > 50


def test_suites_share_the_budget_and_steps_may_cost_more():
    assert within_budget(Settings(attack="sea"), 20).steps == 6
    assert within_budget(Settings(attack="cira-plus"), 5).steps == 2
    with pytest.raises(UserError, match="at least 3 gradient evaluations, the budget is 2"):
        within_budget(Settings(attack="sea"), 2)


def test_turns_go_by_gradients_and_results_are_those_of_each_attack_alone(model, picture):
    names = ("pgd", "cira-plus", "fgsm", "quick")
    runs = [within_budget(Settings(attack=name, eps=3), 6) for name in names]
    seen = list(compare(runs, picture, model))
    for entrants in seen:
        at_work = [entrant.spent for entrant in entrants if not entrant.ended]
        # Two is what the dearest step costs.
        assert not at_work or max(at_work) - min(at_work) <= 2
    for settings, entrant in zip(runs, seen[-1], strict=True):
        *_, alone = attack_picture(settings, picture, model)
        assert np.array_equal(entrant.trajectory.final.pixels, alone.final.pixels)
        assert entrant.trajectory.curve == alone.curve
    assert [entrant.spent for entrant in seen[-1]] == [6, 6, 1, 6]
    ranked = by_strength(seen[-1])
    assert [entrant.success for entrant in ranked] == sorted((entrant.success for entrant in seen[-1]), reverse=True)


def test_an_error_ends_one_attack_and_no_other(model, picture):
    runs = [Settings(attack="pgd", steps=2), Settings(attack="cira", steps=2, layer="nowhere"), Settings(attack="ifgsm", steps=2)]
    *_, entrants = compare(runs, picture, model)
    assert "nowhere" in entrants[1].error
    assert [entrant.spent for entrant in entrants] == [2, -1, 2]
    assert by_strength(entrants)[-1] is entrants[1]
    assert entrants[0].trajectory.report is not None


def test_stop_gives_every_attack_the_result_of_what_it_reached(model, picture):
    stop = []
    entrants = ()
    for entrants in compare([Settings(attack=name, steps=100) for name in ("pgd", "ifgsm")], picture, model, stopped=lambda: bool(stop)):
        if min(entrant.spent for entrant in entrants) >= 2:
            stop.append(True)
    assert all(entrant.trajectory.report.stopped for entrant in entrants)
    assert all(2 <= entrant.trajectory.report.iterations <= 3 for entrant in entrants)


def test_through_a_random_defence_each_attack_comes_out_as_alone(model, picture):
    defended = wrap(model, "random-noise=8,1")
    runs = [Settings(attack=key, steps=3) for key in ("ifgsm", "pgd")]
    together = deque(compare(runs, picture, defended), maxlen=1).pop()
    for settings, entrant in zip(runs, together, strict=True):
        alone = deque(attack_picture(settings, picture, defended), maxlen=1).pop()
        assert entrant.trajectory.curve == alone.curve
        assert np.array_equal(entrant.trajectory.final.pixels, alone.final.pixels)
