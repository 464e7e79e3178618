"""How soon a page is there: beside a bare Streamlit page on the same machine, in the same run, as ratios.

`python -m benchmarks.pages` starts a server of the app and one of a page with a line of text, a picture and a chart, each anew for every
round, opens them in Chromium and prints a Markdown table. Cold: the first page that a server which has just answered is asked for, when its
picture is there. Warm: the same in a new tab of the same server. Script: the second run of the page's script in a session, without a
browser. Memory: of the server's process after all pages have been open. Nothing leaves this machine.
"""

import argparse
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

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
print(sorted(taken)[2])
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


def script_seconds(script: Path, page: str = "") -> float:
    """Seconds of one more run of a page's script in a session, the median of five."""
    command = [sys.executable, "-c", SCRIPT, str(script), page]
    told = subprocess.run(command, cwd=APP.parent, capture_output=True, text=True, check=True, env={**os.environ, "SEGVIZ_RUNS_MB": "0"})
    return float(told.stdout.split()[-1])


def measured(browser: Browser, script: Path, pages: tuple[str, ...], rounds: int) -> tuple[list[float], dict[str, list[float]], float]:
    """Of a server: seconds to the first picture when it is cold, of every page when it is warm, and megabytes in the end."""
    cold, warm = [], {page: list[float]() for page in pages}
    memory = 0.0
    for _ in range(rounds):
        with served(script) as (address, pid):
            cold.append(opened(browser, f"{address}/{pages[0]}".rstrip("/"))[1])
            for page in pages:
                warm[page].append(opened(browser, f"{address}/{page}".rstrip("/"))[1])
            memory = max(memory, memory_of(pid))
    return cold, warm, memory


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="servers of each kind; medians are printed")
    parser.add_argument("--pages", nargs="+", default=list(PAGES), choices=PAGES)
    options = parser.parse_args()
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        bare = Path(folder) / "bare.py"
        bare.write_text(BARE)
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        # The lab is the default page, at the address of the server itself.
        pages = tuple("" if page == "attack_lab" else page for page in options.pages)
        bare_cold, bare_warm, bare_memory = measured(browser, bare, ("",), options.rounds)
        cold, warm, memory = measured(browser, APP, pages, options.rounds)
        browser.close()
        bare_script = script_seconds(bare)
        first, usual = statistics.median(bare_cold), statistics.median(bare_warm[""])
        print("| | first picture, s | over the bare page | script, s |\n| --- | ---: | ---: | ---: |")
        print(f"| bare page, cold | {first:.2f} | 1.00 | |\n| bare page, warm | {usual:.2f} | 1.00 | {bare_script:.3f} |")
        begun = statistics.median(cold)
        print(f"| {options.pages[0]}, cold | {begun:.2f} | {begun / first:.2f} | |")
        for name, page in zip(options.pages, pages, strict=True):
            seconds = statistics.median(warm[page])
            print(f"| {name}, warm | {seconds:.2f} | {seconds / usual:.2f} | {script_seconds(APP, name):.3f} |")
        print(f"\nMemory of the server's process: {memory:.0f} MB, {memory / bare_memory:.2f} times the bare page's.")


if __name__ == "__main__":
    main()
