"""ESPNetv2 for segmentation.

Mehta et al., "ESPNetv2: A Light-weight, Power Efficient, and General Purpose Convolutional Neural Network", CVPR 2019 (1811.11431):
EESP units (Sec. 3.2), strided EESP with a shortcut to the image (Fig. 2), and a bottom-up decoder of efficient pyramid pooling.
Attributes are named so that the authors' checkpoints load strictly.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

WIDTHS = {
    0.5: (16, 32, 64, 128),
    1.0: (32, 64, 128, 256),
    1.5: (32, 96, 192, 384),
    2.0: (32, 128, 256, 512),
}
"""Channels at strides 2, 4, 8 and 16 by width."""

BRANCHES = 4
DECODER_CHANNELS = (64, 48, 32)
POOLING_SCALES = (2.0, 1.5, 1.0, 0.5, 0.1)


class ConvBN(nn.Module):
    """Convolution without bias, batch normalisation and, if wanted, PReLU; keeps the side at stride 1."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1, activate: bool = True):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
        self.bn = nn.BatchNorm2d(outputs)
        if activate:
            self.act = nn.PReLU(outputs)
        self.activate = activate

    def forward(self, x: Tensor) -> Tensor:
        x = self.bn(self.conv(x))
        return self.act(x) if self.activate else x


class BNAct(nn.Module):
    """Batch normalisation and PReLU."""

    def __init__(self, channels: int):
        super().__init__()
        self.bn = nn.BatchNorm2d(channels)
        self.act = nn.PReLU(channels)

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.bn(x))


class Dilated(nn.Module):
    """Depth-wise 3x3 convolution with a dilation."""

    def __init__(self, channels: int, stride: int, dilation: int):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, stride, dilation, dilation, groups=channels, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x)


