"""Figures of stored counts: the same numbers as those that torch makes of them."""

import numpy as np
import pytest
import torch

from segviz import metrics
from segviz.studies.counts import accuracies, class_ious, mious


def test_figures_are_those_of_the_metrics():
    counts = torch.randint(0, 40, (3, 5, 6, 6), generator=torch.Generator().manual_seed(2))
    # A class in neither map, a picture without labelled pixels.
    counts[0, 0, 4], counts[0, 0, :, 4], counts[1, 2] = 0, 0, 0
    for ours, theirs in ((class_ious, metrics.class_iou), (mious, metrics.mean_iou), (accuracies, metrics.pixel_accuracy)):
        assert ours(counts.numpy()) == pytest.approx(theirs(counts).numpy(), nan_ok=True)
    assert np.isnan(mious(counts.numpy())[1, 2])
