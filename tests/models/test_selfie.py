"""The selfie networks: the same function as in Google's runtime, from the files that Google ships, and as easily misled there."""

import importlib.util
import json
import os
import sys

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from segviz.cli import main
from segviz.data.samples import samples
from segviz.defences.load import load_model
from segviz.lab import sample_picture, to_tensor
from segviz.models.mediapipe import person_probability, shipped_file
from segviz.models.selfie import SelfieNet
from segviz.models.zoo import MODELS, SELFIES
from segviz.training.selfie import convert
from segviz.types import UserError
from tests.models.selfie_oracle import FILE, KEPT, cases, part_of

CPU = torch.device("cpu")
KEYS = [key for key, *_ in SELFIES]
INSTALLED = importlib.util.find_spec("mediapipe") is not None
needs_runtime = pytest.mark.skipif(not INSTALLED and "SEGVIZ_REQUIRE_MEDIAPIPE" not in os.environ, reason="mediapipe is not installed")


def person(key: str, pixels: np.ndarray) -> np.ndarray:
    """The probability (H,W) that a pixel shows a person."""
    with torch.no_grad():
        return load_model(key, CPU)(to_tensor(pixels, CPU)).softmax(1)[0, 1].numpy()


@pytest.mark.parametrize(("key", "photo", "size"), cases())
def test_scores_are_those_that_googles_runtime_gave(key, photo, size):
    with np.load(FILE) as stored:
        expected = stored[f"{key}/{photo}"]
    assert np.abs(person(key, part_of(photo, size))[KEPT] - expected).max() < 1e-3
    assert expected.max() > 0.9 or photo == "chelsea"


@needs_runtime
@pytest.mark.parametrize(("key", "photo", "size"), cases())
def test_scores_are_those_of_googles_runtime(key, photo, size):
    pixels = part_of(photo, size)
    assert np.abs(person(key, pixels) - person_probability(key, pixels)).max() < 1e-3


@needs_runtime
@pytest.mark.parametrize("key", KEYS)
def test_masks_of_a_whole_photo_agree_with_googles_runtime(key):
    """Only the resizing differs."""
    pixels = sample_picture("person", MODELS[key]).pixels
    assert ((person(key, pixels) > 0.5) == (person_probability(key, pixels) > 0.5)).mean() > 0.97


@needs_runtime
def test_a_picture_that_breaks_the_mask_here_breaks_it_in_googles_runtime(tmp_path):
    out, png = tmp_path / "result.json", tmp_path / "attacked.png"
    assert main(["verify-runtime", "--eps", "8", "--steps", "4", "--json", str(out), "--save", str(png)]) == 0
    result = json.loads(out.read_text())
    for by in ("segviz", "mediapipe"):
        assert result["person_iou"]["clean"][by] > 0.7
        assert result["person_iou"]["attacked"][by] < 0.3
    assert min(result["agreement"].values()) > 0.9
    assert png.is_file()


def test_the_runtime_is_asked_for_where_it_is_missing(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "mediapipe", None)
    assert main(["verify-runtime"]) == 2
    assert "pip install --no-deps mediapipe" in capsys.readouterr().err


def test_other_models_have_no_file_for_the_runtime():
    with pytest.raises(UserError, match="runs the models selfie and selfie-landscape, not voc7-lraspp"):
        shipped_file("voc7-lraspp")


@pytest.mark.parametrize("key", KEYS)
def test_weights_are_those_of_the_shipped_file(key):
    kept, read = load_file(MODELS[key].weights), convert(shipped_file(key).read_bytes())
    assert kept.keys() == read.keys() == dict(SelfieNet().named_parameters()).keys()
    assert all(torch.equal(kept[name], read[name]) for name in kept)


def test_a_file_of_another_network_is_refused(monkeypatch):
    monkeypatch.setattr("segviz.training.selfie.stored_convolutions", lambda file: [])
    with pytest.raises(ValueError, match="The file has 0 convolutions, the network"):
        convert(b"")


@pytest.mark.parametrize("key", KEYS)
def test_background_scores_nothing_and_only_the_input_has_a_gradient(key):
    x = torch.rand(1, 3, 60, 100, requires_grad=True)
    logits: Tensor = load_model(key, CPU)(x)
    assert logits.shape == (1, 2, 60, 100)
    assert (logits[:, 0] == 0).all()
    assert torch.autograd.grad(logits[:, 1].sum(), x)[0].abs().sum() > 0


@pytest.mark.parametrize("photo", samples())
def test_people_of_the_samples_are_in_the_label_maps(photo):
    """Label maps of VOC ids are read as person and background."""
    picture = sample_picture(photo, MODELS["selfie"])
    assert set(np.unique(picture.labels)) <= {0, 1, 255}
    assert (picture.labels == 1).any() == (photo in {"astronaut", "camera", "person"})
