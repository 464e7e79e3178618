"""The compare page in a real browser: a comparison grows side by side, ends, and can be taken home."""

import json
import re

from lab_page import download
from playwright.sync_api import Page, expect

RUN, STOP = ".st-key-compare_run button", ".st-key-compare_stop button"
CURVES = ".js-plotly-plot .scatterlayer .trace"


def open_compare(page: Page, url: str) -> None:
    page.goto(url)
    page.wait_for_selector("[data-testid=segviz-viewer][data-frame]")
    page.get_by_role("link", name="Compare").click()
    expect(page.get_by_text("Clean picture")).to_be_visible()


def test_the_first_visitor_of_a_server_may_come_by_a_link_to_the_page(browser, address):
    """Streamlit lets that one in without app.py; the page sends him through it and back."""
    context = browser.new_context(viewport={"width": 1400, "height": 1100})
    page = context.new_page()
    page.goto(f"{address}/compare?attacks=fgsm,ifgsm&budget=3")
    expect(page.get_by_role("link", name="Attack lab")).to_be_visible()
    # At the end there is a star of each attack beside its curve.
    expect(page.locator(CURVES).nth(1)).to_be_attached()
    assert "attacks=fgsm%2Cifgsm" in page.url
    assert "/compare" in page.url
    context.close()


def test_curves_grow_side_by_side_and_the_result_can_be_taken_home(page, address):
    open_compare(page, address)
    expect(page.get_by_text("Made beforehand")).to_be_visible()
    page.locator(RUN).click()
    expect(page.get_by_text(re.compile(r"[1-9]\d* of 100 gradient evaluations"))).to_be_visible()
    curves = page.locator("[data-testid=segviz-live] path.curve")
    expect(curves).to_have_count(5)
    before = [curve.get_attribute("data-points") for curve in curves.all()]
    for number, points in enumerate(before):
        expect(curves.nth(number)).not_to_have_attribute("data-points", points)
    expect(page.get_by_text("5 attacks")).to_be_visible()
    expect(page.locator(STOP)).to_be_disabled()
    assert "attacks=pgd" in page.url
    result = json.loads(download(page, "Settings and results"))
    assert [one["gradient_evaluations"] for one in result["attacks"]] == [20] * 5
    page.locator(".st-key-open-segpgd button").click()
    expect(page.get_by_text("SegPGD against LR-ASPP on Chelsea the cat")).to_be_visible()
    expect(page.get_by_test_id("segviz-viewer")).to_be_visible()
