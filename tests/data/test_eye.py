"""Colours of maps on screen: told apart by everybody, clear of the background; text and controls with the contrast that WCAG asks for."""

import tomllib
from itertools import combinations

import numpy as np
import pytest

from segviz.data.eye import DARK, SIGHTS, colours_on_screen, contrast, linear, oklab
from segviz.data.label_sets import ADE20K150, CAMVID11, CITYSCAPES19, LABEL_SETS, PERSON2, VOC7, VOC21
from segviz.places import APP

LEAST = {"VOC7": 0.17, "VOC21": 0.07, "Person2": 0.3, "Cityscapes19": 0.075, "CamVid11": 0.075}
"""The least difference in OKLab between two classes, to anybody. A just noticeable one is 0.02."""


def least(palette, sight: str) -> float:
    return min(
        float(np.linalg.norm(oklab(np.array(one), sight) - oklab(np.array(other), sight))) for one, other in combinations(palette, 2)
    )


def test_the_yardsticks_agree_with_their_sources():
    # Ottosson 2020; WCAG 2.2 and the contrast of #777 on white that is quoted with it.
    np.testing.assert_allclose(oklab(np.array([(255, 255, 255), (255, 0, 0)])), [(1, 0, 0), (0.628, 0.2249, 0.1258)], atol=1e-3)
    assert contrast(np.zeros(3), np.full(3, 255)) == pytest.approx(21)
    assert contrast(np.full(3, 0x77), np.full(3, 255)) == pytest.approx(4.48, abs=0.005)
    for sight in SIGHTS:
        # Greys look alike to all.
        np.testing.assert_allclose(oklab(np.full(3, 120), sight), oklab(np.full(3, 120)), atol=1e-3)
    red, green = np.array((200, 60, 0)), np.array((110, 110, 0))
    assert np.linalg.norm(oklab(red, "deuteranopia") - oklab(green, "deuteranopia")) < 0.4 * np.linalg.norm(oklab(red) - oklab(green))


@pytest.mark.parametrize("sight", SIGHTS)
@pytest.mark.parametrize("name", LEAST)
def test_no_two_classes_look_alike(name, sight):
    label_set = LABEL_SETS[name]
    found = least(label_set.screen_palette, sight)
    assert found >= LEAST[name]
    if sight != "normal" and name != "Person2":
        assert found > 1.5 * least(label_set.palette, sight)


@pytest.mark.parametrize("count", [2, 5, 12, 21])
def test_classes_of_other_names_get_colours_that_differ_as_well(count):
    palette = colours_on_screen(tuple(f"thing {number}" for number in range(count)))
    assert len(palette) == count
    assert all(least(palette, sight) >= 0.06 for sight in SIGHTS)


def test_many_classes_at_least_have_colours_of_their_own():
    assert len(set(ADE20K150.screen_palette)) == 150


def test_every_class_stands_out_from_the_background():
    for label_set in (VOC7, VOC21, PERSON2):
        assert label_set.screen_palette[0] == DARK
        assert all(contrast(np.array(DARK), np.array(colour)) >= 3 for colour in label_set.screen_palette[1:])


def test_a_class_has_one_colour_in_all_sets():
    colours = dict(zip(VOC21.classes, VOC21.screen_palette, strict=True))
    for label_set in (VOC7, PERSON2):
        assert label_set.screen_palette == tuple(colours[name] for name in label_set.classes)
    streets = dict(zip(CITYSCAPES19.classes, CITYSCAPES19.screen_palette, strict=True))
    camvid = dict(zip(CAMVID11.classes, CAMVID11.screen_palette, strict=True))
    assert [camvid[name] for name in ("road", "sky", "car", "pedestrian")] == [streets[name] for name in ("road", "sky", "car", "person")]


def test_bright_on_a_photo():
    """No class but the background darkens the photo as VOC's maroon and navy do."""
    assert min(linear(np.array(VOC21.screen_palette[1:])) @ (0.2126, 0.7152, 0.0722)) > 0.1


def rgb(text: str) -> np.ndarray:
    return np.array(list(bytes.fromhex(text.removeprefix("#"))))


def test_text_and_controls_can_be_read():
    """WCAG 2.2: 4.5 for text, 3 for what is not text. Links and buttons have the theme's colour, on paper and under white words."""
    theme = tomllib.loads((APP.parent / ".streamlit" / "config.toml").read_text())["theme"]
    assert contrast(rgb(theme["light"]["primaryColor"]), rgb("#ffffff")) >= 4.5
    assert contrast(rgb(theme["dark"]["primaryColor"]), rgb("#0e1117")) >= 4.5
