"""The compare page, driven by AppTest."""

import base64
import csv
import io
import json
import time
from functools import partial

import app_page
import numpy as np
import pytest
from app_page import text
from PIL import Image
from streamlit.testing.v1 import AppTest

from segviz.attacks.rows import ATTACKS
from segviz.data.label_sets import VOC7
from segviz.settings import Settings
from segviz.ui.compare.controls import DEFAULT_ATTACKS, DEFAULT_BUDGET, Wish, link_of_wish, read_wish
from segviz.ui.kit.attacks import attack_choices
from segviz.ui.kit.downloads import comparison_csv, comparison_json
from segviz.ui.kit.links import read_link

open_compare = partial(app_page.open_page, "compare")
until_done = partial(app_page.until_done, job="comparison_job")


def test_first_visit_shows_the_clean_picture_and_runs_nothing():
    app = open_compare()
    assert app.session_state.comparison_job is None
    assert "press **Run**" in text(app)
    assert "Clean picture" in text(app)
    assert len(app.get("image")) == 3
    assert tuple(app.multiselect(key="compare_attacks").value) == DEFAULT_ATTACKS
    assert app.select_slider(key="compare_budget").value == DEFAULT_BUDGET
    assert dict(app.query_params) == {}
    assert app.button(key="compare_stop").disabled


def test_run_fills_table_and_rows_and_opens_in_the_lab():
    app = open_compare()
    app.multiselect(key="compare_attacks").set_value(["fgsm", "pgd"])
    app.select_slider(key="compare_budget").set_value(2)
    app.button(key="compare_run").click().run()
    until_done(app)
    assert "takes one step" in text(app)
    table = app.dataframe[0].value
    assert dict(zip(table["attack"], table["gradients"], strict=True)) == {"FGSM": 1, "PGD": 2}
    assert list(table["pixels won"]) == sorted(table["pixels won"], reverse=True)
    assert list(table["max |d|"]) == [4, 4]
    assert dict(app.query_params) == {"attacks": "fgsm,pgd", "budget": "2"}
    app.button_group(key="compare_quantity").set_value("pixels won").run()
    assert not app.exception
    result = app.session_state.comparison[1].trajectory
    app.button(key="open-pgd").click().run()
    assert not app.exception
    assert (app.selectbox(key="attack").value, app.select_slider(key="steps").value) == ("pgd", 2)
    assert app.session_state.trajectory is result
    assert app.session_state.job is None


def test_link_runs_and_is_reproduced():
    query = {"attacks": "ifgsm,apgd-js constant,nonsense", "budget": "3", "eps": "2", "image": "dog", "against": "prediction"}
    app = until_done(open_compare(**query))
    settings = [entrant.settings for entrant in app.session_state.comparison]
    assert [(one.attack, one.variant, one.steps, one.eps) for one in settings] == [("ifgsm", "", 3, 2), ("apgd-js", "constant", 3, 2)]
    assert dict(app.query_params) == query | {"attacks": "ifgsm,apgd-js constant"}
    assert app.session_state.comparison_clean.picture.name == "dog"


def test_link_and_wish_are_inverse():
    shared = Settings(image="dog", goal="remove", target="dog", norm="l2", eps=1.25, seed=9)
    for name in attack_choices():
        link = link_of_wish(Wish(shared, (name, "pgd") if name != "pgd" else ("pgd",), 7), name_attacks=True)
        assert read_wish(link) == ((name, "pgd") if name != "pgd" else ("pgd",), 7)
        assert Settings(**read_link(link)) == shared
    assert link_of_wish(Wish(Settings(), DEFAULT_ATTACKS, DEFAULT_BUDGET), name_attacks=False) == {}


@pytest.mark.parametrize("query", [{"attacks": "nonsense"}, {"budget": "0"}, {"budget": "1e9"}, {"attacks": "", "budget": "x"}])
def test_links_with_nonsense_do_no_harm(query):
    app = open_compare(**query)
    assert tuple(app.multiselect(key="compare_attacks").value) == DEFAULT_ATTACKS
    assert app.select_slider(key="compare_budget").value == DEFAULT_BUDGET
    if app.session_state.comparison_job is not None:
        app.session_state.comparison_job.stop()


