"""Input transforms: their gradients against written-out formulas, their geometry, and their promises on the real model."""

from dataclasses import replace
from functools import partial

import pytest
import torch
import torch.nn.functional as F
from test_loop import sample_batch
from torch import Tensor, nn

from segviz.attacks.catalog import build_attack, check_settings, cost_of
from segviz.attacks.losses import Look, cross_entropy
from segviz.attacks.objectives import PixelObjective, Problem, TransformedObjective
from segviz.attacks.transforms import (
    TRANSFORMS,
    Momentum,
    TransformEntry,
    diverse,
    dynamic_scale,
    rotated,
    samples_of,
    transform_entries,
    translation_invariant,
    views_of,
)
from segviz.settings import Settings
from segviz.types import Goal, UserError

VIEWS = [key for key, entry in TRANSFORMS.items() if entry.view is not None]


class SmallNet(nn.Module):
    """A smooth random network of three classes in float64 whose pixels see each other; `calls` counts forward passes."""

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.first = torch.randn(5, 3, 3, 3, generator=generator, dtype=torch.float64) / 2
        self.second = torch.randn(3, 5, 3, 3, generator=generator, dtype=torch.float64) / 2
        self.calls = 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        return F.conv2d(torch.tanh(F.conv2d(x, self.first, padding=1)), self.second, padding=1)


@pytest.fixture
def net() -> SmallNet:
    return SmallNet()


@pytest.fixture
def problem(net: SmallNet) -> Problem:
    generator = torch.Generator().manual_seed(1)
    x = torch.rand(2, 3, 12, 15, generator=generator, dtype=torch.float64)
    return Problem(net, x, Goal(torch.randint(0, 3, (2, 12, 15), generator=generator)), seed=5)


def gradient_of(problem: Problem, *entries: TransformEntry) -> Tensor:
    return TransformedObjective(problem, entries, cross_entropy)(problem.x, 1, 4, with_gradient=True).gradient


def plain_gradient(problem: Problem) -> Tensor:
    return PixelObjective(problem)(problem.x, 1, 4, with_gradient=True).gradient


def mean_loss(problem: Problem, keys: list[str], x: Tensor) -> Tensor:
    """Mean loss (N,) over the views that a first look at `x` draws."""
    views = list(views_of(transform_entries(keys), problem.model, torch.Generator().manual_seed(problem.seed)))
    looks = [Look(forward(x), problem.goal) for forward in views]
    return torch.stack([look.mean(look.cross_entropy) for look in looks]).mean(0)


@pytest.mark.parametrize("keys", [[key] for key in VIEWS] + [["di", "eot-blur"], ["scale", "si"]])
def test_gradient_is_that_of_the_mean_loss(problem, keys):
    gradient = gradient_of(problem, *transform_entries(keys))
    generator = torch.Generator().manual_seed(2)
    for _ in range(3):
        direction = torch.randn(problem.x.shape, generator=generator, dtype=torch.float64)
        ahead, behind = (mean_loss(problem, keys, problem.x + step * direction) for step in (1e-5, -1e-5))
        torch.testing.assert_close((gradient * direction).sum((1, 2, 3)), (ahead - behind) / 2e-5, rtol=1e-6, atol=1e-9)


def test_scale_invariance_is_the_mean_over_halved_copies(problem, net):
    free = problem.x.clone().requires_grad_()
    loss = sum(F.cross_entropy(net(free / scale), problem.goal.labels) for scale in (1, 2, 4, 8, 16)) / 5
    expected = torch.autograd.grad(loss, free)[0] * len(free)
    torch.testing.assert_close(gradient_of(problem, TRANSFORMS["si"]), expected)


def test_three_scales_are_averaged_through_both_resizes(problem, net):
    free = problem.x.clone().requires_grad_()
    loss = 0
    for size in ((12, 15), (9, 11), (6, 8)):  # 75 and 50 % of 15, rounded
        logits = net(F.interpolate(free, size, mode="bilinear"))
        loss = loss + F.cross_entropy(F.interpolate(logits, (12, 15), mode="bilinear"), problem.goal.labels) / 3
    expected = torch.autograd.grad(loss, free)[0] * len(free)
    torch.testing.assert_close(gradient_of(problem, TRANSFORMS["multiscale"]), expected)


def test_noise_is_the_mean_over_four_draws_shared_by_the_batch(problem, net):
    generator = torch.Generator().manual_seed(problem.seed)
    free = problem.x.clone().requires_grad_()
    noise = [8 / 255 * torch.randn(3, 12, 15, generator=generator).double() for _ in range(4)]
    loss = sum(F.cross_entropy(net(free + one), problem.goal.labels) for one in noise) / 4
    expected = torch.autograd.grad(loss, free)[0] * len(free)
    torch.testing.assert_close(gradient_of(problem, TRANSFORMS["eot-noise"]), expected)


