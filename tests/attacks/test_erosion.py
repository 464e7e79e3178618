"""EroSeg-style erosion: where it starts, how it grows, and that it breaks the real model."""

import pytest
import torch
from test_loop import sample_batch
from torch import Tensor

from segviz.attacks.catalog import build_attack
from segviz.attacks.erosion import Erosion, dilated
from segviz.attacks.losses import Look
from segviz.attacks.rows import EROSIONS
from segviz.settings import Settings
from segviz.types import VOID, Goal

SIDE, STEPS = 20, 8


def look(margin: Tensor, iteration: int, goal: Goal | None = None, steps: int = STEPS) -> Look:
    """A look at two-class logits whose pixels are labelled 0 and right where `margin` (N,H,W) is positive, surer the larger it is."""
    goal = goal or Goal(torch.zeros_like(margin, dtype=torch.long))
    return Look(torch.stack([margin, -margin], 1), goal, iteration, steps)


@pytest.fixture
def margin() -> Tensor:
    """Two smooth maps of confidence (2,20,20), all right: the first rises to the right, the second downwards, half as steeply."""
    ramp = torch.linspace(0.1, 2, SIDE) + 0.001 * torch.linspace(0, 1, SIDE).unsqueeze(1)
    return torch.stack([ramp, ramp.T / 2])


def test_seeds_are_the_least_confident_right_pixels(margin):
    margin[0, :, :4] = -1  # already wrong, so no seeds
    erosion = Erosion(q0=0.25)
    loss = erosion(look(margin, 1))
    for image, right in enumerate(margin > 0):
        seeds = erosion.reached[image] & right
        count = round(0.25 * int(right.sum()))
        threshold = margin[image][right].sort().values[count - 1]
        assert torch.equal(seeds, right & (margin[image] <= threshold))
        assert seeds.sum() == count
    assert (loss[0, :, 9:] == 0).all()  # right, but not reached yet
    wrong = look(margin, 1).cross_entropy[0, :, :4]
    torch.testing.assert_close(loss[0, :, :4], 0.1 * wrong)


@pytest.mark.parametrize("variant", EROSIONS)
def test_the_reached_pixels_only_grow_and_end_with_all(margin, variant):
    erosion = Erosion(variant)
    sizes = []
    before = torch.zeros_like(margin, dtype=torch.bool)
    for iteration in range(1, STEPS + 1):
        loss = erosion(look(margin, iteration))
        assert (before <= erosion.reached).all()
        before = erosion.reached
        sizes.append(int(before.sum()))
    assert before.all()
    torch.testing.assert_close(loss, look(margin, STEPS).cross_entropy)
    assert sizes[0] < sizes[3] < sizes[-1]


def test_the_front_moves_by_the_radius_at_most(margin):
    erosion = Erosion(q0=0.1, radius=2)
    erosion(look(margin, 1))
    seeds = erosion.reached
    margin[:, 15:, 15:] = 0.01  # far from the first image's seeds, and now the least confident of all
    erosion(look(margin, 2))
    assert (erosion.reached <= dilated(seeds, 2)).all()
    assert (erosion.reached[0] != seeds[0]).any()
    assert not erosion.reached[0, 15:, 15:].any()
    free = Erosion("no-dilation", q0=0.1)
    free(look(margin, 1))
    free(look(margin, 2))
    assert free.reached[0, 15:, 15:].any()


def test_dilation_reaches_two_pixels_each_way():
    mask = torch.zeros(1, 9, 9, dtype=torch.bool)
    mask[0, 4, 4] = True
    expected = torch.zeros_like(mask)
    expected[0, 2:7, 2:7] = True
    assert torch.equal(dilated(mask, 2), expected)


def test_a_front_that_is_stuck_falls_back_to_confidence_alone():
    margin = torch.full((2, SIDE, SIDE), 3.0)
    margin[:, 0, 0] = 0.1  # the seed
    margin[:, :, 15:] = 1.0  # low, but out of its reach
    margin[1, 1, 1] = 0.5  # the second image has a low pixel within reach, so it does not fall back
    erosion = Erosion(q0=1 / SIDE**2, radius=2)
    erosion(look(margin, 1))
    assert erosion.reached.sum((1, 2)).tolist() == [1, 1]
    erosion(look(margin, 2, steps=50))
    assert erosion.reached[0, :, 15:].all()
    assert not erosion.reached[0, :, 1:15].any()
    assert erosion.reached[1].nonzero().tolist() == [[0, 0], [1, 1]]


