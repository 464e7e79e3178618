"""Minimum-norm attacks on a model whose smallest perturbations are known, their update rules by hand, and their promises."""

import itertools
import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from segviz.attacks.alma_prox import ALMAProx, ALMAProxSearch, difference_of_logits_ratio, penalty_derivative
from segviz.attacks.constraints import L2, Linf
from segviz.attacks.dag import DAG
from segviz.attacks.min_norm import MinimumNormAttack, linf_norm, margin, prox_linf
from segviz.attacks.pdpgd import PDPGD, PDPGDSearch
from segviz.attacks.regions import Within
from segviz.types import THRESHOLDS, VOID, Goal, StepKind
from tests.conftest import LinearSegmenter

EVERYWHERE = Linf(1.0)
ATTACKS = [
    DAG(EVERYWHERE, gamma=0.003),
    ALMAProx(EVERYWHERE, steps=200),
    PDPGD(EVERYWHERE, steps=200),
]


def structured() -> Tensor:
    """An 8-bit image (1,3,64,64) with ramps from 0 to 252."""
    rows, columns = torch.meshgrid(torch.arange(64), torch.arange(64), indexing="ij")
    return torch.stack([rows * 4, columns * 4, (rows + columns) * 2]).unsqueeze(0) / 255


def by_name(attack: MinimumNormAttack) -> str:
    return type(attack).__name__


@pytest.fixture
def even() -> LinearSegmenter:
    """Weights of similar size, so that DAG, which moves each channel in proportion to its weight, is not far from the optimum."""
    return LinearSegmenter([0.6, -0.5, 0.4], -0.25)


@pytest.fixture
def x() -> Tensor:
    """Two random 8-bit images (2,3,12,16) of medium grey: small perturbations do, and the box is far."""
    return torch.randint(100, 157, (2, 3, 12, 16), generator=torch.Generator().manual_seed(1)) / 255


def smallest_norms(linear: LinearSegmenter, x: Tensor, counted: Tensor) -> Tensor:
    """The smallest L-inf norm (N,3) that flips each share of THRESHOLDS of the counted pixels of a linear model."""
    needed = linear.margin(x).abs() / linear.weight.abs().sum()
    norms = []
    for image, where in zip(needed, counted, strict=True):
        ordered = image[where].sort().values
        norms.append([ordered[math.ceil(threshold * len(ordered)) - 1] for threshold in THRESHOLDS])
    return torch.tensor(norms)


def broken(linear: nn.Module, x: Tensor, targeted: bool = False) -> Goal:
    """Every pixel flipped: as labels to break, or as the target map that says the same of a model with two classes."""
    prediction = linear(x).argmax(1)
    return Goal(1 - prediction, targeted=True) if targeted else Goal(prediction)


@pytest.mark.parametrize("attack", ATTACKS, ids=by_name)
@pytest.mark.parametrize("targeted", [False, True])
def test_comes_close_to_the_smallest_norm_of_a_linear_model(even, x, attack, targeted):
    goal = broken(even, x, targeted)
    goal.labels[1, :3] = VOID
    step = list(attack.run(even, x, goal))[-1]
    ratio = step.smallest / smallest_norms(even, x, goal.counted)
    assert (ratio > 1 - 1e-4).all()
    assert (ratio < (1.25 if isinstance(attack, DAG) else 1.06)).all()


def test_dag_is_as_long_as_its_steps_are(linear, eight_bit):
    """A pixel of margin m flips when |m| <= length * sum w^2 / max |w|, in whole steps of gamma."""
    attack = DAG(EVERYWHERE, gamma=0.003)
    step = list(attack.run(linear, eight_bit, broken(linear, eight_bit)))[-1]
    weight = linear.weight
    steepest = smallest_norms(linear, eight_bit, torch.ones(2, 12, 16, dtype=torch.bool))
    length = steepest * weight.abs().sum() * weight.abs().max() / weight.square().sum()
    assert (step.smallest >= length - 1e-5).all()
    assert (step.smallest <= length + attack.gamma + 1e-5).all()


class Classes(nn.Module):
    """Logits A x + b per pixel."""

    def __init__(self, weight: Tensor, bias: Tensor):
        super().__init__()
        self.weight, self.bias = weight, bias

    def forward(self, x: Tensor) -> Tensor:
        return torch.einsum("kc,nchw->nkhw", self.weight, x) + self.bias.view(-1, 1, 1)


