"""Wrappers with the face of a Segmenter around any Segmenter: one other scale, multi-scale, mean-field CRF. All are differentiable."""

import copy
from collections.abc import Callable
from typing import Literal, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from segviz.models.crf import MeanField
from segviz.models.segmenter import Segmenter


class Wrapper(Segmenter):
    """A Segmenter around another one: `features` and `label_set` are those of the network inside."""

    def __init__(self, model: Segmenter):
        nn.Module.__init__(self)
        self.model = model
        self.label_set = model.label_set
        self.feature_layer = f"model.{model.feature_layer}"
        self.register_buffer("mean", model.mean, persistent=False)
        self.register_buffer("std", model.std, persistent=False)
        self.passes = model.passes
        self.notices = model.notices
        self.train(model.training)

    def attacked(self, x: Tensor) -> Segmenter:
        """As in `Segmenter`."""
        inside = self.model.attacked(x)
        return self if inside is self.model else self.around(inside)

    def judged(self, draw: int) -> Segmenter:
        """As in `Segmenter`."""
        inside = self.model.judged(draw)
        return self if inside is self.model else self.around(inside)

    def around(self, inside: Segmenter) -> Self:
        """A copy with another model inside; tensors are shared."""
        copied = copy.copy(self)
        copied._modules = {**self._modules, "model": inside}
        copied.passes = self.passes // self.model.passes * inside.passes
        return copied

    def features(self, x: Tensor) -> dict[int, Tensor]:
        """Features of the network inside."""
        return self.model.features(x)


class MultiScale(Wrapper):
    """The same network on several sizes of the image; the logits, upsampled, are fused by their maximum or mean at each pixel.

    DeepLab v2 (Chen et al., 1606.00915, Sec. 4.1) takes 50, 75 and 100 % and the maximum.
    """

    def __init__(self, model: Segmenter, scales: tuple[float, ...] = (0.5, 0.75, 1.0), fusion: Literal["max", "mean"] = "max"):
        super().__init__(model)
        self.scales, self.fusion = scales, fusion
        self.passes *= len(scales)

    def forward(self, x: Tensor) -> Tensor:
        """Images (N,3,H,W) in [0,1] to logits (N,C,H,W)."""
        logits = torch.stack([self.at_scale(x, scale) for scale in self.scales])
        return logits.amax(0) if self.fusion == "max" else logits.mean(0)

    def at_scale(self, x: Tensor, scale: float) -> Tensor:
        """Logits (N,C,H,W) from the image brought to `scale` times its sides."""
        size = [max(round(side * scale), 1) for side in x.shape[-2:]]
        logits = self.model(F.interpolate(x, size, mode="bilinear", align_corners=False))
        return F.interpolate(logits, x.shape[-2:], mode="bilinear", align_corners=False)


class DenseCRF(Wrapper):
    """The network, then mean-field inference in a fully connected CRF on its logits and the image (see `MeanField`)."""

    def __init__(self, model: Segmenter, mean_field: MeanField | None = None):
        super().__init__(model)
        self.mean_field = mean_field or MeanField()

    def forward(self, x: Tensor) -> Tensor:
        """Images (N,3,H,W) in [0,1] to logits (N,C,H,W)."""
        return self.mean_field(self.model(x), x)


WRAPPERS: dict[str, Callable[[Segmenter], Segmenter]] = {
    "multiscale": MultiScale,
    "multiscale-mean": lambda model: MultiScale(model, fusion="mean"),
    "scale50": lambda model: MultiScale(model, (0.5,)),
    "scale75": lambda model: MultiScale(model, (0.75,)),
    "crf": DenseCRF,
}
