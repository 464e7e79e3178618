"""The layers that inspect a run: doubt, second-best class, flip times, spectrum."""

import math

import numpy as np
import torch

from segviz import draw
from segviz.data.label_sets import VOC7
from segviz.draw import MapLook
from segviz.lab import doubt_of
from segviz.records import Doubt
from segviz.studies import first_views
from segviz.ui.kit import layers


def test_doubt_is_that_of_the_probabilities():
    one = torch.tensor([0.5, 0.25, 0.25])
    sure, even = torch.tensor([0.0, 1.0, 0.0]), torch.full((3,), 1 / 3)
    found = doubt_of(torch.stack([one, sure, even], 1).unsqueeze(2))
    assert found.margin[:, 0].tolist() == [64, 255, 0]
    assert found.entropy[:, 0].tolist() == [round(255 * 1.5 * math.log(2) / math.log(3)), 0, 255]
    assert found.second[0, 0] in (1, 2)
    assert doubt_of(torch.ones(1, 2, 2)) is None


def test_flip_times_tell_the_first_flip():
    clean = np.zeros((1, 4), np.uint8)
    maps = [[1, 0, 0, 0], [0, 2, 0, 0], [1, 1, 3, 0]]
    looks = [(place, np.array([labels], np.uint8)) for place, labels in zip((0.5, 0.75, 1.0), maps, strict=True)]
    photo = np.full((1, 4, 3), 100, np.uint8)
    drawn = draw.flip_times(clean, looks, photo)
    scale = draw.heat(np.arange(256, dtype=np.uint8)[None])[0]
    assert drawn[0].tolist() == [scale[128].tolist(), scale[191].tolist(), scale[255].tolist(), [50, 50, 50]]


def test_spectrum_of_a_wave_is_two_points():
    height, width = 32, 48
    wave = 20 * np.cos(2 * np.pi * 6 * np.arange(width) / width)
    photo = np.full((height, width, 3), 100, np.uint8)
    changed = (photo + wave.round()[None, :, None]).astype(np.uint8)
    bright = (draw.spectrum(changed, photo) == draw.heat(np.full((1, 1), 255, np.uint8))).all(2)
    assert sorted(map(tuple, np.argwhere(bright).tolist())) == [(16, 18), (16, 30)]
    dark = draw.heat(np.zeros((1, 1), np.uint8))
    assert (draw.spectrum(photo, photo) == dark).all()


def test_the_run_that_ships_has_all_layers():
    run = first_views.load("lab")
    found = layers.layers_of(run, run.final, VOC7, None, MapLook())
    shape = run.picture.pixels.shape
    wanted = ["entropy", "margin", "second-best class"]
    names = [f"{when} {what}" for when in ("Clean", "Adversarial") for what in wanted] + [layers.FLIP_TIME, layers.SPECTRUM]
    for name in names:
        assert found[name]().shape == shape
    assert isinstance(run.final.doubt, Doubt)
    assert (run.final.doubt.second != run.final.prediction).all()
    never = np.all([frame.prediction == run.frames[0].prediction for frame in (*run.frames, run.final)], 0)
    assert (found[layers.FLIP_TIME]()[never] == (draw.grey(run.picture.pixels) // 2)[never]).all()


def test_runs_without_doubt_lack_only_its_layers():
    """As of results that were kept before it was asked for."""
    run = first_views.load("lab")
    old = [first_views.replace(frame, doubt=None) for frame in (*run.frames, run.final)]
    run = first_views.replace(run, frames=tuple(old[:-1]), final=old[-1])
    found = layers.layers_of(run, run.final, VOC7, None, MapLook())
    assert layers.FLIP_TIME in found
    assert not any(name.endswith("entropy") for name in found)
