"""The presenter view: large type, no side bar, keys; on one page as on the next."""

import re

from lab_page import RUN, open_lab, wait_for_end
from playwright.sync_api import expect

TEXT = "parseFloat(getComputedStyle(document.querySelector('[data-testid=stMarkdownContainer] p')).fontSize)"

CHART = (
    "Math.max(0, ...Array.from(document.querySelectorAll('.js-plotly-plot .ytick text'), (one) => "
    "parseFloat(getComputedStyle(one).fontSize)))"
)
TABLE = (
    "parseFloat(document.querySelector('[style*=gdg-base-font-style]')?.style.getPropertyValue('--gdg-base-font-style').split(' ')[1] ?? 0)"
)


def test_the_last_row_can_read_and_the_keyboard_leads(page, address):
    open_lab(page, f"{address}/?steps=1")
    page.get_by_role("link", name="Lessons").click()
    # The switch is on the list, too, which ends early.
    page.get_by_role("button", name="Presenter view").click()
    page.get_by_role("button", name="Leave the presenter view").click()
    page.get_by_role("button", name="Open").first.click()
    expect(page.get_by_text("Step 1 of 4")).to_be_visible()
    before = page.evaluate(TEXT)
    page.get_by_role("button", name="Presenter view").click()
    expect(page.get_by_role("button", name="Leave the presenter view")).to_be_visible()
    page.wait_for_function(f"{TEXT} >= 1.3 * {before}")
    expect(page.get_by_role("button", name="Next")).to_contain_text("PageDown")
    page.keyboard.press("PageDown")
    expect(page.get_by_text("Step 2 of 4")).to_be_visible()
    expect(page.get_by_role("button", name="Back")).to_be_enabled()
    page.keyboard.press("PageUp")
    expect(page.get_by_text("Step 1 of 4")).to_be_visible()
    page.get_by_role("link", name="Attack lab").click()
    page.wait_for_selector("[data-testid=segviz-viewer][data-frame]")
    page.wait_for_function(f"{CHART} >= 18")
    expect(page.locator(RUN)).to_contain_text("Alt + Enter")
    assert not page.get_by_test_id("stSidebar").is_visible()
    page.keyboard.press("Alt+Enter")
    expect(page.get_by_text(re.compile(r"Iteration [1-9]\d* of"))).to_be_visible()
    page.keyboard.press("Alt+S")
    wait_for_end(page)
    page.reload()
    page.wait_for_function(f"{TABLE} >= 18")
    page.keyboard.press("Alt+P")
    expect(page.get_by_role("button", name="Leave the presenter view")).to_have_count(0)
    page.wait_for_function(f"{TABLE} < 18")
    expect(page.get_by_test_id("stSidebar")).to_be_visible()
