"""The page of target maps, driven by AppTest."""

import csv
import io
import json
import time
import zipfile
from dataclasses import replace
from functools import partial

import app_page
import numpy as np
import pytest
from app_page import text
from PIL import Image

from segviz.data.label_sets import VOC7
from segviz.data.samples import samples
from segviz.ui.kit.downloads import targets_csv, targets_json, targets_zip
from segviz.ui.targets.charts import PANELS, target_curves
from segviz.ui.targets.controls import DEFAULT, FOUR, PRESETS, Wish, link_of_wish, read_target, read_wish

CAT, PERSON = VOC7.classes.index("cat"), VOC7.classes.index("person")


open_targets = partial(app_page.open_page, "targets")
until_done = partial(app_page.until_done, job="targets_job")


def png(ids: np.ndarray) -> bytes:
    data = io.BytesIO()
    Image.fromarray(ids).save(data, "PNG")
    return data.getvalue()


def test_first_visit_shows_four_photos_their_maps_and_the_target():
    app = open_targets()
    assert len(app.get("image")) >= 4
    until_done(app)
    shown = app.session_state.targets_shown
    assert shown.look
    assert tuple(victim.picture.name for victim in shown.victims) == FOUR
    assert all(victim.clean is not None and victim.target is not None for victim in shown.victims)
    # A swatch and four pictures per card.
    assert len(app.get("image")) == 20
    assert "What you see" in text(app)
    assert "came in 320x213 and was stretched" in text(app)
    assert (app.slider(key="targets_eps").value, app.select_slider(key="targets_steps").value) == (8, 200)
    assert dict(app.query_params) == {}
    assert app.button(key="targets_stop").disabled
    assert not app.get("plotly_chart")


def test_link_runs_and_is_reproduced():
    query = {"victims": "dog,chelsea", "target": "class:cat", "steps": "2", "eps": "4", "alpha": "3", "attack": "ifgsm", "seed": "7"}
    app = until_done(open_targets(**query, nonsense="1"))
    shown = app.session_state.targets_shown
    assert [victim.picture.name for victim in shown.victims] == ["dog", "chelsea"]
    assert all((victim.target == CAT).all() and len(victim.curve) == 3 and victim.result.linf == 4 for victim in shown.victims)
    assert dict(app.query_params) == query
    assert "leads **2 pictures** to **cat everywhere**" in text(app)
    table = app.dataframe[0].value
    assert list(table["picture"]) == ["Dog, bicycle and pickup", "Chelsea the cat", "mean"]
    assert table["target accuracy"][2] == pytest.approx(table["target accuracy"][:2].mean())
    assert len(app.get("plotly_chart")) == 1
    app.button_group(key="targets_pictures").set_value(["Map now", "Perturbation"]).run()
    assert len(app.get("image")) == 2 * 3


def run_preset(app, key):
    """Press a preset and stop its run once it has begun."""
    app.button(key=f"targets-preset-{key}").click().run()
    assert app.session_state.targets_queued[0].settings == replace(DEFAULT, image="")
    app.button(key="targets_stop").click().run()
    until_done(app)


def test_presets_fill_the_controls_and_run_with_the_attack_of_the_figure():
    app = until_done(open_targets(eps="1", steps="5"))
    run_preset(app, "vanish")
    shown = app.session_state.targets_shown
    assert tuple(app.multiselect(key="targets_victims").value) == PRESETS["vanish"].victims
    assert all(PERSON in victim.clean and PERSON not in victim.target for victim in shown.victims)
    run_preset(app, "mirror")
    assert all(np.array_equal(victim.target, victim.clean[:, ::-1]) for victim in app.session_state.targets_shown.victims)
    run_preset(app, "photo-two")
    assert dict(app.query_params) == {"victims": "astronaut,chelsea,dog,horses"}


def test_a_picture_without_the_class_says_so_and_the_others_are_attacked():
    app = until_done(open_targets(victims="dog,astronaut", target="remove:person", steps="2"))
    assert "sees no person" in text(app)
    dog, astronaut = app.session_state.targets_shown.victims
    assert dog.error
    assert astronaut.result.moment.index == 2


def test_a_drawn_map_waits_for_its_shapes():
    app = until_done(open_targets(target="drawn"))
    assert app.button(key="targets_run").disabled
    assert "Draw the target" in text(app)
    app.session_state.targets_drawing = {"cat": "0,0 50,0 50,100 0,100"}
    app.selectbox(key="targets_base").set_value("person").run()
    assert not app.button(key="targets_run").disabled
    until_done(app)
    for victim in app.session_state.targets_shown.victims:
        half = victim.target.shape[1] // 2
        assert (victim.target[:, : half - 1] == CAT).all()
        assert (victim.target[:, half + 1 :] == PERSON).all()
    assert dict(app.query_params) == {"target": "drawn"}


