"""The study of a scaling attack: target sizes, hidden pictures, the grid, what the model sees, prevention, detection."""

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from segviz.scaling.detection import DETECTORS, detector_roc
from segviz.scaling.kernels import SCALERS
from segviz.studies.scaling import (
    ScalingSettings,
    ScalingStudy,
    agreement,
    crops_of,
    detection_settings,
    detection_study,
    middle_of,
    open_full_size,
    sample_full_size,
    scaling_study,
    target_size,
)
from segviz.types import UserError


@pytest.fixture(scope="module")
def source():
    return np.ascontiguousarray(sample_full_size("horses").pixels[100:356, 250:506])


@pytest.fixture(scope="module")
def other():
    return sample_full_size("chelsea").pixels


def test_target_sizes():
    assert target_size("/4", (300, 451)) == (75, 113)
    assert target_size("128x96", (300, 451)) == (96, 128)
    for text, told in (("/0", "above 1"), ("/1", "smaller"), ("500x40", "smaller"), ("/10", "at least 32"), ("4", "no target size")):
        with pytest.raises(UserError, match=told):
            target_size(text, (300, 451))


def test_pictures_are_taken_as_they_are_or_not_at_all():
    def png(width):
        file = io.BytesIO()
        Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, width, 3), np.uint8)).save(file, "PNG")
        return file.getvalue()

    assert open_full_size("wide", png(2048)).pixels.shape == (40, 2048, 3)
    with pytest.raises(UserError, match="2049x40"):
        open_full_size("wider", png(2049))
    with pytest.raises(UserError, match="is 31x40; its shorter side"):
        open_full_size("small", png(31))


def test_a_hidden_photo_keeps_its_proportions():
    photo = np.zeros((100, 300, 3), np.uint8)
    photo[:, 100:200] = 255
    assert middle_of(photo, (40, 40)).min() > 200
    for shape in ((451, 300), (773, 512), (301, 299)):
        assert middle_of(np.zeros((*shape, 3), np.uint8), (85, 128)).shape == (85, 128, 3)


def test_a_hidden_photo_works_for_its_kernel_and_is_seen_by_the_model(model, source, other):
    settings = ScalingSettings(size="/4")
    snapshots = list(scaling_study(settings, source, other, model))
    assert [one.progress for one in snapshots] == sorted(one.progress for one in snapshots)
    study = snapshots[-1]
    assert study.ended
    cells = {cell.key: cell for cell in study.grid}
    assert set(cells) == set(SCALERS)
    for key in ("opencv-linear", "torch-linear"):
        assert cells[key].works
        assert cells[key].hidden_share > 0.95
    for key in ("opencv-area", "pillow-linear", "torch-linear-antialias", "opencv-nearest"):
        assert not cells[key].works
        assert cells[key].hidden_share < 0.5
    assert np.array_equal(cells["opencv-linear"].frame.pixels, study.result.scaled)
    frames = study.frames
    assert agreement(frames["scaled"], frames["hidden"]) > 0.95
    assert agreement(frames["scaled"], frames["honest"]) < 0.7
    prevented = {(one.title, one.adaptive): one for one in study.prevention}
    assert prevented["OpenCV area", False].to_source < prevented["OpenCV area", False].to_hidden / 2
    assert prevented["Median filter, then OpenCV linear", False].hidden_share < 0.1
    assert prevented["Median filter, then OpenCV linear", True].hidden_share > 0.9
    assert all(after > before for before, after in study.scores.values())


def test_an_adversarial_version_keeps_the_look_and_breaks_the_scaled_map(model, source):
    settings = ScalingSettings(hidden="adversarial", size="/3", steps=10, slack=1)
    *_, study = scaling_study(settings, source, None, model)
    assert np.abs(study.hidden.astype(int) - study.honest).max() <= 8
    assert study.result.psnr > 35
    frames = study.frames
    assert agreement(frames["source"], frames["attack"]) > agreement(frames["honest"], frames["scaled"]) + 0.2
    assert agreement(frames["scaled"], frames["hidden"]) > 0.9
    maps = {cell.key: cell.map_share for cell in study.grid}
    assert maps["opencv-linear"] > 0.9
    assert maps["opencv-area"] < maps["opencv-linear"] - 0.2


def test_a_colour_and_a_kernel_that_hides_nothing(model, source):
    settings = ScalingSettings(hidden="colour", colour="#804020", scaler="opencv-area", size="/4")
    *_, study = scaling_study(settings, source, None, model)
    assert np.array_equal(study.hidden[0, 0], (0x80, 0x40, 0x20))
    assert study.result.changed_pixels > 0.9
    assert "larger ratio" in study.notes[0]
    assert not any(one.adaptive for one in study.prevention)
    assert "clean" not in study.scores


def test_stop_ends_with_what_was_reached(model, source, other):
    seen = []
    for study in scaling_study(ScalingSettings(size="/4"), source, other, model, stopped=lambda: len(seen) >= 6):
        seen.append(study)
    assert not seen[-1].ended
    assert len(seen) < 12


def test_settings_out_of_range():
    for wrong in ({"hidden": "word"}, {"scaler": "gimp"}, {"colour": "red"}, {"slack": -1.0}, {"eps": float("nan")}, {"share": 2.0}):
        with pytest.raises(UserError):
            replace(ScalingSettings(), **wrong)


def test_detectors_over_photos(model):
    photos = {key: sample_full_size(key).pixels[100:256, 100:300] for key in ("astronaut", "camera", "dog")}
    assert [crop.shape for crop in crops_of(photos["dog"], 64)] == [(156, 200, 3)] + [(64, 64, 3)] * 5
    *_, study = detection_study(ScalingSettings(size="/4"), photos, model, side=128)
    assert (study.finished, len(study.benign), len(study.attacked)) == (True, 18, 36)
    assert set(study.benign[0]) == set(DETECTORS)
    assert detector_roc(*study.values("down-up-mse")).auc > 0.95
    settings = ScalingSettings(hidden="adversarial", size="/3", steps=2)
    *_, harder = detection_study(settings, {"dog": photos["dog"]}, model, side=128)
    assert (harder.finished, len(harder.attacked)) == (True, 6)
    assert detector_roc(*harder.values("down-up-mse")).auc < 0.8


def test_only_what_matters_for_the_detectors_counts():
    pixels = np.zeros((240, 320, 3), np.uint8)
    settings = ScalingSettings(image="own", other="camera", model="voc7-fcn8s", size="80x60", share=0.5, slack=2)
    study = ScalingStudy(settings, pixels, (60, 80), "", 0.0, pixels[:60, :80])
    assert detection_settings(study) == ScalingSettings(size="/4.00", slack=2)
    adversarial = replace(study, settings=replace(settings, hidden="adversarial", size="/4", steps=7))
    assert detection_settings(adversarial) == ScalingSettings("voc7-fcn8s", hidden="adversarial", size="/4", steps=7, slack=2)
