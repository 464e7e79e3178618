"""The compare page, driven by AppTest."""

import csv
import io
import json
from functools import partial

import app_page
import numpy as np
import pytest
from app_page import button, choose, control, finish, go_to, metric, metrics, pictures, press, streamed, table, text, until

from segviz.attacks.rows import ATTACKS
from segviz.lab import sample_picture
from segviz.models.zoo import MODELS
from segviz.settings import Settings
from segviz.ui.compare.controls import DEFAULT_ATTACKS, DEFAULT_BUDGET, TABLE, ComparisonWish, link_of_comparison
from segviz.ui.kit.attacks import attack_choices
from segviz.ui.kit.links import read_link

BUDGET, EPS, NORM = "Budget, in gradient evaluations", "Epsilon, in n/255", "Norm"

open_compare = partial(app_page.open_page, "compare")


def photo(key: str) -> np.ndarray:
    return sample_picture(key, MODELS["voc7-lraspp"]).pixels


def test_first_visit_shows_what_was_made_beforehand_and_runs_nothing():
    app = open_compare()
    assert np.array_equal(pictures(app, "Input")[0], photo("chelsea"))
    assert set(table(app, "pixels won")["gradients"]) == {DEFAULT_BUDGET}
    assert len(pictures(app, "Adversarial map")) == len(DEFAULT_ATTACKS)
    assert "Made beforehand" in text(app)
    assert tuple(control(app, "Attacks").value) == DEFAULT_ATTACKS
    assert control(app, BUDGET).value == DEFAULT_BUDGET
    assert dict(app.query_params) == {}
    assert button(app, "Stop").disabled


def test_run_fills_table_and_rows_and_opens_in_the_lab():
    app = choose(open_compare(), Attacks=["fgsm", "pgd"], **{BUDGET: 2})
    finish(press(app, "Run"))
    rows = table(app, "pixels won")
    assert dict(zip(rows["attack"], rows["gradients"], strict=True)) == {"FGSM": 1, "PGD": 2}
    assert list(rows["pixels won"]) == sorted(rows["pixels won"], reverse=True)
    assert list(rows["max |d|"]) == [4, 4]
    assert dict(app.query_params) == {"attacks": "fgsm,pgd", "budget": "2"}
    choose(app, Curves_of="pixels won")
    adversarial = pictures(app, "Adversarial")[1]
    app.button(key="open-pgd").click().run()
    assert not app.exception
    assert (control(app, "Attack").value, control(app, "Steps").value) == ("pgd", 2)
    assert np.array_equal(pictures(app, "Adversarial")[0], adversarial)
    assert metric(app, "Gradients") == "2"
    assert button(app, "Stop").disabled


def test_link_runs_and_is_reproduced():
    query = {"attacks": "ifgsm,apgd-js constant", "budget": "3", "eps": "2", "image": "dog", "against": "prediction"}
    app = finish(open_compare(**query))
    rows = table(app, "pixels won").set_index("attack")
    assert set(rows.index) == {"I-FGSM", f"{ATTACKS['apgd-js'].title} (constant)"}
    assert list(rows["gradients"]) == [3, 3]
    assert (rows["max |d|"] <= 2).all()
    assert dict(app.query_params) == query
    assert np.array_equal(pictures(app, "Input")[0], photo("dog"))


def test_link_and_wish_are_inverse():
    shared = Settings(image="dog", goal="remove", target="dog", norm="l2", eps=1.25, seed=9)
    for name in attack_choices():
        attacks = tuple(dict.fromkeys((name, "pgd")))
        link = link_of_comparison(ComparisonWish(shared, attacks, 7), name_attacks=True)
        found = dict(read_link(link, TABLE).values)
        assert (found.pop("attacks"), found.pop("budget")) == (attacks, 7)
        assert Settings(**found) == shared
    assert link_of_comparison(ComparisonWish(Settings(), DEFAULT_ATTACKS, DEFAULT_BUDGET), name_attacks=False) == {}


