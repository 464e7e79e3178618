"""The page of target maps, driven by AppTest."""

import csv
import io
import json
import zipfile
from functools import partial

import app_page
import numpy as np
import pytest
from app_page import button, choose, control, finish, pictures, press, record, streamed, table, text, until, upload
from PIL import Image

from segviz.data.label_sets import VOC7
from segviz.data.samples import samples
from segviz.ui.kit.links import read_link
from segviz.ui.targets.controls import DEFAULT, FOUR, PRESETS, TABLE, Material, MorphWish, link_of_morph, read_target

CAT, PERSON = VOC7.classes.index("cat"), VOC7.classes.index("person")
VICTIMS, EPS = "Pictures to attack", "Epsilon, in n/255"

open_targets = partial(app_page.open_page, "targets")


def png(ids: np.ndarray) -> bytes:
    data = io.BytesIO()
    Image.fromarray(ids).save(data, "PNG")
    return data.getvalue()


def maps(app, caption: str) -> list[np.ndarray]:
    """The maps of that name on the cards, as class indices."""
    colours = np.array(VOC7.screen_palette)
    return [np.abs(shown[:, :, None].astype(int) - colours).sum(3).argmin(2) for shown in pictures(app, caption)]


def bare(app):
    """Maps by themselves, so that their colours tell the classes."""
    return choose(app, Maps_over_the_photo=False)


def rows(app):
    return table(app, "target accuracy")


def test_first_visit_shows_four_photos_their_maps_and_the_target():
    app = open_targets()
    assert "Made beforehand" in text(app)
    assert tuple(control(app, VICTIMS).value) == FOUR
    # A swatch and four pictures per card.
    assert len(app.get("image")) == 20
    assert len(pictures(app, "Map now")) == len(pictures(app, "Target map")) == 4
    assert "320x213" in text(app)
    assert (control(app, EPS).value, control(app, "Steps").value) == (8, 200)
    assert dict(app.query_params) == {}
    assert button(app, "Stop").disabled
    assert len(app.get("plotly_chart")) == 1
    assert all(share > 90 for share in rows(app)["target accuracy"])


def test_link_runs_and_is_reproduced():
    query = {"victims": "dog,chelsea", "target": "class:cat", "steps": "2", "eps": "4", "alpha": "3", "attack": "ifgsm", "seed": "7"}
    app = bare(finish(open_targets(**query)))
    assert dict(app.query_params) == query
    assert [(shown == CAT).all() for shown in maps(app, "Target map")] == [True, True]
    found = rows(app)
    assert list(found["picture"]) == [samples()["dog"].title, samples()["chelsea"].title, "mean"]
    assert found["target accuracy"][2] == pytest.approx(found["target accuracy"][:2].mean())
    assert list(found["max |d|"][:2]) == [4, 4]
    assert len(app.get("plotly_chart")) == 1
    choose(app, Pictures_on_the_cards=["Map now", "Perturbation"])
    assert len(app.get("image")) == 2 * 3


def run_preset(app, key):
    """Press a preset and stop its run once it has begun."""
    press(app, PRESETS[key].title)
    assert tuple(control(app, VICTIMS).value) == PRESETS[key].victims
    assert (control(app, EPS).value, control(app, "Steps").value) == (DEFAULT.eps, DEFAULT.steps)
    assert not button(app, "Stop").disabled
    finish(press(app, "Stop"))
    assert len(maps(app, "Target map")) == len(PRESETS[key].victims)


def test_presets_fill_the_controls_and_run_with_the_attack_of_the_figure():
    app = bare(finish(open_targets(eps="1", steps="5")))
    run_preset(app, "vanish")
    assert not any((shown == PERSON).any() for shown in maps(app, "Target map"))
    choose(app, Pictures_on_the_cards=["Target map", "Clean map"])
    assert all((shown == PERSON).any() for shown in maps(app, "Clean map"))
    run_preset(app, "mirror")
    pairs = zip(maps(app, "Target map"), maps(app, "Clean map"), strict=True)
    assert all(np.array_equal(target, clean[:, ::-1]) for target, clean in pairs)
    run_preset(app, "photo-two")
    assert dict(app.query_params) == {"victims": ",".join(FOUR)}


def test_presets_of_classes_that_the_network_lacks_are_out_of_use():
    app = open_targets(model="selfie", victims="astronaut", target="class:person", steps="1")
    assert button(app, "Everything is a cat").disabled
    assert not button(app, "The person vanishes").disabled


def test_a_picture_without_the_class_says_so_and_the_others_are_attacked():
    app = finish(open_targets(victims="dog,astronaut", target="remove:person", steps="2"))
    assert any("person" in warning.value for warning in app.warning)
    dog, astronaut, _ = rows(app).to_dict("records")
    assert np.isnan(dog["max |d|"])
    assert astronaut["max |d|"] > 0


def test_a_drawn_map_waits_for_its_shapes():
    app = finish(open_targets(target="drawn"))
    assert button(app, "Run").disabled
    record(app, Material).drawing["cat"] = "0,0 50,0 50,100 0,100"
    bare(choose(app, Paint_over="person"))
    assert not button(app, "Run").disabled
    finish(app)
    for shown in maps(app, "Target map"):
        half = shown.shape[1] // 2
        assert (shown[:, : half - 1] == CAT).all()
        assert (shown[:, half + 1 :] == PERSON).all()
    assert dict(app.query_params) == {"target": "drawn"}


