"""The page of defences, driven by AppTest."""

import csv
import io
from functools import partial

import app_page
import pytest
from app_page import text

from segviz.results import survey_csv
from segviz.settings import Settings
from segviz.ui.defences.controls import DEFAULT_BUDGET, DEFAULT_DEFENCE, PRESETS, TWIN_PRESETS, TWINS, Wish, link_of_wish
from segviz.ui.kit.links import read_link

open_defences = partial(app_page.open_page, "defences")
until_done = partial(app_page.until_done, job="defence_job")


def test_first_visit_shows_an_attack_and_runs_nothing():
    app = open_defences()
    assert app.session_state.defence_job is None
    assert "Defence, attack knows it" in text(app)
    assert len(app.get("image")) == 4
    assert app.selectbox(key="defence").value == DEFAULT_DEFENCE
    assert app.select_slider(key="defence_budget").value == DEFAULT_BUDGET
    assert dict(app.query_params) == {}
    assert app.button(key="defence_stop").disabled


def test_run_fills_the_three_columns():
    app = open_defences()
    app.selectbox(key="defence").set_value("median")
    app.select_slider(key="defence_budget").set_value(4).run()
    app.slider(key="median-0").set_value(5)
    app.button(key="defence_start").click().run()
    until_done(app)
    trial = app.session_state.trial
    assert (trial.defence, trial.budget, trial.settings.steps) == ("median=5", 4, 4)
    assert len(app.get("image")) == 12
    shown = [metric.value for metric in app.metric if metric.label == "Pixels won"]
    assert shown == [f"{run.report.success:.1%}" for run in (trial.plain, trial.naive, trial.adaptive)]
    assert dict(app.query_params) == {"defence": "median=5", "budget": "4"}


def test_link_runs_and_is_reproduced():
    query = {"attack": "ifgsm", "defence": "random-noise=8,2", "budget": "4", "eps": "2", "image": "dog"}
    app = until_done(open_defences(**query))
    trial = app.session_state.trial
    assert (trial.settings.attack, trial.settings.eps, trial.settings.image) == ("ifgsm", 2, "dog")
    assert (trial.defence, trial.passes, len(trial.adaptive.curve)) == ("random-noise=8,2", 2, 3)
    assert dict(app.query_params) == query


@pytest.mark.parametrize("query", [{"defence": "nonsense", "budget": "0"}, {"defence": "jpeg=1000", "budget": "x"}])
def test_links_with_nonsense_do_no_harm(query):
    app = open_defences(**query)
    assert app.selectbox(key="defence").value == DEFAULT_DEFENCE
    assert app.select_slider(key="defence_budget").value == DEFAULT_BUDGET
    app.session_state.defence_job.stop()


def test_link_and_wish_are_inverse():
    settings = Settings(attack="apgd-js", variant="constant", eps=2.5, image="dog", seed=3)
    link = link_of_wish(Wish(settings, "tv=0.1", 8))
    assert Settings(**read_link(link)) == settings
    assert (link["defence"], link["budget"]) == ("tv=0.1", "8")
    assert link_of_wish(Wish(Settings(), DEFAULT_DEFENCE, DEFAULT_BUDGET)) == {}


@pytest.mark.parametrize("number", range(len(PRESETS)))
def test_presets_fill_the_widgets_and_run(number):
    app = open_defences()
    app.button(key=f"preset-{number}").click().run()
    assert not app.exception
    preset = PRESETS[number]
    job = app.session_state.defence_job
    assert job is not None
    job.stop()
    assert preset.text in text(app)
    assert app.selectbox(key="defence").value == preset.values["defence"]
    assert app.slider(key="eps").value == preset.values["eps"]
    assert app.selectbox(key="goal").value == preset.values.get("goal", "break")


def test_the_twins_are_attacked_side_by_side_weakly_and_strongly():
    app = open_defences(image="camera")
    assert "SEA, 100 steps" in text(app)
    for number, preset in enumerate(TWIN_PRESETS):
        app.button(key=f"preset-twins-{number}").click().run()
        assert not app.exception
        assert preset.text in text(app)
        if number == 0:
            until_done(app)
            ladder = app.session_state.ladder
            assert {key: len(runs) for key, runs in ladder.runs.items()} == dict.fromkeys(TWINS, 4)
            assert {run.settings.attack for runs in ladder.runs.values() for run in runs} == {"pgd"}
        assert app.selectbox(key="defence_attack").value == preset.values["attack"]
        assert app.select_slider(key="defence_budget").value == preset.values["budget"]
    app.session_state.defence_job.stop()


def test_a_budget_below_one_look_is_told():
    app = until_done(open_defences(defence="scales-flip", budget="4"))
    assert "takes 8 gradient evaluations" in text(app)
    assert len(app.get("image")) == 4


def test_table_over_the_samples_and_models_side_by_side():
    app = open_defences()
    app.multiselect(key="survey_defences").set_value(["bits"])
    app.select_slider(key="defence_budget").set_value(4).run()
    app.button(key="survey_start").click().run()
    until_done(app)
    survey = app.session_state.survey
    assert survey.done == survey.total
    table = app.dataframe[0].value
    assert list(table["defence"]) == ["None", "Bit depth"]
    assert list(table["clean cost"]) == pytest.approx([0.0, table["clean mIoU"][0] - table["clean mIoU"][1]])
    rows = list(csv.DictReader(io.StringIO(survey_csv(survey))))
    assert float(rows[1]["clean"]) == survey.rows[1].clean
    assert "Detection by uncertainty" in text(app)
    app.multiselect(key="ladder_models").set_value(["voc7-lraspp"])
    app.button(key="ladder_start").click().run()
    until_done(app)
    assert len(app.session_state.ladder.runs["voc7-lraspp"]) == 4
    assert "Models side by side at growing eps" in [one.value for one in app.subheader]
