"""Input transforms: other views of a picture through which an attack takes its gradient, and filters of that gradient."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Protocol, TypeAlias

from segviz.deferred import F, torch
from segviz.types import UserError

if TYPE_CHECKING:
    from torch import Tensor

Forward: TypeAlias = "Callable[[Tensor], Tensor]"
"""Images (N,3,H,W) to logits (N,C,H,W)."""

MAX_SAMPLES = 60
"""Gradient evaluations per step that one attack may take."""


class View(Protocol):
    def __call__(self, forward: Forward, x: Tensor, sample: int, generator: torch.Generator) -> Tensor:
        """Logits (N,C,H,W) of `forward` for changed images, brought back to where the pixels of `x` (N,3,H,W) are.

        `sample` counts from 0 the views of one step. What is drawn from `generator` is the same for every image of the batch.
        """
        ...


class GradientFilter(Protocol):
    def __call__(self, gradient: Tensor, iteration: int) -> Tensor:
        """A gradient (N,3,H,W) after the filter; iteration 1 starts anew."""
        ...


@dataclass(frozen=True)
class TransformEntry:
    """One named transform: a `view`, whose gradient is averaged over `samples` of it, or a filter of the gradient.

    `samples` is the factor by which gradient evaluations per step grow; `random` says that the seed matters. `ours` says which part is
    not from the paper.
    """

    key: str
    title: str
    summary: str
    paper: str
    url: str
    view: View | None = None
    samples: int = 1
    random: bool = False
    new_filter: Callable[[], GradientFilter] | None = None
    ours: str = ""


def uniform(generator: torch.Generator, low: float, high: float) -> float:
    """A number from [low, high)."""
    return low + (high - low) * torch.rand((), generator=generator, dtype=torch.float64).item()


def resized(x: Tensor, height: int, width: int) -> Tensor:
    return F.interpolate(x, (height, width), mode="bilinear", align_corners=False)


def at_scale(forward: Forward, x: Tensor, factor: float) -> Tensor:
    """Logits of the images at `factor` times their size, resized back; the gradient flows through both resizes."""
    height, width = x.shape[-2:]
    return resized(forward(resized(x, max(round(factor * height), 1), max(round(factor * width), 1))), height, width)


def diverse(
    forward: Forward, x: Tensor, sample: int, generator: torch.Generator, probability: float = 0.5, smallest: float = 0.9
) -> Tensor:
    """With `probability`, the images shrunk to `smallest` to 1 times their sides and zero-padded back at a random place (DI2-FGSM)."""
    if uniform(generator, 0, 1) >= probability:
        return forward(x)
    height, width = x.shape[-2:]
    factor = uniform(generator, smallest, 1)
    h, w = max(round(factor * height), 1), max(round(factor * width), 1)
    top, left = int(uniform(generator, 0, height - h + 1)), int(uniform(generator, 0, width - w + 1))
    logits = forward(F.pad(resized(x, h, w), (left, width - w - left, top, height - h - top)))
    return resized(logits[..., top : top + h, left : left + w], height, width)


def darker(forward: Forward, x: Tensor, sample: int, generator: torch.Generator) -> Tensor:
    """x / 2^i for sample i (SI-FGSM)."""
    return forward(x / 2**sample)


def dynamic_scale(
    forward: Forward, x: Tensor, sample: int, generator: torch.Generator, smallest: float = 0.5, largest: float = 1.5
) -> Tensor:
    """A random size between `smallest` and `largest` times that of the images."""
    return at_scale(forward, x, uniform(generator, smallest, largest))


SCALES = (1.0, 0.75, 0.5)


def one_of_scales(forward: Forward, x: Tensor, sample: int, generator: torch.Generator) -> Tensor:
    """100, 75 and 50 % of the size, in turn."""
    return at_scale(forward, x, SCALES[sample])


def noisy(forward: Forward, x: Tensor, sample: int, generator: torch.Generator, sigma: float = 8 / 255) -> Tensor:
    """Gaussian noise of standard deviation `sigma` on the [0,1] scale, not clipped."""
    noise = torch.randn(x.shape[1:], generator=generator, dtype=torch.float32)
    return forward(x + sigma * noise.to(x, non_blocking=True))


def gaussian_blur(x: Tensor, sigma: float, radius: int, mode: str) -> Tensor:
    """Images convolved with a Gaussian of `sigma` pixels, cut off at `radius`; `mode` is that of `torch.nn.functional.pad`."""
    channels = x.shape[1]
    kernel = torch.arange(-radius, radius + 1, device=x.device, dtype=x.dtype).div(sigma).square().mul(-0.5).exp()
    kernel = (kernel / kernel.sum()).expand(channels, 1, -1)
    padded = F.pad(x, (radius,) * 4, mode=mode)
    return F.conv2d(F.conv2d(padded, kernel.unsqueeze(2), groups=channels), kernel.unsqueeze(3), groups=channels)


def blurred(forward: Forward, x: Tensor, sample: int, generator: torch.Generator, smallest: float = 0.5, largest: float = 2.0) -> Tensor:
    """Gaussian blur whose standard deviation lies between `smallest` and `largest` pixels."""
    return forward(gaussian_blur(x, uniform(generator, smallest, largest), math.ceil(3 * largest), "replicate"))


def rotated(x: Tensor, angle: float, padding: str) -> Tensor:
    """Images turned by `angle` radians about their centre, bilinear; `padding` is that of `torch.nn.functional.grid_sample`."""
    height, width = x.shape[-2:]
    rows = torch.arange(height, device=x.device, dtype=x.dtype).add(0.5 - height / 2).unsqueeze(1)
    columns = torch.arange(width, device=x.device, dtype=x.dtype).add(0.5 - width / 2)
    source_x = math.cos(angle) * columns + math.sin(angle) * rows
    source_y = math.cos(angle) * rows - math.sin(angle) * columns
    grid = torch.stack([source_x * (2 / width), source_y * (2 / height)], -1).expand(len(x), -1, -1, -1)
    return F.grid_sample(x, grid, mode="bilinear", padding_mode=padding, align_corners=False)


def turned(forward: Forward, x: Tensor, sample: int, generator: torch.Generator, degrees: float = 10) -> Tensor:
    """Rotation by at most `degrees`, corners filled by reflection. Pixels that leave the picture get logits of zero: they do not pull."""
    angle = math.radians(uniform(generator, -degrees, degrees))
    return rotated(forward(rotated(x, angle, "reflection")), -angle, "zeros")


def translation_invariant(gradient: Tensor, iteration: int) -> Tensor:
    """The gradient convolved with a 15x15 Gaussian that reaches to 3 standard deviations (TI-FGSM)."""
    return gaussian_blur(gradient, sigma=7 / 3, radius=7, mode="constant")


class Momentum:
    """g <- mu g + gradient / mean|gradient|, image by image, from g = 0 (MI-FGSM)."""

    def __init__(self, mu: float = 1.0):
        self.mu = mu
        self.g = torch.zeros(())

    def __call__(self, gradient: Tensor, iteration: int) -> Tensor:
        normalised = gradient / gradient.abs().mean((1, 2, 3), keepdim=True).clamp(min=1e-20)
        self.g = normalised if iteration == 1 else self.mu * self.g + normalised
        return self.g


EOT = "Athalye, Engstrom, Ilyas & Kwok, Synthesizing Robust Adversarial Examples, ICML 2018"
EOT_URL = "https://arxiv.org/abs/1707.07397"
EOT_SAMPLES = 4

ROWS = (
    TransformEntry(
        key="momentum",
        title="Momentum (MI)",
        summary="Adds up the normalised gradients of all steps so far: a steadier direction, so as to fool other networks as well.",
        paper="Dong et al., Boosting Adversarial Attacks with Momentum, CVPR 2018",
        url="https://arxiv.org/abs/1710.06081",
        new_filter=Momentum,
    ),
    TransformEntry(
        key="di",
        title="Input diversity (DI²)",
        summary="In half of the steps, at random, looks at a slightly smaller picture on a black ground, so that the attack does not"
        " cling to one exact input.",
        paper="Xie et al., Improving Transferability of Adversarial Examples with Input Diversity, CVPR 2019",
        url="https://arxiv.org/abs/1803.06978",
        view=diverse,
        random=True,
        ours="The paper attacks classifiers and enlarges the picture by up to a tenth; here it shrinks by as much, as in later code, and"
        " the scores of the smaller picture are cut out and resized back onto the labels.",
    ),
    TransformEntry(
        key="ti",
        title="Translation invariance (TI)",
        summary="Smooths the gradient with a Gaussian of 15 x 15 pixels, about as if many shifted copies were attacked at once.",
        paper="Dong, Pang, Su & Zhu, Evading Defenses to Transferable Adversarial Examples by Translation-Invariant Attacks, CVPR 2019",
        url="https://arxiv.org/abs/1904.02884",
        new_filter=lambda: translation_invariant,
        ours="The paper attacks classifiers, whose label stays where it is when the picture is shifted; labels of pixels move along, so"
        " that the smoothed gradient only stands for shifted copies. The size of the Gaussian is the paper's, for pictures of 299 px.",
    ),
    TransformEntry(
        key="si",
        title="Scale invariance (SI)",
        summary="Averages the gradient over five copies with values divided by 1, 2, 4, 8 and 16.",
        paper="Lin et al., Nesterov Accelerated Gradient and Scale Invariance for Adversarial Attacks, ICLR 2020",
        url="https://arxiv.org/abs/1908.06281",
        view=darker,
        samples=5,
    ),
    TransformEntry(
        key="scale",
        title="Dynamic scaling",
        summary="Looks at the picture at another random size, 0.5 to 1.5 times its own, in every step: segmentation networks see objects"
        " at several scales, and an attack made at one scale alone transfers badly.",
        paper="Gu, Zhao, Tresp & Torr, Adversarial Examples on Segmentation Models Can be Easy to Transfer, 2021",
        url="https://arxiv.org/abs/2111.11368",
        view=dynamic_scale,
        random=True,
        ours="The idea is the paper's; the range of sizes, one size per step, and the gradient through both resizes are our reading of it.",
    ),
    TransformEntry(
        key="multiscale",
        title="Three scales",
        summary="Averages the gradient over the picture at 50, 75 and 100 % of its size.",
        paper="Arnab, Miksik & Torr, On the Robustness of Semantic Segmentation Models to Adversarial Attacks, CVPR 2018",
        url="https://arxiv.org/abs/1711.09856",
        view=one_of_scales,
        samples=len(SCALES),
        ours="The paper attacks a network that looks at these three scales; here any network's loss is averaged over them.",
    ),
    TransformEntry(
        key="eot-noise",
        title="EOT: noise",
        summary="Expectation over transformation: the mean gradient of four copies with Gaussian noise of 8 grey levels.",
        paper=EOT,
        url=EOT_URL,
        view=noisy,
        samples=EOT_SAMPLES,
        random=True,
        ours="The strength of the noise is our choice.",
    ),
    TransformEntry(
        key="eot-blur",
        title="EOT: blur",
        summary="Expectation over transformation: the mean gradient of four copies, each blurred by a random 0.5 to 2 pixels.",
        paper=EOT,
        url=EOT_URL,
        view=blurred,
        samples=EOT_SAMPLES,
        random=True,
        ours="The strength of the blur is our choice.",
    ),
    TransformEntry(
        key="eot-rotate",
        title="EOT: rotation",
        summary="Expectation over transformation: the mean gradient of four copies, each turned by at most 10 degrees.",
        paper=EOT,
        url=EOT_URL,
        view=turned,
        samples=EOT_SAMPLES,
        random=True,
        ours="The angles are our choice. The scores are turned back onto the labels; pixels that leave the picture do not count.",
    ),
)

TRANSFORMS = {entry.key: entry for entry in ROWS}


def transform_entries(keys: Sequence[str]) -> tuple[TransformEntry, ...]:
    """Entries of transforms, in order; raises UserError for unknown or repeated keys, or for too many gradients per step."""
    for key in keys:
        if key not in TRANSFORMS:
            raise UserError(f"Unknown input transform '{key}'. Known: {', '.join(TRANSFORMS)}.")
        if keys.count(key) > 1:
            raise UserError(f"The input transform '{key}' is given twice. Name it once.")
    entries = tuple(TRANSFORMS[key] for key in keys)
    samples = samples_of(entries)
    if samples > MAX_SAMPLES:
        raise UserError(f"These input transforms together take {samples} gradients per step; {MAX_SAMPLES} are allowed. Leave one out.")
    return entries


def samples_of(entries: Sequence[TransformEntry]) -> int:
    """Gradient evaluations per step of transforms together."""
    return math.prod(entry.samples for entry in entries)


def views_of(entries: Sequence[TransformEntry], model: Forward, generator: torch.Generator) -> Iterator[Forward]:
    """The model behind each sample of the transforms' views together; the first transform is the first to change the picture."""
    views = [entry for entry in entries if entry.view is not None]
    for samples in itertools.product(*(range(entry.samples) for entry in views)):
        forward = model
        for entry, sample in reversed(list(zip(views, samples, strict=True))):
            assert entry.view is not None
            forward = partial(entry.view, forward, sample=sample, generator=generator)
        yield forward
