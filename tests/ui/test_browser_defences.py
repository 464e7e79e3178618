"""The page of defences in a real browser: the three columns fill while it runs, and the settings are in the link."""

import re

from lab_page import own_button
from playwright.sync_api import expect


def test_three_columns_fill_and_the_link_follows(page, address):
    page.goto(address)
    page.wait_for_selector("[data-testid=segviz-viewer][data-frame]")
    page.get_by_role("link", name="Defences").click()
    expect(page.get_by_text("Defence, attack knows it").first).to_be_visible()
    expect(page.get_by_text("Made beforehand")).to_be_visible()
    expect(page.get_by_test_id("stImage")).to_have_count(12)
    page.get_by_role("button", name="Reconstruction heals").first.click()
    expect(page.get_by_text(re.compile(r"\d+ of 40 gradient evaluations each"))).to_be_visible()
    expect(page.get_by_test_id("stImage")).to_have_count(12)
    expect(own_button(page, "Stop")).to_be_disabled()
    expect(page.get_by_test_id("stMetric").filter(has_text="Pixels won")).to_have_count(3)
    expect(page.locator(".st-key-defence_curves .scatterlayer .trace")).to_have_count(6)
    assert "defence=" in page.url
