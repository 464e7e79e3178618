"""The Segmenter: images in [0,1] to logits at the same size, with normalisation inside."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from segviz.data.label_sets import LabelSet


class Segmenter(nn.Module):
    """An encoder and a decoder behind one face, so that `eps` always means grey levels of the picture a person sees.

    Call it with RGB images (N,3,H,W) in [0,1]; it returns logits (N,C,H,W). `label_set` names the C classes,
    `feature_layer` the layer that attacks on internal representations look at, `passes` the passes through the network that one look of an
    attack takes, `notices` what is to be said beside its figures.
    The network sees an image at `scale` times its sides, which is a part of the model: gradients pass through it.
    """

    feature_layer = "encoder"
    passes = 1
    notices: tuple[str, ...] = ()
    mean: Tensor
    std: Tensor

    def __init__(
        self,
        encoder: nn.Module,
        head: nn.Module,
        mean: tuple[float, ...],
        std: tuple[float, ...],
        label_set: LabelSet,
        scale: float = 1.0,
    ):
        super().__init__()
        self.scale = scale
        self.encoder = encoder
        self.head = head
        self.label_set = label_set
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1), persistent=False)

    def attacked(self, x: Tensor) -> "Segmenter":
        """This model as one attack on the clean images `x` (N,3,H,W) sees it.

        They are the same but for a model that draws random numbers: an attack never sees the draws by which its result is judged, and
        what it sees does not depend on other runs or on who shares the batch.
        """
        return self

    def judged(self, draw: int) -> "Segmenter":
        """This model with its own random numbers of that number, from 0, as it has when nobody attacks; 0 are those of a plain call."""
        return self

    def features(self, x: Tensor) -> dict[Any, Tensor]:
        """Images (N,3,H,W) in [0,1] to encoder features {stride: (N, channels, ~H*scale/stride, ~W*scale/stride)}."""
        if self.scale != 1:
            size = [max(round(side * self.scale), 1) for side in x.shape[-2:]]
            x = F.interpolate(x, size, mode="bilinear", align_corners=False)
        return self.encoder((x - self.mean) / self.std)

    def forward(self, x: Tensor) -> Tensor:
        """Images (N,3,H,W) in [0,1] to logits (N,C,H,W)."""
        return F.interpolate(self.head(self.features(x)), x.shape[-2:], mode="bilinear", align_corners=False)
