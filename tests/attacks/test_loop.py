"""The loop on a model whose optimum is known, and its promises on the real one."""

import itertools
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from segviz.attacks.catalog import build_attack
from segviz.attacks.constraints import L2, Linf
from segviz.attacks.loop import Attack, Runnable
from segviz.attacks.rows import RED_EPS
from segviz.settings import Settings
from segviz.types import VOID, Goal, StepKind


def last(steps):
    return list(steps)[-1]


def attack_for(key: str, norm: str, shape: torch.Size, **changes: object) -> Runnable:
    return build_attack(Settings(attack=key, norm=norm, **changes), *shape[-2:])


@pytest.mark.parametrize("key", ["fgsm", "ifgsm", "pgd"])
def test_linf_reaches_the_optimum_of_a_linear_model(linear, eight_bit, key):
    """Every pixel is worth eps * sum|w| of margin, and an L-inf attack must get all of it."""
    labels = (linear.margin(eight_bit) > 0).long()
    step = last(attack_for(key, "linf", eight_bit.shape, eps=6, steps=12).run(linear, eight_bit, Goal(labels)))
    signed = torch.where(labels == 1, -1.0, 1.0).unsqueeze(1)
    optimum = eight_bit + 6 / 255 * signed * linear.weight.sign()
    if key == "pgd":
        # The strongest iterate is kept; the flips are those of the optimum even where the margin is not yet the largest.
        assert torch.equal(step.prediction, linear(optimum).argmax(1))
    else:
        torch.testing.assert_close(step.x_adv, optimum, atol=1e-6, rtol=0)
    assert step.success.min() > 0
    assert step.success.max() < 1


def test_l2_spends_its_budget_as_the_gradient_says(linear, eight_bit):
    """One L2 step of a linear model goes along the exact gradient of the cross-entropy, and to the border of the ball."""
    x = eight_bit[:1]
    labels = (linear.margin(x) > 0).long()
    attack = Attack(L2(0.9), alpha=0.9, steps=1)
    steps = list(attack.run(linear, x, Goal(labels)))
    free = x.clone().requires_grad_()
    gradient = torch.autograd.grad(F.cross_entropy(linear(free), labels), free)[0]
    expected = x + 0.9 * gradient / gradient.norm()
    torch.testing.assert_close(steps[1].x_adv, expected)


def test_target_map_is_reached(linear, eight_bit):
    target = torch.zeros(2, 12, 16, dtype=torch.long)
    target[:, :, 8:] = 1
    step = last(attack_for("pgd", "linf", eight_bit.shape, eps=120, steps=40).run(linear, eight_bit, Goal(target, targeted=True)))
    assert torch.equal(step.prediction, target)
    assert step.success.tolist() == [1, 1]


def test_void_and_masked_pixels_are_left_alone(linear, eight_bit):
    """Pixels of the linear model are independent, so pixels that do not count get no gradient and no change."""
    labels = (linear.margin(eight_bit) > 0).long()
    labels[:, :4] = VOID
    mask = torch.ones_like(labels, dtype=torch.bool)
    mask[:, :, :5] = False
    step = last(attack_for("fgsm", "linf", eight_bit.shape, eps=8).run(linear, eight_bit, Goal(labels, mask=mask)))
    changed = (step.x_adv != eight_bit).any(1)
    assert not changed[:, :4].any()
    assert not changed[:, :, :5].any()
    assert changed[:, 4:, 5:].all()


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_budget_is_used(model, norm):
    x = sample_batch()
    step = last(attack_for("pgd", norm, x.shape, eps=4, steps=4).run(model, x, Goal(model(x).argmax(1))))
    delta = (step.x_adv - x) * 255
    size = delta.abs().amax((1, 2, 3)) if norm == "linf" else delta.flatten(1).square().mean(1).sqrt()
    assert (size > 3.5).all()


@pytest.mark.parametrize("key", ["fgsm", "ifgsm", "pgd"])
def test_batch_equals_alone(linear, eight_bit, key):
    labels = (linear.margin(eight_bit) > 0).long()
    labels[1, :6] = VOID  # different numbers of counted pixels must not leak from one image to the other
    attack = attack_for(key, "l2", eight_bit.shape, eps=5, steps=7)
    together = list(attack.run(linear, eight_bit, Goal(labels)))
    for image in range(2):
        alone = list(attack.run(linear, eight_bit[image : image + 1], Goal(labels[image : image + 1])))
        for batch_step, single in zip(together, alone, strict=True):
            torch.testing.assert_close(batch_step.x_adv[image], single.x_adv[0], atol=1e-6, rtol=0)
            torch.testing.assert_close(batch_step.loss[image], single.loss[0])


def test_batch_equals_alone_on_the_real_model(model):
    x = sample_batch()
    labels = model(x).argmax(1)
    attack = attack_for("pgd", "linf", x.shape, eps=4, steps=5)
    together = last(attack.run(model, x, Goal(labels)))
    for image in range(2):
        alone = last(attack.run(model, x[image : image + 1], Goal(labels[image : image + 1])))
        # Convolutions round differently at another batch size, which flips the sign of vanishing gradients only.
        assert (together.x_adv[image] == alone.x_adv[0]).float().mean() > 0.97
        assert abs(together.success[image] - alone.success[0]) < 0.05


