"""Pixel losses. Each maps a Look at one forward pass to a loss per pixel (N,H,W).

An untargeted attack makes the loss larger, a targeted one smaller. u are the logits, p their softmax, y the label (or, targeted, the
wished class) of a pixel. Masks and weights come from the same logits and carry no gradient.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch
import torch.nn.functional as F
from torch import Tensor

from segviz.types import Goal


@dataclass(frozen=True)
class Look:
    """One forward pass as losses see it: `logits` (N,C,H,W), the `goal`, and that this is iteration t = `iteration` of T = `steps`.

    `class_pixels` (C,) are how many training pixels each class has, up to a factor, if that is known.
    """

    logits: Tensor
    goal: Goal
    iteration: int = 1
    steps: int = 1
    class_pixels: Tensor | None = None

    @cached_property
    def log_probabilities(self) -> Tensor:
        """log p, (N,C,H,W)."""
        return F.log_softmax(self.logits, 1)

    @cached_property
    def prediction(self) -> Tensor:
        """Predicted classes (N,H,W)."""
        return self.logits.detach().argmax(1)

    @cached_property
    def labels(self) -> Tensor:
        """y with an index as good as any for void pixels, (N,1,H,W)."""
        return self.goal.safe_labels.unsqueeze(1)

    @cached_property
    def cross_entropy(self) -> Tensor:
        """-log p_y, (N,H,W), natural logarithm."""
        return -self.log_probabilities.gather(1, self.labels).squeeze(1)

    @cached_property
    def open(self) -> Tensor:
        """Pixels that the attack has yet to win: still right, or (targeted) not yet of the wished class; (N,H,W) bool."""
        return (self.prediction == self.goal.safe_labels) != self.goal.targeted

    def mean(self, pixel_loss: Tensor) -> Tensor:
        """Loss per pixel (N,H,W) to its mean over each image's counted pixels (N,); 0 where none counts."""
        return (pixel_loss * self.goal.weight).sum((1, 2))


PixelLoss = Callable[[Look], Tensor]


def cross_entropy(look: Look) -> Tensor:
    """-log p_y, >= 0."""
    return look.cross_entropy


def least_likely_cross_entropy(look: Look) -> Tensor:
    """log p_l with l = argmin u, the least likely class of the same logits; <= 0. The labels are not looked at.

    Making it larger pulls each pixel to its currently least likely class: Kurakin, Goodfellow & Bengio, "Adversarial examples in the
    physical world", 2016 (1607.02533), Sec. 2.3, taken pixel by pixel with l re-computed in every iteration as Arnab, Miksik & Torr,
    CVPR 2018 (1711.09856), do for segmentation.
    """
    least_likely = look.logits.detach().argmin(1, keepdim=True)
    return look.log_probabilities.gather(1, least_likely).squeeze(1)


def masked_cross_entropy(look: Look) -> Tensor:
    """MCE: 1[pixel not yet won] * CE (Croce, Singh & Hein, ECCV 2024, 2306.12941)."""
    return look.open * look.cross_entropy


def balanced_masked_cross_entropy(look: Look) -> Tensor:
    """MCE-Bal: 1/N_y * 1[pixel not yet won] * CE, N_y the training pixels of class y (2306.12941).

    The weights are scaled so that the most frequent class has weight 1. Where the training pixels of a model are not known, N_y is
    counted in the labels of the goal, image by image; that stand-in is ours.
    """
    labels, counted = look.goal.safe_labels, look.goal.counted
    classes = look.logits.shape[1]
    if look.class_pixels is not None:
        pixels = look.class_pixels.to(look.logits, non_blocking=True).expand(len(labels), classes)
    else:
        pixels = F.one_hot(torch.where(counted, labels, classes).flatten(1), classes + 1).sum(1)[:, :classes].to(look.logits)
    largest = pixels.amax(1, keepdim=True)
    weight = torch.where(pixels > 0, largest / pixels.clamp(min=1e-12), 1.0)
    return weight.gather(1, labels.flatten(1)).view_as(labels) * look.open * look.cross_entropy


