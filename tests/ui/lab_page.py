"""What the tests in a browser do on the attack lab's page, and on others."""

from playwright.sync_api import Locator, Page, TimeoutError, expect

# By key: while a script runs, Streamlit shows a Stop of its own.
RUN, STOP = ".st-key-lab_run button", ".st-key-lab_stop button"


def open_lab(page: Page, url: str) -> None:
    page.goto(url)
    page.wait_for_selector("[data-testid=segviz-viewer][data-frame]")


def own_button(page: Page, label: str) -> Locator:
    """A button of the page itself: while a script runs, Streamlit shows a Stop of its own above it."""
    return page.get_by_test_id("stMainBlockContainer").get_by_role("button", name=label, exact=True)


def download(page: Page, label: str) -> bytes:
    # A file is made on the click; a click in the middle of a rerun may ask for one that the rerun has replaced.
    while True:
        page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]")
        try:
            with page.expect_download(timeout=5_000) as event:
                page.get_by_role("button", name=label).click()
        except TimeoutError:
            continue
        return event.value.path().read_bytes()


def wait_for_end(page: Page) -> None:
    expect(page.get_by_test_id("stMetric").filter(has_text="Gradients")).to_be_visible()
    expect(page.locator(STOP)).to_be_disabled()
