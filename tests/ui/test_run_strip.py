"""The strip of the lab's runs, driven by AppTest: kept over a reload, pinned, compared, deleted, taken along."""

import io

import numpy as np
import pytest
from app_page import button, choose, control, finish, open_page, press, text, upload
from PIL import Image

from segviz.history import new_token
from segviz.ui.lab import history


@pytest.fixture(autouse=True)
def browser(monkeypatch, tmp_path):
    """A browser that keeps its secret, and a server that keeps results."""
    token = new_token()
    monkeypatch.setenv("SEGVIZ_CACHE", str(tmp_path))
    monkeypatch.setenv("SEGVIZ_RUNS_MB", "100")
    monkeypatch.setattr(history, "token_of_browser", lambda: token)


def test_a_run_on_ones_own_picture_is_kept_only_if_asked(tmp_path):
    app = open_page(image="own", attack="fgsm")
    data = io.BytesIO()
    Image.fromarray(np.full((64, 96, 3), 120, np.uint8)).save(data, "PNG")
    upload(app, "Photo", ("mine.png", data.getvalue(), "image/png"))
    finish(press(finish(app), "Run"))
    assert not list(tmp_path.rglob("*.run"))
    press(app, "Keep this run")
    assert [box.label for box in ticks(app)] == ["FGSM, ε 4"]
    assert list(tmp_path.rglob("*.run"))


def ticks(app):
    return [box for box in app.checkbox if box.key.startswith("tick-")]


def test_runs_are_kept_compared_pinned_and_deleted(files):
    app = choose(open_page(image="camera", steps="1", attack="fgsm"), Attack="pgd")
    finish(app)
    finish(press(app, "Run"))
    assert sorted(box.label for box in ticks(app)) == ["FGSM, ε 4", "PGD, ε 4"]

    later = open_page()
    assert [box.label for box in ticks(later)] == [box.label for box in ticks(app)]
    for box in ticks(later):
        box.check()
    later.run()
    table = next(element.value for element in later.dataframe if "setting" in element.value)
    assert dict(zip(table["setting"], table["PGD, ε 4"], strict=True))["Attack"] == "pgd"
    exported = files["segviz.runs"]()

    ticks(later)[1].uncheck().run()
    control(later, "Name").set_value("mine").run()
    assert ticks(later)[0].label == "mine"
    press(later, "Pin")
    press(later, "Delete")
    assert [box.label for box in ticks(later)] == [box.label for box in ticks(app)][1:]

    control(later, "Import runs").set_value(("runs.runs", exported, "application/octet-stream")).run()
    press(later, "Take them")
    assert "2 runs imported" in text(later)
    assert len(ticks(later)) == 3
    assert button(later, "Unpin")
