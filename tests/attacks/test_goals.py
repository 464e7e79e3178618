"""Goals from settings."""

import pytest
import torch

from segviz.attacks.goals import build_goal, without_class
from segviz.data.label_sets import VOC7
from segviz.settings import Settings
from segviz.types import VOID, Goal, UserError


def test_removed_class_takes_the_nearest_other_class():
    labels = torch.tensor([[1, 1, 1, 2, 2, 2, 2, 3, 3, 3]]).repeat(3, 1)
    assert without_class(labels, 2).tolist() == [[1, 1, 1, 1, 1, 3, 3, 3, 3, 3]] * 3
    assert without_class(torch.full((2, 2), 2), 2).tolist() == [[0, 0], [0, 0]]


def test_goals():
    clean = torch.tensor([[[0, 3], [3, 3]]])
    reference = torch.tensor([[[0, VOID], [3, 3]]])
    assert build_goal(Settings(), reference, clean, VOC7) == Goal(reference)
    everywhere = build_goal(Settings(goal="everywhere", target="cow"), reference, clean, VOC7)
    assert everywhere.targeted
    assert everywhere.labels.tolist() == [[[2, 2], [2, 2]]]
    removed = build_goal(Settings(goal="remove", target="dog"), reference, clean, VOC7)
    assert removed.labels.tolist() == [[[0, 0], [0, 0]]]
    one = build_goal(Settings(goal="class", target="dog"), reference, clean, VOC7)
    assert not one.targeted
    assert one.counted.tolist() == [[[False, False], [True, True]]]
    exchanged = build_goal(Settings(goal="swap", target="dog", other="background"), reference, clean, VOC7)
    assert exchanged.targeted
    assert exchanged.labels.tolist() == [[[3, 0], [0, 0]]]


def test_goals_that_cannot_be():
    clean = torch.zeros(1, 2, 2, dtype=torch.long)
    with pytest.raises(UserError, match=r"sees no dog.*background"):
        build_goal(Settings(goal="remove", target="dog"), clean, clean, VOC7)
    with pytest.raises(UserError, match=r"sees no dog and no cow in this picture, so there is none to swap"):
        build_goal(Settings(goal="swap", target="dog", other="cow"), clean, clean, VOC7)
    with pytest.raises(UserError, match="No pixel is labelled dog"):
        build_goal(Settings(goal="class", target="dog"), clean, clean, VOC7)
    with pytest.raises(UserError, match="no class 'zebra'"):
        build_goal(Settings(goal="everywhere", target="zebra"), clean, clean, VOC7)


def test_success_counts_only_counted_pixels():
    labels = torch.tensor([[[0, 1], [VOID, 2]]])
    prediction = torch.tensor([[[0, 0], [0, 0]]])
    assert Goal(labels).success(prediction).tolist() == pytest.approx([2 / 3])
    assert Goal(labels, targeted=True).success(prediction).tolist() == pytest.approx([1 / 3])
    mask = torch.tensor([[[True, False], [True, True]]])
    assert Goal(labels, mask=mask).success(prediction).tolist() == pytest.approx([1 / 2])
    assert Goal(torch.full((1, 2, 2), VOID)).success(prediction).tolist() == [0]
