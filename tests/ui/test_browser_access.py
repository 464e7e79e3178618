"""On a phone, with the keyboard and for a screen reader: no page scrolls sideways, and axe finds nothing serious."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from segviz.places import HOME

PAGES = sorted(file.stem for file in (HOME / "pages").glob("*.py"))
STEPS = ("lessons?lesson=02-iterations&step=3", "lessons?lesson=04-where-it-breaks&step=2")
STREAMLITS = "[data-testid=stSidebarNav]"
"""The navigation's markup on a phone is Streamlit's own: its list holds groups of items."""
WIDE = "(place) => place.scrollWidth > place.clientWidth"


@pytest.fixture(scope="module")
def phone(browser):
    context = browser.new_context(viewport={"width": 390, "height": 844}, is_mobile=True, has_touch=True)
    yield context.new_page()
    context.close()


@pytest.mark.parametrize("name", [*PAGES, *STEPS])
def test_a_page_fits_a_phone_and_can_be_used_without_eyes(phone, address, name):
    phone.goto(f"{address}/{'' if name == 'attack_lab' else name}")
    expect(phone.locator(".st-key-presenter")).to_be_attached()
    expect(phone.locator("[data-testid=stApp][data-test-script-state=notRunning]")).to_be_attached()
    assert not phone.get_by_test_id("stMain").evaluate(WIDE)
    found = Axe().run(phone, {"exclude": [[STREAMLITS]]}).response["violations"]
    assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in found if one["impact"] in ("serious", "critical")] == []
