"""Shared by the browser tests: a server of the app, a browser, a page that must log no errors."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright
from streamlit.runtime.media_file_manager import MediaFileManager

from segviz.places import ASSETS

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

LIMIT = 180_000
"""Milliseconds after which a test gives up: no test is about time, and the machine may have other things to do."""

expect.set_options(timeout=LIMIT)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test in a browser has two tries, which pytest counts: Streamlit loses a click that another message of the page overtakes."""
    for item in items:
        if "browser" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.flaky(reruns=1))


@dataclass(frozen=True)
class Served:
    """A server of the app: its address, and the number of its process."""

    address: str
    pid: int


@pytest.fixture(scope="module")
def address(served: Served) -> str:
    """The address of the server."""
    return served.address


@pytest.fixture(scope="module")
def served(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server of the app, started as the README says."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = tmp_path_factory.mktemp("server") / "log.txt"
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.headless=true", f"--server.port={port}"]
    with log.open("w") as output:
        server = subprocess.Popen(command, cwd=ASSETS.parent, stdout=output, stderr=subprocess.STDOUT)
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(3000):
            try:
                urllib.request.urlopen(f"{url}/_stcore/health", timeout=1)
                break
            except OSError:
                time.sleep(0.1)
        yield Served(url, server.pid)
        assert "Traceback" not in log.read_text()
    finally:
        server.terminate()
        server.wait(10)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium with a camera that shows a moving picture; skips its tests where there is none, unless SEGVIZ_REQUIRE_BROWSER is set."""
    if CHROMIUM is None:
        reason = "no Chromium found; install it with your system's package manager, for example: apt-get install chromium"
        if os.environ.get("SEGVIZ_REQUIRE_BROWSER"):
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    switches = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--no-first-run"]
    switches += ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=switches)
        yield chromium
        chromium.close()


@pytest.fixture
def files(monkeypatch: pytest.MonkeyPatch) -> dict[str, Callable[[], str | bytes]]:
    """What the download buttons of a page driven by AppTest make when they are clicked, by the name of the file."""
    offered: dict[str, Callable[[], str | bytes]] = {}
    register = MediaFileManager.add_deferred

    def add_deferred(self, made, *arguments, file_name=None, **more):
        offered[file_name] = made
        return register(self, made, *arguments, file_name=file_name, **more)

    monkeypatch.setattr(MediaFileManager, "add_deferred", add_deferred)
    return offered


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """An empty page; whatever it logs as an error fails the test."""
    context = browser.new_context(viewport={"width": 1400, "height": 1100})
    page = context.new_page()
    page.set_default_timeout(LIMIT)
    errors: list[str] = []
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    context.close()
    assert errors == []
