"""The lab at a glance: the verdict in words, both pairs of pictures, the patch under the lens."""

from dataclasses import replace

import numpy as np
import pytest
from app_page import open_page, pictures, text

from segviz.studies.first_views import load
from segviz.ui.lab.glance import verdict
from segviz.ui.lab.lens import busiest_patch, moved


@pytest.fixture(scope="module")
def run():
    return load("lab")


def test_the_page_says_what_it_is_for_and_what_happened(run):
    app = open_page()
    changed = (run.frames[0].prediction != run.final.prediction).mean()
    assert "Same picture, different map" in text(app)
    assert f"The network is fooled.** **{changed:.0%}** of the pixels" in text(app)
    for name, drawn in (("Input", run.picture.pixels), ("Adversarial", run.final.pixels)):
        assert (pictures(app, name)[0] == drawn).all()
    assert pictures(app, "ε = 4/255")[0].shape == (384, 384, 3)


def with_map(run, share: float):
    """The result of the run with another class in that share of the pixels, from the top."""
    prediction = run.frames[0].prediction.copy()
    rows = prediction[: round(share * len(prediction))]
    rows[:] = 6 - rows
    return replace(run.final, prediction=prediction)


@pytest.mark.parametrize(
    ("share", "headline", "said"), [(0.0, "The network holds", "0%"), (0.3, "Partly fooled", "30%"), (1.0, "The network is fooled", "100%")]
)
def test_the_verdict_follows_the_share_of_pixels_with_another_class(run, share, headline, said):
    found, told = verdict(run, with_map(run, share))
    assert found == headline
    assert f"**{said}** of the pixels have another class" in told
    assert "more than **4 of 255**" in told


def test_an_iteration_that_changed_nothing_and_a_look_are_no_verdict_on_the_network(run):
    assert verdict(run, run.frames[0])[0] == "Nothing has changed"
    looked = replace(run, settings=replace(run.settings, steps=0))
    headline, told = verdict(looked, run.frames[0])
    assert headline == "Not attacked yet"
    assert "78% cat" in told


def test_the_lens_finds_the_patch_where_most_pixels_changed():
    where = np.zeros((40, 60), bool)
    where[22:30, 41:49] = True
    where[2:5, 2:5] = True
    rows, columns = busiest_patch(where, 8)
    assert (rows, columns) == (slice(22, 30), slice(41, 49))
    assert busiest_patch(where, 50) == (slice(0, 40), slice(0, 50))


def test_the_lens_moves_every_value_by_eps_and_stays_a_picture():
    photo = np.array([[[0, 250, 100]]], np.uint8)
    assert moved(photo, np.array([[[-1, 1, 1]]]), 16).tolist() == [[[0, 255, 116]]]