def test_an_uploaded_map_is_checked_and_keeps_the_last_good_one():
    app = until_done(open_targets(target="file", victims="dog,chelsea"))
    assert app.button(key="targets_run").disabled
    app.file_uploader(key="targets_map_upload").set_value(("bad.png", png(np.full((9, 9), 99, np.uint8)), "image/png")).run()
    assert "values 99" in text(app)
    assert app.button(key="targets_run").disabled
    app.file_uploader(key="targets_map_upload").set_value(("cat.png", png(np.full((9, 12), 8, np.uint8)), "image/png")).run()
    until_done(app)
    assert all((victim.target == CAT).all() for victim in app.session_state.targets_shown.victims)
    app.file_uploader(key="targets_map_upload").set_value(("rgb.png", png(np.zeros((9, 9, 3), np.uint8)), "image/png")).run()
    assert "mode RGB" in text(app)
    assert "**cat.png**" in text(app)
    assert not app.button(key="targets_run").disabled


def test_own_photos_join_the_pictures():
    app = until_done(open_targets(target="mirror", victims="dog", steps="1"))
    photo = samples()["horses"].photo.read_bytes()
    files = [("meadow.jpg", photo, "image/jpeg"), ("broken.png", b"nothing", "image/png")]
    app.file_uploader(key="targets_upload").set_value(files).run()
    assert "broken.png: This is not a picture" in text(app)
    assert app.multiselect(key="targets_victims").value == ["dog", "meadow.jpg"]
    app.button(key="targets_run").click().run()
    until_done(app)
    own = app.session_state.targets_shown.victims[1]
    assert own.picture.labels is None
    assert own.result.moment.true_accuracy is None
    assert app.query_params["victims"] in ("dog", ["dog"])


def test_stop_keeps_what_was_reached():
    app = until_done(open_targets(target="class:cat"))
    app.multiselect(key="targets_victims").set_value(["camera", "dog"])
    app.select_slider(key="targets_steps").set_value(500)
    app.button(key="targets_run").click().run()
    job = app.session_state.targets_job
    while job.latest is None or min(victim.spent for victim in job.latest) < 1:
        time.sleep(0.05)
    app.run()
    app.button(key="targets_stop").click().run()
    until_done(app)
    assert all("stopped after" in state for state in app.dataframe[0].value["state"][:2])
    assert "stopped before" in text(app)
    app.multiselect(key="targets_victims").set_value([]).run()
    assert app.button(key="targets_run").disabled
    assert len(app.dataframe) == 1


@pytest.mark.parametrize(
    "query", [{"victims": "me,you"}, {"target": "photo:you:labels"}, {"target": "class:tree"}, {"attack": "sea", "steps": "0"}]
)
def test_links_with_nonsense_leave_the_defaults(query):
    assert read_wish(query) == {}


def test_link_and_wish_are_inverse():
    for preset in PRESETS.values():
        link = link_of_wish(Wish(DEFAULT, preset.victims, preset.target), name_victims=True)
        assert read_wish(link)["victims"] == list(preset.victims)
        assert read_target(link.get("target", PRESETS["photo-two"].target)) == read_target(preset.target)
    assert link_of_wish(Wish(DEFAULT, FOUR, "photo:chelsea:labels"), name_victims=False) == {}
    # Uploads are not in a link.
    assert link_of_wish(Wish(DEFAULT, (*FOUR, "me.png"), "photo:me.png:prediction"), name_victims=False) == {}


def test_curves_and_downloads():
    app = until_done(open_targets(victims="dog,astronaut", target="photo:dog:prediction", steps="3"))
    victims = app.session_state.targets_shown.victims
    figure = target_curves(victims, dict.fromkeys(("dog", "astronaut"), "#123456"), {"dog": "Dog", "astronaut": "Eileen"}, 3)
    names = [trace.name for trace in figure.data]
    assert names.count("Dog") == names.count("Eileen") == names.count("mean") == len(PANELS)
    assert names.count("Dog, 90% at iteration 0") == len(PANELS)
    with zipfile.ZipFile(io.BytesIO(targets_zip(victims))) as archive:
        found = {name: np.asarray(Image.open(io.BytesIO(archive.read(name)))) for name in archive.namelist()}
    assert set(found) == {"dog.png", "astronaut.png"}
    assert all(np.array_equal(found[f"{victim.picture.name}.png"], victim.pixels) for victim in victims)
    rows = list(csv.DictReader(io.StringIO(targets_csv(victims))))
    assert [(row["picture"], row["index"]) for row in rows] == [(name, str(k)) for name in ("dog", "astronaut", "mean") for k in range(4)]
    both = [float(row["target_accuracy"]) for row in rows if row["index"] == "2"]
    assert both[2] == pytest.approx((both[0] + both[1]) / 2)
    result = json.loads(targets_json(victims, app.session_state.targets_shown.wish.settings, "photo:dog:prediction"))
    assert result["target"] == "photo:dog:prediction"
    assert [one["picture"] for one in result["pictures"]] == ["dog", "astronaut"]
    assert result["pictures"][0]["passed"] == 0
    assert result["mean"]["target_accuracy"] == pytest.approx(
        np.mean([one["adversarial"]["target_accuracy"] for one in result["pictures"]])
    )
