"""What the pages show at first was made with what Run computes there."""

import pytest
from app_page import button, open_page, text

from segviz.engine.jobs import Engine
from segviz.engine.keys import content_key
from segviz.studies.first_views import FIRST
from segviz.types import UserError

PAGES = {
    "compare": "compare",
    "defences": "defences",
    "certificate": "certificate",
    "targets": "targets",
    "image_scaling": "scaling",
    "transfer": "transfer",
}


@pytest.mark.parametrize("page", PAGES)
def test_run_computes_what_was_made_beforehand(page, monkeypatch):
    asked = []

    def submit(engine, owner, function, arguments, *rest, **more):
        asked.append((function, arguments))
        raise UserError("That is enough.")

    monkeypatch.setattr(Engine, "submit", submit)
    app = open_page(page)
    assert "Made beforehand" in text(app)
    assert asked == []
    button(app, "Run").click().run()
    (work,) = asked
    assert content_key(*work, "") == content_key(*FIRST[PAGES[page]](), "")
