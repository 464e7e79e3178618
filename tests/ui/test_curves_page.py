"""The curves page, driven by AppTest."""

import time
from collections import deque
from functools import partial

import app_page
import pytest
from app_page import control, finish, go_to, metric, text
from streamlit.testing.v1 import AppTest

from segviz.lab import attack_picture, sample_picture
from segviz.models.zoo import model_entry
from segviz.settings import Settings
from segviz.ui.study.page import store

SMALL = {"models": "voc7-lraspp", "attacks": "fgsm,pgd@2", "eps": "4", "images": "camera,chelsea"}


@pytest.fixture(autouse=True)
def own_store(tmp_path, monkeypatch):
    monkeypatch.setenv("SEGVIZ_STUDIES", str(tmp_path))
    store.clear()
    yield
    store.clear()


open_curves = partial(app_page.open_page, "curves")
until_done = partial(app_page.until_done, job="curves_job")


def run(app: AppTest) -> AppTest:
    app.button(key="curves_run").click().run()
    assert not app.exception
    return until_done(app)


def test_first_visit_tells_the_cost_first_and_draws_what_ships():
    app = open_curves()
    assert app.session_state.curves_job is None
    assert "180 runs" in app.main.markdown[0].value
    assert "1,440 gradient evaluations, about" in app.main.markdown[0].value
    assert "made beforehand" in text(app)
    assert len(app.get("plotly_chart")) == 1
    assert dict(app.query_params) == {}
    assert app.button(key="curves_stop").disabled


@pytest.mark.parametrize("view", ["Classes", "Sizes", "Smallest ε", "Table"])
def test_every_view_of_what_ships(view):
    app = open_curves()
    app.button_group(key="curves_view").set_value(view).run()
    assert not app.exception
    assert len(app.get("plotly_chart")) == (0 if view == "Table" else 1)
    if view == "Table":
        assert len(app.dataframe[0].value) == 30


def test_a_grid_is_run_kept_and_equals_the_attack_lab(model):
    app = run(open_curves(**SMALL))
    assert dict(app.query_params) == SMALL
    rows = app.session_state.curves_shown.rows
    assert [(row.point.row.attack, row.images, row.pending) for row in rows] == [("fgsm", 2, 0), ("pgd", 2, 0)]
    cell, result = app.session_state.curves_shown.pairs[rows[1].point][0]
    settings = Settings(attack="pgd", steps=2, eps=4, image="camera")
    assert cell.settings == settings
    picture = sample_picture("camera", model_entry(settings.model))
    report = deque(attack_picture(settings, picture, model), maxlen=1).pop().report
    counts = result.adversarial
    assert counts.trace() / counts.sum() == pytest.approx(report.adversarial.pixel_accuracy)
    # Another visitor, or the same one after a restart, finds it.
    store.clear()
    again = open_curves(**SMALL)
    assert "all of them stored" in text(again)
    assert [row.adversarial for row in again.session_state.curves_shown.rows] == [row.adversarial for row in rows]


def test_stop_keeps_what_is_there_and_run_goes_on():
    app = open_curves(**(SMALL | {"attacks": "pgd@10", "images": "camera,chelsea,dog"}))
    app.button(key="curves_run").click().run()
    job = app.session_state.curves_job
    while job.latest is None or job.latest.done < 1:
        time.sleep(0.02)
    app.run()
    app.button(key="curves_stop").click().run()
    until_done(app)
    kept = app.session_state.curves_shown.rows[0].images
    assert 1 <= kept < 3
    assert f"{kept} of them are stored" in text(app)
    run(app)
    assert app.session_state.curves_job.latest.reused == kept
    assert app.session_state.curves_shown.rows[0].images == 3


def test_a_study_goes_on_while_the_attack_lab_runs_what_was_clicked():
    app = open_curves(**(SMALL | {"attacks": "fgsm,pgd@10", "images": "camera,chelsea,dog"}))
    app.button(key="curves_run").click().run()
    job = app.session_state.curves_job
    while job.latest is None or job.latest.done < 1:
        time.sleep(0.02)
    app.run()
    shown = app.session_state.curves_shown
    app.session_state.curves_clicked = shown.pairs[shown.rows[0].point][0][0]
    app.run()
    assert not app.exception
    # The driver does not follow a page that goes to another one.
    finish(go_to(app, "attack_lab"))
    assert (control(app, "Attack").value, control(app, "Picture").value, metric(app, "Gradients")) == ("fgsm", "camera", "1")
    app.switch_page("pages/curves.py").run()
    until_done(app)
    assert app.session_state.curves_job is job
    assert [row.images for row in app.session_state.curves_shown.rows] == [3, 3]


def test_a_folder_of_pictures(small_data):
    app = run(open_curves(models="voc7-lraspp", attacks="fgsm", eps="4", data=str(small_data), limit="2"))
    assert app.session_state.curves_shown.rows[0].images == 2
    app.text_input(key="curves_folder").set_value("/nowhere").run()
    assert "/nowhere is not a folder" in text(app)
    assert len(app.get("plotly_chart")) == 1


def test_what_cannot_be_gets_a_message_and_the_last_study_stays():
    app = open_curves()
    app.multiselect(key="curves_attacks").set_value(["pgd@0"]).run()
    assert not app.exception
    assert app.button(key="curves_run").disabled
    assert len(app.get("plotly_chart")) == 1
    app.multiselect(key="curves_attacks").set_value([]).run()
    assert "Choose at least one attack" in text(app)


def test_a_figure_of_a_paper_is_filled_in_and_run():
    app = open_curves()
    assert {preset.key for preset in app.button if (preset.key or "").startswith("run-")} == {
        f"run-{key}" for key in ("weak", "iterations", "transfer", "crf", "eot")
    }
    app.button(key="run-iterations").click().run()
    assert not app.exception
    job = app.session_state.curves_job
    job.stop()
    assert app.query_params["steps"] == "1,2,5,10,20,50,100,300"
    assert app.button_group(key="curves_axis").value == "iterations"
    while job.active:
        time.sleep(0.05)


def test_bisection_on_the_way_to_the_smallest_eps():
    app = run(open_curves(**(SMALL | {"attacks": "fgsm", "images": "camera"})))
    app.button_group(key="curves_view").set_value("Smallest ε").run()
    app.button(key="curves_bisect").click().run()
    search = app.session_state.curves_search
    while search.active:
        time.sleep(0.05)
    app.run()
    assert not app.exception
    assert "By bisection" in text(app)
