"""Figures of merit: confusion matrix, IoU, pixel accuracy, perturbation norms, similarity.

0/0 rule: a class that is neither in the labels nor in the prediction has no IoU (nan) and is left out of every mean.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from segviz.deferred import torch
from segviz.types import VOID

if TYPE_CHECKING:
    from torch import Tensor


def confusion_matrix(prediction: Tensor, labels: Tensor, classes: int) -> Tensor:
    """Count pixels per image: rows are labels, columns predictions.

    `prediction` and `labels` are integer maps (N,H,W); pixels labelled 255 do not count. Returns int64 (N,classes,classes).
    """
    images = torch.arange(len(labels), device=labels.device).view(-1, 1, 1)
    cell = (images * classes + labels.long()) * classes + prediction.long()
    # Void pixels land in one cell past the last, which is cut off: no host synchronisation as masked selection would cost.
    total = len(labels) * classes * classes
    cell = torch.where(labels == VOID, total, cell)
    return torch.bincount(cell.flatten(), minlength=total + 1)[:total].view(-1, classes, classes)


def class_iou(confusion: Tensor) -> Tensor:
    """Intersection over union per class, (...,C,C) counts to (...,C) in [0,1]; nan where the union is empty."""
    hits = confusion.diagonal(dim1=-2, dim2=-1).double()
    union = confusion.sum(-1) + confusion.sum(-2) - hits
    return torch.where(union > 0, hits / union.clamp(min=1), torch.nan)


def mean_iou(confusion: Tensor) -> Tensor:
    """Mean of `class_iou` over classes with a union, (...,C,C) counts to (...) in [0,1].

    Of one image's counts this is that image's mIoU; of counts summed over a data set it is the data set's.
    """
    return class_iou(confusion).nanmean(-1)


def pixel_accuracy(confusion: Tensor) -> Tensor:
    """Share of labelled pixels that are right, (...,C,C) counts to (...) in [0,1]; nan without labelled pixels."""
    return confusion.diagonal(dim1=-2, dim2=-1).sum(-1).double() / confusion.sum((-1, -2))


def linf(x_adv: Tensor, x: Tensor) -> Tensor:
    """Largest change of any value between 8-bit images (N,3,H,W) in [0,1], in whole grey levels 0..255 (N,)."""
    return ((x_adv * 255).round() - (x * 255).round()).abs().amax((1, 2, 3))


def l2(x_adv: Tensor, x: Tensor) -> Tensor:
    """Euclidean norm of the change, images (N,3,H,W) to (N,) on the [0,1] scale."""
    return (x_adv.double() - x.double()).flatten(1).norm(dim=1)


def psnr(x_adv: Tensor, x: Tensor) -> Tensor:
    """Peak signal-to-noise ratio 10 log10(1 / MSE), images (N,3,H,W) in [0,1] to (N,) in decibels; inf for equal images."""
    return -10 * (x_adv.double() - x.double()).square().mean((1, 2, 3)).log10()


def ssim(x_adv: Tensor, x: Tensor) -> Tensor:
    """Mean structural similarity of images (N,3,H,W) in [0,1], at least 11 pixels a side, to (N,); 1 for equal images.

    Wang, Bovik, Sheikh & Simoncelli (2004): Gaussian windows of 11x11 and sigma 1.5 that lie wholly in the image, K = (0.01, 0.03),
    every channel by itself.
    """
    window = [math.exp(-(offset**2) / (2 * 1.5**2)) for offset in range(-5, 6)]

    def smooth(values: Tensor) -> Tensor:
        for dim in (2, 3):
            kept = values.shape[dim] - 10
            smoothed = torch.zeros_like(values.narrow(dim, 0, kept))
            for at, weight in enumerate(window):
                smoothed.add_(values.narrow(dim, at, kept), alpha=weight / sum(window))
            values = smoothed
        return values

    mean_adv, mean = smooth(x_adv), smooth(x)
    variance_adv, variance = smooth(x_adv.square()) - mean_adv.square(), smooth(x.square()) - mean.square()
    covariance = smooth(x_adv * x) - mean_adv * mean
    c1, c2 = 0.01**2, 0.03**2
    similarity = (2 * mean_adv * mean + c1) * (2 * covariance + c2)
    return (similarity / ((mean_adv.square() + mean.square() + c1) * (variance_adv + variance + c2))).mean((1, 2, 3))
