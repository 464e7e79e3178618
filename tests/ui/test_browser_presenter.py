"""The presenter view: large type, no side bar, keys; on one page as on the next."""

from playwright.sync_api import expect


def size_of_text(page):
    return page.evaluate("parseFloat(getComputedStyle(document.querySelector('[data-testid=stMarkdownContainer] p')).fontSize)")


def test_the_last_row_can_read_and_the_keyboard_leads(page, address):
    page.goto(f"{address}/lessons?lesson=01-what-changes")
    expect(page.get_by_text("Step 1 of 4")).to_be_visible()
    before = size_of_text(page)
    page.get_by_role("button", name="Presenter view").click()
    expect(page.get_by_role("button", name="Leave the presenter view")).to_be_visible()
    assert size_of_text(page) >= 1.3 * before
    page.keyboard.press("Alt+ArrowRight")
    expect(page.get_by_text("Step 2 of 4")).to_be_visible()
    page.keyboard.press("Alt+ArrowLeft")
    expect(page.get_by_text("Step 1 of 4")).to_be_visible()
    page.get_by_role("link", name="Attack lab").click()
    expect(page.get_by_text("mIoU of this image").first).to_be_visible()
    assert not page.get_by_test_id("stSidebar").is_visible()
    page.keyboard.press("Alt+P")
    expect(page.get_by_role("button", name="Leave the presenter view")).to_have_count(0)
    expect(page.get_by_test_id("stSidebar")).to_be_visible()
