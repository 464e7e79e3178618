"""The picture from one's own camera, and what the other side of a call would see of it."""

import io

import numpy as np
import pytest
from app_page import choose, control, finish, open_page, text
from PIL import Image

from segviz.data.label_sets import PERSON2, VOC7
from segviz.lab import sample_picture
from segviz.models.zoo import MODELS
from segviz.records import Figures, Frame, Point, Trajectory
from segviz.settings import Settings
from segviz.ui.kit.layers import IN_A_CALL, layers_of


@pytest.fixture
def taken(monkeypatch) -> list[str]:
    """A camera that takes a grey picture; the keys of the widgets that asked for it."""
    asked: list[str] = []
    picture = io.BytesIO()
    Image.new("RGB", (120, 90), (90, 90, 90)).save(picture, "JPEG")

    def camera_input(label, *, key, **_):
        asked.append(key)
        return picture

    monkeypatch.setattr("streamlit.camera_input", camera_input)
    return asked


def test_the_camera_is_asked_for_only_when_it_is_switched_on(taken):
    app = open_page(image="own")
    assert not taken
    choose(app, Camera=True)
    assert taken
    finish(app)
    assert "In use: **camera**, without a label map." in text(app)
    choose(app, Camera=False)
    assert control(app, "Photo")
    assert "In use: **camera**, without a label map." in text(app)


def test_the_camera_gives_a_picture_to_target_maps(taken):
    app = open_page("targets")
    choose(app, Camera=True)
    assert "Camera" in control(app, "Pictures to attack").value


def trajectory(model: str, prediction: np.ndarray, pixels: np.ndarray) -> Trajectory:
    """A clean look in which the network is certain of `prediction`."""
    frame = Frame(0, pixels, prediction, np.full(prediction.shape, 255, np.uint8))
    figures = Figures(1.0, 1.0, (1.0,) * len(MODELS[model].label_set.classes))
    picture = sample_picture("astronaut", MODELS[model])
    return Trajectory(
        settings=Settings(model=model),
        picture=type(picture)("square", pixels, None, pixels.shape[:2]),
        reference=prediction,
        own_prediction=True,
        target=None,
        device="CPU",
        clean=figures,
        curve=(Point(0, 0.0, 0.0, 1.0, 1.0, 0, 0, ""),),
        frames=(frame,),
    )


def test_a_call_shows_the_person_and_hides_the_rest():
    pixels = np.random.default_rng(0).integers(0, 256, (60, 60, 3), np.uint8)
    person = np.zeros((60, 60), np.uint8)
    person[20:40, 20:40] = 1
    run = trajectory("selfie", person, pixels)
    attacked = Frame(1, pixels, 1 - person, np.full(person.shape, 255, np.uint8))
    layers = layers_of(run, attacked, PERSON2, None, False)
    for name in ("blurred", "replaced"):
        clean, broken = layers[f"{IN_A_CALL}, {name}"](), layers[f"{IN_A_CALL}, {name}, attacked"]()
        same = (clean == pixels).all(2)
        assert (same == (person == 1)).mean() > 0.99
        assert ((broken == pixels).all(2) == (person == 0)).mean() > 0.99
    blurred, replaced = (layers[f"{IN_A_CALL}, {name}"]() for name in ("blurred", "replaced"))
    assert blurred[person == 0].std() < pixels.std() / 4
    assert np.array_equal(replaced[0], np.broadcast_to(replaced[0, 0], (60, 3)))


def test_uncertain_pixels_are_mixed():
    pixels = np.zeros((40, 40, 3), np.uint8)
    run = trajectory("selfie", np.ones((40, 40), np.uint8), pixels)
    half = Frame(1, pixels, np.ones((40, 40), np.uint8), np.full((40, 40), 128, np.uint8))
    mixed = layers_of(run, half, PERSON2, None, False)[f"{IN_A_CALL}, replaced, attacked"]()
    wall = layers_of(run, Frame(1, pixels, np.zeros((40, 40), np.uint8), np.full((40, 40), 255, np.uint8)), PERSON2, None, False)
    assert np.abs(mixed.astype(float) - wall[f"{IN_A_CALL}, replaced, attacked"]() / 2).max() <= 1


def test_networks_of_other_classes_are_in_no_call():
    pixels = np.zeros((40, 40, 3), np.uint8)
    run = trajectory("voc7-lraspp", np.zeros((40, 40), np.uint8), pixels)
    assert not [name for name in layers_of(run, run.frames[0], VOC7, None, False) if name.startswith(IN_A_CALL)]
