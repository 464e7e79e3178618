"""Random search by squares: what it changes, what it keeps, and that no gradient is asked for."""

from dataclasses import replace

import pytest
import torch

from segviz.attacks.catalog import build_attack
from segviz.attacks.square import side_of_square
from segviz.settings import Settings
from segviz.studies.compare import within_budget
from segviz.types import Goal, StepKind

SETTINGS = Settings(attack="square", eps=20, steps=40)


def test_squares_shrink_as_in_the_paper():
    """p = 0.8, halved after iteration 10, 50, 200, 500, 1000 ... of 10,000."""
    sides = [side_of_square(iteration, 10_000, 200, 200) for iteration in (10, 11, 50, 51, 201, 501, 8001, 10_000)]
    assert sides == [round((0.8 / 2**halvings) ** 0.5 * 200) for halvings in (0, 1, 1, 2, 3, 4, 9, 9)]
    assert side_of_square(1, 10_000, 20, 400) == 20
    assert side_of_square(100, 100, 4, 4) == 1


def test_a_change_is_one_square_of_plus_or_minus_eps_kept_where_it_does_no_harm(linear, eight_bit):
    goal = Goal(linear(eight_bit).argmax(1))
    clean, *iterates, result = build_attack(SETTINGS, 12, 16).run(linear, eight_bit, goal)
    stripes = iterates[0].x_adv - eight_bit
    inside = (eight_bit > 20 / 255) & (eight_bit < 1 - 20 / 255)
    torch.testing.assert_close(stripes[inside].abs(), torch.full_like(stripes[inside], 20 / 255))
    leaders = [step.best for step in iterates]
    for before, step in zip(leaders, iterates[1:], strict=False):
        changed = (step.x_adv != before).any(1).any(0).nonzero()
        side = side_of_square(step.index, 40, 12, 16)
        assert (changed.amax(0) - changed.amin(0) < side).all() if len(changed) else True
    wins = torch.stack([step.best_success for step in iterates])
    assert (wins.diff(dim=0) >= 0).all()
    assert (wins[-1] > clean.success + 0.05).all()
    assert (result.success >= wins[-1] - 0.02).all()
    assert result.gradient_evaluations == 0
    # The clean look, one for each iteration, the look at the result.
    assert result.passes == 42


def test_it_needs_no_gradient(linear, eight_bit):
    """A network that only gives maps: its logits are rounded to one-hot."""

    class Maps(torch.nn.Module):
        def forward(self, x):
            with torch.no_grad():
                return torch.nn.functional.one_hot(linear(x).argmax(1), 2).movedim(-1, 1).to(x)

    maps, goal = Maps(), Goal(linear(eight_bit).argmax(1))
    blind = list(build_attack(SETTINGS, 12, 16).run(maps, eight_bit, goal))[-1]
    sighted = list(build_attack(SETTINGS, 12, 16).run(linear, eight_bit, goal))[-1]
    assert blind.kind is StepKind.RESULT
    assert torch.equal(blind.x_adv, sighted.x_adv)


@pytest.mark.parametrize("budget", [1, 20])
def test_a_budget_of_gradients_buys_as_many_forward_passes(budget):
    assert within_budget(SETTINGS, budget) == replace(SETTINGS, steps=budget)
