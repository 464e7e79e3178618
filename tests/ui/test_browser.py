"""The app in a real browser: first view, a live run, swipe, Stop, downloads, a camera, a closed tab."""

import io
import re

import numpy as np
import pytest
import torch
from lab_page import RUN, STOP, download, open_lab, wait_for_end
from PIL import Image
from playwright.sync_api import Page, expect

from segviz.data.label_sets import VOC7
from segviz.lab import figures_of, sample_picture, to_tensor
from segviz.models.zoo import MODELS

CURVE = "[data-testid=segviz-live][data-part=curves] path.curve"


def frame(page: Page) -> int:
    return int(page.get_by_test_id("segviz-viewer").get_attribute("data-frame") or 0)


def points_on_chart(page: Page) -> int:
    return int(page.locator(CURVE).first.get_attribute("data-points") or 0)


def figure(page: Page, label: str) -> float:
    """A number of the headline."""
    return float(page.get_by_test_id("stMetric").filter(has_text=label).get_by_test_id("stMetricValue").inner_text().rstrip("%"))


def test_run_swipe_and_download(page, address, model):
    open_lab(page, f"{address}/?image=camera&steps=5&attack=ifgsm&eps=3")
    wait_for_end(page)
    picture = sample_picture("camera", MODELS["voc7-lraspp"])
    downloaded = np.asarray(Image.open(io.BytesIO(download(page, "Adversarial PNG"))))
    assert np.abs(downloaded.astype(int) - picture.pixels).max() == 3
    # What the page says of the picture is what the model, here, makes of the file.
    prediction = model(to_tensor(downloaded, torch.device("cpu"))).argmax(1)
    accuracy = figures_of(prediction, torch.from_numpy(picture.labels).long()[None], len(VOC7.classes)).pixel_accuracy
    assert figure(page, "Pixel accuracy") == pytest.approx(100 * accuracy, abs=0.2)
    assert download(page, "Curve").decode().count("\n") == 7
    assert b'"steps": 5' in download(page, "Settings and result")

    divider = page.get_by_test_id("segviz-divider")
    before = float(divider.get_attribute("aria-valuenow") or "nan")
    divider.scroll_into_view_if_needed()
    box = divider.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] - 120, box["y"] + box["height"] / 2, steps=4)
    page.mouse.up()
    assert float(divider.get_attribute("aria-valuenow") or "nan") < before - 5
    expect(page.get_by_test_id("segviz-readout")).to_contain_text(re.compile("before.*after", re.DOTALL))

    stage = page.get_by_test_id("segviz-viewer").locator(".stage")
    box = stage.bounding_box()
    stage.click(position={"x": 0.6 * box["width"], "y": 0.4 * box["height"]})
    expect(page.get_by_text("Half of the gradient lies within")).to_have_count(2)


def test_live_curve_grows_and_stop_stops(page, address):
    open_lab(page, f"{address}/?steps=300")
    expect(page.locator(STOP)).to_be_enabled()
    expect(page.get_by_text(re.compile(r"Iteration [1-9]\d* of 300"))).to_be_visible()
    shown, points = frame(page), points_on_chart(page)
    expect(page.locator(CURVE).first).not_to_have_attribute("data-points", str(points))
    assert points_on_chart(page) > points
    expect(page.get_by_test_id("segviz-viewer")).not_to_have_attribute("data-frame", str(shown))
    page.locator(STOP).click()
    wait_for_end(page)
    expect(page.get_by_text(re.compile(r"Stopped after \d+ of 300 iterations"))).to_be_visible()
    assert 0 < figure(page, "Gradients") < 300


def test_a_picture_from_the_camera_is_attacked(page, address):
    open_lab(page, f"{address}/?model=selfie&image=own&steps=1")
    page.get_by_text("Camera", exact=True).click()
    page.wait_for_function("document.querySelector('video')?.videoWidth > 0")
    page.get_by_role("button", name="Take Photo").click()
    expect(page.get_by_text("In use: camera, without a label map.")).to_be_visible()
    page.locator(RUN).click()
    expect(page.get_by_text("Everything is at 320x180 pixels (the photo came in 1280x720)")).to_be_visible()


def test_run_survives_a_page_change(page, address):
    open_lab(page, f"{address}/?steps=60&image=dog")
    expect(page.locator(STOP)).to_be_enabled()
    page.get_by_text("More", exact=True).click()
    page.get_by_text("About", exact=True).click()
    expect(page.get_by_text("How to read the numbers")).to_be_visible()
    page.get_by_role("link", name="Attack lab").click()
    wait_for_end(page)
    expect(page.get_by_text("on Dog, bicycle and pickup")).to_be_visible()
    assert "steps=60" in page.url


def test_closed_tab_gives_its_run_up(browser, page, address):
    leaving = browser.new_context().new_page()
    open_lab(leaving, f"{address}/?steps=300&restarts=20")
    expect(leaving.locator(STOP)).to_be_enabled()
    open_lab(page, f"{address}/?steps=300&restarts=20&image=dog")
    others = page.get_by_text("1 other run is under way")
    expect(others).to_be_visible()
    leaving.context.close()
    expect(others).to_have_count(0)
    expect(page.locator(STOP)).to_be_enabled()
    page.locator(STOP).click()
    wait_for_end(page)


@pytest.mark.parametrize(("width", "height"), [(1920, 1080), (1280, 720)])
def test_nothing_is_cut_on_a_projector_nor_enlarged_by_half(page, address, width, height):
    """A window of 1280 x 720 is what one of 1920 x 1080 is at 150 %."""
    page.set_viewport_size({"width": width, "height": height})
    open_lab(page, address)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    pictures = page.locator(".st-key-glance img")
    expect(pictures).to_have_count(4)
    boxes = [pictures.nth(number).bounding_box() for number in range(4)]
    assert all(box["x"] >= 0 and box["x"] + box["width"] <= width for box in boxes)
    # Photos beside one another, the maps right below them.
    assert boxes[0]["y"] == boxes[1]["y"] < boxes[2]["y"] == boxes[3]["y"]
    assert min(box["width"] for box in boxes) > 250
    if height == 1080:
        assert boxes[3]["y"] + boxes[3]["height"] <= height
    cut = "(element) => element.scrollWidth > element.clientWidth + 1"
    assert not any(figure.evaluate(cut) for figure in page.get_by_test_id("stMetricValue").all())
