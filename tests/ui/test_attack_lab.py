"""The attack lab's page, driven by AppTest."""

import io
import json
import re
import time
from dataclasses import asdict

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from segviz.attacks.regions import inside
from segviz.data.label_sets import VOC7
from segviz.places import APP
from segviz.settings import Settings
from segviz.ui.kit.downloads import curve_csv, settings_json, snippet
from segviz.ui.kit.layers import layers
from segviz.ui.kit.links import link_of, read_link


def open_page(**query: str) -> AppTest:
    app = AppTest.from_file(str(APP), default_timeout=60)
    for name, value in query.items():
        app.query_params[name] = value
    app.run()
    assert not app.exception
    return app


def until_done(app: AppTest) -> AppTest:
    """Poll as the fragment does in a browser."""
    end = time.monotonic() + 60
    while app.session_state.job is not None and app.session_state.job.active:
        assert time.monotonic() < end
        time.sleep(0.1)
    app.run()
    assert not app.exception
    return app


def metric(app: AppTest, label: str) -> str:
    return next(element.value for element in app.metric if element.label == label)


def text(app: AppTest) -> str:
    return " ".join(element.value for element in [*app.markdown, *app.caption, *app.info, *app.error])


def test_first_view_needs_no_model_and_no_run():
    app = open_page()
    assert app.session_state.job is None
    assert "made beforehand" in text(app)
    assert {"mIoU of this image", "Pixel accuracy", "IoU ratio", "Largest change"} <= {element.label for element in app.metric}
    assert metric(app, "Largest change") == "4/255"
    assert app.button(key="stop").disabled


def test_run_shows_a_live_result():
    app = open_page()
    app.selectbox(key="attack").set_value("ifgsm")
    app.select_slider(key="steps").set_value(2)
    app.button(key="run").click().run()
    assert not app.exception
    until_done(app)
    assert app.session_state.trajectory.settings.attack == "ifgsm"
    assert metric(app, "Gradients") == "2"
    assert "I-FGSM" in text(app)
    assert "made beforehand" not in text(app)


def test_link_reproduces_the_view():
    """A link with settings of its own runs at once and twice the same."""
    query = {"image": "horses", "attack": "pgd", "eps": "2.0", "steps": "2", "seed": "7", "norm": "l2"}
    first, second = (until_done(open_page(**query)).session_state.trajectory for _ in range(2))
    settings = first.settings
    assert (settings.image, settings.eps, settings.steps, settings.seed, settings.norm) == ("horses", 2, 2, 7, "l2")
    assert np.array_equal(first.final.pixels, second.final.pixels)


def test_settings_appear_in_the_url():
    app = open_page()
    app.slider(key="eps").set_value(8.0)
    app.run()
    app.segmented_control(key="norm").set_value("l2").run()
    assert dict(app.query_params) == {"eps": "8", "norm": "l2"}


def test_link_and_settings_are_inverse():
    settings = Settings(image="dog", goal="remove", target="dog", attack="ifgsm", norm="l2", eps=1.25, steps=50, alpha=0.3, seed=9)
    assert read_link(link_of(settings)) == {name: value for name, value in asdict(settings).items() if value != getattr(Settings(), name)}
    assert link_of(Settings()) == {}


def test_another_picture_is_shown_before_it_is_attacked():
    app = open_page()
    app.selectbox(key="image").set_value("dog").run()
    until_done(app)
    assert "not attacked yet" in text(app)
    assert app.session_state.trajectory.picture.name == "dog"
    assert "Largest change" not in {element.label for element in app.metric}


def test_stop_keeps_what_was_reached():
    app = open_page()
    app.select_slider(key="steps").set_value(300)
    app.button(key="run").click().run()
    job = app.session_state.job
    while job.latest is None or job.latest.curve[-1].index < 2:
        time.sleep(0.05)
    app.run()
    app.button(key="stop").click().run()
    until_done(app)
    assert "Stopped" in text(app)
    report = app.session_state.trajectory.report
    assert report.stopped
    assert 2 <= report.iterations < 300


def test_scrubbing_shows_a_stored_iteration():
    app = open_page()
    scrubber = next(element for element in app.select_slider if element.label == "Iteration on screen")
    scrubber.set_value(0)
    app.run()
    assert not app.exception


def test_goal_that_cannot_be_gets_a_message_and_keeps_the_view():
    app = open_page()
    app.selectbox(key="goal").set_value("remove").run()
    app.selectbox(key="target").set_value("sheep")
    app.button(key="run").click().run()
    until_done(app)
    assert "sees no sheep" in text(app)
    assert metric(app, "Largest change") == "4/255"


