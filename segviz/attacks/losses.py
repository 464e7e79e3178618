"""Pixel losses. Each maps logits (N,C,H,W) and labels (N,H,W), int64 without void, to a loss per pixel (N,H,W).

An untargeted attack makes the loss larger, a targeted one smaller.
"""

import torch.nn.functional as F
from torch import Tensor


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """-log softmax(u)_y, u the logits and y the label of a pixel; natural logarithm, >= 0."""
    return F.cross_entropy(logits, labels, reduction="none")


def least_likely_cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """log softmax(u)_l with l = argmin u, the least likely class of the same logits; <= 0. `labels` are not looked at.

    Making it larger pulls each pixel to its currently least likely class: Kurakin, Goodfellow & Bengio, "Adversarial examples in the
    physical world", 2016 (1607.02533), Sec. 2.3, taken pixel by pixel with l re-computed in every iteration as Arnab, Miksik & Torr,
    CVPR 2018 (1711.09856), do for segmentation.
    """
    return -F.cross_entropy(logits, logits.detach().argmin(1), reduction="none")
