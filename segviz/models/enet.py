"""ENet.

Paszke et al., "ENet: A Deep Neural Network Architecture for Real-Time Semantic Segmentation" (1606.02147), Table 1, in the variant of a
published Cityscapes checkpoint: ReLU inside the bottlenecks, a projection on every change of channels, bilinear upsampling at the end.
Attributes are named so that that checkpoint loads strictly.
"""

import torch
from torch import Tensor, nn


class Activation(nn.Module):
    """PReLU with one slope, under the checkpoint's name."""

    def __init__(self) -> None:
        super().__init__()
        self.activation = nn.PReLU()

    def forward(self, x: Tensor) -> Tensor:
        return self.activation(x)


def conv_bn_act(
    inputs: int, outputs: int, kernel: int | tuple[int, int] = 3, stride: int = 1, dilation: int = 1, prelu: bool = False
) -> nn.Sequential:
    """Convolution without bias, batch normalisation, ReLU or PReLU; keeps the side at stride 1."""
    height, width = kernel if isinstance(kernel, tuple) else (kernel, kernel)
    padding = (height // 2 * dilation, width // 2 * dilation)
    conv = nn.Conv2d(inputs, outputs, kernel, stride, padding, dilation, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs), Activation() if prelu else nn.ReLU())


class Initial(nn.Module):
    """Strided convolution beside max pooling."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = conv_bn_act(3, 13, 3, 2, prelu=True)
        self.pool = nn.MaxPool2d(3, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.conv(x), self.pool(x)], 1)


class Bottleneck(nn.Module):
    """Residual bottleneck; `dilation`, or a 5x1 and a 1x5 convolution if `asymmetric`."""

    def __init__(self, channels: int, dilation: int = 1, asymmetric: bool = False):
        super().__init__()
        hidden = channels // 4
        middle = [conv_bn_act(hidden, hidden, dilation=dilation)]
        if asymmetric:
            middle = [conv_bn_act(hidden, hidden, (5, 1)), conv_bn_act(hidden, hidden, (1, 5))]
        self.right_init_conv = nn.Sequential(conv_bn_act(channels, hidden, 1), *middle)
        self.right_last_conv = nn.Sequential(nn.Conv2d(hidden, channels, 1, bias=False), nn.Dropout(0.1))
        self.act = Activation()

    def forward(self, x: Tensor) -> Tensor:
        return self.act(x + self.right_last_conv(self.right_init_conv(x)))


class Down(nn.Module):
    """Bottleneck that halves the side; returns the indices of its max pooling as well."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        hidden = inputs // 4
        self.left_pool = nn.MaxPool2d(2, 2, return_indices=True)
        self.left_conv = conv_bn_act(inputs, outputs, 1)
        self.right_init_conv = nn.Sequential(conv_bn_act(inputs, hidden, 3, 2), conv_bn_act(hidden, hidden))
        self.right_last_conv = nn.Sequential(nn.Conv2d(hidden, outputs, 1, bias=False), nn.Dropout(0.1))
        self.act = Activation()

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        left, indices = self.left_pool(x)
        return self.act(self.left_conv(left) + self.right_last_conv(self.right_init_conv(x))), indices


class Deconvolution(nn.Module):
    """Transposed convolution to twice the side."""

    def __init__(self, channels: int):
        super().__init__()
        self.up_conv = nn.ConvTranspose2d(channels, channels, 3, 2, 1, output_padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.up_conv(x)


class Up(nn.Module):
    """Bottleneck that doubles the side: max unpooling beside a transposed convolution."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        hidden = inputs // 4
        self.left_conv = conv_bn_act(inputs, outputs, 1)
        self.left_pool = nn.MaxUnpool2d(2, 2)
        self.right_init_conv = nn.Sequential(conv_bn_act(inputs, hidden, 1), Deconvolution(hidden))
        self.right_last_conv = nn.Sequential(nn.Conv2d(hidden, outputs, 1, bias=False), nn.Dropout(0.1))
        self.act = Activation()

    def forward(self, x: Tensor, indices: Tensor) -> Tensor:
        return self.act(self.left_pool(self.left_conv(x), indices) + self.right_last_conv(self.right_init_conv(x)))


class ENetStage(nn.Module):
    """Encoder stage: a downsampling bottleneck, unless `inputs` is None, and further bottlenecks."""

    def __init__(self, inputs: int | None, outputs: int, blocks: list[Bottleneck]):
        super().__init__()
        if inputs is not None:
            self.conv_pool = Down(inputs, outputs)
        self.conv_regular = nn.Sequential(*blocks)


class UpStage(nn.Module):
    """Decoder stage: an upsampling bottleneck and one or two regular ones."""

    def __init__(self, inputs: int, outputs: int, extra: bool):
        super().__init__()
        self.conv_unpool = Up(inputs, outputs)
        self.conv_regular = Bottleneck(outputs)
        self.conv_extra = Bottleneck(outputs) if extra else nn.Identity()

    def forward(self, x: Tensor, indices: Tensor) -> Tensor:
        return self.conv_extra(self.conv_regular(self.conv_unpool(x, indices)))


class FullConv(nn.Module):
    """Class scores at twice the side."""

    def __init__(self, inputs: int, classes: int):
        super().__init__()
        self.up_conv = nn.Sequential(conv_bn_act(inputs, classes, 1, prelu=True), nn.Upsample(scale_factor=2, mode="bilinear"))

    def forward(self, x: Tensor) -> Tensor:
        return self.up_conv(x)


def context() -> list[Bottleneck]:
    """The bottlenecks that stages 2 and 3 share: regular, dilated and asymmetric in turn."""
    dilations = (1, 2, 0, 4, 1, 8, 0, 16)
    return [Bottleneck(128, dilation or 1, asymmetric=dilation == 0) for dilation in dilations]


class ENet(nn.Module):
    """Normalised RGB images (N,3,H,W), H and W multiples of 8, to class scores (N, classes, H, W)."""

    def __init__(self, classes: int):
        super().__init__()
        self.initial = Initial()
        self.bottleneck1 = ENetStage(16, 64, [Bottleneck(64) for _ in range(4)])
        self.bottleneck2 = ENetStage(64, 128, context())
        self.bottleneck3 = ENetStage(None, 128, context())
        self.bottleneck4 = UpStage(128, 64, extra=True)
        self.bottleneck5 = UpStage(64, 16, extra=False)
        self.fullconv = FullConv(16, classes)

    def forward(self, image: Tensor) -> Tensor:
        x, indices1 = self.bottleneck1.conv_pool(self.initial(image))
        x, indices2 = self.bottleneck2.conv_pool(self.bottleneck1.conv_regular(x))
        x = self.bottleneck3.conv_regular(self.bottleneck2.conv_regular(x))
        x = self.bottleneck4(x, indices2)
        return self.fullconv(self.bottleneck5(x, indices1))
