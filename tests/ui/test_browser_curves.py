"""The curves page in a real browser: a small grid is run, a point clicked, and the attack lab runs just that."""

import os
from collections.abc import Iterator

import pytest
from lab_page import own_button
from playwright.sync_api import Page, expect

LINE = ".js-plotly-plot .scatterlayer .trace:has(.points path)"


@pytest.fixture(scope="module", autouse=True)
def own_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The server keeps its results in a folder of the test."""
    before = os.environ.get("SEGVIZ_STUDIES")
    os.environ["SEGVIZ_STUDIES"] = str(tmp_path_factory.mktemp("studies"))
    yield
    if before is None:
        del os.environ["SEGVIZ_STUDIES"]
    else:
        os.environ["SEGVIZ_STUDIES"] = before


def click_point(page: Page, line: int, number: int) -> None:
    box = page.locator(LINE).nth(line).locator(".points path").nth(number).bounding_box()
    assert box is not None
    # The browser finds the point by where the mouse is, so the mouse has to come by.
    page.mouse.move(box["x"] + 60, box["y"] + 30)
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2, steps=5)
    page.wait_for_timeout(300)
    page.mouse.down()
    page.mouse.up()


def test_a_small_grid_and_the_way_from_a_point_to_the_attack_lab(browser, address):
    # A first visit by a link loads what a page of the app must log errors of, so this one does not use the fixture `page`.
    context = browser.new_context(viewport={"width": 1400, "height": 1100})
    page = context.new_page()
    page.set_default_timeout(600_000)
    page.goto(f"{address}/curves?models=voc7-lraspp&attacks=pgd@2,fgsm&eps=2,4,8&images=camera,dog")
    expect(page.get_by_text("12 runs.")).to_be_visible()
    expect(page.get_by_text("18 gradient evaluations")).to_be_visible()
    own_button(page, "Run").click()
    expect(page.get_by_text("all of them stored")).to_be_visible()
    expect(own_button(page, "Stop")).to_be_disabled()
    page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]")
    expect(page.locator(LINE)).to_have_count(2)
    page.wait_for_timeout(1000)
    click_point(page, 0, 1)
    expect(page.get_by_text("PGD against LR-ASPP on Man with a camera")).to_be_visible()
    expect(page.get_by_test_id("stMetric").filter(has_text="Gradients")).to_be_visible()
    assert "image=camera" in page.url
    assert "steps=2" in page.url
    assert "ε = 4/255, 2 steps, seed 0" in page.get_by_text("PGD against LR-ASPP on Man with a camera").inner_text()
    context.close()
