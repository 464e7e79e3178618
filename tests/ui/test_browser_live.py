"""Live runs in a real browser: one run for one link, a stream that breaks, an engine that dies, pictures derived in the browser."""

import os
import re
import signal
import subprocess
from pathlib import Path

import numpy as np
import pytest
from lab_page import RUN, STOP, open_lab, wait_for_end
from playwright.sync_api import Page, expect

from segviz import draw
from segviz.data.label_sets import VOC7
from segviz.data.samples import samples
from segviz.lab import sample_picture
from segviz.models.zoo import MODELS
from segviz.ui.viewer import layer_look

STATUS = "[data-testid=segviz-live][data-part=status]"
ITERATION = re.compile(r"Iteration [1-9]\d* of")


def engine_of(server: int) -> int:
    """The number of the engine's process."""
    return int(subprocess.run(["pgrep", "-P", str(server), "-f", "segviz.engine.worker"], capture_output=True, text=True).stdout.split()[0])


def iteration(page: Page) -> int:
    return int(re.search(r"Iteration (\d+)", page.locator(STATUS).inner_text())[1])


def test_two_tabs_on_one_link_share_a_run_and_one_may_leave_it(browser, page, address):
    link = f"{address}/?steps=300&image=dog&seed=5"
    open_lab(page, link)
    expect(page.locator(STATUS)).to_contain_text(ITERATION)
    other = browser.new_context().new_page()
    open_lab(other, link)
    expect(other.locator(STATUS)).to_contain_text(ITERATION)
    # It joined where the run was, and nobody else's is under way.
    assert abs(iteration(other) - iteration(page)) < 5
    assert "other run" not in other.locator(STATUS).inner_text()
    other.locator(STOP).click()
    expect(other.get_by_text("You left this run")).to_be_visible()
    before = iteration(page)
    expect(page.locator(STATUS)).not_to_contain_text(f"Iteration {before} of")
    other.context.close()
    page.locator(STOP).click()
    wait_for_end(page)


def test_a_reload_joins_the_run_again(page, address):
    open_lab(page, f"{address}/?steps=300&image=horses&seed=6")
    expect(page.locator(STATUS)).to_contain_text(re.compile(r"Iteration [1-9]\d of"))
    reached = iteration(page)
    page.reload()
    expect(page.locator(STATUS)).to_contain_text(ITERATION)
    assert iteration(page) >= reached
    page.locator(STOP).click()
    wait_for_end(page)


def test_two_tabs_with_runs_of_their_own_both_come_to_their_end(browser, page, address):
    other = browser.new_context().new_page()
    open_lab(page, f"{address}/?steps=50&image=dog")
    open_lab(other, f"{address}/?steps=50&image=horses")
    wait_for_end(page)
    wait_for_end(other)
    expect(page.get_by_text("given up")).to_have_count(0)
    expect(other.get_by_text("given up")).to_have_count(0)
    other.context.close()


def test_a_killed_engine_gives_a_message_and_the_next_run_works(page, served):
    open_lab(page, f"{served.address}/?steps=300&seed=7")
    expect(page.locator(STATUS)).to_contain_text(ITERATION)
    os.kill(engine_of(served.pid), signal.SIGKILL)
    expect(page.get_by_text("The engine ended unexpectedly")).to_be_visible()
    page.goto(f"{served.address}/?steps=5&image=camera")
    wait_for_end(page)


def test_a_stream_that_is_cut_comes_back(page, address):
    sockets = []
    page.route_web_socket(re.compile(r"/live/"), lambda socket: sockets.append((socket, socket.connect_to_server())))
    open_lab(page, f"{address}/?steps=300&seed=8")
    expect(page.locator(STATUS)).to_contain_text(ITERATION)
    for socket, _ in list(sockets):
        socket.close(code=1012)
    before = iteration(page)
    expect(page.locator(STATUS)).not_to_contain_text(f"Iteration {before} of")
    assert len(sockets) > 1
    page.locator(STOP).click()
    wait_for_end(page)


def test_a_run_that_ends_while_another_page_is_on_its_way_does_not_wipe_that_page(page, address):
    held: list[str | bytes] | None = None
    servers = []

    def connect(socket):
        server = socket.connect_to_server()
        socket.on_message(lambda message: server.send(message) if held is None else held.append(message))
        servers.append(server)

    page.route_web_socket(re.compile("_stcore/stream"), connect)
    open_lab(page, f"{address}/?steps=30&image=chelsea&seed=8")
    expect(page.locator(STATUS)).to_contain_text(ITERATION)
    held = []
    page.get_by_role("link", name="Target maps").click()
    expect(page.locator(f"{STATUS}[data-done='30']")).to_be_visible()
    # Time to call for the result, which the page that is left must not do: the server would get the call right after the click.
    page.wait_for_timeout(500)
    sent, held = held, None
    for message in sent:
        servers[-1].send(message)
        page.wait_for_timeout(20)
    expect(page.locator("img[alt='Map now']")).to_have_count(4)
    page.wait_for_timeout(500)
    expect(page.locator("img[alt='Map now']")).to_have_count(4)