@pytest.mark.parametrize("query", [{"attacks": "nonsense"}, {"budget": "0"}, {"budget": "1e9"}, {"attacks": "", "budget": "x"}])
def test_links_with_nonsense_do_no_harm(query):
    app = open_compare(**query)
    assert tuple(control(app, "Attacks").value) == DEFAULT_ATTACKS
    assert control(app, BUDGET).value == DEFAULT_BUDGET
    if not button(app, "Stop").disabled:
        press(app, "Stop")


def test_attacks_that_cannot_do_the_goal_are_left_out_with_a_hint():
    app = choose(open_compare(), Attacks=["fgsm-ll", "pgd"])
    choose(app, Goal="everywhere")
    assert control(app, "Attacks").value == ["pgd"]
    assert ATTACKS["fgsm-ll"].title not in control(app, "Attacks").options
    assert ATTACKS["fgsm-ll"].title in text(app)


def test_attack_above_the_budget_gets_a_message_and_the_others_run():
    app = choose(open_compare(), Attacks=["sea", "fgsm"], **{BUDGET: 1})
    assert any(ATTACKS["sea"].title in warning.value for warning in app.warning)
    finish(press(app, "Run"))
    assert list(table(app, "pixels won")["attack"]) == ["FGSM"]
    choose(app, Attacks=["sea"])
    assert button(app, "Run").disabled


def test_stop_keeps_what_was_reached():
    app = press(choose(open_compare(), Attacks=["ifgsm", "pgd"], **{BUDGET: 500}), "Run")
    until(app, lambda: [int(row[1] or -1) >= 1 for row in streamed(app).get("table", ())[1:]] == [True, True])
    finish(press(app, "Stop"))
    rows = table(app, "pixels won")
    assert ((rows["gradients"] >= 1) & (rows["gradients"] < 500)).all()
    assert rows["max |d|"].notna().all()
    assert rows["state"].str.contains("stopped").all()


def test_a_goal_that_cannot_be_marks_the_rows_and_keeps_the_picture():
    app = choose(open_compare(), Goal="remove", Class="sheep", Attacks=["pgd"])
    finish(press(app, "Run"))
    assert "sheep" in table(app, "state")["state"][0]
    assert np.array_equal(pictures(app, "Input")[0], photo("chelsea"))


def test_choices_are_carried_over_to_the_lab_and_back():
    app = choose(open_compare(), **{EPS: 9.0})
    go_to(app, "attack_lab")
    assert control(app, EPS).value == 9
    until(app, lambda: metrics(app))
    choose(app, **{EPS: 2.0, NORM: "l2"})
    go_to(app, "compare")
    assert (control(app, EPS).value, control(app, NORM).value) == (2, "l2")
    assert tuple(control(app, "Attacks").value) == DEFAULT_ATTACKS


def test_downloads(files):
    finish(open_compare(attacks="fgsm,ifgsm", budget="2", image="camera"))
    rows = list(csv.DictReader(io.StringIO(files["comparison.csv"]())))
    assert [(row["attack"], row["gradients"]) for row in rows] == [
        (name, str(k)) for name, n in (("fgsm", 2), ("ifgsm", 3)) for k in range(n)
    ]
    result = json.loads(files["comparison.json"]())
    assert result["budget"] == 2
    assert {one["attack"] for one in result["attacks"]} == {"fgsm", "ifgsm"}
    assert result["attacks"][0]["success"] >= result["attacks"][1]["success"]


def test_the_clean_row_shows_the_picture_that_is_attacked():
    app = finish(open_compare(image="camera", attacks="fgsm", budget="1"))
    clean, adversarial = pictures(app, "Input")[0], pictures(app, "Adversarial")[0]
    assert np.array_equal(clean, photo("camera"))
    assert np.abs(adversarial.astype(int) - clean).max() == 4
