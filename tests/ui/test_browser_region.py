"""Drawing a region in a real browser: rectangle, lasso, undo, the link, and a run that stays inside."""

import io

import numpy as np
import pytest
from lab_page import RUN, download, open_lab, wait_for_end
from PIL import Image
from playwright.sync_api import Page, expect

from segviz.attacks.regions import inside
from segviz.lab import sample_picture
from segviz.models.zoo import MODELS
from segviz.ui.kit.links import read_link

EDITOR, STAGE = "segviz-region", "segviz-region-stage"


def drag(page: Page, *corners: tuple[float, float]) -> None:
    """Drag over points in per cent of the picture's width and height."""
    page.get_by_test_id(EDITOR).and_(page.locator("[data-ready]")).wait_for()
    stage = page.get_by_test_id(STAGE)
    stage.scroll_into_view_if_needed()
    box = stage.bounding_box()
    assert box is not None
    places = [(box["x"] + x / 100 * box["width"], box["y"] + y / 100 * box["height"]) for x, y in corners]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=3)
    page.mouse.up()


def shapes_in_link(page: Page, number: int) -> list[np.ndarray]:
    """The corners of the shapes in the page's link, once there are so many of them."""
    region = "new URL(location).searchParams.get('region')"
    page.wait_for_function(f"number => {region}?.slice('polygon:'.length).split('|').filter(Boolean).length === number", arg=number)
    found = read_link({"region": page.evaluate(region)}).values["region"].removeprefix("polygon:")
    return [np.array([corner.split(",") for corner in shape.split()], float) for shape in found.split("|") if shape]


def test_run_changes_only_the_drawn_rectangle(page, address):
    open_lab(page, f"{address}/?image=camera&attack=fgsm&eps=8&region=polygon:")
    expect(page.locator(RUN)).to_be_disabled()
    page.get_by_role("button", name="Rectangle").click()
    drag(page, (20, 30), (60, 80))
    (shape,) = shapes_in_link(page, 1)
    assert np.abs(shape - [(20, 30), (60, 30), (60, 80), (20, 80)]).max() < 0.5
    expect(page.get_by_text("not attacked yet").first).to_be_visible()
    page.locator(RUN).click()
    wait_for_end(page)
    result = np.asarray(Image.open(io.BytesIO(download(page, "Adversarial PNG"))))
    changed = (result != sample_picture("camera", MODELS["voc7-lraspp"]).pixels).any(2)
    region = inside(" ".join(f"{x},{y}" for x, y in shape), *changed.shape)
    assert not changed[~region].any()
    assert changed[region].mean() > 0.9


def test_shapes_add_up_come_back_from_the_link_and_can_be_undone(page, address):
    open_lab(page, f"{address}/?image=camera&steps=1&region=polygon:10,10%2030,10%2020,40")
    wait_for_end(page)
    editor = page.get_by_test_id(EDITOR)
    expect(editor).to_have_attribute("data-shapes", "1")
    circle = [(60 + 20 * np.cos(angle), 50 + 20 * np.sin(angle)) for angle in np.linspace(0, 2 * np.pi, 60)]
    drag(page, *circle)
    page.keyboard.down("Shift")
    drag(page, (5, 60), (25, 90))
    page.keyboard.up("Shift")
    drag(page, (50, 50))
    triangle, lasso, rectangle = shapes_in_link(page, 3)
    assert triangle.tolist() == [[10, 10], [30, 10], [20, 40]]
    assert 8 < len(lasso) <= 40
    assert np.hypot(*(lasso - [60, 50]).T) == pytest.approx(20, abs=0.6)
    assert len(rectangle) == 4

    page.reload()
    page.wait_for_selector("[data-testid=segviz-viewer][data-frame]")
    expect(editor).to_have_attribute("data-shapes", "3")
    wait_for_end(page)
    page.get_by_role("button", name="Undo").press("Enter")
    assert len(shapes_in_link(page, 2)) == 2
    page.get_by_role("button", name="Clear").click()
    shapes_in_link(page, 0)
    expect(page.locator(RUN)).to_be_disabled()


def test_drawing_leaves_a_run_alone_and_loses_no_quick_shape(page, address):
    open_lab(page, f"{address}/?steps=100&region=polygon:0,0%20100,0%2050,50")
    expect(page.get_by_text("of 100")).to_be_visible()
    page.get_by_role("button", name="Rectangle").click()
    for left in (10, 30, 50, 70):
        drag(page, (left, 60), (left + 10, 90))
    assert len(shapes_in_link(page, 5)) == 5
    expect(page.get_by_test_id(EDITOR)).to_have_attribute("data-shapes", "5")
    wait_for_end(page)
    expect(page.get_by_test_id("stMetric").filter(has_text="Gradients")).to_contain_text("100")
