"""The transfer page, driven by AppTest."""

import time
from functools import partial

import app_page
import pytest
from app_page import text

from segviz.models import uploads
from segviz.models.zoo import model_entry
from segviz.settings import Settings
from segviz.studies import first_transfer
from segviz.studies.first_transfer import MODELS, PLANS
from segviz.ui.transfer.controls import DEFAULTS, LISTS, VIEWS, Wish, link_of_wish, read_own
from segviz.ui.transfer.view import shares_the_encoder

LRASPP, FCN = "voc7-lraspp", "voc7-fcn8s"
QUICK = {"view": "matrix", "sources": LRASPP, "victims": f"{LRASPP},{FCN}", "data": "photo", "attacks": "fgsm", "eps": "8"}


open_transfer = partial(app_page.open_page, "transfer")
until_done = partial(app_page.until_done, job="transfer_job")


def test_first_visit_attacks_one_picture_by_itself():
    app = until_done(open_transfer())
    study = app.session_state.transfer_job.latest
    assert (study.total, len(study.plan.runs), len(study.plan.victims)) == (1, 2, 3)
    # Photo and three maps: clean, and for each of two sources.
    assert len(app.get("image")) == 3 * 4
    assert "bundled networks except ENet are one encoder with different decoders" in text(app)
    assert "mIoU of this image" in " ".join(app.dataframe[0].value.columns)
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
    app = until_done(open_transfer())
    first = app.session_state.transfer_job
    for view, charts in (("matrix", 2), ("scales", 4), ("transforms", 1), ("curves", 1)):
        app.button_group(key="transfer_view").set_value(view).run()
        assert not app.exception
        assert "Made beforehand" in text(app)
        assert len(app.get("plotly_chart")) == charts
        assert "mIoU over 6 pictures" in " ".join(app.dataframe[0].value.columns)
        assert app.query_params["view"] == view
        if view == "scales":
            assert "as published in Table 1" in text(app)
    assert app.session_state.transfer_job is first


def test_what_ships_is_what_the_default_plans_say():
    studies = first_transfer.load()
    assert {view: study.plan for view, study in studies.items()} == PLANS
    assert all(study.ended and study.pictures == study.total == 6 for study in studies.values())
    assert all(cell.adversarial is not None for study in studies.values() for cell in study.cells)
    assert len(studies["matrix"].cells) == 2 * len(MODELS) ** 2


def test_a_link_runs_and_is_reproduced():
    app = until_done(open_transfer(**QUICK))
    study = app.session_state.transfer_job.latest
    assert (study.plan.victims, study.plan.runs[0].settings.eps, study.total) == ((LRASPP, FCN), 8, 1)
    assert dict(app.query_params) == QUICK
    table = app.dataframe[0].value
    assert list(table["victim"]) == [LRASPP, FCN]
    assert all(table["IoU ratio"] < 1)
    assert "mIoU of this image" in " ".join(table.columns)


def test_a_preset_fills_the_controls_and_runs(monkeypatch):
    app = until_done(open_transfer(**QUICK))
    app.button(key="preset-Dynamic scaling helps?").click().run()
    assert not app.exception
    job = app.session_state.transfer_job
    assert app.button_group(key="transfer_view").value == "transforms"
    assert (app.selectbox(key="transfer_iterative").value, app.select_slider(key="transfer_steps").value) == ("pgd", 20)
    job.stop()
    until_done(app)
    assert app.query_params["view"] == "transforms"


def test_stop_keeps_what_was_reached():
    app = until_done(open_transfer(**QUICK))
    assert app.select_slider(key="transfer_steps").disabled  # FGSM takes one step.
    app.multiselect(key="transfer_attacks").set_value(["ifgsm"]).run()
    app.select_slider(key="transfer_steps").set_value(500)
    app.button(key="transfer_run").click().run()
    job = app.session_state.transfer_job
    while job.latest is None or job.latest.spent < 2:
        time.sleep(0.05)
    app.run()
    app.button(key="transfer_stop").click().run()
    until_done(app)
    assert "Stopped: the last attack took" in text(app)
    assert len(app.dataframe[0].value) == 2


def test_a_folder_is_run_only_when_asked_and_a_bad_one_gets_a_message(small_data):
    query = QUICK | {"data": "folder", "folder": str(small_data), "limit": "2"}
    app = open_transfer(**query)
    assert app.session_state.transfer_job is None
    app.button(key="transfer_run").click().run()
    until_done(app)
    assert "over 2 pictures" in text(app)
    assert "mIoU over 2 pictures" in " ".join(app.dataframe[0].value.columns)
    app.text_input(key="transfer_folder").set_value("no/such/folder").run()
    assert "not a folder" in text(app)
    assert not app.info
    assert app.button(key="transfer_run").disabled
    assert "over 2 pictures" in text(app)


def test_what_cannot_be_is_said():
    app = until_done(open_transfer(**QUICK))
    app.multiselect(key="transfer_victims").set_value([]).run()
    assert "at least one source and one victim" in text(app)
    app.multiselect(key="transfer_victims").set_value([FCN])
    app.multiselect(key="transfer_attacks").set_value(["cira"])
    app.multiselect(key="transfer_through").set_value(["di"]).run()
    assert "takes no input transforms" in text(app)


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
    link = link_of_wish(Wish("matrix", Settings(eps=3), own))
    assert read_own(link) == own | {"view": "matrix"}
    assert link["eps"] == "3"
    defaults = {name: value for name, value in DEFAULTS.items() if name != "view"}
    assert link_of_wish(Wish("curves", Settings(), defaults)) == {"view": "curves", "eps": "4"}


@pytest.mark.parametrize(
    "query", [{"view": "nonsense"}, {"sources": "nonsense"}, {"steps": "0", "limit": "x"}, {"attacks": "magic", "each": "si+magic"}]
)
def test_links_with_nonsense_are_read_as_defaults(query):
    assert read_own(query) == {}


def test_names_are_those_of_the_defaults():
    assert set(LISTS) < set(DEFAULTS)
    assert DEFAULTS["view"] in VIEWS
