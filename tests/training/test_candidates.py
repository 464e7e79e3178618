"""Networks without weights yet: they learn by the recipe, and what is exported loads."""

import sys

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from segviz.data.label_sets import CAMVID11
from segviz.models.vgg import CHANNELS, VGG
from segviz.models.zoo import MODELS
from segviz.training.__main__ import main
from segviz.training.candidates import CANDIDATES


@pytest.fixture
def streets(tmp_path):
    """Two pictures of noise with label maps of CamVid's ids, 11 standing for void."""
    rng = np.random.default_rng(0)
    for part in ("train", "val"):
        for kind, high, shape in (("images", 256, (48, 64, 3)), ("labels", 12, (48, 64))):
            folder = tmp_path / part / kind
            folder.mkdir(parents=True)
            for number in range(2):
                Image.fromarray(rng.integers(0, high, shape, np.uint8)).save(folder / f"{number}.png")
    return tmp_path


@pytest.mark.parametrize("key", CANDIDATES)
def test_scores_cover_the_picture_and_the_key_is_free(key):
    entry = CANDIDATES[key]
    assert key not in MODELS
    with torch.no_grad():
        assert entry.build().eval()(torch.rand(1, 3, 45, 70)).shape == (1, len(entry.label_set.classes), 45, 70)
    assert 1.5e6 < entry.count_parameters() < 4e6


def test_training_on_streets_makes_weights_that_load(streets, monkeypatch):
    """The void of CamVid's files is no class; the encoder is that of a bundled model, and the run is watched."""
    out = streets / "run"
    encoder = str(MODELS["voc7-lraspp"].weights)
    options = ["--epochs", "2", "--crop", "32", "--batch", "2", "--watch", "1", "--encoder", encoder]
    monkeypatch.setattr(sys, "argv", ["training", "camvid11-lraspp", "--data", str(streets), "--out", str(out), *options])
    main()
    network = MODELS["camvid11-lraspp"].build()
    for name in ("camvid11-lraspp", "best"):
        missing = network.load_state_dict(load_file(out / f"{name}.safetensors"), strict=False).missing_keys
        assert all("num_batches_tracked" in key for key in missing)
    assert network.head.classify.out_channels == len(CAMVID11.classes)


def test_the_plain_encoder_has_no_way_around_its_convolutions():
    """With one convolution silenced, nothing of the picture comes through."""
    encoder = VGG().eval()
    x = torch.rand(1, 3, 50, 70)
    with torch.no_grad():
        features = encoder(x)
        assert {stride: tuple(found.shape[1:]) for stride, found in features.items()} == {
            stride: (CHANNELS[stride], -(-50 // stride), -(-70 // stride)) for stride in (8, 16, 32)
        }
        encoder.stages[0][0][0].weight.zero_()
        silent, other = encoder(x), encoder(1 - x)
    assert all(torch.equal(silent[stride], other[stride]) for stride in silent)
