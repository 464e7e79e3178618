"""The page Certificate: what is certified of a picture, live and afterwards."""

import json
from functools import partial

import app_page
import numpy as np
from app_page import button, choose, finish, metric, pictures, text

open_certificate = partial(app_page.open_page, "certificate")


def test_a_run_from_a_link_certifies_and_shows_where_it_abstains():
    app = finish(open_certificate(image="camera", sigma="0.02", n0="1", n="70"))
    assert "Made beforehand" not in text(app)
    assert "noise σ = 0.02, 1 + 70 looks" in text(app)
    (certified,) = pictures(app, "Certified, white: abstains")
    abstains = (certified == 255).all(2).mean()
    assert metric(app, "Abstains at") == f"{abstains:.1%}"
    (top,) = pictures(app, "Under noise, most looks")
    assert np.array_equal(certified[(certified != 255).any(2)], top[(certified != 255).any(2)])
    assert metric(app, "Radius, L2") == "3.4/255"
    (chart,) = app.get("plotly_chart")
    (curve, *_) = json.loads(chart.proto.spec)["data"]
    assert len(curve["y"] if isinstance(curve["y"], list) else curve["y"]["bdata"]) >= 10


def test_too_few_looks_are_told_where_the_run_was_started():
    app = choose(open_certificate(image="camera"), **{"Share of looks τ": 0.99})
    button(app, "Run").click().run()
    app = finish(app)
    assert "Take at least" in text(app)
    assert "Made beforehand" in text(app)
