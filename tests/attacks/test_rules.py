"""Update rules step by step against values worked out by hand, on images of one pixel and prescribed gradients."""

import pytest
import torch
from torch import Tensor

from segviz.attacks.constraints import Linf
from segviz.attacks.objectives import Seen
from segviz.attacks.rules import AutoStep, SteepestStep, padam, uncorrected_adam

X = torch.full((1, 3, 1, 1), 0.5)


def seen(gradient: list[float], progress: float = 0.0) -> Seen:
    empty = torch.empty(0)
    return Seen(empty, empty, empty, torch.tensor([progress]), torch.tensor(gradient).view(1, 3, 1, 1))


def values(x: Tensor) -> list[float]:
    return x.flatten().tolist()


def test_steepest_step_signs_and_projects():
    rule = SteepestStep(Linf(0.1), 0.06, 5)
    x1 = rule.step(X, seen([2.0, -0.5, 0.0]), X)
    assert values(x1) == pytest.approx([0.56, 0.44, 0.5])
    assert values(rule.step(x1, seen([1.0, 1.0, -1.0]), X)) == pytest.approx([0.6, 0.5, 0.44])


def test_padam_is_amsgrad_with_corrected_moments():
    """Worked by hand from Adam with beta 0.9 and 0.999 and the largest second moment so far."""
    rule = padam(Linf(0.5), 0.01, 3)
    x1 = rule.step(X, seen([2.0, -4.0, 0.0]), X)
    # m_hat = g, v_hat = g^2: the first step is alpha * sign(g).
    assert values(x1) == pytest.approx([0.51, 0.49, 0.5])
    x2 = rule.step(x1, seen([1.0, 4.0, 0.0]), X)
    m = (0.9 * 0.1 * 2 + 0.1 * 1) / (1 - 0.81)
    v = max(0.001 * 4, 0.999 * 0.001 * 4 + 0.001 * 1) / (1 - 0.999**2)
    second = (0.9 * 0.1 * -4 + 0.1 * 4) / (1 - 0.81), (0.999 * 0.001 * 16 + 0.001 * 16) / (1 - 0.999**2)
    assert values(x2) == pytest.approx([0.51 + 0.01 * m / v**0.5, 0.49 + 0.01 * second[0] / second[1] ** 0.5, 0.5], abs=1e-6)
    x3 = rule.step(x2, seen([0.0, 0.0, 0.0]), X)
    # The largest v stays although the running one shrinks.
    m3 = 0.9 * (0.9 * 0.1 * 2 + 0.1 * 1) / (1 - 0.9**3)
    largest = (0.999 * 0.001 * 4 + 0.001 * 1) / (1 - 0.999**3)
    assert values(x3)[0] == pytest.approx(values(x2)[0] + 0.01 * m3 / largest**0.5, abs=1e-6)


def test_uncorrected_adam_first_step_is_ten_times_alpha():
    """v = 0.01 g^2 stays uncorrected, so the step is alpha * g / (0.1 |g|)."""
    rule = uncorrected_adam(Linf(1.0), 0.01, 3)
    assert values(rule.step(X, seen([2.0, -0.5, 0.0]), X)) == pytest.approx([0.6, 0.4, 0.5], abs=1e-6)


def test_apgd_moves_with_momentum():
    rule = AutoStep(Linf(0.1), 0.2, 100)
    x1 = rule.step(X, seen([1.0, -1.0, 0.0], 0.0), X)
    # z = P(x + 0.2 sign) = x +- 0.1, and the first step goes all the way.
    assert values(x1) == pytest.approx([0.6, 0.4, 0.5])
    x2 = rule.step(x1, seen([-1.0, -1.0, 1.0], 1.0), X)
    # z = (0.4, 0.4, 0.6); x1 + 0.75 (z - x1) + 0.25 (x1 - x0) = (0.6 - 0.15 + 0.025, 0.4 + 0 - 0.025 -> 0.4, 0.5 + 0.075).
    assert values(x2) == pytest.approx([0.475, 0.4, 0.575])


def checkpoints(steps: int, progress: list[float]) -> list[float]:
    """eta after each step of a run with this progress."""
    rule = AutoStep(Linf(0.1), 0.2, steps)
    x_adv, etas = X, []
    for value in progress:
        x_adv = rule.step(x_adv, seen([1.0, 1.0, 1.0], value), X)
        etas.append(rule.eta.item())
    return etas


def test_apgd_schedule():
    """100 steps: periods 22, 19, 16, ... down to 6; an image whose progress stops is halved at the checkpoints after 22, 41, 57, ..."""
    etas = checkpoints(100, [float(min(t, 1)) for t in range(100)])
    halved = [t for t in range(1, 100) if etas[t] < etas[t - 1]]
    assert halved == [22, 41, 57, 70, 80, 87, 93, 99]
    assert etas[-1] == pytest.approx(0.2 / 2**8)


def test_apgd_keeps_its_step_while_progress_grows():
    assert checkpoints(100, [float(t) for t in range(100)]) == pytest.approx([0.2] * 100)


def test_apgd_first_condition_counts_rises():
    """22 steps with 16 rises are at most 75 % (16.5): halved; 17 rises are not."""
    few = [float(t) for t in range(17)] + [0.0] * 6
    many = [float(t) for t in range(18)] + [0.0] * 5
    assert checkpoints(100, few)[22] == pytest.approx(0.1)
    assert checkpoints(100, many)[22] == pytest.approx(0.2)


def test_apgd_second_condition_needs_an_unhalved_period():
    """A best that does not change in a period whose rises still suffice: halved by condition 2 alone."""
    first = [float(t) for t in range(23)]
    # 15 of 19 steps rise again, more than 75 %, but stay below the best of the first period.
    second = [-1.0, -2.0, -3.0, -4.0, *(float(t) - 3.5 for t in range(15))]
    etas = checkpoints(100, first + second)
    assert etas[22] == pytest.approx(0.2)
    assert etas[41] == pytest.approx(0.1)


def test_apgd_restarts_from_its_best_point():
    """After a halving the next step starts at the point with the best progress."""
    rule = AutoStep(Linf(0.4), 0.8, 10)  # first period 2
    x1 = rule.step(X, seen([1.0, 1.0, 1.0], 0.0), X)
    x2 = rule.step(x1, seen([-1.0, -1.0, -1.0], 5.0), X)
    assert values(x1) == pytest.approx([0.9] * 3)
    # Progress fell at x2: one rise in two steps, so eta becomes 0.4 and the run goes on from x1 with its gradient.
    x3 = rule.step(x2, seen([1.0, 1.0, 1.0], 1.0), X)
    z = 0.9 - 0.4
    assert values(x3) == pytest.approx([0.9 + 0.75 * (z - 0.9) + 0.25 * (0.9 - values(x1)[0])] * 3)


def test_state_is_per_image():
    """Two images with different progress take different steps, each as if alone."""
    pair = torch.cat([X, X])
    rule, alone = AutoStep(Linf(0.1), 0.2, 9), AutoStep(Linf(0.1), 0.2, 9)
    both, single = pair, X
    for t in range(9):
        progress = torch.tensor([float(t), -float(t)])
        gradient = torch.ones(2, 3, 1, 1) * (-1) ** t
        empty = torch.empty(0)
        both = rule.step(both, Seen(empty, empty, empty, progress, gradient), pair)
        single = alone.step(single, Seen(empty, empty, empty, progress[1:], gradient[1:]), X)
        torch.testing.assert_close(both[1:], single)
    assert rule.eta[0] > rule.eta[1]