def test_dag_first_step_by_hand():
    """Xie et al., Algorithm 1: the gradient of an active pixel is that of its target's logit minus that of its prediction's."""
    weight = torch.tensor([[1.0, 0, 0], [0, 1, 0], [0, 0, 3]])
    x = torch.tensor([[100, 50, 50], [50, 100, 60], [90, 50, 40], [100, 50, 30]]).T.reshape(1, 3, 2, 2) / 255
    target = torch.tensor([[[1, 1], [2, VOID]]])  # active, there already, active, not counted
    model = Classes(weight, torch.tensor([0.0, 0.0, -0.5]))
    assert model(x).argmax(1).tolist() == [[[0, 1], [0, 0]]]
    _, step, *_ = DAG(EVERYWHERE, steps=2, gamma=0.01).run(model, x, Goal(target, targeted=True))
    r = torch.zeros(1, 3, 2, 2)
    r[0, :, 0, 0] = weight[1] - weight[0]
    r[0, :, 1, 0] = weight[2] - weight[0]
    torch.testing.assert_close(step.x_adv - x, 0.01 * r / 3, atol=1e-7, rtol=0)


def first_clip(lr: float, gradient: Tensor) -> Tensor:
    """Where the prox clips a first step of -lr * sign(gradient) in the metric |gradient|: lr * t + 1/2 sum |gradient| (lr - t)^2 -> min."""
    return (lr - lr / gradient.abs().flatten(1).sum(1)).clamp(min=0).view(-1, 1, 1, 1)


def test_alma_prox_first_step_by_hand(even, x):
    """At the start w = 1, mu = 1, rho = 0.01 and no constraint is masked; with two classes c is the margin, |u_1 - u_0| = 2 |m|."""
    _, step, *_ = ALMAProx(EVERYWHERE, steps=2, lr=0.002).run(even, x, broken(even, x))
    m = even.margin(x)
    c = 2 * m.abs() + 1e-4
    gradient = ((1 + 0.02 * c + 0.01**2 * c**2 / 2) * 2 * m.sign()).unsqueeze(1) * even.weight
    torch.testing.assert_close(step.x_adv - x, -gradient.sign() * first_clip(0.002, gradient), atol=1e-7, rtol=0)


def test_pdpgd_first_step_by_hand(x):
    """At the start lambda_0 = 1/2 and every counted pixel has 1/(2n): the prox has the weight lr, the metric is Adam's |gradient|."""
    strong = LinearSegmenter([3.0, -2.5, 2.0], -1.25)
    goal = broken(strong, x)
    goal.labels[0, :6] = VOID
    _, step, *_ = PDPGD(EVERYWHERE, steps=2, lr=0.002).run(strong, x, goal)
    m = strong.margin(x)
    pull = torch.sigmoid(2 * m.abs()) * 2 * m.sign() * goal.counted / (2 * goal.pixels.view(-1, 1, 1))
    gradient = pull.unsqueeze(1) * strong.weight
    clip = first_clip(0.002, gradient)
    assert (clip > 0).all()
    torch.testing.assert_close(step.x_adv - x, -gradient.sign() * clip, atol=1e-6, rtol=0)


def test_pdpgd_multipliers_grow_where_the_constraint_is_violated(even, x):
    goal = broken(even, x)
    attack = PDPGD(EVERYWHERE, steps=11, dual_lr=0.5)
    search = PDPGDSearch(attack, x, goal)
    leaf = x.clone().requires_grad_()
    logits = even(leaf)
    step = next(attack.run(even, x, goal))
    margins = margin(logits, goal)
    flipped = torch.where(torch.arange(16) < 8, margins, -margins)
    search.advance(leaf, logits, flipped, replace(step, index=5))
    gained = search.log_ratio + math.log(12 * 16)
    # Half-way between 0.5 and 0.05.
    torch.testing.assert_close(gained[:, :, :8], torch.full((2, 12, 8), 0.275), atol=1e-5, rtol=0)
    torch.testing.assert_close(gained[:, :, 8:], torch.full((2, 12, 8), -0.275), atol=1e-5, rtol=0)