def test_won_pixels_carry_the_front_and_are_attacked_again_when_they_turn_right(margin):
    erosion = Erosion(q0=0.1, radius=1)
    erosion(look(margin, 1))
    broken = margin.clone()
    broken[0, 5, 15] = -1
    erosion(look(broken, 2))
    back = erosion(look(margin, 3))
    assert erosion.reached[0, 5, 15]
    assert back[0, 5, 15] > 0


def test_iteration_one_starts_anew(margin):
    erosion = Erosion()
    first = erosion(look(margin, 1))
    erosion(look(margin, STEPS))
    assert torch.equal(erosion(look(margin, 1)), first)


def test_ablations_take_other_pixels_first(margin):
    seeds = {}
    for variant in EROSIONS:
        erosion = Erosion(variant, seed=3)
        erosion(look(margin, 1))
        seeds[variant] = erosion.reached
    assert torch.equal(seeds["eroseg"], seeds["no-dilation"])
    for image in range(2):
        assert margin[image][seeds["eroseg"][image]].max() < margin[image][~seeds["eroseg"][image]].min()
        assert margin[image][seeds["reverse"][image]].min() > margin[image][~seeds["reverse"][image]].max()
    drawn = seeds["random-seeds"]
    assert drawn.sum() == seeds["eroseg"].sum()
    assert torch.equal(drawn[0], drawn[1])  # so that a batch starts as its images would alone
    other = Erosion("random-seeds", seed=4)
    other(look(margin, 1))
    assert not torch.equal(other.reached, drawn)


def test_targeted_takes_the_class_in_the_way_for_confidence(margin):
    """Where class 1 is wished, the open pixels are those of class 0, however sure, and the won ones weigh little."""
    margin[:, :2] = -1
    erosion = Erosion(q0=0.25)
    goal = Goal(torch.ones_like(margin, dtype=torch.long), targeted=True)
    loss = erosion(look(margin, 1, goal))
    open_pixels = margin[0] > 0
    reached = erosion.reached[0] & open_pixels
    assert margin[0][reached].max() < margin[0][open_pixels & ~reached].min()
    torch.testing.assert_close(loss[:, :2], 0.1 * look(margin, 1, goal).cross_entropy[:, :2])


def test_pixels_that_do_not_count_are_no_seeds(margin):
    labels = torch.zeros_like(margin, dtype=torch.long)
    labels[0, :, :10] = VOID
    erosion = Erosion(q0=0.5)
    erosion(look(margin, 1, Goal(labels)))
    assert erosion.reached[0].sum() == 100
    assert erosion.reached[1].sum() == 200
    nothing = Erosion()
    nothing(look(margin, 1, Goal(torch.full_like(labels, VOID))))
    assert not nothing.reached.any()


@pytest.mark.parametrize("variant", EROSIONS)
def test_growth_never_waits_for_the_device(variant):
    """Tensors without data would raise where Python had to look into them."""
    erosion = Erosion(variant)
    for iteration in range(1, 4):
        loss = erosion(look(torch.zeros(2, SIDE, SIDE, device="meta"), iteration, steps=3))
    assert loss.shape == (2, SIDE, SIDE)


def test_target_map_is_all_but_reached(linear, eight_bit):
    target = torch.zeros(2, 12, 16, dtype=torch.long)
    target[:, :, 8:] = 1
    attack = build_attack(Settings(attack="eroseg", eps=120, steps=40), 12, 16)
    step = list(attack.run(linear, eight_bit, Goal(target, targeted=True)))[-1]
    # The few pixels that come last have too few steps left in a model whose pixels do not see each other.
    assert (step.success > 0.95).all()


@pytest.mark.parametrize("variant", EROSIONS)
def test_breaks_the_real_model_and_a_batch_equals_its_images(model, variant):
    x = sample_batch()
    goal = Goal(model(x).argmax(1))
    attack = build_attack(Settings(attack="eroseg", variant=variant, eps=4, steps=4), 64, 64)
    together = list(attack.run(model, x, goal))
    assert (together[-1].success > 0.2).all()
    assert together[-1].gradient_evaluations == 4
    alone = list(attack.run(model, x[1:], Goal(goal.labels[1:])))[-1]
    assert abs(together[-1].success[1] - alone.success[0]) < 0.05
