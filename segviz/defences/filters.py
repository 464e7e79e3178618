"""Filters put before a network: pictures (N,3,H,W) in [0,1] to pictures in [0,1].

All are differentiable. Where the real thing has no useful gradient, the value is that of the real thing and the gradient that of a smooth
stand-in: BPDA of Athalye, Carlini & Wagner, "Obfuscated Gradients Give a False Sense of Security", ICML 2018 (1802.00420).
"""

import itertools

import torch
import torch.nn.functional as F
from torch import Tensor


def with_gradient_of(smooth: Tensor, real: Tensor) -> Tensor:
    """The values of `real`, the gradient of `smooth`."""
    return smooth + (real - smooth).detach() if smooth.requires_grad else real


def fewer_bits(x: Tensor, bits: int = 3) -> Tensor:
    """Values rounded to 2^bits levels (Xu, Evans & Qi, 1704.01155); the gradient is that of the identity."""
    levels = 2**bits - 1
    return with_gradient_of(x, (x * levels).round() / levels)


def median(x: Tensor, size: int = 3) -> Tensor:
    """The median of each channel over size x size pixels, `size` odd (Xu, Evans & Qi, 1704.01155); the gradient goes to the pixel it is."""
    if size == 1:
        return x
    padded = F.pad(x, (size // 2,) * 4, mode="reflect")
    return padded.unfold(2, size, 1).unfold(3, size, 1).flatten(4).median(-1).values


def total_variation(x: Tensor, weight: float = 0.04, iterations: int = 20) -> Tensor:
    """The u that makes TV(u) + |u - x|^2 / (2 weight) small, channel by channel: Rudin, Osher & Fatemi (Physica D 1992).

    `iterations` of Chambolle's dual scheme ("An Algorithm for Total Variation Minimization and Applications", JMIV 2004, Eq. 9) with
    tau = 1/8, unrolled, so that the gradient is exact.
    """
    if weight == 0:
        return x
    tau = 1 / 8
    down, right = torch.zeros_like(x), torch.zeros_like(x)
    for _ in range(iterations):
        u = divergence(down, right) - x / weight
        gradient_down, gradient_right = F.pad(u.diff(dim=2), (0, 0, 0, 1)), F.pad(u.diff(dim=3), (0, 1))
        norm = 1 + tau * (gradient_down.square() + gradient_right.square() + 1e-12).sqrt()
        down, right = (down + tau * gradient_down) / norm, (right + tau * gradient_right) / norm
    return x - weight * divergence(down, right)


def divergence(down: Tensor, right: Tensor) -> Tensor:
    """Minus the adjoint of the forward differences, whose last row and column are zero."""
    down, right = F.pad(down[:, :, :-1], (0, 0, 1, 1)), F.pad(right[..., :-1], (1, 1))
    return down.diff(dim=2) + right.diff(dim=3)


def non_local_means(x: Tensor, strength: float = 10.0, reach: int = 3, patch: int = 5) -> Tensor:
    """Every pixel the mean of those around it, weighted by exp(-d^2 / h^2), d^2 the mean squared difference of the patches around the two.

    Buades, Coll & Morel, "A Non-Local Algorithm for Image Denoising", CVPR 2005. `strength` is h in grey levels; the search window of
    2 `reach` + 1 pixels is smaller than theirs (21), so that an attack can go through it.
    """
    if strength == 0:
        return x
    h = strength / 255
    height, width = x.shape[-2:]
    padded = F.pad(x, (reach,) * 4, mode="reflect")
    total, weights = torch.zeros_like(x), torch.zeros_like(x[:, :1])
    for row, column in itertools.product(range(2 * reach + 1), repeat=2):
        other = padded[..., row : row + height, column : column + width]
        apart = F.avg_pool2d((x - other).square().mean(1, keepdim=True), patch, 1, patch // 2, count_include_pad=False)
        weight = torch.exp(-apart / h**2)
        total, weights = total + weight * other, weights + weight
    return total / weights
