"""The lab's runs in a browser: there again after a reload, by the browser's own secret, and for nobody else."""

import os

import pytest
from lab_page import wait_for_end
from playwright.sync_api import expect


@pytest.fixture(scope="module", autouse=True)
def kept(tmp_path_factory):
    """A server that keeps results, in a folder of its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(os.environ, "SEGVIZ_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setitem(os.environ, "SEGVIZ_RUNS_MB", "100")
        yield


def test_runs_are_there_again_after_a_reload(page, kept, address):
    page.goto(f"{address}/?image=camera&attack=fgsm")
    wait_for_end(page)
    expect(page.get_by_text("Your runs (1)")).to_be_visible()
    page.goto(address)
    expect(page.get_by_text("Your runs (1)")).to_be_visible()
    page.get_by_text("Your runs (1)").click()
    expect(page.get_by_role("checkbox", name="FGSM, ε 4")).to_be_attached()
    stranger = page.context.browser.new_context().new_page()
    stranger.goto(address)
    expect(stranger.get_by_text("Your runs (0)")).to_be_visible()
    stranger.context.close()