def test_attacks_that_cannot_do_the_goal_are_left_out_with_a_hint():
    app = open_compare()
    app.multiselect(key="compare_attacks").set_value(["fgsm-ll", "pgd"]).run()
    app.selectbox(key="goal").set_value("everywhere").run()
    assert app.multiselect(key="compare_attacks").value == ["pgd"]
    assert ATTACKS["fgsm-ll"].title not in app.multiselect(key="compare_attacks").options
    assert "Left out" in text(app)
    assert ATTACKS["fgsm-ll"].title in text(app)


def test_attack_above_the_budget_gets_a_message_and_the_others_run():
    app = open_compare()
    app.multiselect(key="compare_attacks").set_value(["sea", "fgsm"])
    app.select_slider(key="compare_budget").set_value(1)
    app.button(key="compare_run").click().run()
    assert "needs at least 3 gradient evaluations" in text(app)
    until_done(app)
    assert list(app.dataframe[0].value["attack"]) == ["FGSM"]
    app.multiselect(key="compare_attacks").set_value(["sea"]).run()
    assert app.button(key="compare_run").disabled


def test_stop_keeps_what_was_reached():
    app = open_compare()
    app.multiselect(key="compare_attacks").set_value(["ifgsm", "pgd"])
    app.select_slider(key="compare_budget").set_value(500)
    app.button(key="compare_run").click().run()
    job = app.session_state.comparison_job
    while job.latest is None or min(entrant.spent for entrant in job.latest) < 1:
        time.sleep(0.05)
    app.run()
    app.button(key="compare_stop").click().run()
    until_done(app)
    assert all("stopped after" in state for state in app.dataframe[0].value["state"])


def test_a_goal_that_cannot_be_marks_the_rows_and_keeps_the_picture():
    app = open_compare()
    app.selectbox(key="goal").set_value("remove").run()
    app.selectbox(key="target").set_value("sheep")
    app.multiselect(key="compare_attacks").set_value(["pgd"])
    app.button(key="compare_run").click().run()
    until_done(app)
    assert "sees no sheep" in app.dataframe[0].value["state"][0]
    assert len(app.get("image")) >= 3


def test_choices_are_carried_over_to_the_lab_and_back():
    app = open_compare()
    app.slider(key="eps").set_value(9.0).run()
    app.switch_page("pages/attack_lab.py").run()
    assert app.slider(key="eps").value == 9
    app.slider(key="eps").set_value(2.0)
    app.button_group(key="norm").set_value("l2").run()
    app.switch_page("pages/compare.py").run()
    assert not app.exception
    assert (app.slider(key="eps").value, app.button_group(key="norm").value) == (2, "l2")
    assert tuple(app.multiselect(key="compare_attacks").value) == DEFAULT_ATTACKS


def test_downloads():
    app = until_done(open_compare(attacks="fgsm,ifgsm", budget="2", image="camera"))
    entrants = app.session_state.comparison
    rows = list(csv.DictReader(io.StringIO(comparison_csv(entrants))))
    assert [(row["attack"], row["gradients"]) for row in rows] == [
        (name, str(k)) for name, n in (("fgsm", 2), ("ifgsm", 3)) for k in range(n)
    ]
    result = json.loads(comparison_json(entrants, 2, VOC7))
    assert result["budget"] == 2
    assert {one["attack"] for one in result["attacks"]} == {"fgsm", "ifgsm"}
    assert result["attacks"][0]["success"] >= result["attacks"][1]["success"]


def pictures(app: AppTest) -> list[np.ndarray]:
    """The pictures on the page, in order."""
    urls = [image.url for element in app.get("image") for image in element.proto.imgs]
    return [np.asarray(Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2])))) for url in urls if url.startswith("data:")]


def test_the_clean_row_shows_the_picture_that_is_attacked():
    app = until_done(open_compare(image="camera", attacks="fgsm", budget="1"))
    attacked = app.session_state.comparison[0].trajectory.picture.pixels
    assert any(np.array_equal(picture, attacked) for picture in pictures(app))