def test_translation_invariance_is_a_gaussian_to_three_deviations():
    impulse = torch.zeros(1, 3, 31, 31, dtype=torch.float64)
    impulse[0, 1, 15, 15] = 1
    along = torch.exp(-(torch.linspace(-3, 3, 15, dtype=torch.float64) ** 2) / 2)
    kernel = along.outer(along)
    answer = translation_invariant(impulse, 1)
    torch.testing.assert_close(answer[0, 1, 8:23, 8:23], kernel / kernel.sum())
    torch.testing.assert_close(answer.sum(), torch.tensor(1.0, dtype=torch.float64))
    assert not answer[0, 0].any()


def test_filters_act_on_the_gradient_in_order(problem):
    first, second = transform_entries(["ti", "momentum"])
    smooth = translation_invariant(plain_gradient(problem), 1)
    torch.testing.assert_close(gradient_of(problem, first, second), smooth / smooth.abs().mean((1, 2, 3), keepdim=True))


def test_momentum_adds_up_and_starts_anew_with_a_stage():
    g = [torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(seed)) for seed in range(4)]
    unit = [one / one.abs().mean((1, 2, 3), keepdim=True) for one in g]
    momentum = Momentum(mu=0.5)
    torch.testing.assert_close(momentum(g[0], 1), unit[0])
    torch.testing.assert_close(momentum(g[1], 2), 0.5 * unit[0] + unit[1])
    torch.testing.assert_close(momentum(g[2], 3), 0.25 * unit[0] + 0.5 * unit[1] + unit[2])
    torch.testing.assert_close(momentum(g[3], 1), unit[3])
    assert not momentum(torch.zeros(2, 3, 4, 4), 1).any()


def test_mi_fgsm_takes_its_published_steps(linear, eight_bit):
    """Alg. 1 of Dong et al. written out: mu = 1, alpha = eps/T, from the clean image."""
    labels = (linear.margin(eight_bit) > 0).long()
    steps = list(build_attack(Settings(attack="mi-fgsm", eps=6, steps=3), 12, 16).run(linear, eight_bit, Goal(labels)))
    x_adv, g = eight_bit, torch.zeros_like(eight_bit)
    for step in steps[1:4]:
        free = x_adv.clone().requires_grad_()
        gradient = torch.autograd.grad(F.cross_entropy(linear(free), labels), free)[0]
        g = g + gradient / gradient.abs().sum((1, 2, 3), keepdim=True)
        x_adv = x_adv + 2 / 255 * g.sign()
        torch.testing.assert_close(step.x_adv, x_adv)
    assert steps[-1].gradient_evaluations == 3


def test_without_chance_or_range_transforms_change_nothing(problem):
    never = replace(TRANSFORMS["di"], view=partial(diverse, probability=0.0))
    same = replace(TRANSFORMS["scale"], view=partial(dynamic_scale, smallest=1.0, largest=1.0))
    torch.testing.assert_close(gradient_of(problem, never), plain_gradient(problem))
    torch.testing.assert_close(gradient_of(problem, same), plain_gradient(problem))
    always = replace(TRANSFORMS["di"], view=partial(diverse, probability=1.0))
    assert not torch.allclose(gradient_of(problem, always), plain_gradient(problem))


def test_targets_turn_the_gradient_round(problem):
    targeted = replace(problem, goal=Goal(problem.goal.labels, targeted=True))
    torch.testing.assert_close(gradient_of(targeted, TRANSFORMS["scale"]), -gradient_of(problem, TRANSFORMS["scale"]))


@pytest.mark.parametrize("key", VIEWS)
def test_logits_come_back_where_their_pixels_are(key):
    """A network that gives back the colours finds the same areas through every view, but for a rim of a few pixels."""
    x = torch.zeros(1, 3, 60, 84)
    x[:, 0, :, :30] = 1
    x[:, 1, :25, 30:] = 1
    x[:, 2, 25:, 30:] = 1
    entry = TRANSFORMS[key]
    if key == "di":
        entry = replace(entry, view=partial(diverse, probability=1.0))
    labels = x.argmax(1, keepdim=True).float()
    uniform = (F.max_pool2d(labels, 7, 1, 3) == -F.max_pool2d(-labels, 7, 1, 3))[:, 0]
    for seed in range(5):
        for forward in views_of([entry], lambda images: images, torch.Generator().manual_seed(seed)):
            logits = forward(x)
            assert logits.shape == x.shape
            present = logits.abs().sum(1) > 0.02
            assert present.float().mean() > (0.85 if key == "eot-rotate" else 0.999)
            agree = logits.argmax(1) == x.argmax(1)
            assert agree[uniform & present].all()


def test_rotation_is_one_of_pixels_even_where_the_picture_is_not_square():
    bar = torch.zeros(1, 1, 21, 41)
    bar[..., 10, 14:27] = 1
    upright = torch.zeros_like(bar)
    upright[..., 4:17, 20] = 1
    torch.testing.assert_close(rotated(bar, torch.pi / 2, "zeros"), upright, atol=1e-5, rtol=0)
    square = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(rotated(rotated(square, torch.pi / 2, "zeros"), -torch.pi / 2, "zeros"), square, atol=1e-5, rtol=0)


