"""Decoders that turn the encoder's features into class scores."""

from collections.abc import Mapping

import torch
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


def resize(x: Tensor, like: Tensor) -> Tensor:
    """Bilinear to the height and width of `like`."""
    return F.interpolate(x, like.shape[-2:], mode="bilinear", align_corners=False)


class FCN8s(nn.Module):
    """Scores at strides 32, 16 and 8, each upsampled to the next and added (Long et al., CVPR 2015, 1411.4038, Sec. 4.2).

    One 3x3 convolution stands for VGG's layers fc6 and fc7; upsampling is bilinear, as the paper's is at the start. `channels` are those
    of the encoder's features by stride.
    """

    def __init__(self, classes: int, channels: Mapping[int, int] = CHANNELS):
        super().__init__()
        self.fc = conv_bn(channels[32], 256, 3)
        self.dropout = nn.Dropout2d(0.1)
        self.score32 = nn.Conv2d(256, classes, 1)
        self.score16 = nn.Conv2d(channels[16], classes, 1)
        self.score8 = nn.Conv2d(channels[8], classes, 1)

    def forward(self, features: dict[int, Tensor]) -> Tensor:
        """Features by stride to class scores (N, classes, H/8, W/8)."""
        x = self.score32(self.dropout(F.relu6(self.fc(features[32]))))
        for score, finer in ((self.score16, features[16]), (self.score8, features[8])):
            x = score(finer) + resize(x, finer)
        return x


class PSPNet(nn.Module):
    """Averages over 1x1, 2x2, 3x3 and 6x6 regions next to the features they were taken from (Zhao et al., CVPR 2017, 1612.01105)."""

    def __init__(self, classes: int):
        super().__init__()
        self.bins = (1, 2, 3, 6)
        self.pyramid = nn.ModuleList(conv_bn(CHANNELS[32], 80) for _ in self.bins)
        self.mix = conv_bn(CHANNELS[32] + 80 * len(self.bins), 96, 3)
        self.dropout = nn.Dropout2d(0.1)
        self.classify = nn.Conv2d(96, classes, 1)

    def forward(self, features: dict[int, Tensor]) -> Tensor:
        """Features by stride to class scores on the grid of features[32]."""
        x = features[32]
        pooled = [F.relu6(conv(F.adaptive_avg_pool2d(x, side))) for side, conv in zip(self.bins, self.pyramid, strict=True)]
        x = torch.cat([x, *(resize(level, x) for level in pooled)], 1)
        return self.classify(self.dropout(F.relu6(self.mix(x))))


class DeepLab(nn.Module):
    """Atrous spatial pyramid pooling with image pooling, as DeepLab v3 (Chen et al., 2017, 1706.05587, Sec. 3.3).

    Parallel 1x1, three dilated 3x3 (depthwise-separable, as in v3+) and the average of the image. Rates 3, 6 and 9 cover about the same
    share of a grid of 14 to 20 cells as the paper's 6, 12 and 18 do of its 33.
    """

    def __init__(self, classes: int):
        super().__init__()
        inputs = CHANNELS[32]
        self.point = conv_bn(inputs, 96)
        self.atrous_depthwise = nn.ModuleList(conv_bn(inputs, inputs, 3, groups=inputs, dilation=rate) for rate in (3, 6, 9))
        self.atrous_pointwise = nn.ModuleList(conv_bn(inputs, 96) for _ in self.atrous_depthwise)
        self.image = conv_bn(inputs, 96)
        self.project = conv_bn(5 * 96, 128)
        self.mix = conv_bn(128, 128, 3)
        self.dropout = nn.Dropout2d(0.1)
        self.classify = nn.Conv2d(128, classes, 1)

    def forward(self, features: dict[int, Tensor]) -> Tensor:
        """Features by stride to class scores on the grid of features[32]."""
        x = features[32]
        branches = [F.relu6(self.point(x))]
        for depthwise, pointwise in zip(self.atrous_depthwise, self.atrous_pointwise, strict=True):
            branches.append(F.relu6(pointwise(F.relu6(depthwise(x)))))
        branches.append(F.relu6(self.image(F.adaptive_avg_pool2d(x, 1))).expand_as(branches[0]))
        x = F.relu6(self.mix(F.relu6(self.project(torch.cat(branches, 1)))))
        return self.classify(self.dropout(x))


class FrontEnd(nn.Module):
    """The front end of Yu & Koltun (ICLR 2016, 1511.07122, Sec. 4): scores straight from the features of a dilated encoder.

    VGG's layer fc6, there a 7x7 convolution dilated by 4, is here a depthwise one that starts as the identity; a 1x1 convolution stands
    for fc7.
    """

    def __init__(self, classes: int):
        super().__init__()
        self.fc6 = conv_bn(CHANNELS[32], CHANNELS[32], 7, groups=CHANNELS[32], dilation=4)
        nn.init.dirac_(self.fc6.get_parameter("0.weight"), CHANNELS[32])
        self.fc7 = conv_bn(CHANNELS[32], 256)
        self.dropout = nn.Dropout2d(0.1)
        self.classify = nn.Conv2d(256, classes, 1)

    def forward(self, features: dict[int, Tensor]) -> Tensor:
        """Features by stride to class scores on the grid of features[32]."""
        return self.classify(self.dropout(F.relu6(self.fc7(self.fc6(features[32])))))


