"""A plain encoder: 3x3 convolutions and max pooling, and no path around them.

Simonyan & Zisserman, "Very Deep Convolutional Networks for Large-Scale Image Recognition", ICLR 2015 (1409.1556), configuration D
(VGG-16) at about a third of its channels, with batch normalisation, without which so deep a plain network hardly learns from scratch.
"""

import torch.nn.functional as F
from torch import Tensor, nn

from segviz.models.encoder import conv_bn

# output channels and number of convolutions of each stage, which ends at the stride 2, 4, 8, 16, 32
STAGES = ((24, 2), (48, 2), (96, 3), (160, 3), (160, 3))
CHANNELS = {8: 96, 16: 160, 32: 160}


class VGG(nn.Module):
    """Encoder without the classification head (1.6 M parameters)."""

    def __init__(self) -> None:
        super().__init__()
        stages, inputs = [], 3
        for outputs, count in STAGES:
            stages.append(nn.ModuleList(conv_bn(inputs if index == 0 else outputs, outputs, 3) for index in range(count)))
            inputs = outputs
        self.stages = nn.ModuleList(stages)

    def forward(self, x: Tensor) -> dict[int, Tensor]:
        """Normalised images (N,3,H,W) to {stride: (N, CHANNELS[stride], ceil(H/stride), ceil(W/stride))} for strides 8, 16 and 32."""
        features: dict[int, Tensor] = {}
        for number, stage in enumerate(self.stages):
            assert isinstance(stage, nn.ModuleList)
            for layer in stage:
                x = F.relu(layer(x))
            x = F.max_pool2d(x, 2, ceil_mode=True)
            features[2 ** (number + 1)] = x
        return {stride: features[stride] for stride in CHANNELS}
