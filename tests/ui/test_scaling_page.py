"""The page on image scaling, driven by AppTest."""

import io
from functools import partial

import app_page
import numpy as np
import pytest
from app_page import button, choose, control, finish, metric, press, record, table, text, upload
from PIL import Image

from segviz.results import scaling_result
from segviz.scaling.kernels import SCALERS
from segviz.studies.scaling import DetectionStudy, ScalingSettings
from segviz.ui.image_scaling.controls import RATIOS, TABLE, link_of_scaling
from segviz.ui.image_scaling.detection import detector_row
from segviz.ui.image_scaling.files import grid_csv
from segviz.ui.image_scaling.pictures import enlarged
from segviz.ui.image_scaling.state import Scaling
from segviz.ui.image_scaling.view import VISIBLE_PSNR
from segviz.ui.kit.links import read_link

open_page = partial(app_page.open_page, "image_scaling")


def test_first_visit_shows_an_attack_made_beforehand_and_where_it_works():
    app = open_page()
    assert button(app, "Stop").disabled
    assert "Made beforehand" in text(app)
    assert dict(app.query_params) == {}
    shown = text(app)
    assert "**OpenCV linear**  \n:red[**✗ fooled**]" in shown
    assert "**Pillow linear**  \n:green[**✓ safe**]" in shown
    assert metric(app, "Error after scaling") == "1/255"
    kept, scaled = (float(metric(app, label).rstrip("%")) for label in ("Map kept", "Map kept, scaled"))
    assert scaled < 50 < kept
    assert float(metric(app, "PSNR").removesuffix(" dB")) > VISIBLE_PSNR
    assert not app.warning
    assert len(table(app, "detector")) == 8


def test_the_files_hold_what_is_on_screen():
    app = finish(open_page(size="/8"))
    study = record(app, Scaling).study
    lines = grid_csv(study).splitlines()
    assert [line.partition(",")[0] for line in lines] == ["key", *SCALERS]
    told = scaling_result(study)
    # Files keep the names of links: eps for the slack.
    assert {name: told["settings"][name] for name in ("size", "eps", "attack_eps")} == {"size": "/8", "eps": 1, "attack_eps": 8}
    assert f"{told['attack']['max_error']}/255" == metric(app, "Error after scaling")
    assert f"{told['same_classes']['scaled']:.1%}" == metric(app, "Map kept, scaled")


def test_an_antialiased_kernel_is_warned_of_and_comes_out_as_visible():
    app = open_page(scaler="pillow-linear", size="64x48", hidden="colour", colour="#204060", eps="8")
    assert "Pillow linear reads every pixel here" in text(app)
    finish(app)
    assert any("can be seen" in warning.value for warning in app.warning)
    assert float(metric(app, "PSNR").removesuffix(" dB")) < 25


def test_link_and_settings_are_inverse():
    settings = ScalingSettings(
        "voc7-fcn8s", "horses", "adversarial", "person", "#102030", "torch-cubic", "200x100", 2.5, "segpgd", 4, 50, 0.5
    )
    assert ScalingSettings(**read_link(link_of_scaling(settings), TABLE).values) == settings
    assert link_of_scaling(ScalingSettings()) == {}
    for ratio in RATIOS:
        assert read_link({"size": ratio}, TABLE).values == {"size": ratio}


def test_links_with_nonsense_do_no_harm():
    query = {"size": "wide", "scaler": "gimp", "eps": "nan", "share": "7", "colour": "red", "hidden": "", "steps": "x", "attack": "dag"}
    link = read_link(query, TABLE)
    assert link.values == {}
    assert len(link.refused) == len(query)
    app = open_page(**query)
    assert (control(app, "Library that scales").value, control(app, "Kernel").value) == ("opencv", "opencv-linear")
    assert button(app, "Stop").disabled


def test_another_library_brings_its_own_kernels_and_the_old_view_stays():
    app = finish(open_page(size="/8"))
    before = metric(app, "PSNR")
    choose(app, Library_that_scales="torch")
    assert control(app, "Kernel").value == "torch-linear"
    assert "linear, antialiased" in control(app, "Kernel").options
    assert metric(app, "PSNR") == before
    assert "have changed since this run" in text(app)
    assert dict(app.query_params) == {"scaler": "torch-linear"}


def test_a_target_that_cannot_be_gets_a_message_and_no_run():
    app = finish(open_page(size="/8"))
    choose(app, Target_size="size", Width=900)
    assert "must be smaller than the picture" in app.error[0].value
    assert button(app, "Run").disabled
    assert metric(app, "PSNR")


def photo(width: int, height: int) -> tuple[str, bytes, str]:
    """A picture of noise as an upload."""
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)).save(file, "PNG")
    return f"{width} wide.png", file.getvalue(), "image/png"


def test_an_upload_is_taken_at_its_own_size():
    app = choose(finish(open_page(size="/8")), Picture="own")
    assert button(app, "Run").disabled
    assert len(app.info) == 1
    upload(app, "Photo", photo(1400, 320))
    assert "**1400 wide.png**, 1400x320" in text(app)
    finish(press(app, "Run"))
    assert "Your own picture**, 1400x320" in text(app)
    upload(app, "Photo", photo(3000, 300))
    assert "Crop it or scale it down" in app.error[0].value
    assert "**1400 wide.png**" in text(app)


@pytest.mark.parametrize(
    ("source", "attacked", "says"), [(1.5, 9, "attack found"), (1.5, 2, "attack missed"), (7, 9, "false alarm"), (1.5, 3.5, "attack found")]
)
def test_a_detector_is_judged_by_the_samples(source, attacked, says):
    scores = [{"histogram": value} for value in (1.0, 2.0, 3.0)]
    found = detector_row("histogram", source, attacked, DetectionStudy(ScalingSettings(), 4, 4, tuple(scores), ({"histogram": 8.0},)))
    assert (found["says"], found["threshold"], found["AUC"]) == (says, 3, 1)
    assert found["samples below attack"] == pytest.approx(100 * sum(value < attacked for value in (1, 2, 3)) / 3)


def test_small_pictures_are_enlarged_pixel_by_pixel():
    pixels = np.arange(96 * 128 * 3, dtype=np.uint8).reshape(96, 128, 3)
    assert np.array_equal(enlarged(pixels)[::3, ::3], pixels)
    assert enlarged(np.zeros((2048, 1000, 3), np.uint8)).shape == (2048, 1000, 3)
