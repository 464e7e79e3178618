"""The photos that ship."""

import numpy as np
import pytest
from PIL import Image

from segviz.data.samples import sample_of_file, samples
from segviz.lab import sample_picture
from segviz.models.zoo import MODELS
from segviz.places import ASSETS
from segviz.types import UserError


def test_at_least_six_with_credit_and_licence():
    assert len(samples()) >= 6
    licences = (ASSETS / "samples" / "LICENCES.md").read_text()
    for sample in samples().values():
        assert sample.credit
        assert sample.licence
        assert sample.photo.name in licences


@pytest.mark.parametrize("key", samples())
def test_label_map_fits_photo_and_shows_a_class(key):
    sample = samples()[key]
    assert Image.open(sample.photo).size == Image.open(sample.labels).size
    picture = sample_picture(key, MODELS["voc7-lraspp"])
    assert picture.labels is not None
    assert set(np.unique(picture.labels)) & {1, 2, 3, 4, 5, 6}
    assert max(picture.pixels.shape) <= MODELS["voc7-lraspp"].working_size


def test_samples_are_found_by_file_and_key():
    found = sample_of_file(ASSETS / "samples" / "chelsea.png")
    assert found is not None
    assert found.key == "chelsea"
    assert sample_of_file(ASSETS / "samples" / "labels" / "chelsea.png") is None
    with pytest.raises(UserError, match="Known: chelsea"):
        sample_picture("nessie", MODELS["voc7-lraspp"])