def jensen_shannon(look: Look) -> Tensor:
    """JS(p || e_y) = 1/2 [KL(p || m) + KL(e_y || m)], m = (p + e_y)/2; between 0 and log 2 (2306.12941).

    Closed form, for p_y alone differs from the other classes in m:
    1/2 log(2/(1 + p_y)) + 1/2 p_y log(2 p_y/(1 + p_y)) + 1/2 (1 - p_y) log 2. Its gradient vanishes with p_y, so pixels that are
    already fooled stop pulling without a mask.
    """
    log_p = -look.cross_entropy
    p = log_p.exp()
    log_m = torch.log1p(p) - math.log(2)
    return 0.5 * (-log_m + p * (log_p - log_m) + (1 - p) * math.log(2))


def tsallis(look: Look, q: float | None = None) -> Tensor:
    """Tsallis cross-entropy (1 - p_y^(1-q)) / (1 - q), q <= 1; with q = 1 it is the cross-entropy, below it lies between 0 and 1/(1 - q).

    Its gradient is that of the cross-entropy times p_y^(1-q): the lower q, the less do pixels count that are unsure or already fooled.
    Without `q` it rises in equal steps, q = -2 + 3 (t - 1)/T with t = 1..T, and would be 1 after the last step. Matyasko, Lou, Atmosukarto
    & Zhang, "TsallisPGD", IJCNN 2026 (2605.03405); the steps of q are those of their code.
    """
    if q is None:
        q = -2 + 3 * (look.iteration - 1) / look.steps
    return look.cross_entropy if q == 1 else -torch.expm1((q - 1) * look.cross_entropy) / (1 - q)


def masked_spherical(look: Look) -> Tensor:
    """MSL: -1[pixel not yet won] * u_y / |u|_2 (masked spherical loss of 2306.12941)."""
    unit = F.normalize(look.logits, dim=1)
    return -(look.open * unit.gather(1, look.labels).squeeze(1))


def segpgd(look: Look) -> Tensor:
    """((1 - lam) 1[pixel not yet won] + lam 1[won]) * CE with lam = (t - 1)/(2T), t = 1..T.

    Gu, Zhao, Tresp & Torr, "SegPGD", ECCV 2022 (2207.12391); not yet won means still right, or, targeted, not yet of the
    wished class.
    """
    lam = (look.iteration - 1) / (2 * look.steps)
    return torch.where(look.open, look.logits.new_full((), 1 - lam), lam) * look.cross_entropy


def cospgd(look: Look) -> Tensor:
    """cos(p, e_y) * CE, or targeted (1 - cos(p, e_y)) * CE, the cosine taken along the classes and without gradient.

    Agnihotri, Jung & Keuper, "CosPGD", ICML 2024, Alg. 1, with the softmax of their code.
    """
    return cosine_weight(look, look.log_probabilities.detach().exp()) * look.cross_entropy


def cospgd_sigmoid(look: Look) -> Tensor:
    """CosPGD with the sigmoid of each logit in place of p, as Croce, Singh & Hein (2306.12941) write it in their comparison."""
    return cosine_weight(look, look.logits.detach().sigmoid()) * look.cross_entropy


def cosine_weight(look: Look, scores: Tensor) -> Tensor:
    """cos(scores, e_y), or targeted 1 - cos(scores, e_y), along the classes; (N,C,H,W) to (N,H,W)."""
    length = scores.square().sum(1).sqrt()
    cosine = scores.gather(1, look.labels).squeeze(1) / length
    return 1 - cosine if look.goal.targeted else cosine


def one_minus_cosine(look: Look) -> Tensor:
    """1 - cos(u, e_y) along the classes, of the logits themselves; between 0 and 2 (PAdam-Cos, Halmosi, Mohos & Jelasity, 2407.09150)."""
    return 1 - F.normalize(look.logits, dim=1).gather(1, look.labels).squeeze(1)
