"""Links to every page on a server that has just started, in a real browser: pictures or figures at once, and nothing in the console."""

import pytest

from segviz.places import APP

PAGES = sorted(page.stem for page in (APP.parent / "pages").glob("*.py") if page.stem != "room")
SHOWN = "[data-testid=stMain] :is(img, canvas, .js-plotly-plot, [data-testid=stDataFrame], [data-testid=stButton])"


@pytest.mark.parametrize("name", PAGES)
def test_a_link_shows_its_page_and_logs_nothing(page, address, name):
    said = []
    page.on("console", lambda message: said.append(message.text) if message.type in ("error", "warning") else None)
    page.goto(f"{address}/{name}")
    page.wait_for_selector(SHOWN)
    assert "Press Run" not in page.locator("[data-testid=stMain]").inner_text()
    assert said == []
