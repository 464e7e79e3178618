"""The page on image scaling, driven by AppTest."""

import csv
import io
import json
from functools import partial

import app_page
import numpy as np
import pytest
from app_page import text
from PIL import Image

from segviz.scaling.kernels import SCALERS
from segviz.studies.scaling import DetectionStudy, ScalingSettings
from segviz.ui.image_scaling.controls import RATIOS, link_of_scaling, read_scaling
from segviz.ui.image_scaling.view import enlarged, figures_json, grid_csv, row_of

open_page = partial(app_page.open_page, "image_scaling")
until_done = partial(app_page.until_done, job="scaling_job")


def test_first_visit_makes_an_attack_and_shows_where_it_works():
    app = until_done(open_page())
    study = app.session_state.scaling_study
    assert study.ended
    assert study.settings == ScalingSettings()
    assert dict(app.query_params) == {}
    shown = text(app)
    assert "makes the hidden picture of it" in shown
    assert "**OpenCV linear**  \n:green[**✓ works**]" in shown
    assert "**Pillow linear**  \n:gray[**✗ fails**]" in shown
    assert "**The adaptive attack** knows of the filter" in shown
    assert {metric.label: metric.value for metric in app.metric}["Error after scaling"] == "1/255"
    assert len(app.dataframe[0].value) == 8
    rows = list(csv.DictReader(io.StringIO(grid_csv(study))))
    assert [row["key"] for row in rows] == list(SCALERS)
    figures = json.loads(figures_json(study))
    assert figures["attack"]["max_error"] <= 1.5
    assert figures["same_classes"]["scaled"] < 0.5 < figures["same_classes"]["full_size"]


def test_an_antialiased_kernel_is_warned_of_and_comes_out_as_visible():
    app = open_page(scaler="pillow-linear", size="64x48", hidden="colour", colour="#204060", eps="8")
    assert "Pillow linear reads every pixel here" in text(app)
    until_done(app)
    assert "The change can be seen" in text(app)
    assert app.session_state.scaling_study.result.psnr < 25


def test_link_and_settings_are_inverse():
    settings = ScalingSettings(
        "voc7-fcn8s", "horses", "adversarial", "person", "#102030", "torch-cubic", "200x100", 2.5, "segpgd", 4, 50, 0.5
    )
    assert ScalingSettings(**read_scaling(link_of_scaling(settings))) == settings
    assert link_of_scaling(ScalingSettings()) == {}
    for ratio in RATIOS:
        assert read_scaling({"size": ratio}) == {"size": ratio}


def test_links_with_nonsense_do_no_harm():
    query = {"size": "wide", "scaler": "gimp", "eps": "nan", "share": "7", "colour": "red", "hidden": "", "steps": "x", "attack": "dag"}
    assert read_scaling(query) == {}
    app = open_page(**query)
    assert app.selectbox(key="scaling_scaler").value == "opencv-linear"
    app.session_state.scaling_job.stop()


def test_another_library_brings_its_own_kernels_and_the_old_view_stays():
    app = until_done(open_page(size="/8"))
    before = app.session_state.scaling_study
    app.button_group(key="scaling_library").set_value("torch").run()
    assert not app.exception
    assert app.selectbox(key="scaling_scaler").value == "torch-linear"
    assert "linear, antialiased" in app.selectbox(key="scaling_scaler").options
    assert app.session_state.scaling_study is before
    assert "have changed since this run" in text(app)
    assert dict(app.query_params) == {"size": "/8", "scaler": "torch-linear"}


def test_a_target_that_cannot_be_gets_a_message_and_no_run():
    app = until_done(open_page(size="/8"))
    app.selectbox(key="scaling_ratio").set_value("size").run()
    app.number_input(key="scaling_width").set_value(900).run()
    assert not app.exception
    assert "must be smaller than the picture" in text(app)
    assert app.button(key="scaling_run").disabled
    assert app.session_state.scaling_study is not None


def test_an_upload_is_taken_at_its_own_size():
    app = until_done(open_page(size="/8"))
    app.selectbox(key="image").set_value("own").run()
    assert "Upload" in text(app) or "upload" in text(app)
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (320, 1400, 3), np.uint8)).save(file, "PNG")
    app.file_uploader(key="scaling_picture_upload").upload("wide.png", file.getvalue(), "image/png").run()
    assert not app.exception
    assert "**wide.png**, 1400x320" in text(app)
    app.button(key="scaling_run").click().run()
    until_done(app)
    assert app.session_state.scaling_study.source.shape == (320, 1400, 3)
    file = io.BytesIO()
    Image.new("RGB", (3000, 300)).save(file, "PNG")
    app.file_uploader(key="scaling_picture_upload").upload("wider.png", file.getvalue(), "image/png").run()
    assert "Crop it or scale it down" in text(app)
    assert "**wide.png**" in text(app)


@pytest.mark.parametrize(
    ("source", "attacked", "says"), [(1.5, 9, "attack found"), (1.5, 2, "attack missed"), (7, 9, "false alarm"), (1.5, 3.5, "attack found")]
)
def test_a_detector_is_judged_by_the_samples(source, attacked, says):
    scores = [{"histogram": value} for value in (1.0, 2.0, 3.0)]
    found = row_of("histogram", source, attacked, DetectionStudy(ScalingSettings(), 4, 4, tuple(scores), ({"histogram": 8.0},)))
    assert (found["says"], found["threshold"], found["AUC"]) == (says, 3, 1)
    assert found["samples below attack"] == pytest.approx(100 * sum(value < attacked for value in (1, 2, 3)) / 3)


def test_small_pictures_are_enlarged_pixel_by_pixel():
    pixels = np.arange(96 * 128 * 3, dtype=np.uint8).reshape(96, 128, 3)
    assert np.array_equal(enlarged(pixels)[::3, ::3], pixels)
    assert enlarged(np.zeros((2048, 1000, 3), np.uint8)).shape == (2048, 1000, 3)