class FrontEndWithContext(FrontEnd):
    """The front end, then the basic context module of Yu & Koltun (Table 1): 3x3 convolutions with dilation 1, 1, 2, 4, 8, 16 and 1.

    All layers hold one channel per class and start as the identity (Eq. 4), so that training starts where the front end is.
    """

    def __init__(self, classes: int):
        super().__init__(classes)
        self.context = nn.ModuleList(nn.Conv2d(classes, classes, 3, padding=rate, dilation=rate) for rate in (1, 1, 2, 4, 8, 16, 1))
        self.last = nn.Conv2d(classes, classes, 1)
        for conv in (*self.context, self.last):
            nn.init.dirac_(conv.weight)
            nn.init.zeros_(conv.bias)

    def forward(self, features: dict[int, Tensor]) -> Tensor:
        """Features by stride to class scores on the grid of features[32]."""
        x = super().forward(features)
        for conv in self.context:
            x = F.relu(conv(x))
        return self.last(x)


class ICNet(nn.Module):
    """Cascade feature fusion of three branches (Zhao et al., ECCV 2018, 1704.08545, Sec. 3.3), for the features of `CascadeEncoder`.

    The coarse branch goes through pyramid pooling, summed as in the paper. The auxiliary scores of the coarser branches are left out.
    """

    def __init__(self, classes: int):
        super().__init__()
        self.bins = (1, 2, 3, 6)
        self.reduce = conv_bn(CHANNELS[32], 128)
        self.fuse16 = CascadeFusion(128, CHANNELS[16], 128)
        self.fuse4 = CascadeFusion(128, CHANNELS[4], 64)
        self.dropout = nn.Dropout2d(0.1)
        self.classify = nn.Conv2d(64, classes, 1)

    def forward(self, features: dict[int, Tensor]) -> Tensor:
        """Features by stride to class scores (N, classes, H/4, W/4)."""
        coarse = features[32]
        coarse = coarse + torch.stack([resize(F.adaptive_avg_pool2d(coarse, side), coarse) for side in self.bins]).sum(0)
        x = self.fuse16(F.relu6(self.reduce(coarse)), features[16])
        return self.classify(self.dropout(self.fuse4(x, features[4])))


class CascadeFusion(nn.Module):
    """Upsample the coarse features, filter them with a dilated 3x3 convolution, add the projected finer ones."""

    def __init__(self, coarse: int, finer: int, outputs: int):
        super().__init__()
        self.coarse = conv_bn(coarse, outputs, 3, dilation=2)
        self.finer = conv_bn(finer, outputs)

    def forward(self, coarse: Tensor, finer: Tensor) -> Tensor:
        return F.relu6(self.coarse(resize(coarse, finer)) + self.finer(finer))


class SegNet(nn.Module):
    """A decoder that knows of the encoder's finer levels only where their maxima lie (Badrinarayanan et al., 1511.00561).

    EfficientNet has no pooling layers whose indices could be handed over. Their equivalent here: the indices of 2x2 max pooling of the
    encoder's features at strides 8 and 4, each for two channels of the decoder; its values are put there and zeros elsewhere, then
    filtered. No feature of the encoder's finer levels reaches the decoder. Indices have no gradient.
    """

    def __init__(self, classes: int):
        super().__init__()
        self.strides = (8, 4)
        self.compress = nn.ModuleList()
        self.filter = nn.ModuleList()
        inputs = CHANNELS[32]
        for stride in self.strides:
            channels = 2 * CHANNELS[stride]
            self.compress.append(conv_bn(inputs, channels, 3))
            self.filter.append(nn.Sequential(conv_bn(channels, channels, 3), nn.ReLU6(), conv_bn(channels, channels, 3), nn.ReLU6()))
            inputs = channels
        self.dropout = nn.Dropout2d(0.1)
        self.classify = nn.Conv2d(inputs, classes, 1)

    def forward(self, features: dict[int, Tensor]) -> Tensor:
        """Features by stride, those at 32 dilated to the grid of 16, to class scores (N, classes, H/4, W/4)."""
        x = features[32]
        for stride, compress, convolve in zip(self.strides, self.compress, self.filter, strict=True):
            finer = features[stride]
            _, indices = F.max_pool2d(finer, 2, ceil_mode=True, return_indices=True)
            x = F.max_unpool2d(F.relu6(compress(x)), indices.repeat(1, 2, 1, 1), [2, 2], output_size=finer.shape[-2:])
            x = convolve(x)
        return self.classify(self.dropout(x))
