"""The page of defences, driven by AppTest."""

from functools import partial

import app_page
import pytest
from app_page import button, choose, control, finish, press, table, text

from segviz.settings import Settings
from segviz.ui.defences.controls import DEFAULT_BUDGET, TABLE, TWINS, TrialWish, link_of_trial
from segviz.ui.defences.presets import PRESETS, TWIN_PRESETS
from segviz.ui.defences.state import DEFAULT_DEFENCE
from segviz.ui.kit.links import read_link

BUDGET, EPS = "Budget, in gradient evaluations", "Epsilon, in n/255"

open_defences = partial(app_page.open_page, "defences")


def won(app):
    """Share of the pixels won in each column, in per cent."""
    return [float(metric.value.rstrip("%")) for metric in app.metric if metric.label == "Pixels won"]


def test_first_visit_shows_a_trial_made_beforehand_and_runs_nothing():
    app = open_defences()
    assert button(app, "Stop").disabled
    assert len(won(app)) == 3
    assert len(app.get("image")) == 12
    assert "Made beforehand" in text(app)
    assert control(app, "Defence").value == DEFAULT_DEFENCE
    assert control(app, BUDGET).value == DEFAULT_BUDGET
    assert dict(app.query_params) == {}


def test_run_fills_the_three_columns():
    app = choose(open_defences(), Defence="median", **{BUDGET: 4})
    (side,) = [slider for slider in app.slider if slider.key == "median-0"]
    side.set_value(5)
    finish(press(app, "Run"))
    assert len(app.get("image")) == 12
    assert len(won(app)) == 3
    assert "`voc7-lraspp+median=5`" in text(app)
    assert dict(app.query_params) == {"defence": "median=5", "budget": "4"}


def test_link_runs_and_is_reproduced():
    query = {"attack": "ifgsm", "defence": "random-noise=8,2", "budget": "4", "eps": "2", "image": "dog"}
    app = finish(open_defences(**query))
    assert dict(app.query_params) == query
    assert "**I-FGSM**, ε = 2/255" in text(app)
    assert "random-noise=8,2`, 2 views" in text(app)
    assert len(won(app)) == 3


@pytest.mark.parametrize("query", [{"defence": "nonsense", "budget": "0"}, {"defence": "jpeg=1000", "budget": "x"}])
def test_links_with_nonsense_do_no_harm(query):
    app = open_defences(**query)
    assert control(app, "Defence").value == DEFAULT_DEFENCE
    assert control(app, BUDGET).value == DEFAULT_BUDGET
    assert button(app, "Stop").disabled
    assert "Nothing was run" in text(app)


def test_a_link_that_is_refused_says_that_what_is_on_screen_is_another_trial():
    app = open_defences(defence="median=5", eps="nonsense")
    assert control(app, "Defence").value == "median"
    assert "Nothing was run" in text(app)
    assert "On screen is another trial than the one on the left" in text(app)
    choose(app, Defence=DEFAULT_DEFENCE)
    assert "another trial" not in text(app)


def test_link_and_wish_are_inverse():
    settings = Settings(attack="apgd-js", variant="constant", eps=2.5, image="dog", seed=3)
    link = link_of_trial(TrialWish(settings, "tv=0.1", 8))
    found = dict(read_link(link, TABLE).values)
    assert (found.pop("defence"), found.pop("budget")) == ("tv=0.1", 8)
    assert Settings(**found) == settings
    assert link_of_trial(TrialWish(Settings(), DEFAULT_DEFENCE, DEFAULT_BUDGET)) == {}


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.title)
def test_presets_fill_the_widgets_and_run(preset):
    app = press(open_defences(), preset.title)
    assert not button(app, "Stop").disabled
    press(app, "Stop")
    assert preset.text in text(app)
    assert control(app, "Defence").value == preset.values["defence"]
    assert control(app, EPS).value == preset.values["eps"]
    assert control(app, "Goal").value == preset.values.get("goal", "break")


def test_the_twins_are_attacked_side_by_side_weakly_and_strongly():
    weak, strong = TWIN_PRESETS
    app = finish(press(open_defences(image="camera"), weak.title))
    assert weak.text in text(app)
    assert control(app, "Models side by side").value == list(TWINS)
    # A row of maps and one of perturbations for each, beside the columns.
    assert len(app.get("image")) == 12 + len(TWINS) * 2 * 4
    assert control(app, "Attack").value == weak.values["attack"]
    press(app, strong.title)
    assert strong.text in text(app)
    assert (control(app, "Attack").value, control(app, BUDGET).value) == (strong.values["attack"], strong.values["budget"])
    press(app, "Stop")


def test_a_budget_below_one_look_is_told():
    app = finish(open_defences(defence="scales-flip", budget="4"))
    assert "takes 8 gradient evaluations" in app.error[0].value
    assert len(app.get("image")) == 12


def test_table_over_the_samples_and_models_side_by_side():
    app = choose(open_defences(), Defences=["bits"], **{BUDGET: 4})
    finish(press(app, "Fill the table"))
    figures = table(app, "clean cost")
    assert list(figures["defence"]) == ["None", "Bit depth"]
    assert list(figures["clean cost"]) == pytest.approx([0.0, figures["clean mIoU"][0] - figures["clean mIoU"][1]])
    assert list(figures["pictures"]) == [6, 6]
    assert "area under the curve" in text(app)
    finish(press(choose(app, Models_side_by_side=["voc7-lraspp"]), "Attack all of them"))
    assert "Models side by side at growing eps" in [one.value for one in app.subheader]
    assert len(app.get("image")) == 12 + 2 * 4