def test_drawn_region_comes_from_the_link_and_follows_the_drawing():
    app = open_page(image="camera", steps="1", region="polygon:10,10 90,10 50,90")
    assert until_done(app).session_state.trajectory.settings.region == "polygon:10,10 90,10 50,90"
    assert app.selectbox(key="region_kind").value == "polygon"
    trajectory = app.session_state.trajectory
    shown = layers(trajectory, trajectory.final, VOC7, None, False)["Region"]()
    photo, mask = trajectory.picture.pixels, inside("10,10 90,10 50,90", *shown.shape[:2])
    assert np.array_equal(shown[mask], photo[mask])
    assert (shown[~mask] <= 128).all()
    job = app.session_state.job
    app.session_state.region_polygon = "0,0 50,0 50,50 0,50"
    app.run()
    assert not app.exception
    assert app.query_params["region"] == "polygon:0,0 50,0 50,50 0,50"
    assert re.search(r"may change 25\.\d% of the pixels", text(app))
    assert app.session_state.job is job


def test_nothing_drawn_is_not_the_whole_picture():
    app = open_page()
    app.selectbox(key="region_kind").set_value("polygon").run()
    assert app.button(key="run").disabled
    assert "Draw on the picture" in text(app)
    app = until_done(open_page(**app.query_params, image="camera"))
    assert app.button(key="run").disabled
    assert "not attacked yet" in text(app)


def test_broken_polygon_gets_a_message():
    app = until_done(open_page(image="camera", steps="1", region="polygon:1,2 3"))
    assert "is no polygon" in text(app)
    assert app.button(key="run").disabled


def test_least_likely_attacks_are_left_out_for_targets():
    app = open_page()
    app.selectbox(key="goal").set_value("everywhere").run()
    assert "fgsm-ll" not in app.selectbox(key="attack").options
    app.selectbox(key="target").set_value("sheep")
    app.select_slider(key="steps").set_value(2)
    app.button(key="run").click().run()
    until_done(app)
    assert "Target reached" in {element.label for element in app.metric}


def test_upload_and_bad_uploads():
    app = open_page()
    app.selectbox(key="image").set_value("own").run()
    assert "Upload a picture" in text(app)
    assert app.button(key="run").disabled
    app.file_uploader(key="photo_upload").set_value(("broken.png", b"nothing", "image/png")).run()
    assert "not a picture" in text(app)
    assert metric(app, "Largest change") == "4/255"

    app.file_uploader(key="photo_upload").set_value(("own.png", png_of((90, 60)), "image/png")).run()
    until_done(app)
    assert app.session_state.trajectory.picture.original == (90, 60)
    assert "own clean prediction" in text(app)

    app.file_uploader(key="label_upload").set_value(("labels.png", png_of((80, 60)), "image/png")).run()
    assert app.error
    assert app.session_state.trajectory.picture.original == (90, 60)
    app.select_slider(key="steps").set_value(1)
    app.button(key="run").click().run()
    until_done(app)
    assert app.session_state.trajectory.report.gradient_evaluations == 1


def test_own_picture_survives_a_page_change_and_takes_its_label_map_later(tmp_path, monkeypatch):
    app = open_page(image="own")
    photo, labels = png_of((90, 60)), io.BytesIO()
    Image.fromarray(np.full((60, 90), 12, np.uint8)).save(labels, "PNG")
    app.file_uploader(key="label_upload").set_value(("labels.png", labels.getvalue(), "image/png")).run()
    assert "Upload the photo" in text(app)
    app.file_uploader(key="label_upload").set_value(None)
    app.file_uploader(key="photo_upload").set_value(("own.png", photo, "image/png")).run()
    until_done(app)
    assert "not attacked yet" in text(app)
    app.switch_page("pages/about.py").run()
    app.switch_page("pages/attack_lab.py").run()
    assert "**own.png**, without a label map" in text(app)
    app.file_uploader(key="label_upload").set_value(("labels.png", labels.getvalue(), "image/png")).run()
    until_done(app)
    assert "**own.png**, with a label map" in text(app)
    app.select_slider(key="steps").set_value(1)
    app.button(key="run").click().run()
    trajectory = until_done(app).session_state.trajectory
    assert not trajectory.own_prediction

    (tmp_path / "photo.png").write_bytes(photo)
    (tmp_path / "labels.png").write_bytes(labels.getvalue())
    monkeypatch.chdir(tmp_path)
    scope: dict = {}
    exec(snippet(trajectory, sample=False), scope)
    assert scope["trajectory"].report.adversarial == trajectory.report.adversarial


def png_of(size: tuple[int, int]) -> bytes:
    data = io.BytesIO()
    Image.linear_gradient("L").resize(size).convert("RGB").save(data, "PNG")
    return data.getvalue()


@pytest.mark.parametrize(
    "query",
    [
        {"attack": "nonsense"},
        {"eps": "nan"},
        {"eps": "-3"},
        {"steps": "7"},
        {"image": "nessie"},
        {"seed": "x"},
        {"goal": "everywhere", "target": "zebra"},
    ],
)
def test_links_with_nonsense_do_no_harm(query):
    until_done(open_page(**query))


def test_six_pictures():
    app = open_page()
    app.segmented_control(key="view").set_value("Six pictures").run()
    assert not app.exception
    assert len(app.get("image")) == 6


def test_about_page():
    app = open_page()
    app.switch_page("pages/about.py").run()
    assert not app.exception
    assert "voc7" in text(app) or "EfficientNet" in text(app)


