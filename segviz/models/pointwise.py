"""1x1 convolutions whose gradients come out the same every time."""

import torch.nn.functional as F
from torch import Tensor, nn


class PointConv2d(nn.Conv2d):
    """A 1x1 convolution that sees one pixel of one image, as after global pooling, as a matrix product.

    With two threads or more, the gradient of oneDNN's convolution differs there in its last bits from call to call, which an attack that
    starts where its gradient is all but zero, as CIRA does, makes visible.
    """

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[0] * x.shape[-2] * x.shape[-1] > 1:
            return super().forward(x)
        return F.linear(x.flatten(1), self.weight.flatten(1), self.bias)[..., None, None]


def make_repeatable(network: nn.Module) -> None:
    """In place: every plain 1x1 convolution becomes a PointConv2d, with its parameters."""
    for part in network.modules():
        # Of no subclass: those do more than convolve.
        if not isinstance(part, nn.Conv2d) or type(part) is not nn.Conv2d or part.groups > 1:
            continue
        if (part.kernel_size, part.stride, part.padding) == ((1, 1), (1, 1), (0, 0)):
            part.__class__ = PointConv2d
