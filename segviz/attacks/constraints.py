"""Norm balls around the clean image, each cut with the box [0,1], and what an attack needs of them."""

from dataclasses import dataclass, replace
from typing import Protocol, Self

import torch
from torch import Tensor

GREY_LEVELS = 255


class Constraint(Protocol):
    """A ball of radius `eps` around an image; images are (N,3,H,W) in [0,1] and every image of a batch has its own ball."""

    @property
    def eps(self) -> float: ...

    def scaled(self, factor: float) -> "Constraint":
        """The same constraint with `factor` times the radius."""
        ...

    def project(self, x_adv: Tensor, x: Tensor) -> Tensor:
        """Bring `x_adv` into the ball around `x` and into [0,1]."""
        ...

    def steepest(self, gradient: Tensor) -> Tensor:
        """Direction of unit norm along which a linear loss with this gradient grows fastest."""
        ...

    def random_point(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """Random start in the ball around `x`. The noise is the same for every image, so a batch starts as its images would alone."""
        ...

    def to_8bit(self, x_adv: Tensor, x: Tensor) -> Tensor:
        """Multiples of 1/255 next to `x_adv` that still lie in the ball around the 8-bit image `x`."""
        ...


@dataclass(frozen=True)
class Linf:
    """max |d| <= eps, eps on the [0,1] scale: n/255 for n grey levels."""

    eps: float

    def scaled(self, factor: float) -> Self:
        return replace(self, eps=factor * self.eps)

    def project(self, x_adv: Tensor, x: Tensor) -> Tensor:
        return (x_adv - x).clamp_(-self.eps, self.eps).add_(x).clamp_(0, 1)

    def steepest(self, gradient: Tensor) -> Tensor:
        return gradient.sign()

    def random_point(self, x: Tensor, generator: torch.Generator) -> Tensor:
        noise = torch.rand(x.shape[1:], generator=generator, dtype=torch.float32) * 2 - 1
        return self.project(x + self.eps * noise.to(x.device, non_blocking=True), x)

    def to_8bit(self, x_adv: Tensor, x: Tensor) -> Tensor:
        levels = torch.round((x_adv - x) * GREY_LEVELS)
        # A hair of slack, since 4/255*255 may come out below 4.
        whole = int(self.eps * GREY_LEVELS + 1e-4)
        return add_levels(x, levels.clamp(-whole, whole))


@dataclass(frozen=True)
class L2:
    """Euclidean norm of d over all pixels and channels <= eps, eps on the [0,1] scale."""

    eps: float

    def scaled(self, factor: float) -> Self:
        return replace(self, eps=factor * self.eps)

    def project(self, x_adv: Tensor, x: Tensor) -> Tensor:
        delta = x_adv - x
        norm = delta.flatten(1).norm(dim=1).view(-1, 1, 1, 1)
        # Clipping to the box moves x_adv towards x in every coordinate, so it cannot leave the ball again.
        return (x + delta * (self.eps / norm.clamp(min=1e-12)).clamp(max=1)).clamp_(0, 1)

    def steepest(self, gradient: Tensor) -> Tensor:
        return gradient / gradient.flatten(1).norm(dim=1).clamp(min=1e-12).view(-1, 1, 1, 1)

    def random_point(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """Uniform in the ball: a random direction, and a radius eps * u^(1/dimensions)."""
        noise = torch.randn(x.shape[1:], generator=generator, dtype=torch.float32)
        radius = self.eps * torch.rand((), generator=generator, dtype=torch.float32) ** (1 / noise.numel())
        return self.project(x + (noise / noise.norm() * radius).to(x.device, non_blocking=True), x)

    def to_8bit(self, x_adv: Tensor, x: Tensor) -> Tensor:
        """Round to the nearest grey level while the ball allows it: coordinates that are nearest to their next level go first."""
        delta = ((x_adv - x) * GREY_LEVELS).flatten(1).double()
        kept, fraction = delta.abs().floor(), delta.abs().frac()
        order = fraction.argsort(dim=1, descending=True, stable=True)
        growth = torch.where(fraction >= 0.5, 2 * kept + 1, 0).gather(1, order)
        squared = kept.square().sum(1, keepdim=True) + growth.cumsum(1)
        fits = (squared <= (self.eps * GREY_LEVELS) ** 2) & (growth > 0)
        up = torch.zeros_like(fits).scatter(1, order, fits)
        levels = (kept + up) * delta.sign()
        return add_levels(x, levels.view_as(x).to(x.dtype))


def add_levels(x: Tensor, levels: Tensor) -> Tensor:
    """The 8-bit image `x` plus whole grey levels, as the nearest floats to n/255 in [0,1]."""
    return (torch.round(x * GREY_LEVELS) + levels).clamp(0, GREY_LEVELS) / GREY_LEVELS
