"""A class in real browsers: join by link, push, predict, reveal, and a server that is killed in the middle."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request

import pytest
from playwright.sync_api import expect

from segviz.classroom.rooms import Rooms
from segviz.places import HOME


class Server:
    """A server of the app with a data folder of its own, on one port however often it is started."""

    def __init__(self, folder):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url, self.folder = f"http://127.0.0.1:{self.port}", folder
        self.start()

    def start(self):
        command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.headless=true", f"--server.port={self.port}"]
        environment = os.environ | {"SEGVIZ_DATA_DIR": str(self.folder)}
        output = (self.folder / "log.txt").open("a")
        self.process = subprocess.Popen(command, cwd=HOME, stdout=output, stderr=subprocess.STDOUT, env=environment)
        while True:
            assert self.process.poll() is None
            try:
                urllib.request.urlopen(f"{self.url}/_stcore/health", timeout=1)
                return
            except OSError:
                time.sleep(0.1)

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


@pytest.fixture
def server(tmp_path, browser):
    server = Server(tmp_path)
    yield server
    server.kill()


def test_a_class_from_push_to_reveal_over_a_killed_server(browser, server):
    contexts = [browser.new_context() for _ in range(4)]
    teacher, *students = [context.new_page() for context in contexts]
    teacher.goto(f"{server.url}/classroom")
    teacher.get_by_role("button", name="Open a room").click()
    link = teacher.locator("code", has_text="room?room=")
    expect(link).to_be_visible()
    join, secret = link.inner_text().strip(), re.search(r"teacher=([\w-]+)", teacher.url)[1]
    rooms = Rooms(server.folder / "rooms.sqlite")
    for student in students:
        student.goto(join)
        expect(student.get_by_text("You are in.")).to_be_visible()
    rooms.push(secret, "lessons?lesson=02-iterations&step=3")
    # A curve drawn with the mouse.
    first = students[0]
    axes = first.get_by_test_id("segviz-predict-curve").locator("svg")
    expect(axes).to_be_visible()
    box = axes.bounding_box()
    first.mouse.move(box["x"] + 0.086 * box["width"], box["y"] + 0.1 * box["height"])
    first.mouse.down()
    first.mouse.move(box["x"] + 0.97 * box["width"], box["y"] + 0.8 * box["height"], steps=25)
    first.mouse.up()
    first.get_by_role("button", name="This is my guess").click()
    expect(first.get_by_text("Your guess is in.")).to_be_visible()
    (given,) = rooms.answers(secret)
    assert len(given.value) == 10
    assert given.value[0] > 0.8 > 0.4 > given.value[-1]

    server.kill()
    server.start()
    assert [one.value for one in rooms.answers(secret)] == [given.value]
    rooms.push(secret, "lessons?lesson=04-where-it-breaks&step=2")
    for number, student in enumerate(students):
        picture = student.get_by_test_id("segviz-predict-place").locator(".picture")
        expect(picture).to_be_visible()
        expect(picture.locator("img")).to_have_js_property("complete", True)
        box = picture.bounding_box()
        picture.click(position={"x": (0.3 + 0.2 * number) * box["width"], "y": 0.5 * box["height"]})
        expect(student.get_by_text("Your guess is in.")).to_be_visible()
    clicks = [one.value for one in rooms.answers(secret)]
    assert sorted(round(x, 1) for x, _ in clicks) == [0.3, 0.5, 0.7]
    expect(teacher.get_by_test_id("segviz-predict-place").locator(".marks i")).to_have_count(3)
    expect(teacher.get_by_role("button", name="Reveal")).to_be_in_viewport()
    teacher.get_by_role("button", name="Reveal").click()
    for student in students:
        expect(student.get_by_text(re.compile("Your click is (inside|outside)"))).to_be_visible()
    for context in contexts:
        context.close()


def test_pushed_views_run_and_followers_come_along_while_the_busy_are_asked(browser, server):
    rooms = Rooms(server.folder / "rooms.sqlite")
    room = rooms.open()
    contexts = [browser.new_context() for _ in range(2)]
    watching, busy = [context.new_page() for context in contexts]
    for student in (watching, busy):
        student.goto(f"{server.url}/room?room={room.code}-{room.key}")
        expect(student.get_by_text("You are in.")).to_be_visible()
    rooms.push(room.secret, "?image=chelsea&attack=fgsm&eps=3")
    for student in (watching, busy):
        expect(student.get_by_test_id("stMetric").filter(has_text="Gradients")).to_contain_text("1")
        expect(student.get_by_role("combobox", name="Picture")).to_have_value(re.compile("cat", re.IGNORECASE))
    watching.reload()
    expect(watching.get_by_role("link", name=f"Room {room.code}")).to_be_visible()
    assert room.key not in watching.url
    assert "seat" not in watching.url
    busy.get_by_text("Six pictures", exact=True).click()
    rooms.push(room.secret, "?image=dog&attack=pgd&eps=5&steps=2")
    expect(busy.get_by_text("Your teacher shows something new.")).to_be_visible()
    assert "attack=fgsm" in busy.url
    busy.get_by_role("link", name=f"Room {room.code}").click()
    for student in (watching, busy):
        expect(student.get_by_test_id("stMetric").filter(has_text="Gradients")).to_contain_text("2")
        expect(student.get_by_role("combobox", name="Picture")).to_have_value(re.compile("dog", re.IGNORECASE))
        assert "eps=5" in student.url
    rooms.push(room.secret, "lessons?lesson=02-iterations&step=2")
    for student in (watching, busy):
        expect(student.get_by_role("button", name="This is my guess")).to_be_visible()
    for context in contexts:
        context.close()