def test_the_first_transform_changes_the_picture_first():
    plus_one = TransformEntry("a", "", "", "", "", view=lambda forward, x, sample, generator: forward(x + 1))
    doubled = TransformEntry("b", "", "", "", "", view=lambda forward, x, sample, generator: forward(2 * x) + 100)
    seen = []
    (forward,) = views_of([plus_one, doubled], lambda x: seen.append(x) or x, torch.Generator())
    assert forward(torch.tensor(3.0)) == 108
    assert seen == [8]


@pytest.mark.parametrize("key", TRANSFORMS)
def test_random_transforms_alone_depend_on_the_seed_and_draw_anew_in_every_look(problem, key):
    objective = TransformedObjective(problem, [TRANSFORMS[key]], cross_entropy)
    looks = [objective(problem.x, 1, 4, with_gradient=True).gradient for _ in range(4)]
    others = [gradient_of(replace(problem, seed=seed), TRANSFORMS[key]) for seed in range(4)]
    assert torch.equal(gradient_of(problem, TRANSFORMS[key]), looks[0])
    assert any(not torch.equal(look, looks[0]) for look in looks[1:]) == TRANSFORMS[key].random
    assert any(not torch.equal(other, others[0]) for other in others[1:]) == TRANSFORMS[key].random


@pytest.mark.parametrize("key", TRANSFORMS)
def test_batch_equals_alone(problem, key):
    entries = (TRANSFORMS[key],)
    together = gradient_of(problem, *entries)
    for image in range(2):
        one = slice(image, image + 1)
        alone = gradient_of(replace(problem, x=problem.x[one], goal=Goal(problem.goal.labels[one])), *entries)
        torch.testing.assert_close(together[one], alone)


def test_what_is_shown_is_the_untransformed_image(problem, net):
    seen = TransformedObjective(problem, transform_entries(["scale", "si"]), cross_entropy)(problem.x, 1, 4, with_gradient=True)
    plain = PixelObjective(problem)(problem.x, 1, 4, with_gradient=True)
    assert torch.equal(seen.logits, plain.logits)
    assert torch.equal(seen.loss, plain.loss)
    assert torch.equal(seen.progress, plain.progress)


def test_filters_alone_cost_no_extra_pass(problem, net):
    for keys, calls in ((["ti", "momentum"], 1), (["si"], 6), (["multiscale", "eot-noise", "ti"], 13)):
        net.calls = 0
        gradient_of(problem, *transform_entries(keys))
        assert net.calls == calls
    net.calls = 0
    TransformedObjective(problem, transform_entries(["si"]), cross_entropy)(problem.x, 4, 4, with_gradient=False)
    assert net.calls == 1


def test_gradient_evaluations_are_counted(linear, eight_bit):
    settings = Settings(attack="pgd", steps=3, transforms=("multiscale", "eot-noise", "ti"))
    steps = list(build_attack(settings, 12, 16).run(linear, eight_bit, Goal(torch.ones(2, 12, 16, dtype=torch.long))))
    assert [step.gradient_evaluations for step in steps] == [0, 12, 24, 36, 36]
    assert cost_of(settings) == 12
    assert cost_of(Settings(attack="cira-plus")) == 2
    assert samples_of(transform_entries(["momentum", "si"])) == 5


def test_a_momentum_of_its_own_is_not_doubled(linear, eight_bit):
    goal = Goal((linear.margin(eight_bit) > 0).long())
    runs = [
        list(build_attack(Settings(attack="mi-fgsm", steps=3, transforms=keys), 12, 16).run(linear, eight_bit, goal))[-1].x_adv
        for keys in ((), ("momentum",))
    ]
    assert torch.equal(*runs)


def test_what_cannot_be_is_refused():
    with pytest.raises(UserError, match="Unknown input transform 'zoom'"):
        check_settings(Settings(transforms=("zoom",)))
    with pytest.raises(UserError, match="given twice"):
        check_settings(Settings(transforms=("di", "di")))
    with pytest.raises(UserError, match="240 gradients per step"):
        check_settings(Settings(transforms=("si", "multiscale", "eot-noise", "eot-blur")))
    for attack in ("cira", "eroseg"):
        with pytest.raises(UserError, match="takes no input transforms"):
            check_settings(Settings(attack=attack, transforms=("di",)))


@pytest.mark.parametrize("keys", [(key,) for key in TRANSFORMS] + [("di", "ti", "momentum")])
def test_breaks_the_real_model(model, keys):
    x = sample_batch()
    labels = model(x).argmax(1)
    steps = list(build_attack(Settings(attack="pgd", eps=6, steps=4, transforms=keys), 64, 64).run(model, x, Goal(labels)))
    assert steps[0].success.tolist() == [0, 0]
    # The second picture is the harder one.
    assert steps[-1].success[0] > 0.3
    assert steps[-1].success[1] > 0
    assert ((steps[-1].x_adv - x) * 255).round().abs().max() <= 6
    for step in steps[1:]:
        torch.testing.assert_close(step.prediction, model(step.x_adv).argmax(1))
