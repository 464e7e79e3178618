"""What the tests share that drive a page by AppTest: open it, find what a user sees by its label, wait for what is to appear."""

import base64
import io
import json
import time
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import pandas
from PIL import Image
from streamlit.testing.v1 import AppTest

from segviz.engine.jobs import engine
from segviz.places import APP
from segviz.ui.kit.state import record_key

T = TypeVar("T")

LIMIT = 180
"""Seconds after which a test gives up: no test is about time, and the machine may have other things to do."""


def open_page(page: str = "attack_lab", **query: str) -> AppTest:
    """The app on the page of that file name, opened by a link with these parameters."""
    app = AppTest.from_file(str(APP), default_timeout=LIMIT)
    app.switch_page(f"pages/{page}.py")
    for name, value in query.items():
        app.query_params[name] = value
    app.run()
    assert not app.exception
    return app


def go_to(app: AppTest, page: str) -> AppTest:
    """The same tab on another page, as by the navigation."""
    app.switch_page(f"pages/{page}.py").run()
    assert not app.exception
    return app


def control(app: AppTest, label: str) -> Any:
    """The widget of that label."""
    kinds = (
        *("selectbox", "select_slider", "slider", "number_input", "multiselect", "button_group", "toggle", "text_input", "file_uploader"),
    )
    found = [element for kind in kinds for element in app.get(kind) if element.label == label]
    assert found, f"no widget is called {label}"
    return found[0]


def choose(app: AppTest, **values: Any) -> AppTest:
    """Set widgets by label, with _ for a space, one after another."""
    for label, value in values.items():
        control(app, label.replace("_", " ")).set_value(value).run()
        assert not app.exception
    return app


def upload(app: AppTest, label: str, *files: tuple[str, bytes, str]) -> AppTest:
    """Give an uploader one file or several."""
    control(app, label).set_value(list(files) if len(files) > 1 else files[0]).run()
    assert not app.exception
    return app


def button(app: AppTest, label: str) -> Any:
    """The button of that label."""
    return next(element for element in app.button if element.label == label)


def press(app: AppTest, label: str) -> AppTest:
    """Click the button of that label."""
    button(app, label).click().run()
    assert not app.exception
    return app


def until(app: AppTest, condition: Callable[[], Any]) -> AppTest:
    """Draw the page again, as its timer does in a browser, until the condition holds."""
    end = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < end, text(app)
        time.sleep(0.05)
        app.run()
        assert not app.exception
    return app


def finish(app: AppTest) -> AppTest:
    """Wait until there is nothing to stop."""
    app.run()
    assert not app.exception
    return until(app, lambda: button(app, "Stop").disabled)


def record(app: AppTest, kind: type[T]) -> T:
    """The page's record of that class, to put there what only a browser can make, such as a drawing."""
    return app.session_state[record_key(kind)]


def text(app: AppTest) -> str:
    """All that the page says."""
    return " ".join(element.value for element in [*app.markdown, *app.caption, *app.info, *app.error, *app.warning, *app.success])


def streamed(app: AppTest) -> dict[str, Any]:
    """What a browser would be told of the run that it draws from its stream; empty if there is none."""
    parts = [json.loads(element.proto.json) for element in app.get("bidi_component") if "live" in element.proto.json]
    runs = [engine().run_at(part["live"]) for part in parts if part.get("part") == "status"]
    return next((run.news for run in runs if run is not None), {})


def progress(app: AppTest) -> str:
    """What a browser would say of how far the run is."""
    return str(streamed(app).get("doing", ""))


def metric(app: AppTest, label: str) -> str:
    """A figure by its label."""
    return next(element.value for element in app.metric if element.label == label)


def metrics(app: AppTest) -> set[str]:
    """The labels of all figures."""
    return {element.label for element in app.metric}


def table(app: AppTest, column: str) -> pandas.DataFrame:
    """The first table that has a column of that name."""
    return next(element.value for element in app.dataframe if column in element.value)


def pictures(app: AppTest, caption: str | None = None) -> list[np.ndarray]:
    """The pictures on the page, in order; only those of a caption, if one is given."""
    shown = [image for element in app.get("image") for image in element.proto.imgs if caption is None or image.caption == caption]
    urls = [image.url for image in shown if image.url.startswith("data:")]
    return [np.asarray(Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2])))) for url in urls]
