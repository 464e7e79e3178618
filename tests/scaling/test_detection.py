"""Scores of the detectors and their ROC curves."""

import numpy as np
import pytest

from segviz.data.images import read_photo
from segviz.data.samples import samples
from segviz.scaling.attack import attack, finish
from segviz.scaling.detection import DETECTORS, detector_roc, scores, threshold_at
from segviz.scaling.kernels import SCALERS

SIZE = (64, 64)


@pytest.fixture(scope="module")
def crop():
    return np.ascontiguousarray(read_photo(samples()["astronaut"].photo, 2048).pixels[:256, 128:384])


@pytest.fixture(scope="module")
def hidden():
    photo = read_photo(samples()["chelsea"].photo, 2048).pixels
    return SCALERS["pillow-lanczos"].resize(photo, SIZE)


@pytest.mark.parametrize("key", ["opencv-nearest", "opencv-linear"])
def test_every_detector_scores_an_attack_higher(key, crop, hidden):
    attacked = finish(attack(crop, hidden, SCALERS[key], 1)).pixels
    before, after = scores(crop, SCALERS[key], SIZE), scores(attacked, SCALERS[key], SIZE)
    assert set(before) == set(after) == set(DETECTORS)
    assert all(after[name] > 1.2 * before[name] for name in DETECTORS)


def test_detectors_that_do_not_apply_are_left_out(crop):
    assert set(DETECTORS) - set(scores(crop, SCALERS["opencv-area"], SIZE)) == {"clean"}
    assert "spectrum" not in scores(crop, SCALERS["opencv-nearest"], (150, 150))


def test_roc_of_known_scores():
    perfect = detector_roc([1, 2, 3], [4, 5])
    assert perfect.auc == 1
    assert (perfect.false_positive_rate[0], perfect.true_positive_rate[0]) == (0, 0)
    assert (perfect.false_positive_rate[-1], perfect.true_positive_rate[-1]) == (1, 1)
    # Of the four pairs the attacked one is larger in three.
    assert detector_roc([1, 3], [2, 4]).auc == pytest.approx(0.75)
    assert detector_roc([1, 1], [1, 1]).auc == pytest.approx(0.5)
    with pytest.raises(ValueError, match="scores"):
        detector_roc([], [1])


def test_threshold_lets_one_percent_of_the_benign_pass():
    assert threshold_at(range(200)) == 197
    assert threshold_at([3.0, 1.0, 2.0]) == 3
    assert threshold_at(range(10), 0.2) == 7
