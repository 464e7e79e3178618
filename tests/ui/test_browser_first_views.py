"""Links to every page on a server that has just started, in a real browser: pictures or figures at once, and no error in the console."""

import re

import pytest
from playwright.sync_api import expect

from segviz.places import APP

PAGES = sorted(page.stem for page in (APP.parent / "pages").glob("*.py") if page.stem != "room")
SHOWN = "[data-testid=stMain] :is(img, .js-plotly-plot, [data-testid=stDataFrame], [data-testid=stButton])"
CHARTS = {"attack_lab": 1, "compare": 1, "targets": 1, "transfer": 1, "defences": 2, "curves": 1}
"""Charts of a first view, which come after its pictures."""
EMPTY_COLUMNS = """() => [...document.querySelectorAll('[data-testid=stMain] [data-testid=stColumn]')].filter((column) =>
    !column.parentElement.querySelector('[data-testid=stButton]') &&
    !column.innerText.trim() && !column.querySelector('img, canvas, svg, [data-testid^=stBidiComponent]')).length"""
"""Beside buttons is the place of what is to be said of a run, which may be nothing."""


@pytest.mark.parametrize("name", PAGES)
def test_a_link_shows_its_page_and_logs_no_error(page, address, name):
    # The lab is at the address of the server itself.
    page.goto(f"{address}/{name}".removesuffix("attack_lab"))
    expect(page.locator(SHOWN).first).to_be_visible()
    expect(page.get_by_text(re.compile(r"^Press Run\.$"))).to_have_count(0)
    expect(page.locator(".js-plotly-plot")).to_have_count(CHARTS.get(name, 0))
    expect(page.locator("[data-testid=stSkeleton]")).to_have_count(0)
    assert page.evaluate(EMPTY_COLUMNS) == 0
