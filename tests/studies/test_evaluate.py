"""Which label set a model is read in over the label maps of a data set."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from segviz.data.label_sets import CAMVID11, CITYSCAPES19, VOC7, VOC21
from segviz.models.adapt import as_segmenter
from segviz.models.entry import ModelEntry
from segviz.studies.evaluate import evaluate, in_label_set
from segviz.types import UserError


class Streets(nn.Module):
    """Trucks in the left half, terrain in the right one."""

    def forward(self, x):
        scores = torch.zeros(len(x), 19, *x.shape[2:])
        half = x.shape[3] // 2
        scores[:, CITYSCAPES19.classes.index("truck"), :, :half] = 1
        scores[:, CITYSCAPES19.classes.index("terrain"), :, half:] = 1
        return scores + 0 * x.sum(1, keepdim=True)


@pytest.fixture
def entry() -> ModelEntry:
    return ModelEntry("streets", "Streets", Streets, CITYSCAPES19, 64, "", "")


def test_label_maps_and_model_of_cityscapes_as_camvid(entry, tmp_path):
    """A truck predicted where the label map has a bus is right in CamVid's classes, and wrong in Cityscapes'."""
    labels = np.full((40, 64), CITYSCAPES19.classes.index("bus"), np.uint8)
    labels[:, 32:] = CITYSCAPES19.classes.index("vegetation")
    Image.fromarray(labels).save(tmp_path / "labels.png")
    Image.new("RGB", (64, 40)).save(tmp_path / "photo.png")
    pairs = [(tmp_path / "photo.png", tmp_path / "labels.png")]
    model = as_segmenter(Streets(), entry)
    coarse, read = in_label_set(entry, model, CITYSCAPES19, CAMVID11)
    assert evaluate(pairs, coarse, read, None, lambda _: None).clean.pixel_accuracy == 1
    assert evaluate(pairs, *in_label_set(entry, model, CITYSCAPES19, None), None, lambda _: None).clean.pixel_accuracy == 0


def test_a_model_is_read_in_the_label_set_of_the_files_where_that_is_coarser(entry):
    model = as_segmenter(Streets(), entry)
    assert in_label_set(entry, model, CAMVID11, None)[1].label_set == CAMVID11
    assert in_label_set(entry, model, None, None) == (entry, model)
    with pytest.raises(UserError, match="no meaningful counterpart"):
        in_label_set(entry, model, VOC21, None)
    with pytest.raises(UserError, match="no meaningful counterpart"):
        in_label_set(entry, model, None, VOC7)
