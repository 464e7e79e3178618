"""EfficientNet-Lite0 as a feature encoder: features at strides 4, 8, 16 and 32.

Architecture: Tan & Le, "EfficientNet", ICML 2019 (1905.11946), in the Lite variant of its authors: no squeeze-and-excitation,
ReLU6 in place of swish, a stem that is not scaled.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

STRIDES = (4, 8, 16, 32)
CHANNELS = {4: 24, 8: 40, 16: 112, 32: 320}

# expansion, output channels, kernel, stride of the first block, number of blocks
STAGES = (
    (1, 16, 3, 1, 1),
    (6, 24, 3, 2, 2),
    (6, 40, 5, 2, 2),
    (6, 80, 3, 2, 3),
    (6, 112, 5, 1, 3),
    (6, 192, 5, 2, 4),
    (6, 320, 3, 1, 1),
)
LAST_BLOCK_AT_STRIDE = {2: 4, 4: 8, 10: 16, 15: 32}


class SameConv2d(nn.Conv2d):
    """Convolution with TensorFlow's SAME padding, under which the pretrained weights were learned: output side ceil(side / stride)."""

    def forward(self, x: Tensor) -> Tensor:
        kernel, stride = self.dilation[0] * (self.kernel_size[0] - 1) + 1, self.stride[0]
        pad_h, pad_w = (max((math.ceil(side / stride) - 1) * stride + kernel - side, 0) for side in x.shape[-2:])
        x = F.pad(x, (pad_w // 2, pad_w - pad_w // 2, pad_h // 2, pad_h - pad_h // 2))
        return super().forward(x)


def conv_bn(inputs: int, outputs: int, kernel: int = 1, stride: int = 1, groups: int = 1, dilation: int = 1) -> nn.Sequential:
    """Convolution without bias, then batch normalisation; keeps the side at stride 1."""
    conv: nn.Conv2d
    if stride == 1:
        conv = nn.Conv2d(inputs, outputs, kernel, padding=dilation * (kernel // 2), dilation=dilation, groups=groups, bias=False)
    else:
        conv = SameConv2d(inputs, outputs, kernel, stride, dilation=dilation, groups=groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs, eps=1e-3, momentum=0.01))


class InvertedResidual(nn.Module):
    """Expand, filter each channel on its own, project (MBConv without squeeze-and-excitation)."""

    def __init__(self, inputs: int, outputs: int, expansion: int, kernel: int, stride: int, dilation: int = 1):
        super().__init__()
        hidden = inputs * expansion
        self.expand = conv_bn(inputs, hidden) if expansion > 1 else None
        self.depthwise = conv_bn(hidden, hidden, kernel, stride, groups=hidden, dilation=dilation)
        self.project = conv_bn(hidden, outputs)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu6(self.expand(x)) if self.expand is not None else x
        y = self.project(F.relu6(self.depthwise(y)))
        return x + y if self.residual else y


class EfficientNetLite0(nn.Module):
    """Encoder without the classification head (3.0 M parameters).

    Each stride named in `dilated` (16, 32 or both) is not taken: the filters that come after it are dilated by two instead, so that they
    see what they were trained on, on a finer grid (Yu & Koltun, ICLR 2016, 1511.07122). The weights are the same.
    """

    def __init__(self, dilated: tuple[int, ...] = ()) -> None:
        super().__init__()
        self.stem = conv_bn(3, 32, 3, 2)
        blocks, inputs = [], 32
        reached, dilation = 2, 1
        for expansion, outputs, kernel, first_stride, count in STAGES:
            reached *= first_stride
            stride, rate = (1, first_stride) if reached in dilated else (first_stride, 1)
            for index in range(count):
                blocks.append(InvertedResidual(inputs, outputs, expansion, kernel, stride if index == 0 else 1, dilation))
                inputs = outputs
                if index == 0:
                    dilation *= rate
        self.blocks = nn.ModuleList(blocks)

    def forward(self, x: Tensor) -> dict[int, Tensor]:
        """Normalised images (N,3,H,W) to {stride: (N, CHANNELS[stride], ceil(H/stride), ceil(W/stride))}.

        Features keep the name of their stride in the network without dilation; dilated ones are on the grid of the next smaller stride.
        """
        x = F.relu6(self.stem(x))
        features = {}
        for index, block in enumerate(self.blocks):
            x = block(x)
            if index in LAST_BLOCK_AT_STRIDE:
                features[LAST_BLOCK_AT_STRIDE[index]] = x
        return features

    def load_imagenet(self, state: dict[str, Tensor]) -> None:
        """Take over the ImageNet weights published as `efficientnet-lite0-57934424.pth`.

        Raises KeyError where a weight is missing and RuntimeError where a shape differs; the classification head is left out.
        """
        parts = {"expand": ("_expand_conv", "_bn0"), "depthwise": ("_depthwise_conv", "_bn1"), "project": ("_project_conv", "_bn2")}
        renamed = {}
        for key in EfficientNetLite0().state_dict():
            path, tensor = key.rsplit(".", 1)
            if path.startswith("stem"):
                source = "_conv_stem" if path == "stem.0" else "_bn0"
            else:
                _, index, part, layer = path.split(".")
                source = f"_blocks.{index}.{parts[part][int(layer)]}"
            renamed[key] = state[f"{source}.{tensor}"]
        with torch.no_grad():
            self.load_state_dict(renamed, strict=False)


class CascadeEncoder(EfficientNetLite0):
    """The branches of ICNet (Zhao et al., ECCV 2018, 1704.08545): three light convolutions on the full image, EfficientNet-Lite0 on half.

    The paper's images have two megapixels, of which half the sides still show everything. Ours are small, so that "full" is here the image
    at twice its sides and "half" the image itself. The features at stride 4 are those of the light branch, those at 16 are the half-size
    branch, and what goes on to stride 32 is the paper's quarter-size branch, which shares its first layers with the half-size one there,
    too.
    """

    def __init__(self) -> None:
        super().__init__()
        self.light = nn.Sequential(
            conv_bn(3, 16, 3, 2), nn.ReLU6(), conv_bn(16, 32, 3, 2), nn.ReLU6(), conv_bn(32, CHANNELS[4], 3, 2), nn.ReLU6()
        )

    def forward(self, x: Tensor) -> dict[int, Tensor]:
        """Normalised images (N,3,H,W) to {stride: (N, CHANNELS[stride], ceil(H/stride), ceil(W/stride))} for strides 4, 16 and 32."""
        features = super().forward(x)
        doubled = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
        return {4: self.light(doubled), 16: features[16], 32: features[32]}
