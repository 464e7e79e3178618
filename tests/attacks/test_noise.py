"""Random noise: a draw in the ball whatever it does, far weaker than an attack."""

import pytest
import torch

from segviz.attacks.catalog import build_attack
from segviz.settings import Settings
from segviz.types import Goal, StepKind


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_the_result_is_the_draw_itself_where_it_does_not_help(linear, eight_bit, norm):
    """Against labels that are all wrong already, the clean image is the strongest; the result is noise all the same."""
    goal = Goal(1 - linear(eight_bit).argmax(1))
    steps = list(build_attack(Settings(attack="noise", norm=norm, eps=6), 12, 16).run(linear, eight_bit, goal))
    assert [step.kind for step in steps] == [StepKind.CLEAN, StepKind.ITERATE, StepKind.RESULT]
    assert (steps[0].success == 1).all()
    change = 255 * (steps[-1].x_adv - eight_bit)
    assert (change.abs() > 0.5).float().mean() > 0.5
    if norm == "linf":
        assert change.abs().max() < 6.01
        assert abs(change.mean().item()) < 0.5
        assert change.std().item() == pytest.approx(6 / 3**0.5, rel=0.1)
    else:
        assert change.square().mean().sqrt().item() == pytest.approx(6, rel=0.05)
    assert steps[-1].gradient_evaluations == 0


def test_restarts_are_more_draws_of_which_the_worst_counts(linear, eight_bit):
    goal = Goal(linear(eight_bit).argmax(1))
    _, *draws, last = build_attack(Settings(attack="noise", eps=30, restarts=5), 12, 16).run(linear, eight_bit, goal)
    success = torch.stack([step.success for step in draws])
    assert success.std(0).min() > 0
    assert torch.equal(draws[-1].best_success, success.amax(0))
    torch.testing.assert_close(last.success, success.amax(0), atol=0.02, rtol=0)


def test_an_attack_of_the_same_radius_is_far_worse(linear, eight_bit):
    goal = Goal(linear(eight_bit).argmax(1))
    success = {
        key: list(build_attack(Settings(attack=key, eps=20), 12, 16).run(linear, eight_bit, goal))[-1].success for key in ("noise", "fgsm")
    }
    assert (success["fgsm"] > 2 * success["noise"]).all()
