"""How soon a page is there: beside a bare Streamlit page on the same machine, in the same run, as ratios.

`python -m benchmarks.pages` starts a server of the app and one of a page with a line of text, a picture and a chart, each anew for every
round, opens them in Chromium and prints Markdown tables; of all rounds the least counts, as other programs only ever slow things down.
Cold: the first page that a server which has just answered is asked for, when its picture is there. Warm: the same in a new tab of the
same server. From page to page: from a click in the navigation of a tab to a picture that was not there before. Run: from the click to the
first iteration on screen, its model loaded, and what one more iteration takes. Script: the second run of the page's script in a session,
without a browser; update: what the server spends on telling one watcher the news of a live run. Memory: of the server's process after all
pages have been open. Nothing leaves this machine.
"""

import argparse
import math
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from segviz.places import APP

BARE = """
import numpy as np
import streamlit as st

st.write("A line of text.")
st.image(np.zeros((213, 320, 3), np.uint8))
st.line_chart([1, 3, 2])
"""
PAGES = ("attack_lab", "compare", "targets", "transfer", "image_scaling", "defences", "certificate", "curves", "leaderboard")
"""The pages that begin with pictures, a chart or a table."""

FIRST_PICTURE = """() => [...document.querySelectorAll('[data-testid="stMain"] img, [data-testid="stMain"] canvas, .js-plotly-plot svg')]
    .some(one => one.getBoundingClientRect().width > 100 && (one.complete ?? true))"""
FIRST_TEXT = """() => document.querySelector('[data-testid="stMain"] [data-testid="stMarkdownContainer"]')?.innerText.length > 0"""
LIMIT = 60_000
"""Milliseconds after which a page is taken for broken."""

NEW_PICTURE = """() => [...document.querySelectorAll('[data-testid="stMain"] img, [data-testid="stMain"] canvas, .js-plotly-plot svg')]
    .some(one => one.getBoundingClientRect().width > 100 && (one.complete ?? true) && !window.before.has(one.src || one))"""
NOTE_PICTURES = """() => { window.before = new Set([...document.querySelectorAll('img, canvas, svg')].map(one => one.src || one)); }"""
TITLES = {
    "compare": "Compare",
    "targets": "Target maps",
    "transfer": "Transfer",
    "image_scaling": "Image scaling",
    "defences": "Defences",
    "attack_lab": "Attack lab",
}
"""Pages of the navigation's first row, in the order in which a tab goes through them."""

LIVE = "?steps=300&image=dog"
STATUS = "[data-testid=segviz-live][data-part=status]"

SCRIPT = """
import sys, time
from streamlit.testing.v1 import AppTest
from segviz.engine import jobs

class Silent:
    def __init__(self, hear, device=None): ...
    def send(self, message): ...
    def end(self): ...

jobs.CONNECT = Silent
app = AppTest.from_file(sys.argv[1], default_timeout=120)
if sys.argv[2]:
    app.switch_page(f"pages/{sys.argv[2]}.py")
app.run()
taken = []
for _ in range(5):
    began = time.perf_counter()
    app.run()
    taken.append(time.perf_counter() - began)
print(min(taken))
"""

UPDATE = """
import json, sys, time
from streamlit.testing.v1 import AppTest
from segviz.engine.jobs import engine
from segviz.live.routes import run_news

app = AppTest.from_file(sys.argv[1], default_timeout=120)
for name, value in (("steps", "300"), ("image", "dog")):
    app.query_params[name] = value
app.run()
(run,) = engine().runs()
while len(run.news.get("series", [{"x": ()}])[0]["x"]) < 20:
    time.sleep(0.1)
told, scripts = [], []
for _ in range(20):
    began = time.perf_counter()
    json.dumps(run_news(run, {}))
    told.append(time.perf_counter() - began)
for _ in range(3):
    began = time.perf_counter()
    app.run()
    scripts.append(time.perf_counter() - began)
print(min(told), min(scripts))
engine().close()
"""


@contextmanager
def served(script: Path) -> Iterator[tuple[str, int]]:
    """A server of a script that has just answered: its address and the number of its process."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", str(script), "--server.headless=true", f"--server.port={port}"]
    server = subprocess.Popen(command, cwd=APP.parent, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=1).close()
                break
            except OSError:
                time.sleep(0.02)
        yield f"http://127.0.0.1:{port}", server.pid
    finally:
        server.terminate()
        server.wait(20)


def opened(browser: Browser, address: str) -> tuple[float, float]:
    """Seconds from the click to the first text and to the first picture of a page in a new tab."""
    context = browser.new_context(viewport={"width": 1400, "height": 1100})
    page = context.new_page()
    began = time.perf_counter()
    page.goto(address, wait_until="commit")
    page.wait_for_function(FIRST_TEXT, timeout=LIMIT)
    text = time.perf_counter() - began
    page.wait_for_function(FIRST_PICTURE, timeout=LIMIT)
    picture = time.perf_counter() - began
    context.close()
    return text, picture


def memory_of(pid: int) -> float:
    """Resident memory of a process in megabytes; nan where the system does not tell."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) / 1024
    except (OSError, StopIteration):
        return float("nan")


def from_page_to_page(browser: Browser, address: str) -> dict[str, float]:
    """Seconds from a click in the navigation to a new picture, by page, of one tab that began in the lab."""
    context = browser.new_context(viewport={"width": 1400, "height": 1100})
    page = context.new_page()
    page.goto(address)
    page.wait_for_function(FIRST_PICTURE, timeout=LIMIT)
    page.wait_for_timeout(2000)
    taken = {}
    for name, title in TITLES.items():
        page.evaluate(NOTE_PICTURES)
        began = time.perf_counter()
        page.get_by_role("link", name=title, exact=True).click()
        page.wait_for_function(NEW_PICTURE, timeout=LIMIT)
        taken[name] = time.perf_counter() - began
        page.wait_for_timeout(1000)
    context.close()
    return taken


