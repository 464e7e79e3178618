"""The page on image scaling in a real browser: an attack runs, and its grid tells where the trick works."""

import io
import json

import numpy as np
from lab_page import download, own_button
from PIL import Image
from playwright.sync_api import Page, expect

from segviz.scaling.kernels import SCALERS
from segviz.studies.scaling import middle_of, sample_full_size, target_size


def mark(page: Page, title: str) -> str:
    """What the grid says of a scaler."""
    return page.locator("[data-testid=stMarkdown] p").filter(has=page.locator(f"strong:text-is('{title}')")).last.inner_text()


def test_an_attack_runs_and_its_grid_can_be_read(page, address):
    page.goto(address)
    page.wait_for_selector("[data-testid=segviz-viewer][data-frame]")
    page.get_by_role("link", name="Image scaling").click()
    expect(page.get_by_text("Measure the detectors")).to_be_visible()
    page.get_by_role("radio", name="torch").click()
    expect(page.get_by_text("have changed since this run")).to_be_visible()
    own_button(page, "Run").click()
    expect(page.get_by_text("torch linear reveals the hidden picture")).to_be_visible()
    expect(page.get_by_text("Measure the detectors")).to_be_visible()
    expect(own_button(page, "Stop")).to_be_disabled()
    assert "scaler=torch-linear" in page.url
    assert "✗ fooled" in mark(page, "torch linear")
    assert "✗ fooled" in mark(page, "OpenCV linear")
    assert "✓ safe" in mark(page, "Pillow linear")
    assert "✓ safe" in mark(page, "torch linear, antialiased")
    image = np.array(Image.open(io.BytesIO(download(page, "Attack image (PNG)"))))
    settings = json.loads(download(page, "Figures (JSON)"))["settings"]
    hidden = middle_of(sample_full_size(settings["other"]).pixels, target_size("/8", image.shape[:2]))
    scaled = SCALERS["torch-linear"].resize(image, hidden.shape[:2])
    assert np.abs(scaled.astype(int) - hidden).max() <= 1