def test_the_result_comes_though_the_first_call_for_it_is_lost(page, address):
    lost = []

    def connect(socket):
        server = socket.connect_to_server()

        def pass_on(message):
            if b"ended" in bytes(message) and not lost:
                lost.append(message)
            else:
                server.send(message)

        socket.on_message(pass_on)

    page.route_web_socket(re.compile("_stcore/stream"), connect)
    open_lab(page, f"{address}/?steps=3&image=horses&seed=7")
    wait_for_end(page)
    assert lost


def test_without_a_stream_the_page_asks_now_and_then(page, address):
    page.route_web_socket(re.compile(r"/live/"), lambda socket: socket.close(code=1012))
    open_lab(page, f"{address}/?steps=300&seed=9")
    expect(page.locator(STATUS)).to_contain_text(ITERATION)
    page.locator(STOP).click()
    wait_for_end(page)


LAYERS = ("Input", "Adversarial", "Perturbation", "Perturbation RGB", "Clean map", "Adversarial map", "Flipped pixels", "Clean confidence")

DERIVE = """
async ([layers, look, sizes]) => {
  const image = (channels) => new ImageData(new Uint8ClampedArray(channels), sizes.width, sizes.height);
  const pixels = Object.fromEntries(Object.entries(sizes.pictures).map(([name, data]) => [name, image(data)]));
  const stream = { pixels: async (fact) => pixels[fact.src] };
  const view = { pictures: Object.fromEntries(Object.keys(pixels).map((name) => [name, { src: name }])) };
  const found = {};
  for (const name of layers) found[name] = [...(await globalThis.segvizLayers.layer(name, stream, view, look)).data];
  return found;
}
"""


@pytest.mark.parametrize(
    ("look", "shown"),
    [
        (draw.MapLook(), None),
        (draw.MapLook(on_photo=False, own_colours=True), {0, 4}),
        (draw.MapLook(opacity=0.4, outlines=True, patterns=True), None),
    ],
)
def test_the_browser_derives_the_same_pixels_as_the_server(page, look, shown):
    page.add_script_tag(path=Path(__file__).parents[2] / "segviz" / "ui" / "live" / "layers.js")
    photo = sample_picture(next(iter(samples())), MODELS["voc7-lraspp"]).pixels[60:90, 100:140]
    random = np.random.default_rng(0)
    adversarial = np.clip(photo + random.integers(-4, 5, photo.shape), 0, 255).astype(np.uint8)
    before, after = (random.choice([0, 1, 4, 6, 255], photo.shape[:2]).astype(np.uint8) for _ in range(2))
    confidence = random.integers(0, 256, photo.shape[:2]).astype(np.uint8)

    def rgba(picture):
        colours = picture if picture.ndim == 3 else np.repeat(picture[..., None], 3, 2)
        return np.dstack([colours, np.full(picture.shape[:2], 255, np.uint8)]).flatten().tolist()

    sources = {"photo": photo, "adversarial": adversarial, "clean": before, "map": after, "clean confidence": confidence}
    height, width = photo.shape[:2]
    sizes = {"width": width, "height": height, "pictures": {name: rgba(picture) for name, picture in sources.items()}}
    found = page.evaluate(DERIVE, [LAYERS, layer_look(VOC7, shown, look, 4), sizes])

    def coloured(labels):
        return draw.seen_map(labels, VOC7, photo, look, shown)

    expected = {
        "Input": photo,
        "Adversarial": adversarial,
        "Perturbation": draw.perturbation(adversarial, photo, 4),
        "Perturbation RGB": draw.perturbation_rgb(adversarial, photo, 4),
        "Clean map": coloured(before),
        "Adversarial map": coloured(after),
        "Flipped pixels": draw.flipped(before, after, photo),
        "Clean confidence": draw.heat(confidence),
    }
    for name, picture in expected.items():
        drawn = np.array(found[name], np.uint8).reshape(height, width, 4)[..., :3]
        # Halves are rounded in different precision here and there.
        assert np.abs(drawn.astype(int) - picture).max() <= 1, name
        assert (drawn == picture).mean() > 0.99, name


def test_run_is_pressed_while_one_is_under_way(page, address):
    open_lab(page, f"{address}/?steps=300&seed=10")
    expect(page.locator(STATUS)).to_contain_text(ITERATION)
    page.locator(RUN).click()
    expect(page.locator(STATUS)).to_contain_text(re.compile(r"Iteration [0-9] of|Loading"))
    page.locator(STOP).click()
    wait_for_end(page)