def reached(page: Page, least: int) -> int:
    """Wait until a run shows that iteration or a later one; returns which."""
    end = time.perf_counter() + LIMIT / 1000
    while time.perf_counter() < end:
        told = page.locator(STATUS)
        found = re.search(r"Iteration (\d+) of", told.first.inner_text()) if told.count() else None
        if found is not None and int(found[1]) >= least:
            return int(found[1])
        time.sleep(0.01)
    raise TimeoutError(f"the run did not reach iteration {least}")


def from_run_to_iteration(browser: Browser, address: str) -> tuple[float, float]:
    """Seconds from a click on Run to the first iteration on screen, and from one iteration to the next; the model is loaded before."""
    context = browser.new_context(viewport={"width": 1400, "height": 1100})
    page = context.new_page()
    page.goto(f"{address}/{LIVE}")
    reached(page, 1)
    page.get_by_role("button", name="Stop", exact=True).click()
    page.wait_for_function(FIRST_PICTURE, timeout=LIMIT)
    page.wait_for_timeout(2000)
    began = time.perf_counter()
    page.get_by_role("button", name="Run", exact=True).click()
    first = reached(page, 1)
    there = time.perf_counter()
    last = reached(page, first + 20)
    step = (time.perf_counter() - there) / (last - first)
    page.get_by_role("button", name="Stop", exact=True).click()
    context.close()
    return there - began, step


def told_by(code: str, *arguments: str) -> list[float]:
    """The numbers that a program prints; results are not kept, so that every run is one."""
    command, environment = [sys.executable, "-c", code, *arguments], {**os.environ, "SEGVIZ_RUNS_MB": "0"}
    told = subprocess.run(command, cwd=APP.parent, capture_output=True, text=True, check=True, env=environment)
    return [float(word) for word in told.stdout.split()]


@dataclass
class Least:
    """The least of all rounds, in seconds, by what it is; and the most megabytes of a server's process."""

    seconds: dict[str, float] = field(default_factory=dict)
    memory: float = 0.0

    def note(self, what: str, seconds: float) -> None:
        """One more measurement."""
        self.seconds[what] = min(seconds, self.seconds.get(what, math.inf))


def measure(browser: Browser, script: Path, pages: Sequence[str], least: Least) -> None:
    """One round on a server of its own: its start, its first page cold, then all of them warm; of the app also what moves."""
    began = time.perf_counter()
    with served(script) as (address, pid):
        least.note("start", time.perf_counter() - began)
        least.note("cold", opened(browser, address_of(address, pages[0]))[1])
        for page in pages:
            least.note(page, opened(browser, address_of(address, page))[1])
        if script == APP:
            for name, seconds in from_page_to_page(browser, address).items():
                least.note(f"to {name}", seconds)
            run, step = from_run_to_iteration(browser, address)
            least.note("run", run)
            least.note("step", step)
        least.memory = max(least.memory, memory_of(pid))


def address_of(server: str, page: str) -> str:
    """Where a page is: the lab is the default page, at the address of the server itself."""
    return f"{server}/{page}".removesuffix("attack_lab").rstrip("/")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="servers of each kind, in turns; of each figure the least is printed")
    parser.add_argument("--pages", nargs="+", default=list(PAGES), choices=PAGES)
    options = parser.parse_args()
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        script = Path(folder) / "bare.py"
        script.write_text(BARE)
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        bare, app = Least(), Least()
        for _ in range(options.rounds):
            measure(browser, script, [""], bare)
            measure(browser, APP, options.pages, app)
        browser.close()
        scripts = {name: told_by(SCRIPT, str(APP), name)[0] for name in options.pages}
        (bare_script,) = told_by(SCRIPT, str(script), "")
    told, live = told_by(UPDATE, str(APP))
    cold, warm = bare.seconds["cold"], bare.seconds[""]
    print("| | first picture, s | over the bare page | script, s |\n| --- | ---: | ---: | ---: |")
    print(f"| bare page, cold | {cold:.2f} | 1.00 | |\n| bare page, warm | {warm:.2f} | 1.00 | {bare_script:.3f} |")
    print(f"| {options.pages[0]}, cold | {app.seconds['cold']:.2f} | {app.seconds['cold'] / cold:.2f} | |")
    for name in options.pages:
        print(f"| {name}, warm | {app.seconds[name]:.2f} | {app.seconds[name] / warm:.2f} | {scripts[name]:.3f} |")
    print("\n| in one tab, to | new picture, s | over the bare page, warm |\n| --- | ---: | ---: |")
    for name in TITLES:
        print(f"| {name} | {app.seconds[f'to {name}']:.2f} | {app.seconds[f'to {name}'] / warm:.2f} |")
    run, step = app.seconds["run"], app.seconds["step"]
    print(f"\nClick on Run to the first iteration on screen: {run:.2f} s; one iteration takes {step:.2f} s.")
    print(f"An update of a live run: {1000 * told:.2f} ms; the page's script, which it does not run: {1000 * live:.0f} ms.")
    print(
        f"Server started to its first answer: {app.seconds['start']:.2f} s, {app.seconds['start'] / bare.seconds['start']:.2f} times bare."
    )
    print(f"Memory of the server's process: {app.memory:.0f} MB, {app.memory / bare.memory:.2f} times the bare page's.")


if __name__ == "__main__":
    main()