@pytest.mark.parametrize("weight", [0.0, 0.003, 0.05, 10.0])
def test_prox_is_the_minimiser(weight):
    """Against a fine grid of clipping levels, and against random points of the box."""
    generator = torch.Generator().manual_seed(2)
    x = torch.rand(2, 3, 4, 5, generator=generator, dtype=torch.float64)
    v = torch.randn(2, 3, 4, 5, generator=generator, dtype=torch.float64) * 0.4  # often outside the box
    metric = torch.rand(2, 3, 4, 5, generator=generator, dtype=torch.float64) ** 4 + 1e-8
    weights = torch.full((2,), weight, dtype=torch.float64)

    def objective(z: Tensor) -> Tensor:
        return weights * linf_norm(z) + (metric * (z - v) ** 2).sum((1, 2, 3)) / 2

    z = prox_linf(v, weights, metric, x)
    assert (x + z).min() >= 0
    assert (x + z).max() <= 1
    inside = (x + v).clamp(0, 1) - x
    grid = torch.stack([objective(inside.clamp(-t, t)) for t in torch.linspace(0, 1, 5001, dtype=torch.float64)])
    assert (objective(z) <= grid.amin(0) + 1e-6).all()
    assert (objective(z) >= grid.amin(0) - 1e-3).all()
    for size in (1e-4, 1e-2, 0.3):
        nudge = torch.randn(200, 2, 3, 4, 5, generator=generator, dtype=torch.float64) * size
        others = torch.stack([objective((x + z + one).clamp(0, 1) - x) for one in nudge])
        assert (objective(z) <= others + 1e-6).all()


def test_penalty_derivative_is_that_of_the_penalty():
    c, rho, mu = (grid.flatten() for grid in torch.meshgrid(
        torch.linspace(-3, 3, 25, dtype=torch.float64),
        torch.tensor([0.01, 0.5, 1, 8], dtype=torch.float64),
        torch.tensor([1e-6, 0.3, 1], dtype=torch.float64),
        indexing="ij",
    ))  # fmt: skip
    c.requires_grad_()
    above = mu * c + mu * rho * c**2 + rho**2 * c**3 / 6
    below = mu * c / (1 - rho.clamp(min=1) * c.clamp(max=0))
    penalty = torch.where(c >= 0, above, below)
    expected = torch.autograd.grad(penalty.sum(), c)[0]
    torch.testing.assert_close(penalty_derivative(c.detach(), rho, mu), expected)


def test_difference_of_logits_ratio_by_hand():
    logits = torch.tensor([5.0, 4, 2, 1]).view(1, 4, 1, 1)
    label, target = Goal(torch.zeros(1, 1, 1, dtype=torch.long)), Goal(torch.full((1, 1, 1), 2), targeted=True)
    for scale in (1.0, 100.0):
        scaled = logits * scale
        untargeted = difference_of_logits_ratio(scaled, margin(scaled, label), targeted=False)
        targeted = difference_of_logits_ratio(scaled, margin(scaled, target), targeted=True)
        assert untargeted.item() == pytest.approx((5 - 4) / (5 - 2), abs=1e-4)
        assert targeted.item() == pytest.approx((5 - 2) / (5 - 1.5), abs=1e-4)
    three = logits[:, :3]
    assert difference_of_logits_ratio(three, margin(three, target), targeted=True).item() == pytest.approx((5 - 2) / (5 - 2), abs=1e-4)


def test_constraint_masking_leaves_out_the_hardest_of_each_image(x):
    """By the last iteration (1 - threshold) of the counted pixels: 19 of 192 and 9 of 96; half-way half as many."""
    labels = torch.zeros(2, 12, 16, dtype=torch.long)
    labels[1, :6] = VOID
    goal = Goal(labels)
    search = ALMAProxSearch(ALMAProx(EVERYWHERE, steps=101, threshold=0.9), x, goal)
    c = torch.randn(2, 12, 16, generator=torch.Generator().manual_seed(0))
    for i, dropped in ((0, [0, 0]), (50, [9, 4]), (100, [19, 9])):
        kept = search.kept(c, i)
        assert (goal.counted & ~kept).sum((1, 2)).tolist() == dropped
        assert not (kept & ~goal.counted).any()
        for image in range(2):
            out = c[image][goal.counted[image] & ~kept[image]]
            assert (out > c[image][kept[image]].max()).all()


