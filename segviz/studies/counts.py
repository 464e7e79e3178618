"""Figures from confusion matrices that are stored: counts (...,C,C), int64, rows are labels, columns predictions.

As those of `segviz.metrics`, of which they are the same numbers, on arrays: whoever reads results needs no torch.
"""

import numpy as np


def hits_and_union(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pixels in the intersection and in the union of each class, (...,C) float64."""
    hits = counts.diagonal(axis1=-2, axis2=-1).astype(float)
    return hits, counts.sum(-1) + counts.sum(-2) - hits


def class_ious(counts: np.ndarray) -> np.ndarray:
    """Intersection over union per class, (...,C) in [0,1]; nan where the union is empty."""
    hits, union = hits_and_union(counts)
    return np.divide(hits, union, out=np.full_like(hits, np.nan), where=union > 0)


def mious(counts: np.ndarray) -> np.ndarray:
    """Mean of `class_ious` over classes with a union, (...) in [0,1]; nan without any."""
    hits, union = hits_and_union(counts)
    seen = (union > 0).sum(-1)
    ratios = np.divide(hits, union, out=np.zeros_like(hits), where=union > 0)
    return np.where(seen > 0, ratios.sum(-1) / np.maximum(seen, 1), np.nan)


def accuracies(counts: np.ndarray) -> np.ndarray:
    """Share of labelled pixels that are right, (...) in [0,1]; nan without labelled pixels."""
    labelled = counts.sum((-1, -2))
    right = counts.diagonal(axis1=-2, axis2=-1).sum(-1)
    return np.where(labelled > 0, right / np.maximum(labelled, 1), np.nan)


def constant_miou(counts: np.ndarray) -> float:
    """The mIoU in [0,1] that a map of the most frequent class alone would have: what says nothing of the picture."""
    labels = counts.sum(-1)
    constant = np.zeros_like(counts)
    constant[:, labels.argmax()] = labels
    return float(mious(constant))
