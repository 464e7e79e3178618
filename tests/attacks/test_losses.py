"""Every loss and its gradient against a float64 reference written from the formula, pixel by pixel."""

import math

import pytest
import torch
from torch import Tensor

from segviz.attacks import losses
from segviz.attacks.losses import Look
from segviz.types import VOID, Goal

CLASSES = 4
TRAINING_PIXELS = torch.tensor([8.0, 2.0, 1.0, 4.0])


def softmax(u: Tensor) -> Tensor:
    e = (u - u.max()).exp()
    return e / e.sum()


def one_hot(y: int) -> Tensor:
    return torch.eye(CLASSES, dtype=torch.float64)[y]


def ce(u: Tensor, y: int) -> Tensor:
    return -softmax(u)[y].log()


def js(u: Tensor, y: int) -> Tensor:
    """From the definition, 0 log 0 = 0."""
    p, e = softmax(u), one_hot(y)
    m = (p + e) / 2
    kl_p = (p * (p / m).log()).sum()
    kl_e = (e[y] / m[y]).log()
    return (kl_p + kl_e) / 2


def reference(name: str, u: Tensor, y: int, is_open: bool, targeted: bool, t: int, steps: int) -> Tensor:
    """The loss of one pixel; masks and weights are constants."""
    p, fixed = softmax(u), softmax(u.detach())
    cosine = fixed[y] / fixed.square().sum().sqrt()
    odds = 1 / (1 + (-u.detach()).exp())
    loose = odds[y] / odds.square().sum().sqrt()
    lam = (t - 1) / (2 * steps)
    return {
        "cross_entropy": lambda: ce(u, y),
        "least_likely_cross_entropy": lambda: p[int(u.argmin())].log(),
        "masked_cross_entropy": lambda: is_open * ce(u, y),
        "balanced_masked_cross_entropy": lambda: 8 / TRAINING_PIXELS[y].double() * is_open * ce(u, y),
        "jensen_shannon": lambda: js(u, y),
        # q = -2 + 3 * 2/8 at t = 3 of 8.
        "tsallis": lambda: (1 - p[y] ** 2.25) / 2.25,
        "masked_spherical": lambda: -(is_open * u[y] / u.square().sum().sqrt()),
        "segpgd": lambda: ((1 - lam) if is_open else lam) * ce(u, y),
        "cospgd": lambda: (1 - cosine if targeted else cosine) * ce(u, y),
        "cospgd_sigmoid": lambda: (1 - loose if targeted else loose) * ce(u, y),
        "one_minus_cosine": lambda: 1 - u[y] / u.square().sum().sqrt(),
    }[name]()


LOSSES = (
    "cross_entropy",
    "least_likely_cross_entropy",
    "masked_cross_entropy",
    "balanced_masked_cross_entropy",
    "jensen_shannon",
    "tsallis",
    "masked_spherical",
    "segpgd",
    "cospgd",
    "cospgd_sigmoid",
    "one_minus_cosine",
)


@pytest.mark.parametrize("targeted", [False, True])
@pytest.mark.parametrize("name", LOSSES)
def test_value_and_gradient(name, targeted):
    generator = torch.Generator().manual_seed(3)
    logits = (3 * torch.randn(2, CLASSES, 3, 5, generator=generator)).double()
    labels = torch.randint(0, CLASSES, (2, 3, 5), generator=generator)
    labels[0, 0, 0] = VOID
    goal = Goal(labels, targeted)
    free = logits.clone().requires_grad_()
    look = Look(free, goal, iteration=3, steps=8, class_pixels=TRAINING_PIXELS)
    loss = getattr(losses, name)(look)
    gradient = torch.autograd.grad(look.mean(loss).sum(), free)[0]
    assert loss.shape == labels.shape

    alone = logits.clone().requires_grad_()
    total = torch.zeros((), dtype=torch.float64)
    for n in range(2):
        counted = int((labels[n] != VOID).sum())
        for row in range(3):
            for column in range(5):
                y = int(labels[n, row, column])
                if y == VOID:
                    continue
                u = alone[n, :, row, column]
                is_open = (int(u.argmax()) == y) != targeted
                value = reference(name, u, y, is_open, targeted, 3, 8)
                assert loss[n, row, column].item() == pytest.approx(value.item(), abs=1e-9)
                total = total + value / counted
    expected = torch.autograd.grad(total, alone)[0]
    torch.testing.assert_close(gradient, expected, atol=1e-9, rtol=1e-7)
    assert gradient[0, :, 0, 0].abs().max() == 0