class EESP(nn.Module):
    """Extremely efficient spatial pyramid: reduce, dilated depth-wise branches added up hierarchically, expand, residual.

    `receptive_limit` is the largest receptive field of a branch in pixels; branches beyond it fall back to 3.
    """

    def __init__(self, inputs: int, outputs: int, stride: int, receptive_limit: int):
        super().__init__()
        channels = outputs // BRANCHES
        fields = sorted(field if field <= receptive_limit else 3 for field in range(3, 3 + 2 * BRANCHES, 2))
        self.proj_1x1 = ConvBN(inputs, channels, 1, groups=BRANCHES)
        self.spp_dw = nn.ModuleList(Dilated(channels, stride, (field - 1) // 2) for field in fields)
        self.conv_1x1_exp = ConvBN(outputs, outputs, 1, groups=BRANCHES, activate=False)
        self.br_after_cat = BNAct(outputs)
        self.module_act = nn.PReLU(outputs)
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        reduced = self.proj_1x1(x)
        branches = [self.spp_dw[0](reduced)]
        for convolution in self.spp_dw[1:]:
            branches.append(convolution(reduced) + branches[-1])
        expanded = self.conv_1x1_exp(self.br_after_cat(torch.cat(branches, 1)))
        if self.stride == 2:
            return expanded
        return self.module_act(expanded + x)


class StridedEESP(nn.Module):
    """Halves the side: average pooling beside a strided EESP, plus the image, pooled to that size, through two convolutions."""

    def __init__(self, inputs: int, outputs: int, receptive_limit: int):
        super().__init__()
        self.eesp = EESP(inputs, outputs - inputs, 2, receptive_limit)
        self.inp_reinf = nn.Sequential(ConvBN(3, 3, 3), ConvBN(3, outputs, 1, activate=False))
        self.act = nn.PReLU(outputs)

    def forward(self, x: Tensor, image: Tensor) -> Tensor:
        pooled = F.avg_pool2d(x, 3, 2, 1)
        merged = torch.cat([pooled, self.eesp(x)], 1)
        while image.shape[-2] > pooled.shape[-2]:
            image = F.avg_pool2d(image, 3, 2, 1)
        return self.act(merged + self.inp_reinf(image))


class Encoder(nn.Module):
    """The ESPNetv2 base network without its classification layers."""

    def __init__(self, channels: tuple[int, ...]):
        super().__init__()
        c2, c4, c8, c16 = channels
        self.level1 = ConvBN(3, c2, 3, 2)
        self.level2_0 = StridedEESP(c2, c4, 13)
        self.level3_0 = StridedEESP(c4, c8, 11)
        self.level3 = nn.ModuleList(EESP(c8, c8, 1, 9) for _ in range(3))
        self.level4_0 = StridedEESP(c8, c16, 9)
        self.level4 = nn.ModuleList(EESP(c16, c16, 1, 7) for _ in range(7))

    def forward(self, image: Tensor) -> dict[int, Tensor]:
        """Normalised images (N,3,H,W) to features by stride."""
        features = {2: self.level1(image)}
        features[4] = self.level2_0(features[2], image)
        x = self.level3_0(features[4], image)
        for block in self.level3:
            x = block(x)
        features[8] = x
        x = self.level4_0(x, image)
        for block in self.level4:
            x = block(x)
        features[16] = x
        return features


class DecoderConv(nn.Module):
    """Convolution without bias, batch normalisation and PReLU, under the decoder's names."""

    def __init__(self, inputs: int, outputs: int, kernel: int, groups: int = 1):
        super().__init__()
        conv = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, groups=groups, bias=False)
        self.cbr = nn.Sequential(conv, nn.BatchNorm2d(outputs), nn.PReLU(outputs))

    def forward(self, x: Tensor) -> Tensor:
        return self.cbr(x)


class DecoderBNAct(nn.Module):
    """Batch normalisation and PReLU, under the decoder's names."""

    def __init__(self, channels: int):
        super().__init__()
        self.br = nn.Sequential(nn.BatchNorm2d(channels), nn.PReLU(channels))

    def forward(self, x: Tensor) -> Tensor:
        return self.br(x)


class PyramidPooling(nn.Module):
    """Efficient pyramid pooling: depth-wise convolutions at five scales of the feature map, merged."""

    def __init__(self, inputs: int, projected: int, outputs: int, last: bool = False):
        super().__init__()
        count = len(POOLING_SCALES)
        self.projection_layer = DecoderConv(inputs, projected, 1)
        self.stages = nn.ModuleList(nn.Conv2d(projected, projected, 3, padding=1, groups=projected, bias=False) for _ in POOLING_SCALES)
        self.merge_layer = nn.Sequential(
            DecoderBNAct(projected * count),
            nn.ChannelShuffle(count),
            DecoderConv(projected * count, projected, 3, groups=projected),
            nn.Conv2d(projected, outputs, 1, bias=last),
        )
        if not last:
            self.br = DecoderBNAct(outputs)
        self.last = last

    def forward(self, x: Tensor) -> Tensor:
        x = self.projection_layer(x)
        size = (x.shape[-2], x.shape[-1])
        pyramid = []
        for scale, stage in zip(POOLING_SCALES, self.stages, strict=True):
            height, width = (max(math.ceil(side * scale), 5) for side in size)
            scaled = (height, width)
            if scale < 1:
                y = F.interpolate(stage(F.adaptive_avg_pool2d(x, scaled)), size, mode="bilinear", align_corners=True)
            elif scale > 1:
                y = F.adaptive_avg_pool2d(stage(F.interpolate(x, scaled, mode="bilinear", align_corners=True)), size)
            else:
                y = stage(x)
            pyramid.append(y)
        x = self.merge_layer(torch.cat(pyramid, 1))
        return x if self.last else self.br(x)


class GatedConv(nn.Module):
    """Brings encoder features to the decoder's channels, weighted channel by channel from their global mean."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.wt_layer = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(inputs, outputs, 1, bias=False), nn.Sigmoid())
        self.expansion_layer = DecoderConv(inputs, outputs, 3, groups=math.gcd(inputs, outputs))

    def forward(self, x: Tensor) -> Tensor:
        return self.expansion_layer(x) * self.wt_layer(x)


class ESPNetv2(nn.Module):
    """Normalised RGB images (N,3,H,W), H and W multiples of 16, to class scores (N, kept, H, W).

    `outputs` are the channels of the checkpoint, of which the first `kept` are classes (the published Cityscapes networks have a
    twentieth channel for a background that is never trained).
    """

    def __init__(self, width: float, outputs: int, kept: int | None = None):
        super().__init__()
        channels = WIDTHS[width]
        d1, d2, d3 = DECODER_CHANNELS
        projected = min(outputs // 2, 16)
        self.kept = kept or outputs
        self.base_net = Encoder(channels)
        self.bu_dec_l1 = PyramidPooling(channels[3], projected, d1)
        self.bu_dec_l2 = PyramidPooling(d1, projected, d2)
        self.bu_dec_l3 = PyramidPooling(d2, projected, d3)
        self.bu_dec_l4 = PyramidPooling(d3, projected, outputs, last=True)
        self.merge_enc_dec_l2 = GatedConv(channels[2], d1)
        self.merge_enc_dec_l3 = GatedConv(channels[1], d2)
        self.merge_enc_dec_l4 = GatedConv(channels[0], d3)
        self.bu_br_l2 = nn.Sequential(nn.BatchNorm2d(d1), nn.PReLU(d1))
        self.bu_br_l3 = nn.Sequential(nn.BatchNorm2d(d2), nn.PReLU(d2))
        self.bu_br_l4 = nn.Sequential(nn.BatchNorm2d(d3), nn.PReLU(d3))

    def forward(self, image: Tensor) -> Tensor:
        features = self.base_net(image)
        x = self.bu_dec_l1(features[16])
        x = self.bu_dec_l2(self.bu_br_l2(self.merge_enc_dec_l2(features[8]) + twice(x)))
        x = self.bu_dec_l3(self.bu_br_l3(self.merge_enc_dec_l3(features[4]) + twice(x)))
        x = self.bu_dec_l4(self.bu_br_l4(self.merge_enc_dec_l4(features[2]) + twice(x)))
        return F.interpolate(x, image.shape[-2:], mode="bilinear", align_corners=True)[:, : self.kept]


def twice(x: Tensor) -> Tensor:
    """Upsample to twice the side, corners on corners."""
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True)
