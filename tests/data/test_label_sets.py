"""Label sets: ids in files, and which sets translate into which."""

import numpy as np
import pytest

from segviz.data.label_sets import (
    ADE20K150,
    CAMVID11,
    CITYSCAPES19,
    CITYSCAPES_LABEL_IDS,
    LABEL_SETS,
    VOC7,
    VOC21,
    label_set_named,
    read_label_file,
    translation,
)
from segviz.types import VOID, UserError


def test_sets_are_complete():
    sizes = {"VOC7": 7, "VOC21": 21, "Person2": 2, "Cityscapes19": 19, "CityscapesLabelIds": 19, "CamVid11": 11, "ADE20K150": 150}
    assert {name: len(label_set.classes) for name, label_set in LABEL_SETS.items()} == sizes
    for label_set in LABEL_SETS.values():
        assert len(label_set.palette) == len(set(label_set.classes)) == len(label_set.classes)
    # The palette of VOC spreads the bits of the id over the three colours.
    for voc_id, colour in enumerate(VOC21.palette):
        bits = [[voc_id >> (3 * level + channel) & 1 for channel in range(3)] for level in range(3)]
        assert colour == tuple(sum(bits[level][channel] << (7 - level) for level in range(3)) for channel in range(3))


def test_ids_in_files():
    assert VOC21.from_stored(np.array([[0, 8, 20, 255]])).tolist() == [[0, 8, 20, 255]]
    assert VOC7.from_stored(np.array([[0, 8, 20, 255]])).tolist() == [[0, 1, 0, 255]]
    assert CAMVID11.from_stored(np.array([[0, 10, 11]])).tolist() == [[0, 10, VOID]]
    assert ADE20K150.from_stored(np.array([[0, 1, 150]])).tolist() == [[VOID, 0, 149]]
    with pytest.raises(UserError, match="values 19, which are no ids of Cityscapes19"):
        CITYSCAPES19.from_stored(np.array([[19]]))


def test_files_of_another_set():
    camvid = CAMVID11.for_files_of(CITYSCAPES19)
    streets = np.array([[*(CITYSCAPES19.classes.index(name) for name in ("sidewalk", "terrain", "truck", "rider")), VOID]])
    found = [CAMVID11.classes[index] for index in camvid.from_stored(streets)[0, :4]]
    assert found == ["pavement", "tree", "car", "bicyclist"]
    assert camvid.from_stored(streets)[0, 4] == VOID
    assert VOC7.for_files_of(VOC21) is VOC7
    # The ids of the classes in Cityscapes' own files: road 7, car 26, ego vehicle 1.
    stored = np.array([[7, 26, 1, VOID]])
    assert CITYSCAPES19.for_files_of(CITYSCAPES_LABEL_IDS).from_stored(stored).tolist() == [[0, 13, VOID, VOID]]
    assert CAMVID11.for_files_of(CITYSCAPES_LABEL_IDS).from_stored(stored).tolist() == [[3, 8, VOID, VOID]]
    assert translation(VOC21, VOC7)[8] == VOC7.classes.index("cat")


def test_files_of_an_own_set(tmp_path):
    """What ids mean decides, not what the label file is called."""
    own = {}
    for folder, text in (
        ("one", 'classes = ["ground", "cat"]\nids = [0, 8]'),
        ("two", 'classes = ["ground", "cat"]\nids = [0, 3]'),
        ("three", 'classes = ["sky", "sea"]\nids = [0, 8]'),
    ):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "labels.toml").write_text(text)
        own[folder] = read_label_file("labels.toml", tmp_path / folder)
    (tmp_path / "same.toml").write_text((tmp_path / "one" / "labels.toml").read_text())
    assert own["one"].for_files_of(read_label_file("same.toml", tmp_path)) is own["one"]
    assert own["one"].for_files_of(own["two"]).from_stored(np.array([[0, 3, 255]])).tolist() == [[0, 1, 255]]
    with pytest.raises(UserError, match=r"values 3, which are no ids of labels\. Expected 0, 8 and 255"):
        own["one"].from_stored(np.array([[0, 3]]))
    with pytest.raises(UserError, match="no meaningful counterpart"):
        own["one"].for_files_of(own["three"])


@pytest.mark.parametrize(("source", "target"), [(VOC7, VOC21), (CAMVID11, CITYSCAPES19), (VOC21, CITYSCAPES19), (ADE20K150, VOC21)])
def test_meaningless_translation_is_refused(source, target):
    with pytest.raises(UserError, match=f"{source.name} have no meaningful counterpart in {target.name}"):
        translation(source, target)


def test_names():
    assert label_set_named("voc7") is VOC7
    with pytest.raises(UserError, match="Known: VOC7"):
        label_set_named("coco")
