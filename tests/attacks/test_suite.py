"""Stages and suites: radii, restarts, and the worst of several attacks image by image."""

import itertools

import pytest
import torch

from segviz.attacks.catalog import build_attack, gradients_of, iterations_of
from segviz.attacks.constraints import Linf
from segviz.attacks.loop import Attack
from segviz.attacks.rows import RED_EPS
from segviz.settings import Settings
from segviz.types import Goal, StepKind


@pytest.fixture
def batch(model):
    """Two pictures of 48 px and what the model sees in them."""
    rows, columns = torch.meshgrid(torch.arange(48), torch.arange(48), indexing="ij")
    disc = ((rows - 24) ** 2 + (columns - 20) ** 2 < 200).long()
    x = torch.stack([torch.stack([rows * 5, columns * 5, disc * 200]), torch.stack([disc * 180 + 40, rows * 4, columns * 3])]) / 255
    return x, Goal(model(x).argmax(1))


def radius(step, x):
    return ((step.x_adv - x).abs().max() * 255).item()


def test_red_eps_shrinks_the_ball_and_ends_in_it(model, batch):
    x, goal = batch
    attack = Attack(Linf(2 / 255), alpha=4 / 255, steps=20, random_start=True, radii=RED_EPS)
    first, *steps, last = attack.run(model, x, goal)
    assert torch.equal(first.x_adv, x)
    assert [step.stage for step in steps] == [0] * 6 + [1] * 6 + [2] * 8
    for stage, allowed in ((0, 4), (1, 3), (2, 2)):
        reached = [radius(step, x) for step in steps if step.stage == stage]
        assert max(reached) <= allowed + 1e-3
        assert max(reached) > allowed - 0.9
    assert radius(last, x) <= 2 + 1e-3
    assert last.gradient_evaluations == 20


def test_each_stage_starts_at_the_projected_best_of_the_one_before(linear, eight_bit):
    """With steps of size zero an attack stays where a stage puts it."""
    goal = Goal((linear.margin(eight_bit) > 0).long())
    attack = Attack(Linf(4 / 255), alpha=0.0, steps=10, random_start=True, radii=RED_EPS)
    steps = list(attack.run(linear, eight_bit, goal))[1:-1]
    constraint = Linf(4 / 255)
    middle = constraint.scaled(1.5).project(steps[2].best, eight_bit)
    torch.testing.assert_close(steps[3].x_adv, middle)
    torch.testing.assert_close(steps[6].x_adv, constraint.project(middle, eight_bit))


def test_a_larger_ball_cannot_be_the_result_even_when_stopped_in_it(model, batch):
    x, goal = batch
    attack = Attack(Linf(1 / 255), alpha=2 / 255, steps=30, random_start=True, restarts=2, radii=RED_EPS)
    for count in (3, 12, 25, 33, 45):
        step = next(itertools.islice(attack.run(model, x, goal), count, None))
        result = attack.conclude(step, model, x, goal)
        assert radius(result, x) <= 1 + 1e-3
        assert result.kind is StepKind.RESULT


def test_stopping_in_the_second_restart_keeps_the_result_of_the_first(model, batch):
    x, goal = batch
    attack = Attack(Linf(2 / 255), alpha=4 / 255, steps=10, random_start=True, restarts=2, radii=RED_EPS)
    steps = list(itertools.islice(attack.run(model, x, goal), 13))
    assert steps[-1].stage == 3
    assert torch.equal(steps[-1].best_success, steps[10].best_success)


def test_few_steps_leave_the_larger_stages_out():
    attack = Attack(Linf(0.1), alpha=0.2, steps=2, random_start=True, radii=RED_EPS)
    assert [(stage.start, stage.steps, stage.final) for stage in attack.stages()] == [("random", 2, True)]


@pytest.mark.parametrize("key", ["sea", "quick"])
def test_suite_is_the_worst_of_its_members(model, batch, key):
    x, goal = batch
    settings = Settings(attack=key, eps=1, steps=4)
    suite = build_attack(settings, 48, 48)
    first, *between, last = suite.run(model, x, goal)
    closing = [step for step in between if step.kind is StepKind.MEMBER_RESULT]
    assert [step.member for step in closing] == [name for name, _ in suite.members]
    for step, (_, attack) in zip(closing, suite.members, strict=True):
        *_, alone = attack.run(model, x, goal)
        torch.testing.assert_close(step.success, alone.success, atol=0.02, rtol=0)
    torch.testing.assert_close(last.success, torch.stack([step.success for step in closing]).amax(0))
    torch.testing.assert_close(goal.success(model(last.x_adv).argmax(1)), last.success)
    assert radius(last, x) <= 1 + 1e-3
    iterates = [step for step in between if step.kind is StepKind.ITERATE]
    assert [step.index for step in iterates] == list(range(1, iterations_of(settings) + 1))
    assert last.gradient_evaluations == gradients_of(settings) == suite.iterations
    kept = torch.stack([step.best_success for step in iterates])
    assert (kept.diff(dim=0) >= 0).all()
    assert first.member == ""
