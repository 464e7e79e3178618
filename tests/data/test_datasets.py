"""Data-set folders of every layout, and what is said of those that are missing or ragged."""

import pytest
from PIL import Image

from segviz.data.datasets import open_data_set
from segviz.data.label_sets import ADE20K150, CAMVID11, CITYSCAPES19, VOC21
from segviz.types import UserError
from tests.shared import shared


def put(folder, *names):
    for name in names:
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (64, 48)).save(file)


def relative(data, folder):
    return [(str(photo.relative_to(folder)), str(labels.relative_to(folder))) for photo, labels in data.pairs]


def test_voc(tmp_path):
    put(tmp_path, "JPEGImages/b.jpg", "JPEGImages/a.jpg", "JPEGImages/unlisted.jpg", "SegmentationClass/a.png", "SegmentationClass/b.png")
    lists = tmp_path / "ImageSets" / "Segmentation"
    lists.mkdir(parents=True)
    (lists / "val.txt").write_text("b\na\n")
    data = open_data_set(tmp_path)
    assert data.label_set is VOC21
    assert relative(data, tmp_path) == [("JPEGImages/a.jpg", "SegmentationClass/a.png"), ("JPEGImages/b.jpg", "SegmentationClass/b.png")]
    with pytest.raises(UserError, match=r"train\.txt"):
        open_data_set(tmp_path, "train")
    (lists / "train.txt").write_text("a\nlost\n")
    with pytest.raises(UserError, match=r"1 listed photos are not there.*lost\.jpg"):
        open_data_set(tmp_path, "train")
    (lists / "val.txt").write_text("a", encoding="utf-16")
    with pytest.raises(UserError, match=r"val\.txt is no plain text"):
        open_data_set(tmp_path)


def test_cityscapes(tmp_path):
    put(tmp_path, "leftImg8bit/val/ulm/ulm_1_leftImg8bit.png", "gtFine/val/ulm/ulm_1_gtFine_labelIds.png")
    with pytest.raises(UserError, match="no labelTrainIds"):
        open_data_set(tmp_path)
    put(tmp_path, "gtFine/val/ulm/ulm_1_gtFine_labelTrainIds.png")
    data = open_data_set(tmp_path)
    assert data.label_set is CITYSCAPES19
    assert relative(data, tmp_path) == [("leftImg8bit/val/ulm/ulm_1_leftImg8bit.png", "gtFine/val/ulm/ulm_1_gtFine_labelTrainIds.png")]
    with pytest.raises(UserError, match="one folder per city"):
        open_data_set(tmp_path, "test")


def test_ade20k(tmp_path):
    put(tmp_path, "images/validation/x.jpg", "annotations/validation/x.png", "images/training/y.jpg")
    data = open_data_set(tmp_path)
    assert data.label_set is ADE20K150
    assert relative(data, tmp_path) == [("images/validation/x.jpg", "annotations/validation/x.png")]
    with pytest.raises(UserError, match=r"1 photos have no label map.*y\.png"):
        open_data_set(tmp_path, "training")


def test_camvid(tmp_path):
    put(tmp_path, "test/f.png", "testannot/f.png", "train/g.png", "trainannot/g.png")
    assert open_data_set(tmp_path).label_set is CAMVID11
    assert relative(open_data_set(tmp_path, "train"), tmp_path) == [("train/g.png", "trainannot/g.png")]


def test_own_layout(tmp_path):
    put(tmp_path, "images/p.jpg", "images/._p.jpg", "labels/p.png")
    data = open_data_set(tmp_path)
    assert data.label_set is None
    assert relative(data, tmp_path) == [("images/p.jpg", "labels/p.png")]
    (tmp_path / "labels.toml").write_text('classes = ["a", "b"]')
    assert open_data_set(tmp_path).label_set.classes == ("a", "b")
    put(tmp_path, "images/q.jpg")
    with pytest.raises(UserError, match=r"1 photos have no label map.*q\.png"):
        open_data_set(tmp_path)


def test_own_layout_with_splits(tmp_path):
    put(tmp_path, "train/images/p.jpg", "train/labels/p.png")
    assert relative(open_data_set(tmp_path, "train"), tmp_path) == [("train/images/p.jpg", "train/labels/p.png")]
    with pytest.raises(UserError, match=r"divided into train\. Choose one of them as the split"):
        open_data_set(tmp_path)


def test_folders_that_are_none(tmp_path):
    with pytest.raises(UserError, match="is not a folder"):
        open_data_set(tmp_path / "none")
    with pytest.raises(UserError, match="layout of no known data set"):
        open_data_set(tmp_path)
    (tmp_path / "images").mkdir()
    with pytest.raises(UserError, match="labels is not a folder"):
        open_data_set(tmp_path)
    (tmp_path / "labels").mkdir()
    with pytest.raises(UserError, match="No photos"):
        open_data_set(tmp_path)


def test_sample_folders():
    assert len(open_data_set(shared("voc7"), "val").pairs) == 445
    assert len(open_data_set(shared("camvid-sample")).pairs) == 39
