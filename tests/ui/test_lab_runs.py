"""Results of the lab that are kept, driven by AppTest."""

import pytest
from app_page import button, finish, open_page, text
from waiting import wait_until

from segviz.engine import kept


@pytest.fixture(autouse=True)
def own_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("SEGVIZ_CACHE", str(tmp_path))
    monkeypatch.delenv("SEGVIZ_RUNS_MB")


def run_of(**query: str):
    """The lab with a finished run, once its result is on the disk."""
    app = finish(open_page(image="camera", steps="2", **query))
    wait_until(lambda: bool(list(kept.kept_file("x").parent.glob("*.run"))))
    return app


def figures(app):
    return [(element.label, element.value) for element in app.metric]


def test_a_result_is_kept_shown_at_once_and_can_be_made_again():
    first = run_of(seed="4")
    assert "computed before" not in text(first)
    second = open_page(image="camera", steps="2", seed="4")
    assert "computed before" in text(second)
    assert figures(second) == figures(first)
    button(second, "Run again").click().run()
    finish(second)
    assert "computed before" not in text(second)
    assert figures(second) == figures(first)


def test_another_seed_is_another_run():
    run_of(seed="4")
    assert "computed before" not in text(open_page(image="camera", steps="2", seed="5"))
