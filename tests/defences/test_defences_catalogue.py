"""Defences: gradients, randomness, sizes, identity settings, keys, and that knowing a defence helps an attack."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from segviz.attacks.catalog import build_attack
from segviz.defences import denoiser
from segviz.defences.catalog import name_of, values_of, wrap
from segviz.defences.filters import fewer_bits, median, non_local_means, total_variation
from segviz.defences.jpeg import jpeg, real_jpeg, smooth_jpeg
from segviz.defences.rows import DEFENCES, EXACT
from segviz.defences.uncertainty import entropy_map, mean_entropy, roc
from segviz.defences.wrappers import ScalesAndFlip
from segviz.settings import Settings
from segviz.types import Goal, UserError

IDENTITY = ["random-resize=0", "random-rotation=0", "random-noise=0", "random-jpeg=0", "random-blur=0", "random-colour=0"]
IDENTITY += ["median=1", "bits=8", "tv=0", "nlm=0", "crf=0"]


@pytest.fixture(autouse=True)
def fresh_denoiser(monkeypatch):
    """A denoiser that does something, whether or not there are bundled weights."""
    torch.manual_seed(0)
    small = denoiser.Denoiser().double().eval().requires_grad_(False)
    nn.init.normal_(small.noise.weight, std=0.1)
    monkeypatch.setattr("segviz.defences.denoiser.bundled_denoiser", lambda: small)


def pictures(height: int = 24, width: int = 20, n: int = 1) -> Tensor:
    """Soft 8-bit pictures with values away from 0 and 1, float64."""
    coarse = torch.rand(n, 3, 5, 5, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    x = 0.2 + 0.6 * F.interpolate(coarse, (height, width), mode="bilinear", align_corners=True)
    x = x + 0.03 * torch.randn(x.shape, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    return (x * 255).round() / 255


@pytest.mark.parametrize("key", [key for key, entry in DEFENCES.items() if entry.gradient == EXACT or (entry.random and "jpeg" not in key)])
def test_gradient_agrees_with_finite_differences(smooth, key):
    wrapped = wrap(smooth, key)
    x = pictures() + torch.rand(1, 3, 24, 20, generator=torch.Generator().manual_seed(8), dtype=torch.float64) / 255
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(1, 7, 24, 20, generator=generator, dtype=torch.float64)
    direction = torch.randn(x.shape, generator=generator, dtype=torch.float64)
    x.requires_grad_()
    # Each is the first look of an attack, so all have the same draws.
    (gradient,) = torch.autograd.grad((wrapped.attacked(pictures())(x) * weight).sum(), x)
    with torch.no_grad():
        ahead, behind = ((wrapped.attacked(pictures())(x + step * direction) * weight).sum() for step in (1e-8, -1e-8))
    assert (gradient * direction).sum().item() == pytest.approx(((ahead - behind) / 2e-8).item(), rel=1e-3)


def test_gradient_of_smooth_jpeg_agrees_with_finite_differences():
    x = pictures(19, 21).requires_grad_()
    generator = torch.Generator().manual_seed(0)
    weight, direction = (torch.randn(x.shape, generator=generator, dtype=torch.float64) for _ in range(2))
    (gradient,) = torch.autograd.grad((smooth_jpeg(x, 80) * weight).sum(), x)
    with torch.no_grad():
        ahead, behind = ((smooth_jpeg(x + step * direction, 80) * weight).sum() for step in (1e-8, -1e-8))
    assert (gradient * direction).sum().item() == pytest.approx(((ahead - behind) / 2e-8).item(), rel=1e-4)


@pytest.mark.parametrize("quality", [20, 50, 90])
def test_smooth_jpeg_is_close_to_the_codec(quality):
    x = pictures(32, 48)
    real, smooth = real_jpeg(x, quality), smooth_jpeg(x, quality)
    assert (smooth - real).abs().mean() < 0.4 * (real - x).abs().mean() + 1 / 255


@pytest.mark.parametrize("real", [lambda x: jpeg(x, 30), fewer_bits])
def test_stand_ins_have_the_values_of_the_real_thing(real):
    x = pictures()
    with_gradient = real(x.clone().requires_grad_())
    torch.testing.assert_close(with_gradient.detach(), real(x), rtol=0, atol=1e-12)
    assert torch.autograd.grad(with_gradient.square().sum(), [with_gradient])[0].abs().sum() > 0
    assert not torch.equal(real(x), x)


@pytest.mark.parametrize("key", DEFENCES)
@pytest.mark.parametrize("size", [(24, 20), (33, 47)])
def test_sizes_seed_and_batch(smooth, key, size):
    wrapped = wrap(smooth, key)
    x = pictures(*size, n=2)
    with torch.no_grad():
        together = wrapped(x)
        assert together.shape == (2, 7, *size)
        torch.testing.assert_close(wrapped(x), together, rtol=0, atol=0)
        torch.testing.assert_close(torch.cat([wrapped(one) for one in x.split(1)]), together, rtol=1e-9, atol=1e-9)


RANDOM = [key for key, entry in DEFENCES.items() if entry.random]


@pytest.mark.parametrize("key", RANDOM)
def test_an_attack_sees_fresh_draws_and_a_new_one_the_same_again(smooth, key):
    wrapped = wrap(smooth, key)
    x = pictures().requires_grad_()
    attack = wrapped.attacked(x)
    first, second = attack(x), attack(x)
    assert not torch.equal(first, second)
    assert not torch.equal(first, wrapped(x.detach()))
    with torch.no_grad():
        assert not torch.equal(wrapped.attacked(x)(x), wrapped(x))
        wrapped(x)
    assert torch.equal(first, wrapped.attacked(x)(x))
    assert torch.equal(wrapped(x), wrapped(x))
    assert not torch.equal(wrapped(x), wrapped(x.detach()))
    assert attack.passes == wrapped.passes == 4


@pytest.mark.parametrize("key", ["random-noise", "random-crop+random-noise", "random-noise+multiscale"])
def test_what_an_attack_sees_of_an_image_does_not_depend_on_its_neighbours(smooth, key):
    wrapped = smooth
    for name in key.split("+"):
        wrapped = wrap(wrapped, name)
    x = pictures(n=3)
    with torch.no_grad():
        attack = wrapped.attacked(x)
        together = [attack(x) for _ in range(2)]
        for number in (2, 0):
            alone = wrapped.attacked(x[number : number + 1])
            for seen in together:
                torch.testing.assert_close(alone(x[number : number + 1]), seen[number : number + 1], rtol=1e-9, atol=1e-9)
    assert not torch.allclose(wrapped(x[:1].repeat(2, 1, 1, 1))[0], wrapped(x)[1])


@pytest.mark.parametrize("key", ["pgd", "padam-ce", "cira-plus", "dag", "sea"])
def test_a_run_through_a_random_defence_is_the_same_after_others_and_in_a_batch(smooth, key):
    wrapped = wrap(smooth, "random-noise")
    x = pictures(16, 16, n=2)
    goal = Goal(wrapped(x).argmax(1))
    attack = build_attack(Settings(attack=key, eps=4, steps=6), 16, 16)
    together = list(attack.run(wrapped, x, goal))
    for number in (1, 0):
        only = slice(number, number + 1)
        runs = [attack.run(wrapped, x[only], Goal(goal.labels[only])) for _ in "12"]
        for one, other, batch in zip(*runs, together, strict=True):
            assert torch.equal(one.x_adv, other.x_adv)
            torch.testing.assert_close(one.x_adv, batch.x_adv[only], rtol=0, atol=1e-9)
    last = together[-1]
    assert torch.equal(last.prediction, wrapped(last.x_adv).argmax(1))
    assert torch.equal(together[0].prediction, goal.labels)


@pytest.mark.parametrize("transforms", [(), ("eot-noise",)])
def test_an_attack_never_sees_the_draws_of_the_defender(smooth, transforms):
    """The defender is asked about the clean image and the result alone."""
    wrapped = wrap(smooth, "random-noise")
    x = pictures(16, 16)
    asked = []
    wrapped.register_forward_hook(lambda _, inputs, __: asked.append(inputs[0]))
    *_, last = build_attack(Settings(eps=4, steps=4, transforms=transforms), 16, 16).run(wrapped, x, Goal(smooth(x).argmax(1)))
    assert all(torch.equal(seen, x) or torch.equal(seen, last.x_adv) for seen in asked)
    assert len(asked) == 2


@pytest.mark.parametrize("name", IDENTITY)
def test_identity_settings_change_nothing(smooth, name):
    x = pictures()
    wrapped = wrap(smooth, name)
    torch.testing.assert_close(wrapped(x).softmax(1), smooth(x).softmax(1), rtol=1e-9, atol=1e-9)


def test_one_scale_without_flip_is_the_model(smooth):
    x = pictures()
    assert torch.equal(ScalesAndFlip(smooth, (1.0,), flip=False)(x), smooth(x))
    assert ScalesAndFlip(smooth).passes == 8


def test_scales_and_flip_do_not_care_for_the_side(smooth):
    x = pictures()
    wrapped = ScalesAndFlip(smooth)
    torch.testing.assert_close(wrapped(x.flip(3)).flip(3).softmax(1), wrapped(x).softmax(1))


@pytest.mark.parametrize("denoise", [total_variation, non_local_means, median])
def test_denoisers_bring_a_noisy_edge_closer_to_the_clean_one(denoise):
    clean = torch.zeros(1, 3, 32, 32, dtype=torch.float64) + 0.3
    clean[..., 16:] = 0.7
    noisy = clean + 0.02 * torch.randn(clean.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert (denoise(noisy) - clean).square().mean() < 0.5 * (noisy - clean).square().mean()


def test_total_variation_solves_its_problem():
    """More iterations come closer to the minimum, from which no direction leads down."""
    x, weight = pictures(12, 12), 0.1

    def energy(u: Tensor) -> float:
        down, right = F.pad(u.diff(dim=2), (0, 0, 0, 1)), F.pad(u.diff(dim=3), (0, 1))
        return ((down.square() + right.square()).sqrt().sum() + (u - x).square().sum() / (2 * weight)).item()

    found = [energy(total_variation(x, weight, iterations)) for iterations in (1, 10, 2000)]
    assert found[0] > found[1] > found[2]
    best = total_variation(x, weight, 2000)
    for seed in range(5):
        direction = torch.randn(x.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        assert energy(best + 1e-3 * direction) > energy(best)


def test_median_and_bits_by_hand():
    x = torch.zeros(1, 1, 3, 3, dtype=torch.float64)
    x[0, 0, 1, 1] = 1.0
    assert median(x).abs().max() == 0
    assert torch.equal(fewer_bits(torch.tensor([0.0, 0.4, 0.6, 1.0]), 1), torch.tensor([0.0, 0.0, 1.0, 1.0]))


def test_keys_with_values():
    assert values_of("jpeg=30") == (30,)
    assert values_of("random-noise=8") == (8.0, 4)
    for key, entry in DEFENCES.items():
        values = tuple(parameter.high for parameter in entry.parameters)
        assert values_of(name_of(key, values)) == values
        assert name_of(key, values_of(key)) == key


@pytest.mark.parametrize("name", ["jpeg=0", "jpeg=x", "jpeg=1,2", "jpeg=nan", "bits=2.5", "magic", "multiscale=2"])
def test_wrong_names_and_values(smooth, name):
    with pytest.raises(UserError):
        wrap(smooth, name)


def test_entropy():
    logits = torch.zeros(1, 7, 2, 2)
    assert torch.allclose(entropy_map(logits), torch.ones(1, 2, 2))
    logits[:, 3] = 50
    assert mean_entropy(logits).item() == pytest.approx(0, abs=1e-6)


def test_roc():
    false_positive, true_positive, area = roc(np.array([0.1, 0.2, 0.3]), np.array([0.25, 0.4, 0.5]))
    assert area == pytest.approx(8 / 9)
    assert (false_positive[0], true_positive[0], false_positive[-1], true_positive[-1]) == (0, 0, 1, 1)
    assert roc(np.array([1.0, 1.0]), np.array([1.0]))[2] == 0.5
