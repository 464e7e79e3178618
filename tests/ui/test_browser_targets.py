"""The page of target maps in a real browser: pictures morph, one passes 90 %, Stop ends the run, and the result can be taken home."""

import io
import json
import re
import time
import zipfile

import numpy as np
from lab_page import download, open_lab
from PIL import Image
from playwright.sync_api import expect

from segviz.lab import sample_picture
from segviz.models.zoo import MODELS

STOP = ".st-key-targets_stop button"
MAPS = "img[alt='Map now']"


def test_pictures_morph_live_and_the_mark_appears(page, address):
    open_lab(page, f"{address}/?steps=1&eps=0")
    page.get_by_role("link", name="Target maps").click()
    expect(page.locator(MAPS)).to_have_count(4)
    expect(page.get_by_text("Made beforehand")).to_be_visible()
    page.get_by_role("button", name="The person vanishes").click()
    expect(page.get_by_text(re.compile(r"[1-9]\d* of 600 gradient evaluations"))).to_be_visible()
    live = page.locator("[data-testid=segviz-live] figure[data-name$=' map'] figcaption")
    expect(live).to_have_count(3)
    before = live.all_inner_texts()
    for number, caption in enumerate(before):
        expect(live.nth(number)).not_to_have_text(caption)
    expect(page.locator("[data-testid=segviz-live] td").filter(has_text=re.compile(r"90% at iteration \d+")).first).to_be_visible()
    page.locator(STOP).click()
    expect(page.get_by_text("stopped before")).to_be_visible()
    expect(page.locator(STOP)).to_be_disabled()
    assert "target=remove%3Aperson" in page.url
    result = json.loads(download(page, "Settings and results"))
    assert any(one["passed"] for one in result["pictures"])
    assert all(one["linf"] <= 8 and one["stopped"] for one in result["pictures"])
    with zipfile.ZipFile(io.BytesIO(download(page, "Adversarial PNGs"))) as archive:
        result = np.asarray(Image.open(io.BytesIO(archive.read("astronaut.png"))))
    assert np.abs(result.astype(int) - sample_picture("astronaut", MODELS["voc7-lraspp"]).pixels).max() == 8


def test_a_message_that_a_page_sent_before_it_knew_of_the_preset_does_not_end_its_run(page, address):
    sent: list[str | bytes] = []
    answers: int | None = None

    def connect(socket):
        server = socket.connect_to_server()

        def pass_on(message):
            nonlocal answers
            server.send(message)
            if b"targets-preset-vanish" in message:
                answers = 0
            else:
                sent.append(message)

        def answer(message):
            nonlocal answers
            socket.send(message)
            if answers is not None:
                answers += 1
            if answers == 3:
                # The first tells of a new script, which takes the click before it sends any more. What the page sent when its look had
                # ended, with the pictures of before, arrives after that. Streamlit loses a click to a message that comes sooner.
                for _ in range(25):
                    time.sleep(0.02)
                    server.send(sent[-1])

        socket.on_message(pass_on)
        server.on_message(answer)

    page.route_web_socket(re.compile("_stcore/stream"), connect)
    open_lab(page, f"{address}/?steps=1&eps=0")
    page.get_by_role("link", name="Target maps").click()
    expect(page.locator(MAPS)).to_have_count(4)
    page.get_by_role("button", name="The person vanishes").click()
    expect(page.get_by_text(re.compile(r"[1-9]\d* of 600 gradient evaluations"))).to_be_visible()
    page.locator(STOP).click()
