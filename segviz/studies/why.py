"""Why a network gives a pixel its class: the pixels of the picture that the score of this class depends on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from segviz.deferred import torch
from segviz.lab import to_tensor
from segviz.types import UserError

if TYPE_CHECKING:
    from segviz.models.segmenter import Segmenter

STEPS, TOGETHER = 20, 4
"""Points between the black picture and the photo, and how many of them go through the network together."""


@dataclass(frozen=True)
class Reason:
    """What the score (logit) of the class `label` at the pixel (`x`, `y`) depends on; `confidence` in [0,1] is its probability there.

    `gradient` (H,W) float32: by how much the score moves with the pixel, sum over RGB of |d score / d value|, values in [0,1] (Simonyan et
    al., 1312.6034). `integrated` (H,W) float32: what the pixel adds to the score on the straight way from a black picture, sum over RGB of
    integrated gradients (Sundararajan, Taly & Yan, ICML 2017, Eq. 1), midpoints of `STEPS` parts. The integral adds up to `rise`, by how
    much the score is above that of the black picture; the further the parts are from that, the less they are to be trusted.
    """

    x: int
    y: int
    label: int
    confidence: float
    gradient: np.ndarray
    integrated: np.ndarray
    rise: float

    def reach(self, share: float) -> int:
        """The smallest r for which the square of 2r + 1 pixels about the pixel holds that share of the gradient."""
        rows, columns = np.indices(self.gradient.shape)
        away = np.maximum(np.abs(rows - self.y), np.abs(columns - self.x))
        held = np.bincount(away.ravel(), self.gradient.ravel()).cumsum()
        return int(np.searchsorted(held, share * held[-1]))

    @property
    def touched(self) -> float:
        """Share of the pixels on which the score depends at all."""
        return float((self.gradient > 0).mean())


def explain(model: Segmenter, pixels: np.ndarray, x: int, y: int) -> Reason:
    """Why the model gives the pixel (x, y) of a picture (H,W,3) uint8 the class that it gives it; raises UserError outside the picture."""
    height, width = pixels.shape[:2]
    if not (0 <= x < width and 0 <= y < height):
        raise UserError(f"The pixel {x},{y} is outside the picture. x goes from 0 to {width - 1}, y from 0 to {height - 1}.")
    image = to_tensor(pixels, model.mean.device).requires_grad_()
    scores = model(image)[0, :, y, x]
    label = int(scores.argmax())
    (gradient,) = torch.autograd.grad(scores[label], image)
    whole = image.detach()
    total = torch.zeros_like(whole)
    parts = (torch.arange(STEPS, device=whole.device) + 0.5) / STEPS
    for some in parts.split(TOGETHER):
        on_the_way = (some.view(-1, 1, 1, 1) * whole).requires_grad_()
        (slope,) = torch.autograd.grad(model(on_the_way)[:, label, y, x].sum(), on_the_way)
        total += slope.sum(0, keepdim=True)
    with torch.no_grad():
        black = model(torch.zeros_like(whole))[0, label, y, x]
    return Reason(
        x,
        y,
        label,
        float(scores.detach().softmax(0)[label]),
        gradient[0].abs().sum(0).float().cpu().numpy(),
        (whole * total / STEPS)[0].sum(0).float().cpu().numpy(),
        float(scores[label].detach() - black),
    )


def why(model: Segmenter, pictures: tuple[np.ndarray, ...], x: int, y: int, stopped: Callable[[], bool]) -> Iterator[tuple[Reason, ...]]:
    """Explain the same pixel in one picture after another; what there is so far is yielded after each."""
    found: tuple[Reason, ...] = ()
    for pixels in pictures:
        if stopped():
            return
        found = (*found, explain(model, pixels, x, y))
        yield found
