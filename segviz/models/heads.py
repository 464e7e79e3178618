"""Decoders that turn the encoder's features into class scores."""

import torch.nn.functional as F
from torch import Tensor, nn

from segviz.models.encoder import CHANNELS, conv_bn


class Refine(nn.Module):
    """Upsample the coarse features, add the finer level, mix with a depthwise-separable 3x3 convolution."""

    def __init__(self, finer: int, coarse: int, outputs: int):
        super().__init__()
        self.lateral = conv_bn(finer, outputs)
        self.reduce = conv_bn(coarse, outputs)
        self.depthwise = conv_bn(outputs, outputs, 5, groups=outputs)
        self.pointwise = conv_bn(outputs, outputs)

    def forward(self, finer: Tensor, coarse: Tensor) -> Tensor:
        up = F.interpolate(self.reduce(coarse), finer.shape[-2:], mode="bilinear", align_corners=False)
        x = F.relu6(self.lateral(finer) + up)
        return F.relu6(self.pointwise(F.relu6(self.depthwise(x))))


class LRASPP(nn.Module):
    """LR-ASPP-style head: a globally gated coarse branch, refined with the finer levels up to stride 4.

    The gate (global average pooling, 1x1 convolution, sigmoid) is that of Howard et al., "Searching for MobileNetV3", ICCV 2019
    (1905.02244), Sec. 6.4; where theirs adds one finer level as scores, this one merges the three finer levels as features.
    """

    def __init__(self, classes: int):
        super().__init__()
        self.context = conv_bn(CHANNELS[32], 160)
        self.gate = nn.Conv2d(CHANNELS[32], 160, 1)
        self.refine16 = Refine(CHANNELS[16], 160, 128)
        self.refine8 = Refine(CHANNELS[8], 128, 96)
        self.refine4 = Refine(CHANNELS[4], 96, 64)
        self.dropout = nn.Dropout2d(0.1)
        self.classify = nn.Conv2d(64, classes, 1)

    def forward(self, features: dict[int, Tensor]) -> Tensor:
        """Features by stride to class scores (N, classes, H/4, W/4)."""
        pooled = F.adaptive_avg_pool2d(features[32], 1)
        x = F.relu6(self.context(features[32])) * self.gate(pooled).sigmoid()
        x = self.refine16(features[16], x)
        x = self.refine8(features[8], x)
        x = self.refine4(features[4], x)
        return self.classify(self.dropout(x))