def test_penalties_grow_where_nothing_helps(even, x):
    """Left third: satisfied. Middle: violated, but 10 % less at every look. Right: violated and stuck, so rho doubles at every check."""
    goal = broken(even, x)
    search = ALMAProxSearch(ALMAProx(EVERYWHERE, steps=100, check_steps=2), x, goal)
    leaf = x.clone().requires_grad_()
    logits = even(leaf)
    step = next(DAG(EVERYWHERE).run(even, x, goal))
    columns = torch.arange(16)
    for index in range(4):
        factor = torch.where(columns < 5, -1.0, torch.where(columns < 10, 0.9**index, 1.0))
        search.advance(leaf, logits, margin(logits, goal) * factor, replace(step, index=index))
        logits = even(leaf)
    assert (search.rho[:, :, :10] == 0.01).all()
    torch.testing.assert_close(search.rho[:, :, 10:], torch.full((2, 12, 6), 0.04))


def test_learning_rate_falls_from_the_first_success_on(even, x):
    goal = broken(even, x)
    search = ALMAProxSearch(ALMAProx(EVERYWHERE, steps=100), x, goal)
    leaf = x.clone().requires_grad_()
    first = next(DAG(EVERYWHERE).run(even, x, goal))
    for index, success in ((10, [0.0, 0.0]), (20, [1.0, 0.0]), (30, [1.0, 0.0]), (60, [0.0, 1.0])):
        logits = even(leaf)
        search.advance(leaf, logits, margin(logits, goal), replace(first, index=index, success=torch.tensor(success)))
    assert search.step_found.tolist() == [20, 50]
    torch.testing.assert_close(search.decay(20), torch.tensor([1.0, 1.0]))
    torch.testing.assert_close(search.decay(100), torch.tensor([0.1, 0.1]))
    early, late = search.decay(50).tolist()
    assert early == pytest.approx(80 / 9 / (30 + 80 / 9))
    assert late == 1


@pytest.mark.parametrize("attack", ATTACKS, ids=by_name)
def test_void_and_masked_pixels_are_left_alone(even, x, attack):
    """Pixels of the linear model are independent, so pixels that do not count get no gradient and no change."""
    labels = even(x).argmax(1)
    labels[:, :4] = VOID
    mask = torch.ones_like(labels, dtype=torch.bool)
    mask[:, :, :5] = False
    *_, step, _ = replace(attack, steps=30).run(even, x, Goal(labels, mask=mask))
    changed = (step.x_adv != x).any(1)
    assert not changed[:, :4].any()
    assert not changed[:, :, :5].any()
    assert changed[:, 4:, 5:].any()


@pytest.mark.parametrize("attack", ATTACKS, ids=by_name)
@pytest.mark.parametrize("clip", [True, False])
def test_only_the_region_changes(model, attack, clip):
    """A network that sees far: pixels outside the region have a gradient, which must not lead the search."""
    x = structured()
    region = torch.zeros(1, 1, 64, 64, dtype=torch.bool)
    region[..., 20:50, 10:40] = True
    attack = replace(attack, steps=20, clip=clip, constraint=Within(Linf(8 / 255), region))
    *steps, result = attack.run(model, x, Goal(model(x).argmax(1)))
    outside = ~region.expand_as(x)
    assert all(torch.equal(step.x_adv[outside], x[outside]) for step in (*steps, result))
    assert result.success.item() > 0
    if isinstance(attack, DAG):
        torch.testing.assert_close(linf_norm(steps[1].x_adv - x), torch.tensor([attack.gamma]), atol=1e-6, rtol=0)


@pytest.mark.parametrize("attack", ATTACKS, ids=by_name)
def test_nothing_counted_changes_nothing(even, x, attack):
    step = list(replace(attack, steps=3).run(even, x, Goal(torch.full((2, 12, 16), VOID))))[-1]
    assert torch.equal(step.x_adv, x)
    assert step.success.tolist() == [0, 0]
    assert step.smallest.isinf().all()


@pytest.mark.parametrize("attack", ATTACKS, ids=by_name)
def test_partial_success_returns_the_strongest_iterate(even, x, attack):
    *steps, result = replace(attack, steps=30, clip=False).run(even, x, broken(even, x))
    success = torch.stack([step.success for step in steps])
    assert (success < attack.threshold).all()
    assert (success.amax(0) > 0).all()
    assert torch.equal(steps[-1].best_success, success.amax(0))
    torch.testing.assert_close(result.x_adv, (steps[-1].best * 255).round() / 255)
    assert (result.success > 0).all()