def test_seeds(model):
    x = sample_batch()
    goal = Goal(model(x).argmax(1))
    first, again, other = (last(attack_for("pgd", "linf", x.shape, steps=2, seed=s).run(model, x, goal)).x_adv for s in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_restarts_go_on_and_never_lose_the_best(model):
    x = sample_batch()
    goal = Goal(model(x).argmax(1))
    steps = list(attack_for("pgd", "linf", x.shape, eps=2, steps=3, restarts=2).run(model, x, goal))
    assert [step.index for step in steps] == [0, 1, 2, 3, 4, 5, 6, 6]
    assert steps[-1].gradient_evaluations == 6
    kept = torch.stack([step.best_success for step in steps[:-1]])
    assert (kept.diff(dim=0) >= 0).all()
    seen = torch.stack([step.success for step in steps[:-1]]).amax(0)
    assert (kept[-1] >= seen).all()


def test_first_step_is_the_clean_image_and_best_never_worse(model):
    x = sample_batch()
    labels = model(x).argmax(1)
    steps = list(attack_for("fgsm", "linf", x.shape, eps=8).run(model, x, Goal(labels)))
    assert torch.equal(steps[0].x_adv, x)
    assert torch.equal(steps[0].prediction, labels)
    assert steps[0].success.tolist() == [0, 0]
    assert len(steps) == 3


def test_least_likely_uses_the_current_prediction(linear, eight_bit):
    """For two classes the least likely one is the other one, so the attack breaks the prediction whatever the labels say."""
    wrong_labels = torch.ones(2, 12, 16, dtype=torch.long)
    _, step, _ = attack_for("fgsm-ll", "linf", eight_bit.shape, eps=6).run(linear, eight_bit, Goal(wrong_labels))
    towards_border = -linear.margin(eight_bit).sign().unsqueeze(1) * linear.weight.sign()
    torch.testing.assert_close(step.x_adv, eight_bit + 6 / 255 * towards_border, atol=1e-6, rtol=0)


def test_stopping_early_gives_a_valid_result(model):
    x = sample_batch()
    goal = Goal(model(x).argmax(1))
    attack = attack_for("pgd", "linf", x.shape, eps=3, steps=100)
    step = next(itertools.islice(attack.run(model, x, goal), 2, None))
    result = attack.conclude(step, model, x, goal)
    assert result.kind is StepKind.RESULT
    assert result.index == 2
    assert ((result.x_adv - x) * 255).round().abs().max() <= 3


def test_refuses_what_would_make_numbers_dishonest(linear):
    labels = torch.zeros(1, 4, 4, dtype=torch.long)
    with pytest.raises(ValueError, match="8-bit"):
        next(Attack(Linf(0.1), 0.1, 1).run(linear, torch.full((1, 3, 4, 4), 0.5), Goal(labels)))
    with pytest.raises(ValueError, match="expected"):
        next(Attack(Linf(0.1), 0.1, 1).run(linear, torch.zeros(1, 3, 5, 4), Goal(labels)))
    with pytest.raises(ValueError, match="random start"):
        Attack(Linf(0.1), 0.1, 1, restarts=2)


def sample_batch() -> Tensor:
    """Two structured 8-bit images (2,3,64,64) that reach 0 and 255."""
    rows, columns = torch.meshgrid(torch.arange(64), torch.arange(64), indexing="ij")
    first = torch.stack([rows * 4, columns * 4, (rows + columns) * 2])
    second = torch.stack([((rows - 32) ** 2 + (columns - 32) ** 2 < 300) * 255, rows * 2 + 60, 255 - columns * 4])
    return torch.stack([first, second]).clamp(0, 255) / 255


def test_until_won_ends_a_stage_once_no_pixel_is_left_to_win(linear, eight_bit):
    """Radii so large that the linear model loses every pixel: no step more is taken, and the result is as strong as without."""
    goal = Goal((linear.margin(eight_bit) > 0).long())
    attack = Attack(Linf(200 / 255), alpha=100 / 255, steps=20, random_start=True, radii=RED_EPS)
    whole, early = list(attack.run(linear, eight_bit, goal)), list(replace(attack, until_won=True).run(linear, eight_bit, goal))
    assert whole[-1].success.tolist() == early[-1].success.tolist() == [1, 1]
    assert len(whole) == 22
    assert len(early) < 8
    assert early[-1].kind is StepKind.RESULT


def test_until_won_changes_nothing_where_pixels_are_left(linear, eight_bit):
    goal = Goal((linear.margin(eight_bit) > 0).long())
    attack = Attack(Linf(4 / 255), alpha=1 / 255, steps=10)
    for one, other in zip(attack.run(linear, eight_bit, goal), replace(attack, until_won=True).run(linear, eight_bit, goal), strict=True):
        assert torch.equal(one.x_adv, other.x_adv)
