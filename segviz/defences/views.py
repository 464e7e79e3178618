"""Random views of a picture, as a defence: the network looks at changed pictures, its scores are brought back to the pixels."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from segviz.attacks.transforms import Forward, View, at_scale, gaussian_blur, noisy, rotated, uniform
from segviz.defences.jpeg import YCBCR, constant, jpeg


def resized_at_random(strength: float) -> View:
    """A size between 1 - `strength` and 1 + `strength` times that of the picture (Xie et al., 1711.01991, without the padding)."""

    def view(forward: Forward, x: Tensor, sample: int, generator: torch.Generator) -> Tensor:
        return at_scale(forward, x, uniform(generator, 1 - strength, 1 + strength))

    return view


def cropped_at_random(strength: float) -> View:
    """A crop whose sides lack up to `strength` (at most a half) of the picture's; sample i holds corner i mod 4, so that four views cover
    the picture. Pixels outside get scores of zero: this view has no say there."""

    def view(forward: Forward, x: Tensor, sample: int, generator: torch.Generator) -> Tensor:
        height, width = x.shape[-2:]
        h, w = (max(math.ceil(side * uniform(generator, 1 - strength, 1)), 1) for side in (height, width))
        top, left = (height - h) * (sample // 2 % 2), (width - w) * (sample % 2)
        logits = forward(x[..., top : top + h, left : left + w])
        return F.pad(logits, (left, width - w - left, top, height - h - top))

    return view


def rotated_at_random(strength: float) -> View:
    """Turned by at most `strength` degrees, corners filled by reflection. Pixels that leave the picture get scores of zero."""

    def view(forward: Forward, x: Tensor, sample: int, generator: torch.Generator) -> Tensor:
        angle = math.radians(uniform(generator, -strength, strength))
        return rotated(forward(rotated(x, angle, "reflection")), -angle, "zeros")

    return view


def noisy_at_random(strength: float) -> View:
    """Gaussian noise with a standard deviation of `strength` grey levels, not clipped."""

    def view(forward: Forward, x: Tensor, sample: int, generator: torch.Generator) -> Tensor:
        return noisy(forward, x, sample, generator, strength / 255)

    return view


def jpeg_at_random(strength: float) -> View:
    """JPEG at a quality between 100 - `strength` and 100, as in `jpeg`; strength 0 leaves the picture alone."""

    def view(forward: Forward, x: Tensor, sample: int, generator: torch.Generator) -> Tensor:
        quality = round(uniform(generator, 100 - strength, 100))
        return forward(jpeg(x, quality) if strength > 0 else x)

    return view


def blurred_at_random(strength: float) -> View:
    """Gaussian blur with a standard deviation of at most `strength` pixels."""

    def view(forward: Forward, x: Tensor, sample: int, generator: torch.Generator) -> Tensor:
        sigma = uniform(generator, 0, strength)
        return forward(gaussian_blur(x, sigma, math.ceil(3 * strength), "replicate") if sigma > 0 else x)

    return view


def recoloured_at_random(strength: float) -> View:
    """Brightness, contrast and saturation, each times a factor between 1 - `strength` and 1 + `strength`, not clipped."""

    def view(forward: Forward, x: Tensor, sample: int, generator: torch.Generator) -> Tensor:
        brightness, contrast, saturation = (uniform(generator, 1 - strength, 1 + strength) for _ in range(3))
        x = x * brightness
        grey = torch.einsum("c,nchw->nhw", constant(YCBCR, x)[0], x).unsqueeze(1)
        middle = grey.mean((2, 3), keepdim=True)
        return forward(middle + contrast * (grey + saturation * (x - grey) - middle))

    return view
