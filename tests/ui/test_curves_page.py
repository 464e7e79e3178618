"""The curves page, driven by AppTest."""

from collections import deque
from functools import partial

import app_page
import pytest
from app_page import button, choose, control, finish, go_to, metric, press, record, table, text, until
from streamlit.testing.v1 import AppTest

from segviz.lab import attack_picture, sample_picture
from segviz.models.zoo import model_entry
from segviz.settings import Settings
from segviz.ui.curves.presets import FIGURES
from segviz.ui.curves.state import Curves
from segviz.ui.study.state import results_store

SMALL = {"models": "voc7-lraspp", "attacks": "fgsm,pgd@2", "eps": "4", "images": "camera,chelsea"}


@pytest.fixture(autouse=True)
def own_store(tmp_path, monkeypatch):
    monkeypatch.setenv("SEGVIZ_STUDIES", str(tmp_path))
    results_store.clear()
    yield
    results_store.clear()


open_curves = partial(app_page.open_page, "curves")


def points(app: AppTest):
    """The table behind the curves."""
    choose(app, View="Table")
    return table(app, "IoU ratio")


def price(app: AppTest) -> str:
    """What the page says of the cost."""
    return next(element.value for element in app.main.markdown if "runs" in element.value)


def part_way(app: AppTest) -> AppTest:
    """Wait until a run has something to show, and more to do."""
    return until(app, lambda: record(app, Curves).done > 0)


def test_first_visit_tells_the_cost_first_and_draws_what_ships():
    app = open_curves()
    assert button(app, "Stop").disabled
    assert "144 runs" in app.main.markdown[0].value
    assert "1,152 gradient evaluations" in app.main.markdown[0].value
    assert "made beforehand" in text(app)
    assert len(app.get("plotly_chart")) == 1
    assert dict(app.query_params) == {}


@pytest.mark.parametrize("view", ["Classes", "Sizes", "Smallest ε"])
def test_every_view_of_what_ships(view):
    assert len(choose(open_curves(), View=view).get("plotly_chart")) == 1


def test_the_table_of_what_ships():
    app = open_curves()
    assert len(points(app)) == 24
    assert not app.get("plotly_chart")


def test_a_grid_is_run_kept_and_equals_the_attack_lab(model):
    app = finish(press(open_curves(**SMALL), "Run"))
    assert dict(app.query_params) == SMALL
    there = points(app)
    assert list(there["attack"]) == ["FGSM", "PGD, 2 steps"]
    assert list(there["images"]) == [2, 2]
    cell, result = record(app, Curves).shown.pairs[record(app, Curves).shown.rows[1].point][0]
    settings = Settings(attack="pgd", steps=2, eps=4, image="camera")
    assert cell.settings == settings
    picture = sample_picture("camera", model_entry(settings.model))
    report = deque(attack_picture(settings, picture, model), maxlen=1).pop().report
    counts = result.adversarial
    assert counts.trace() / counts.sum() == pytest.approx(report.adversarial.pixel_accuracy)
    # Another visitor, or the same one after a restart, finds it.
    results_store.clear()
    again = open_curves(**SMALL)
    assert "all of them stored" in price(again)
    assert points(again).equals(there)


def test_stop_keeps_what_is_there_and_run_goes_on():
    app = open_curves(**(SMALL | {"attacks": "pgd@40", "images": "camera,chelsea,dog"}))
    part_way(press(app, "Run"))
    press(app, "Stop")
    finish(app)
    kept = points(app)["images"][0]
    assert 1 <= kept < 3
    assert f"{kept} of them are stored" in price(app)
    finish(press(app, "Run"))
    assert list(points(app)["images"]) == [3]


def test_a_study_goes_on_while_the_attack_lab_runs_what_was_clicked():
    app = open_curves(**(SMALL | {"attacks": "fgsm,pgd@10", "images": "camera,chelsea,dog"}))
    part_way(press(app, "Run"))
    state = record(app, Curves)
    # What a click on the first point leaves, which only a browser can make.
    state.clicked = state.shown.pairs[state.shown.rows[0].point][0][0]
    app.run()
    assert (control(app, "Attack").value, control(app, "Picture").value) == ("fgsm", "camera")
    finish(go_to(app, "attack_lab"))
    assert metric(app, "Gradients") == "1"
    finish(go_to(app, "curves"))
    assert list(points(app)["images"]) == [3, 3]


def test_a_folder_of_pictures(small_data):
    app = finish(press(open_curves(models="voc7-lraspp", attacks="fgsm", eps="4", data=str(small_data), limit="2"), "Run"))
    choose(app, **{"Data-set_folder_on_this_server": "/nowhere"})
    assert "/nowhere is not a folder" in app.error[0].value
    assert len(app.get("plotly_chart")) == 1
    assert list(points(app)["images"]) == [2]


def test_what_cannot_be_gets_a_message_and_the_last_study_stays():
    app = choose(open_curves(), Attacks=["pgd@0"])
    assert len(app.error) == 1
    assert button(app, "Run").disabled
    assert len(app.get("plotly_chart")) == 1
    choose(app, Attacks=[])
    assert "Choose at least one attack" in app.error[0].value


def test_a_figure_of_a_paper_is_filled_in_and_run():
    app = open_curves()
    assert {figure.title for figure in FIGURES} < {one.label for one in app.button}
    press(app, "Iterations matter")
    assert not button(app, "Stop").disabled
    assert app.query_params["steps"] == "1,2,5,10,20,50,100,300"
    assert control(app, "Over").value == "iterations"
    press(app, "Stop")
    finish(app)


def test_bisection_on_the_way_to_the_smallest_eps():
    app = finish(press(open_curves(**(SMALL | {"attacks": "fgsm", "images": "camera"})), "Run"))
    choose(app, View="Smallest ε")
    press(app, "Bisect")
    until(app, lambda: not button(app, "Bisect").disabled)
    assert "by bisection" in text(app)
    assert len(app.get("plotly_chart")) == 1