def test_suite_shows_its_attacks(monkeypatch):
    app = until_done(open_page(image="camera", attack="quick", steps="2", eps="2.0"))
    table = next(frame.value for frame in app.dataframe if "pixels won" in frame.value)
    assert set(table["attack"]) == {"apgd-mce", "apgd-js", "padam-cos"}
    assert table["pixels won"].is_monotonic_decreasing
    assert "× 3 attacks" in text(app)
    assert "One run takes 6 gradient evaluations" in text(app)


def test_settings_of_the_paper():
    app = open_page(attack="ifgsm")
    app.slider(key="eps").set_value(8.0).run()
    app.button(key="published").click().run()
    assert not app.exception
    assert app.select_slider(key="steps").value == 10
    assert app.number_input(key="alpha").value == 1
    assert dict(app.query_params)["against"] == "prediction"


def test_variant_transforms_and_region_reach_the_run():
    app = open_page(image="camera", attack="apgd-js", steps="2", variant="constant", transforms="ti,si", region="outside:person", eps="4.0")
    settings = until_done(app).session_state.trajectory.settings
    assert settings == Settings(
        image="camera", attack="apgd-js", steps=2, variant="constant", transforms=("ti", "si"), region="outside:person"
    )
    assert app.session_state.trajectory.report.gradient_evaluations == 10
    assert "changing only what is not person" in text(app)
    changed = (app.session_state.trajectory.final.pixels != app.session_state.trajectory.picture.pixels).any(2)
    assert not changed[app.session_state.trajectory.picture.labels == VOC7.classes.index("person")].any()


def test_wrapped_model_runs_and_stays_in_the_link():
    app = until_done(open_page(model="voc7-fcn8s+multiscale", image="camera", attack="fgsm"))
    assert app.selectbox(key="model").value == "voc7-fcn8s"
    assert app.selectbox(key="wrapper").value == "multiscale"
    assert dict(app.query_params)["model"] == "voc7-fcn8s+multiscale"
    assert app.session_state.trajectory.report.success > 0
    app.selectbox(key="wrapper").set_value("crf").run()
    assert dict(app.query_params)["model"] == "voc7-fcn8s+crf"


def test_swap_needs_two_classes_the_model_sees():
    app = open_page(image="person")
    app.selectbox(key="goal").set_value("swap").run()
    app.selectbox(key="target").set_value("person").run()
    app.selectbox(key="other").set_value("horse")
    app.select_slider(key="steps").set_value(2)
    app.button(key="run").click().run()
    until_done(app)
    assert "swap person and horse" in text(app)
    target, clean = app.session_state.trajectory.target, app.session_state.trajectory.frames[0].prediction
    assert ((target == 5) == (clean == 4)).all()
    assert ((target == 4) == (clean == 5)).all()


def test_downloads_repeat_the_run(tmp_path, monkeypatch):
    app = open_page(image="camera", attack="pgd", steps="1", eps="3.0")
    trajectory = until_done(app).session_state.trajectory
    rows = curve_csv(trajectory).splitlines()
    assert rows[0] == "index,loss,success,pixel_accuracy,miou,gradients,stage,member"
    assert len(rows) == 3
    result = json.loads(settings_json(trajectory, VOC7))
    assert (result["eps"], result["alpha"], result["reference"]) == (3, 3, "label map")
    assert set(result["adversarial"]["iou"]) == set(VOC7.classes)
    monkeypatch.chdir(tmp_path)
    exec(snippet(trajectory, sample=True), {})
    assert np.array_equal(np.asarray(Image.open("adversarial.png")), trajectory.final.pixels)


def test_a_run_that_cannot_be_keeps_its_message_and_shows_the_picture_asked_for():
    app = open_page(image="person", goal="remove", target="cat", steps="2")
    until_done(app)
    until_done(app)
    assert any("sees no cat" in error.value for error in app.error)
    assert app.session_state.trajectory.picture.name == "person"
    assert "not attacked yet" in text(app)
    app.selectbox(key="target").set_value("horse").run()
    app.button(key="run").click().run()
    until_done(app)
    assert not app.error
    assert app.session_state.trajectory.settings.target == "horse"


def test_changed_settings_are_told_from_those_of_the_run():
    app = until_done(open_page(image="camera", attack="fgsm"))
    assert "have changed since this run" not in text(app)
    app.slider(key="eps").set_value(9.0).run()
    assert "have changed since this run" in text(app)


def test_another_goal_suggests_a_class_of_the_picture():
    app = open_page()
    app.selectbox(key="image").set_value("person").run()
    app.selectbox(key="goal").set_value("swap").run()
    assert app.selectbox(key="target").value in {"person", "horse", "dog"}
    assert app.selectbox(key="other").value in {"person", "horse", "dog"} - {app.selectbox(key="target").value}


def test_an_attack_that_cannot_reach_the_goal_is_replaced_aloud():
    app = open_page(attack="fgsm-ll", goal="everywhere", target="cat", image="camera", steps="2")
    assert "FGSM least-likely has its own target or none" in text(app)
    assert app.selectbox(key="attack").value == "pgd"
