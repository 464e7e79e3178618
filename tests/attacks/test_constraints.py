"""Balls: projections, random points and rounding to 8 bits."""

import pytest
import torch

from segviz.attacks.constraints import L2, Linf


@pytest.fixture
def x():
    return torch.randint(0, 256, (3, 3, 20, 30), generator=torch.Generator().manual_seed(0)) / 255


def test_l2_projection_is_the_nearest_point_of_the_ball():
    inner = torch.full((1, 3, 4, 4), 0.5)
    far = inner + 0.1
    projected = L2(0.2).project(far, inner)
    torch.testing.assert_close((projected - inner).norm(), torch.tensor(0.2))
    torch.testing.assert_close(projected - inner, (far - inner) * 0.2 / (far - inner).norm())
    near = inner + 0.001
    torch.testing.assert_close(L2(0.2).project(near, inner), near)


@pytest.mark.parametrize("ball", [Linf(8 / 255), L2(1.5)])
def test_random_points_lie_in_ball_and_box_and_differ_by_seed(x, ball):
    points = [ball.random_point(x, torch.Generator().manual_seed(seed)) for seed in (0, 0, 1)]
    assert torch.equal(points[0], points[1])
    assert not torch.equal(points[0], points[2])
    assert points[0].min() >= 0
    assert points[0].max() <= 1
    torch.testing.assert_close(ball.project(points[0], x), points[0])


@pytest.mark.parametrize("levels", [0.25, 0.75, 1, 1.5, 4])
def test_linf_rounding_never_leaves_the_ball(x, levels):
    ball = Linf(levels / 255)
    rounded = ball.to_8bit(ball.random_point(x, torch.Generator().manual_seed(0)), x)
    assert ((rounded - x) * 255).round().abs().max() == int(levels)


def test_l2_rounding_is_plain_rounding_where_the_ball_allows(x):
    inside = L2(0.5).random_point(x, torch.Generator().manual_seed(0))
    roomy = L2(100).to_8bit(inside, x)
    torch.testing.assert_close(roomy, (inside * 255).round() / 255, atol=1e-6, rtol=0)


def test_l2_rounding_keeps_as_much_as_fits():
    """Four coordinates want 0.9, 0.8, 0.7 and 0.6 levels; a ball of radius sqrt(2) levels has room for exactly the first two."""
    x = torch.full((1, 1, 2, 2), 100 / 255)
    wish = x + torch.tensor([0.9, 0.8, 0.7, 0.6]).view(1, 1, 2, 2) / 255
    rounded = L2(2**0.5 / 255 + 1e-9).to_8bit(wish, x)
    assert ((rounded - x) * 255).round().flatten().tolist() == [1, 1, 0, 0]
