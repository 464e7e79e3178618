"""The worst case over attacks, against exhaustive search."""

import itertools

import numpy as np
import pytest
import torch

from segviz import metrics
from segviz.studies import worst_case
from segviz.studies.counts import accuracies, mious


@pytest.fixture
def counts():
    """Confusion matrices of 3 attacks on 5 images with 4 classes; every image has the same labels under all attacks."""
    generator = torch.Generator().manual_seed(5)
    labels = torch.randint(0, 4, (5, 8, 8), generator=generator)
    labels[2] = labels[2].clamp(max=1)
    predictions = torch.where(
        torch.rand(3, 5, 8, 8, generator=generator) < 0.5, labels, torch.randint(0, 4, (3, 5, 8, 8), generator=generator)
    )
    return torch.stack([metrics.confusion_matrix(prediction, labels, 4) for prediction in predictions]).numpy()


def test_separable_measures_are_exact(counts):
    choices = list(itertools.product(range(3), repeat=5))
    for measure, choose in ((accuracies, worst_case.lowest_accuracy), (mious, worst_case.lowest_image_miou)):
        lowest = min(measure(worst_case.chosen(counts, np.array(choice))).mean() for choice in choices)
        assert measure(worst_case.chosen(counts, choose(counts))).mean() == pytest.approx(lowest)


def test_greedy_miou_comes_close_to_the_optimum_and_below_every_attack(counts):
    def miou(choice):
        return mious(worst_case.chosen(counts, choice).sum(0))

    optimum = min(miou(np.array(choice)) for choice in itertools.product(range(3), repeat=5))
    found = miou(worst_case.greedy_miou(counts))
    assert found <= min(mious(counts.sum(1)).tolist())
    assert optimum <= found <= optimum + 0.005


def test_wins_share_ties(counts):
    assert worst_case.wins(counts).sum() == pytest.approx(1)
    twice = np.stack([counts[0], counts[0]])
    assert worst_case.wins(twice).tolist() == [0.5, 0.5]
    accuracy = accuracies(counts)
    assert worst_case.wins(counts)[0] == pytest.approx((accuracy.argmin(0) == 0).mean())
