"""The selfie segmentation network of MediaPipe, which separates people from their background in video calls.

An encoder of MobileNetV3's bottlenecks (Howard et al., ICCV 2019, 1905.02244) down to stride 16, its LR-ASPP-style head, and a decoder that
gates each finer level by what it and the coarser one hold together. The network is defined by the files that
`segviz.training.selfie` reads; batch normalisation is folded into the convolutions there.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from segviz.models.encoder import SameConv2d

# output channels, expanded channels, kernel, stride, squeezed channels (0: no squeeze-and-excitation), hard-swish instead of ReLU
BOTTLENECKS = (
    (16, 16, 3, 2, 8, False),
    (24, 72, 3, 2, 0, False),
    (24, 88, 3, 1, 0, False),
    (32, 96, 5, 2, 24, True),
    (32, 128, 5, 1, 32, True),
    (32, 128, 5, 1, 32, True),
    (32, 96, 5, 1, 24, True),
    (32, 96, 5, 1, 24, True),
)
LAST_BOTTLENECK_AT_STRIDE = {4: 0, 8: 2}


class ChannelGate(nn.Module):
    """From the means of the channels a factor in (0,1) for each (squeeze-and-excitation)."""

    def __init__(self, channels: int, squeezed: int):
        super().__init__()
        self.squeeze = nn.Conv2d(channels, squeezed, 1)
        self.excite = nn.Conv2d(squeezed, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.excite(F.relu(self.squeeze(x.mean((2, 3), keepdim=True)))).sigmoid()


class GatedBottleneck(nn.Module):
    """Expand, filter each channel on its own, gate, project; added to the input where the shapes agree."""

    def __init__(self, inputs: int, outputs: int, hidden: int, kernel: int, stride: int, squeezed: int, swish: bool):
        super().__init__()
        self.expand = nn.Conv2d(inputs, hidden, 1)
        self.depthwise = SameConv2d(hidden, hidden, kernel, stride, groups=hidden)
        self.gate = ChannelGate(hidden, squeezed) if squeezed else None
        self.project = nn.Conv2d(hidden, outputs, 1)
        self.activate = F.hardswish if swish else F.relu
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        y = self.activate(self.depthwise(self.activate(self.expand(x))))
        if self.gate is not None:
            y = y * self.gate(y)
        y = self.project(y)
        return x + y if self.residual else y


class Decode(nn.Module):
    """Upsample the coarser features, add the finer ones, gated by what the sum holds, and filter."""

    def __init__(self, coarse: int, channels: int):
        super().__init__()
        self.reduce = nn.Conv2d(coarse, channels, 1)
        self.gate = ChannelGate(channels, channels)
        self.mix = nn.Conv2d(channels, channels, 1)
        self.depthwise = nn.Conv2d(channels, channels, 3, padding=1, groups=channels)

    def forward(self, finer: Tensor, coarse: Tensor) -> Tensor:
        up = self.reduce(F.interpolate(coarse, finer.shape[-2:], mode="bilinear", align_corners=False))
        x = F.relu(self.mix(finer * self.gate(finer + up) + up))
        return x + F.relu(self.depthwise(x))


class SelfieNet(nn.Module):
    """RGB images (N,3,H,W) in [0,1], sides multiples of 16, to the scores (N,2,H,W) of background and person: 0 and the network's logit.

    Their softmax is the sigmoid that the network ends in.
    """

    def __init__(self) -> None:
        super().__init__()
        self.stem = SameConv2d(3, 16, 3, 2)
        blocks, inputs = [], 16
        for outputs, hidden, kernel, stride, squeezed, swish in BOTTLENECKS:
            blocks.append(GatedBottleneck(inputs, outputs, hidden, kernel, stride, squeezed, swish))
            inputs = outputs
        self.blocks = nn.ModuleList(blocks)
        self.context = nn.Conv2d(32, 128, 1)
        self.context_gate = nn.Conv2d(32, 128, 1)
        self.decode8 = Decode(128, 24)
        self.decode4 = Decode(24, 16)
        self.decode2 = Decode(16, 16)
        self.classify = nn.ConvTranspose2d(16, 1, 2, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = finest = F.hardswish(self.stem(x))
        finer = {}
        for index, block in enumerate(self.blocks):
            x = block(x)
            finer[index] = x
        x = F.relu(self.context(x)) * self.context_gate(x.mean((2, 3), keepdim=True)).sigmoid()
        x = self.decode8(finer[LAST_BOTTLENECK_AT_STRIDE[8]], x)
        x = self.decode4(finer[LAST_BOTTLENECK_AT_STRIDE[4]], x)
        person = self.classify(self.decode2(finest, x))
        return torch.cat([torch.zeros_like(person), person], 1)
