"""Detection of attacks by the network's uncertainty (Maag & Fischer, "Uncertainty-based Detection of Adversarial Attacks in Semantic
Segmentation", 2305.12825)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor


def entropy_map(logits: Tensor) -> Tensor:
    """Logits (N,C,H,W) to the entropy of their softmax over log C, (N,H,W) in [0,1]."""
    log_p = logits.log_softmax(1)
    return -(log_p.exp() * log_p).sum(1) / math.log(logits.shape[1])


def mean_entropy(logits: Tensor) -> Tensor:
    """The score of a picture: the mean of its entropy map, (N,C,H,W) to (N,)."""
    return entropy_map(logits).mean((1, 2))


def roc(clean: np.ndarray, attacked: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """False and true positive rates of "attacked if the score is at least t" as t falls, from (0,0) to (1,1), and the area under them.

    Takes the scores of clean and of attacked pictures, (N,) and (M,). An area below one half means that attacked pictures score lower.
    """
    thresholds = np.unique(np.concatenate([clean, attacked]))[::-1]
    false_positive = np.concatenate([[0.0], [(clean >= t).mean() for t in thresholds]])
    true_positive = np.concatenate([[0.0], [(attacked >= t).mean() for t in thresholds]])
    return false_positive, true_positive, float(np.trapezoid(true_positive, false_positive))