def test_an_uploaded_map_is_checked_and_keeps_the_last_good_one():
    app = bare(finish(open_targets(target="file", victims="dog,chelsea")))
    assert button(app, "Run").disabled
    upload(app, "Target map", ("bad.png", png(np.full((9, 9), 99, np.uint8)), "image/png"))
    assert any("99" in error.value for error in app.error)
    assert button(app, "Run").disabled
    finish(upload(app, "Target map", ("cat.png", png(np.full((9, 12), 8, np.uint8)), "image/png")))
    assert [(shown == CAT).all() for shown in maps(app, "Target map")] == [True, True]
    upload(app, "Target map", ("rgb.png", png(np.full((9, 9, 3), (7, 8, 9), np.uint8)), "image/png"))
    assert any("in colours" in error.value for error in app.error)
    assert "**cat.png**" in text(app)
    assert not button(app, "Run").disabled


def test_own_photos_join_the_pictures():
    app = finish(open_targets(target="mirror", victims="dog", steps="1"))
    photo = samples()["horses"].photo.read_bytes()
    upload(app, "Photos", ("meadow.jpg", photo, "image/jpeg"), ("broken.png", b"nothing", "image/png"))
    assert any("broken.png" in error.value for error in app.error)
    assert control(app, VICTIMS).value == ["dog", "meadow.jpg"]
    finish(press(app, "Run"))
    dog, own, _ = rows(app).to_dict("records")
    assert own["picture"] == "meadow.jpg"
    assert np.isnan(own["accuracy, label map"])
    assert not np.isnan(dog["accuracy, label map"])
    assert app.query_params["victims"] in ("dog", ["dog"])


def test_stop_keeps_what_was_reached(files):
    app = finish(open_targets(target="class:cat"))
    press(choose(app, Steps=500, **{VICTIMS: ["camera", "dog"]}), "Run")
    until(app, lambda: [row[1].isdecimal() for row in streamed(app).get("table", ())[1:]] == [True, True])
    finish(press(app, "Stop"))
    pictures_of_file = json.loads(files["targets.json"]())["pictures"]
    assert all(one["stopped"] for one in pictures_of_file)
    assert rows(app)["state"][:2].str.contains("stopped").all()
    choose(app, **{VICTIMS: []})
    assert button(app, "Run").disabled
    assert len(app.dataframe) == 1


@pytest.mark.parametrize(
    "query", [{"victims": "me,you"}, {"target": "photo:you:labels"}, {"target": "class:unicorn"}, {"attack": "sea", "steps": "0"}]
)
def test_links_with_nonsense_leave_the_defaults(query):
    link = read_link(query, TABLE)
    assert link.values == {}
    assert len(link.refused) >= len(query)


def test_link_and_wish_are_inverse():
    for preset in PRESETS.values():
        link = link_of_morph(MorphWish(DEFAULT, preset.victims, preset.target), name_victims=True)
        assert read_link(link, TABLE).values.get("victims") == preset.victims
        assert read_target(link.get("target", PRESETS["photo-two"].target)) == read_target(preset.target)
    assert link_of_morph(MorphWish(DEFAULT, FOUR, "photo:chelsea:labels"), name_victims=False) == {}
    # Uploads are not in a link.
    assert link_of_morph(MorphWish(DEFAULT, (*FOUR, "me.png"), "photo:me.png:prediction"), name_victims=False) == {}


def test_curves_and_downloads(files):
    app = finish(open_targets(victims="dog,astronaut", target="photo:dog:prediction", steps="3"))
    lines = json.loads(app.get("plotly_chart")[0].proto.spec)["data"]
    names = [line["name"] for line in lines]
    dog, astronaut = samples()["dog"].title, samples()["astronaut"].title
    assert names.count(dog) == names.count(astronaut) == names.count("mean") == 4
    assert not any(name.startswith(f"{dog}, 90%") for name in names)
    with zipfile.ZipFile(io.BytesIO(files["adversarial.zip"]())) as archive:
        found = {name: np.asarray(Image.open(io.BytesIO(archive.read(name)))) for name in archive.namelist()}
    assert set(found) == {"dog.png", "astronaut.png"}
    assert all(np.array_equal(*pair) for pair in zip(found.values(), pictures(app, "Adversarial"), strict=True))
    lines = list(csv.DictReader(io.StringIO(files["targets.csv"]())))
    assert [(line["picture"], line["index"]) for line in lines] == [
        (name, str(k)) for name in ("dog", "astronaut", "mean") for k in range(4)
    ]
    both = [float(line["target_accuracy"]) for line in lines if line["index"] == "2"]
    assert both[2] == pytest.approx((both[0] + both[1]) / 2)
    result = json.loads(files["targets.json"]())
    assert result["target"] == "photo:dog:prediction"
    assert [one["picture"] for one in result["pictures"]] == ["dog", "astronaut"]
    assert (result["pictures"][0]["passed"], result["pictures"][0]["there_before"]) == (None, True)
    assert result["mean"]["target_accuracy"] == pytest.approx(
        np.mean([one["adversarial"]["target_accuracy"] for one in result["pictures"]])
    )
