"""Limits for visitors, as a page tells them."""

import io

import numpy as np
from app_page import choose, finish, metrics, open_page, press, text, upload
from PIL import Image

from segviz.limits import Uploads
from segviz.ui.kit import session


def test_a_visitor_makes_so_many_runs_at_a_time(monkeypatch):
    monkeypatch.setenv("SEGVIZ_RUNS_PER_USER", "1")
    monkeypatch.setattr(session, "visitor", lambda: "me")
    first = open_page(image="camera", steps="1000")
    second = press(open_page(), "Run")
    assert "This server makes one run at a time for you." in text(second)
    monkeypatch.setattr(session, "visitor", lambda: "somebody else")
    other = open_page(image="camera", steps="1", attack="fgsm")
    assert "Largest change" in metrics(finish(other))
    monkeypatch.setattr(session, "visitor", lambda: "me")
    finish(press(first, "Stop"))
    assert "one run at a time" not in text(choose(second, Steps=1))
    assert "Largest change" in metrics(finish(press(second, "Run")))


def test_a_visitor_uploads_so_much_in_an_hour(monkeypatch):
    monkeypatch.setenv("SEGVIZ_UPLOADS_PER_HOUR", "1")
    seen = Uploads()
    monkeypatch.setattr(session, "visitor", lambda: "me")
    monkeypatch.setattr(session, "uploads_seen", lambda: seen)
    app = open_page(image="own")
    for number in (1, 2):
        data = io.BytesIO()
        Image.fromarray(np.full((64, 64, 3), 80 * number, np.uint8)).save(data, "PNG")
        upload(app, "Photo", (f"{number}.png", data.getvalue(), "image/png"))
        assert ("takes one upload per hour" in text(app)) is (number == 2)
