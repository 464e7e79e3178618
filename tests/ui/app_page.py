"""What the tests share that drive a page by AppTest."""

import time

from streamlit.testing.v1 import AppTest

from segviz.places import APP


def open_page(page: str, **query: str) -> AppTest:
    """The app on the page of that file name, opened by a link with these parameters."""
    app = AppTest.from_file(str(APP), default_timeout=60)
    app.switch_page(f"pages/{page}.py")
    for name, value in query.items():
        app.query_params[name] = value
    app.run()
    assert not app.exception
    return app


def until_done(app: AppTest, job: str = "job") -> AppTest:
    """Wait for the job of that name in the session's state, and poll as the fragment does in a browser."""
    end = time.monotonic() + 90
    while app.session_state[job] is not None and app.session_state[job].active:
        assert time.monotonic() < end
        time.sleep(0.05)
    app.run()
    assert not app.exception
    return app


def text(app: AppTest) -> str:
    """All that the page says."""
    return " ".join(element.value for element in [*app.markdown, *app.caption, *app.info, *app.error, *app.warning, *app.success])