@pytest.mark.parametrize("attack", ATTACKS, ids=by_name)
def test_best_is_the_smallest_that_reaches_the_threshold(even, x, attack):
    for column, threshold in enumerate(THRESHOLDS):
        *steps, _ = replace(attack, threshold=threshold).run(even, x, broken(even, x))
        last = steps[-1]
        assert (last.best_success >= threshold).all()
        torch.testing.assert_close(linf_norm(last.best - x), last.smallest[:, column], atol=0, rtol=0)
        seen = torch.stack([torch.where(step.success >= threshold, linf_norm(step.x_adv - x), torch.inf) for step in steps])
        assert torch.equal(last.smallest[:, column], seen.amin(0))


@pytest.mark.parametrize("attack", ATTACKS, ids=by_name)
def test_an_image_that_is_there_already_stays_as_it_is(even, x, attack):
    step = list(replace(attack, steps=5).run(even, x, Goal(even(x).argmax(1), targeted=True)))[-1]
    assert torch.equal(step.x_adv, x)
    assert step.smallest.tolist() == [[0, 0, 0]] * 2


@pytest.mark.parametrize("attack", ATTACKS, ids=by_name)
@pytest.mark.parametrize("constraint", [Linf(0.0), Linf(3.5 / 255), Linf(8 / 255), L2(0.4)], ids=str)
def test_clipped_result_is_8bit_and_in_the_ball(even, x, attack, constraint):
    *_, before, step = replace(attack, constraint=constraint, steps=60).run(even, x, broken(even, x))
    levels = (step.x_adv - x) * 255
    assert (levels - levels.round()).abs().max() < 1e-3
    if isinstance(constraint, Linf):
        assert linf_norm(before.best - x).max() > constraint.eps  # the search itself is not bounded
        assert levels.abs().max().round() == int(constraint.eps * 255)
    else:
        assert ((step.x_adv - x).flatten(1).norm(dim=1) <= constraint.eps + 1e-6).all()
    assert torch.equal(step.prediction, even(step.x_adv).argmax(1))
    assert torch.equal(step.smallest, before.smallest)
    if constraint.eps == 0:
        assert torch.equal(step.x_adv, x)


@pytest.mark.parametrize("attack", ATTACKS, ids=by_name)
def test_iterates_stay_in_the_box(even, attack):
    x = torch.randint(0, 256, (1, 3, 12, 16), generator=torch.Generator().manual_seed(3)) / 255
    *steps, _ = replace(attack, steps=60).run(even, x, broken(even, x))
    assert min(step.x_adv.min() for step in steps) >= 0
    assert max(step.x_adv.max() for step in steps) <= 1


