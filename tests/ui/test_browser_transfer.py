"""The transfer page in a real browser: the first picture by itself, then a study that fills its heat table."""

import csv
import io
import re

from lab_page import download, own_button
from playwright.sync_api import expect


def test_first_picture_then_a_study_whose_table_fills(page, address):
    page.goto(address)
    page.wait_for_selector("[data-testid=segviz-viewer][data-frame]")
    page.get_by_role("link", name="Transfer").click()
    # Photo and three maps: clean, and for each of two sources.
    expect(page.get_by_test_id("stImage")).to_have_count(12)
    expect(page.get_by_text(re.compile(r"voc7-fcn8s: IoU ratio \d"))).to_have_count(2)
    page.get_by_role("radio", name="Source × victim").click()
    expect(page.get_by_text("Made beforehand")).to_be_visible()
    expect(page.locator(".js-plotly-plot .heatmaplayer")).to_have_count(2)
    own_button(page, "Run").click()
    expect(page.get_by_text(re.compile(r"of 6 pictures, \d+ of \d+ gradient evaluations"))).to_be_visible()
    expect(page.get_by_text("Made beforehand")).to_have_count(0)
    expect(page.locator("[data-testid=segviz-live] td").filter(has_text=re.compile(r"^\d\.\d\d$")).nth(1)).to_be_visible()
    own_button(page, "Stop").click()
    expect(own_button(page, "Stop")).to_be_disabled()
    expect(page.get_by_text("Stopped")).to_be_visible()
    assert "view=matrix" in page.url
    rows = list(csv.DictReader(io.StringIO(download(page, "Figures (CSV)").decode())))
    assert rows
    assert {row["iteration"] for row in rows} == {"result"}
