"""Metrics against torchmetrics and by hand."""

import math

import pytest
import torch
from torchmetrics.classification import MulticlassJaccardIndex
from torchmetrics.functional.image import structural_similarity_index_measure

from segviz import metrics
from segviz.studies.counts import constant_miou
from segviz.types import VOID


@pytest.fixture
def maps():
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(0, 5, (4, 20, 30), generator=generator)
    prediction = torch.where(
        torch.rand(labels.shape, generator=generator) < 0.6, labels, torch.randint(0, 5, labels.shape, generator=generator)
    )
    labels[torch.rand(labels.shape, generator=generator) < 0.1] = VOID
    return prediction, labels


def test_agrees_with_torchmetrics(maps):
    prediction, labels = maps
    total = metrics.confusion_matrix(prediction, labels, 5).sum(0)
    macro = MulticlassJaccardIndex(5, ignore_index=VOID, average="macro")(prediction, labels)
    assert metrics.mean_iou(total).item() == pytest.approx(macro.item(), abs=1e-6)
    each = MulticlassJaccardIndex(5, ignore_index=VOID, average="none")(prediction, labels)
    assert metrics.class_iou(total).tolist() == pytest.approx(each.tolist(), abs=1e-6)


def test_a_map_of_one_class_alone(maps):
    prediction, labels = maps
    labels[labels == 2] = 1
    total = metrics.confusion_matrix(prediction, labels, 5).sum(0)
    macro = MulticlassJaccardIndex(5, ignore_index=VOID, average="macro")(torch.ones_like(labels), labels)
    assert constant_miou(total.numpy()) == pytest.approx(macro.item(), abs=1e-6)


def test_counts_are_per_image(maps):
    prediction, labels = maps
    together = metrics.confusion_matrix(prediction, labels, 5)
    for image in range(4):
        assert torch.equal(together[image], metrics.confusion_matrix(prediction[image : image + 1], labels[image : image + 1], 5)[0])
    assert together.sum() == (labels != VOID).sum()


def test_accuracy_and_absent_classes_by_hand():
    labels = torch.tensor([[[0, 0, 1, VOID]]])
    prediction = torch.tensor([[[0, 3, 1, 4]]])
    counts = metrics.confusion_matrix(prediction, labels, 5)[0]
    iou = metrics.class_iou(counts).tolist()
    assert iou[:2] == [0.5, 1]
    assert math.isnan(iou[2])
    assert iou[3] == 0
    assert math.isnan(iou[4])
    assert metrics.mean_iou(counts).item() == pytest.approx(0.5)
    assert metrics.pixel_accuracy(counts).item() == pytest.approx(2 / 3)


def test_sizes_of_a_change():
    x = torch.full((2, 3, 4, 4), 100 / 255)
    changed = x.clone()
    changed[1, 0, 0, 0] = 103 / 255
    assert metrics.linf(changed, x).tolist() == [0, 3]
    assert metrics.l2(changed, x).tolist() == pytest.approx([0, 3 / 255])
    assert metrics.psnr(changed, x).tolist() == pytest.approx([math.inf, 10 * math.log10(48 / (3 / 255) ** 2)], rel=1e-4)


def test_similarity_agrees_with_torchmetrics():
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(2, 3, 24, 40, generator=generator, dtype=torch.float64)
    x_adv = (x + torch.tensor([0.05, 0.4]).view(2, 1, 1, 1) * torch.randn(x.shape, generator=generator)).clamp(0, 1)
    # torchmetrics reflects the image at its border; away from it, its map is that of the paper.
    everywhere = structural_similarity_index_measure(x_adv, x, data_range=1.0, reduction="none", return_full_image=True)[1]
    expected = everywhere[..., 5:-5, 5:-5].mean((1, 2, 3))
    assert metrics.ssim(x_adv, x).tolist() == pytest.approx(expected.tolist(), abs=1e-6)
    assert metrics.ssim(x, x).tolist() == pytest.approx([1, 1])