@pytest.mark.parametrize("attack", ATTACKS, ids=by_name)
def test_batch_equals_alone(x, attack):
    class Cubic(LinearSegmenter):
        """Gradients that differ in size from pixel to pixel and from image to image."""

        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x) ** 3

    cubic = Cubic([2.4, -2.0, 1.6], -1.0)
    x = torch.stack([x[0], (x[1] * 255 // 3) / 255])  # the second image needs much more
    labels = cubic(x).argmax(1)
    labels[1, :6] = VOID
    attack = replace(attack, steps=60)
    together = list(attack.run(cubic, x, Goal(labels)))
    for image in range(2):
        alone = list(attack.run(cubic, x[image : image + 1], Goal(labels[image : image + 1])))
        for batch_step, single in zip(together, alone, strict=True):
            torch.testing.assert_close(batch_step.x_adv[image], single.x_adv[0], atol=1e-5, rtol=0)
            torch.testing.assert_close(batch_step.best_success[image], single.best_success[0])


@pytest.mark.parametrize("attack", ATTACKS, ids=by_name)
def test_works_on_a_real_network(model, attack):
    """More than two classes, a network that is not linear: every attack finds something small, and most pixels follow."""
    x = structured()
    attack = replace(attack, steps=40, clip=False)
    *steps, step = attack.run(model, x, Goal(model(x).argmax(1)))
    assert steps[0].success.item() == 0
    assert step.success.item() > 0.5
    assert linf_norm(step.x_adv - x).item() < 20 / 255


@pytest.mark.parametrize("attack", [DAG(EVERYWHERE), ALMAProx(EVERYWHERE, check_steps=2), PDPGD(EVERYWHERE)], ids=by_name)
def test_numbers_stay_finite_where_the_goal_is_out_of_reach(x, attack):
    model = Classes(torch.eye(4, 3) * 50, torch.tensor([0.0, 0.0, 0.0, -200.0]))
    *_, step, result = replace(attack, steps=150).run(model, x, Goal(torch.full((2, 12, 16), 3), targeted=True))
    assert step.x_adv.isfinite().all()
    assert (step.x_adv != x).any()
    assert result.success.tolist() == [0, 0]
    assert result.smallest.isinf().all()


class Counting(nn.Module):
    """Passes on to `model` and counts forward and backward passes."""

    def __init__(self, model: nn.Module):
        super().__init__()
        self.model, self.forwards, self.backwards = model, 0, 0

    def forward(self, x: Tensor) -> Tensor:
        self.forwards += 1
        logits = self.model(x)
        if logits.requires_grad:
            logits.register_hook(self.count)
        return logits

    def count(self, gradient: Tensor) -> None:
        self.backwards += 1


@pytest.mark.parametrize("attack", ATTACKS, ids=by_name)
def test_one_forward_and_one_backward_per_iteration(even, x, attack):
    counting = Counting(even)
    attack = replace(attack, steps=4)
    steps = list(attack.run(counting, x, broken(even, x)))
    assert attack.iterations == 4
    assert [step.index for step in steps] == [0, 1, 2, 3, 4, 4]
    assert [step.gradient_evaluations for step in steps] == [0, 1, 2, 3, 4, 4]
    assert [step.kind for step in steps] == [StepKind.CLEAN, *[StepKind.ITERATE] * 4, StepKind.RESULT]
    assert (counting.forwards, counting.backwards) == (6, 4)
    assert torch.equal(steps[0].x_adv, x)


class NoWaiting(TorchDispatchMode):
    """Fails on operations that make a GPU's host wait for a result."""

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        name = function.name()
        assert not any(word in name for word in ("_local_scalar_dense", "nonzero", "masked_select", "aten::equal", "unique")), name
        return function(*args, **(kwargs or {}))


# DAG alone waits, to learn whether all of its images rest.
@pytest.mark.parametrize("attack", [attack for attack in ATTACKS if not isinstance(attack, DAG)], ids=by_name)
def test_no_iteration_waits_for_the_device(even, x, attack):
    run = replace(attack, steps=30).run(even, x, broken(even, x))
    next(run)  # checks the input first, and may wait there
    with NoWaiting():
        steps = list(run)
    assert steps[-1].kind is StepKind.RESULT


@pytest.mark.parametrize("attack", ATTACKS, ids=by_name)
def test_stopping_early_gives_a_valid_result(even, x, attack):
    attack = replace(attack, constraint=Linf(3 / 255))
    goal = broken(even, x)
    step = next(itertools.islice(attack.run(even, x, goal), 9, None))
    result = attack.conclude(step, even, x, goal)
    assert result.kind is StepKind.RESULT
    assert result.index == 9
    assert linf_norm(result.x_adv - x).max() <= 3 / 255 + 1e-6
    assert torch.equal(result.smallest, step.smallest)


def test_loss_points_the_way_of_the_goal(even, x):
    for targeted in (False, True):
        *steps, _ = DAG(EVERYWHERE, steps=20, gamma=0.003).run(even, x, broken(even, x, targeted))
        rise = steps[-1].loss - steps[0].loss
        assert (rise < 0).all() if targeted else (rise > 0).all()


def test_refuses_what_would_make_numbers_dishonest(even):
    labels = torch.zeros(1, 4, 4, dtype=torch.long)
    with pytest.raises(ValueError, match="8-bit"):
        next(DAG(EVERYWHERE).run(even, torch.full((1, 3, 4, 4), 0.5), Goal(labels)))
    with pytest.raises(ValueError, match="expected"):
        next(DAG(EVERYWHERE).run(even, torch.zeros(1, 3, 5, 4), Goal(labels)))
