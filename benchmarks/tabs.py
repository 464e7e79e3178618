"""Two tabs that run at once, again and again, with a connection that breaks in the middle: does every run end on its page?

`python -m benchmarks.tabs --rounds 10` starts a server of its own on the loopback address. Each round opens two tabs in Chromium, each with
a link that runs 50 steps; in the middle the connections of the first one are cut, in turns that of the page and that of the run's stream.
Then a longer run is stopped by a click. Printed are the rounds in which both runs ended, runs that were given up, and how long Stop took.
Nothing leaves this machine.
"""

import argparse
import json
import os
import re
import shutil
import socket
import statistics
import time
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, TimeoutError, WebSocketRoute, expect, sync_playwright

from benchmarks.classroom import server

MAX_ROUNDS = 50
STATUS = "[data-testid=segviz-live][data-part=status]"
STOP = ".st-key-lab_stop button"
CUT = {"page": "_stcore/stream", "stream": "/live/"}
UNDER_WAY = re.compile(r"Iteration [1-9]\d* of")


def tab(browser: Browser, link: str, cut: str = "") -> tuple[Page, list[WebSocketRoute]]:
    """A page in a context of its own, and its websockets whose address holds `cut`."""
    page = browser.new_context(viewport={"width": 1400, "height": 900}).new_page()
    sockets: list[WebSocketRoute] = []

    def connect(socket: WebSocketRoute) -> None:
        socket.connect_to_server()
        sockets.append(socket)

    if cut:
        page.route_web_socket(re.compile(cut), connect)
    page.goto(link)
    return page, sockets


def ended(page: Page, wait: float) -> bool:
    """Whether a run ends on its page, with its result; it does not where the page stays the same for `wait` milliseconds."""
    result = page.get_by_test_id("stMetric").filter(has_text="Gradients")
    shown, since = None, time.perf_counter()
    while not result.is_visible():
        now = page.locator(STATUS).all_inner_texts()
        if now != shown:
            shown, since = now, time.perf_counter()
        elif time.perf_counter() - since > wait / 1000:
            return False
        page.wait_for_timeout(500)
    return page.locator(STOP).is_disabled()


def one_round(browser: Browser, address: str, number: int, wait: float) -> dict[str, Any]:
    """Both tabs to their end, and a run that is stopped."""
    cut = list(CUT)[number % len(CUT)]
    first, sockets = tab(browser, f"{address}/?steps=50&image=dog&seed={number}", CUT[cut])
    second, _ = tab(browser, f"{address}/?steps=50&image=horses&seed={number}")
    seen: dict[str, Any] = {"cut": cut, "cuts": 0}
    try:
        expect(first.locator(STATUS)).to_contain_text(UNDER_WAY, timeout=wait)
        for one in list(sockets):
            one.close(code=1012)
            seen["cuts"] += 1
        seen["ended"] = [ended(page, wait) for page in (first, second)]
        seen["given_up"] = sum(page.get_by_text("given up").count() for page in (first, second))
        second.goto(f"{address}/?steps=300&image=horses&seed={1000 + number}")
        expect(second.locator(STATUS)).to_contain_text(UNDER_WAY, timeout=wait)
        began = time.perf_counter()
        second.locator(STOP).click()
        expect(second.get_by_text("Stopped after")).to_be_visible(timeout=wait)
        seen["stop_s"] = round(time.perf_counter() - began, 2)
    except (AssertionError, TimeoutError) as error:
        seen["error"] = str(error).splitlines()[0]
    finally:
        for page in (first, second):
            page.context.close()
    return seen


def main() -> None:
    """Read the options, measure, print, and write JSON if that is wanted."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=10, help=f"at most {MAX_ROUNDS}")
    parser.add_argument("--wait", type=float, default=90.0, help="seconds without a change after which a page is taken for frozen")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    options = parser.parse_args()
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if not 1 <= options.rounds <= MAX_ROUNDS or chromium is None:
        parser.error(f"1 to {MAX_ROUNDS} rounds, and a Chromium on the PATH")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    rounds = []
    with server(port, Path(os.devnull)), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        for number in range(options.rounds):
            rounds.append(one_round(browser, f"http://127.0.0.1:{port}", number, 1000 * options.wait))
            print(json.dumps(rounds[-1]), flush=True)
        browser.close()
    stops = [one["stop_s"] for one in rounds if "stop_s" in one]
    figures = {
        "rounds": len(rounds),
        "both_ended": sum(all(one.get("ended", [False])) for one in rounds),
        "given_up": sum(one.get("given_up", 0) for one in rounds),
        "stopped": len(stops),
        "stop_median_s": statistics.median(stops) if stops else None,
        "errors": [one["error"] for one in rounds if "error" in one],
    }
    for name, value in figures.items():
        print(f"{name:16} {value}")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
