"""The transfer page, driven by AppTest."""

from functools import partial

import app_page
import pytest
from app_page import button, choose, control, finish, press, streamed, table, text, until

from segviz.models import uploads
from segviz.models.zoo import model_entry
from segviz.settings import Settings
from segviz.studies import first_transfer
from segviz.studies.first_transfer import MODELS, PLANS
from segviz.ui.kit.links import read_link
from segviz.ui.transfer.links import OWN_FIELDS, TABLE, VIEWS, TransferWish, link_of_transfer
from segviz.ui.transfer.words import shares_the_encoder

LRASPP, FCN = "voc7-lraspp", "voc7-fcn8s"
QUICK = {"view": "matrix", "sources": LRASPP, "victims": f"{LRASPP},{FCN}", "data": "photo", "attacks": "fgsm", "eps": "8"}

open_transfer = partial(app_page.open_page, "transfer")


def test_first_visit_shows_one_picture_made_beforehand():
    app = open_transfer()
    assert button(app, "Stop").disabled
    assert "Made beforehand" in text(app)
    # Photo and three maps: clean, and for each of two sources.
    assert len(app.get("image")) == 3 * 4
    figures = table(app, "IoU ratio")
    assert list(zip(figures["source"], figures["victim"], strict=True)) == [(source, victim) for source in MODELS[:2] for victim in MODELS]
    assert "clean mIoU of this image" in figures
    assert "easily between such relatives" in text(app)
    assert dict(app.query_params) == {"view": "picture", "eps": "8"}


def test_uploaded_weights_are_relatives_of_the_bundled_networks_and_enet_is_none(monkeypatch, tmp_path):
    def family(*keys):
        return sum(map(shares_the_encoder, keys)) > 1

    monkeypatch.setenv("SEGVIZ_CACHE", str(tmp_path))
    monkeypatch.setattr(uploads, "UPLOADED", {})
    own = uploads.upload(model_entry("voc7-fcn8s"), "mine.safetensors", model_entry("voc7-fcn8s").weights.read_bytes())
    assert family(own.key, "voc7-fcn8s")
    assert family("voc7-segnet", "voc7-icnet")
    assert not family("voc7-enet", "voc7-segnet")
    assert not family("espnetv2-voc-2.0-384", "voc7-segnet")


def test_the_views_show_what_was_made_beforehand_and_run_nothing():
    app = finish(open_transfer())
    for view, charts in (("matrix", 2), ("scales", 4), ("transforms", 1), ("curves", 1)):
        choose(app, View=view)
        assert button(app, "Stop").disabled
        assert "Made beforehand" in text(app)
        assert len(app.get("plotly_chart")) == charts
        assert "clean mIoU over 6 pictures" in table(app, "IoU ratio")
        assert app.query_params["view"] == view
        if view == "scales":
            assert "Table 1 of Arnab" in text(app)


def test_what_ships_is_what_the_default_plans_say():
    studies = first_transfer.load()
    assert {view: study.plan for view, study in studies.items()} == PLANS
    assert all(study.ended and study.pictures == study.total == 6 for study in studies.values())
    assert all(cell.adversarial is not None for study in studies.values() for cell in study.cells)
    assert len(studies["matrix"].cells) == 2 * len(MODELS) ** 2


def test_a_link_runs_and_is_reproduced():
    app = finish(open_transfer(**QUICK))
    assert dict(app.query_params) == QUICK
    figures = table(app, "IoU ratio")
    assert list(figures["victim"]) == [LRASPP, FCN]
    assert all(figures["IoU ratio"] < 1)
    assert "clean mIoU of this image" in figures
    assert "ε = 8/255" in text(app)


def test_a_preset_fills_the_controls_and_runs():
    app = finish(open_transfer(**QUICK))
    press(app, "Dynamic scaling helps?")
    assert not button(app, "Stop").disabled
    assert control(app, "View").value == "transforms"
    assert (control(app, "Attack").value, control(app, "Budget, in gradient evaluations").value) == ("pgd", 20)
    press(app, "Stop")
    finish(app)
    assert app.query_params["view"] == "transforms"


def test_stop_keeps_what_was_reached():
    app = finish(open_transfer(**QUICK))
    assert control(app, "Steps").disabled  # FGSM takes one step.
    choose(app, Attacks=["ifgsm"], Steps=500)
    press(app, "Run")
    until(app, lambda: streamed(app).get("done", 0) >= 1)
    press(app, "Stop")
    finish(app)
    assert "Stopped" in text(app)
    assert len(table(app, "IoU ratio")) == 2


def test_a_folder_is_run_only_when_asked_and_a_bad_one_gets_a_message(small_data):
    app = open_transfer(**QUICK | {"data": "folder", "folder": str(small_data), "limit": "2"})
    assert button(app, "Stop").disabled
    finish(press(app, "Run"))
    assert "over 2 pictures" in text(app)
    assert "clean mIoU over 2 pictures" in table(app, "IoU ratio")
    choose(app, Folder_on_the_server="no/such/folder")
    assert "not a folder" in app.error[0].value
    assert not app.info
    assert button(app, "Run").disabled
    assert "over 2 pictures" in text(app)


def test_what_cannot_be_is_said():
    app = choose(finish(open_transfer(**QUICK)), Victims=[])
    assert "at least one source and one victim" in app.error[0].value
    choose(app, Victims=[FCN], Attacks=["cira"], Input_transforms=["di"])
    assert "takes no input transforms" in app.error[0].value


def test_link_and_wish_are_inverse():
    own = {
        "sources": (FCN, f"{LRASPP}+multiscale+crf"),
        "victims": (f"{FCN}+scale50",),
        "data": "folder",
        "folder": "/data/some set",
        "limit": 7,
        "attacks": ("apgd-js constant", "pgd"),
        "steps": 33,
        "through": ("di", "ti"),
        "paper": True,
    }
    link = link_of_transfer(TransferWish("matrix", Settings(eps=3), own))
    assert read_link(link, TABLE).values == own | {"view": "matrix", "eps": 3}
    assert link["eps"] == "3"
    defaults = {name: field.default for name, field in OWN_FIELDS.items() if name != "view"}
    assert link_of_transfer(TransferWish("curves", Settings(), defaults)) == {"view": "curves", "eps": "4"}


@pytest.mark.parametrize(
    "query", [{"view": "nonsense"}, {"sources": "nonsense"}, {"steps": "0", "limit": "x"}, {"attacks": "magic", "each": "si+magic"}]
)
def test_links_with_nonsense_are_read_as_defaults(query):
    link = read_link(query, TABLE)
    assert link.values == {}
    assert len(link.refused) >= len(query)


def test_names_are_those_of_the_defaults():
    assert OWN_FIELDS["view"].default in VIEWS