def test_jensen_shannon_stays_finite_and_bounded_where_probabilities_vanish():
    logits = torch.tensor([[400.0, 0.0], [-400.0, 0.0]]).view(1, 2, 2, 1).requires_grad_()
    look = Look(logits, Goal(torch.ones(1, 2, 1, dtype=torch.long)))
    loss = losses.jensen_shannon(look)
    loss.sum().backward()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()
    assert loss[0, 0, 0].item() == pytest.approx(math.log(2))
    assert (loss >= 0).all()


def of_probabilities(p: list[float]) -> tuple[Tensor, Goal]:
    """Pixels of one image whose label, class 0 of two, has these probabilities."""
    right = torch.tensor(p, dtype=torch.float64).log()
    wrong = torch.log1p(-right.exp())
    return torch.stack([right, wrong]).view(1, 2, 1, -1).requires_grad_(), Goal(torch.zeros(1, 1, len(p), dtype=torch.long))


@pytest.mark.parametrize(
    ("q", "values"), [(0.0, [0.75, 0.5, 0.1]), (-1.0, [0.46875, 0.375, 0.095]), (0.5, [1.0, 0.585786437627, 0.102633403899])]
)
def test_tsallis_by_hand_and_its_gradient_is_that_of_the_cross_entropy_times_a_power_of_p(q, values):
    """1 - p for q = 0, (1 - p^2) / 2 for q = -1, 2 (1 - sqrt p) for q = 1/2."""
    p = [0.25, 0.5, 0.9]
    logits, goal = of_probabilities(p)
    loss = losses.tsallis(Look(logits, goal), q)
    assert loss.flatten().tolist() == pytest.approx(values)
    gradient = torch.autograd.grad(loss.sum(), logits)[0]
    plain = torch.autograd.grad(losses.cross_entropy(Look(logits, goal)).sum(), logits)[0]
    weights = torch.tensor([one ** (1 - q) for one in p], dtype=torch.float64)
    torch.testing.assert_close(gradient, plain * weights, atol=1e-12, rtol=1e-10)


def test_tsallis_goes_over_into_the_cross_entropy_and_q_rises_evenly_towards_it():
    logits, goal = of_probabilities([1e-4, 0.3, 0.99])
    entropy = losses.cross_entropy(Look(logits, goal))
    assert torch.equal(losses.tsallis(Look(logits, goal), 1.0), entropy)
    torch.testing.assert_close(losses.tsallis(Look(logits, goal), 1 - 1e-9), entropy, atol=0, rtol=1e-7)
    for t, q in ((1, -2.0), (6, -0.5), (10, 0.7)):
        torch.testing.assert_close(losses.tsallis(Look(logits, goal, t, 10)), losses.tsallis(Look(logits, goal), q))


@pytest.mark.parametrize("q", [-10.0, -2.0, 0.0, 0.999, 1.0])
def test_tsallis_stays_finite_where_probabilities_vanish(q):
    logits = torch.tensor([[400.0, 0.0], [-400.0, 0.0]]).view(1, 2, 2, 1).requires_grad_()
    loss = losses.tsallis(Look(logits, Goal(torch.ones(1, 2, 1, dtype=torch.long))), q)
    loss.sum().backward()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()
    assert loss[0, 0, 0].item() == pytest.approx(800 if q == 1 else 1 / (1 - q), rel=0.6)
    assert (loss >= 0).all()


def test_segpgd_begins_with_right_pixels_alone_and_ends_with_half_weights():
    """lam = (t - 1)/(2T): 0 at t = 1, 1/2 - 1/(2T) at t = T."""
    logits = torch.tensor([[2.0, 0.0], [0.0, 2.0]]).t().reshape(1, 2, 2, 1)
    goal = Goal(torch.zeros(1, 2, 1, dtype=torch.long))
    first, last = (losses.segpgd(Look(logits, goal, iteration=t, steps=10)) for t in (1, 10))
    entropy = losses.cross_entropy(Look(logits, goal))
    torch.testing.assert_close(first, entropy * torch.tensor([1.0, 0.0]).view(1, 2, 1))
    torch.testing.assert_close(last, entropy * torch.tensor([0.55, 0.45]).view(1, 2, 1))


def test_balanced_weights_without_known_training_pixels_are_the_picture_s_own():
    labels = torch.tensor([[0, 0, 0, 1, VOID]]).view(1, 1, 5)
    logits = torch.zeros(1, 3, 1, 5)
    logits[:, 0, :, :3], logits[:, 1, :, 3] = 1.0, 1.0
    look = Look(logits, Goal(labels))
    ratio = losses.balanced_masked_cross_entropy(look) / losses.masked_cross_entropy(look)
    assert ratio[0, 0, :4].tolist() == pytest.approx([1, 1, 1, 3])
