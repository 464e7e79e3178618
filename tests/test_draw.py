"""Maps on screen: every class tinted alike, as clearly as one wishes, with outlines and patterns; files keep their colours."""

import numpy as np
import pytest

from segviz import draw
from segviz.data.label_sets import VOC7
from segviz.types import VOID

PHOTO = np.random.default_rng(0).integers(0, 256, (24, 30, 3), np.uint8)
HALVES = np.zeros((24, 30), np.uint8)
HALVES[:, 15:] = 5


def mix(look: draw.MapLook, label: int) -> np.ndarray:
    """What the photo and the colour of a class make together."""
    return look.opacity * np.array(look.palette(VOC7)[label]) + (1 - look.opacity) * PHOTO


@pytest.mark.parametrize("opacity", [0.2, 0.65, 1.0])
@pytest.mark.parametrize("own_colours", [False, True])
def test_background_is_tinted_like_any_class(opacity, own_colours):
    look = draw.MapLook(opacity=opacity, own_colours=own_colours)
    seen = draw.seen_map(HALVES, VOC7, PHOTO, look)
    assert np.abs(seen[:, :15] - mix(look, 0)[:, :15]).max() <= 0.5 + 1e-9
    assert np.abs(seen[:, 15:] - mix(look, 5)[:, 15:]).max() <= 0.5 + 1e-9


def test_alone_a_map_has_the_plain_colours_and_hides_classes_that_are_not_wanted():
    look = draw.MapLook(on_photo=False)
    assert (draw.seen_map(HALVES, VOC7, PHOTO, look)[:, 15:] == look.palette(VOC7)[5]).all()
    assert (draw.seen_map(HALVES, VOC7, PHOTO, look, {0})[:, 15:] == 255).all()


def test_outlines_are_where_classes_meet_and_nowhere_else():
    plain, lined = (draw.seen_map(HALVES, VOC7, PHOTO, draw.MapLook(outlines=on)) for on in (False, True))
    assert (lined[:, 14] == 0).all()
    assert (lined[:, 15] == 255).all()
    away = [column for column in range(30) if column not in (14, 15)]
    assert (lined[:, away] == plain[:, away]).all()


def test_patterns_tell_classes_apart_without_colours():
    masks = [draw.stripes(np.full((24, 24), label, np.uint8)) for label in range(1, 9)]
    assert not draw.stripes(np.full((24, 24), VOID, np.uint8)).any()
    assert not draw.stripes(np.zeros((24, 24), np.uint8)).any()
    for number, mask in enumerate(masks):
        assert 0.1 < mask.mean() < 0.35
        assert all((mask != other).mean() > 0.1 for other in masks[:number])


def test_maps_in_files_have_the_colours_of_the_data_set():
    assert (draw.colour_map(HALVES, VOC7.palette)[:, 15:] == VOC7.palette[5]).all()
    assert VOC7.palette[5] == (192, 128, 128)
