"""A class in one room: a teacher who pushes, and students whose pages follow, answer and see what was measured.

`python -m benchmarks.rooms --users 30 --json out.json` starts a server of its own on the loopback address with rooms in a temporary folder,
and opens the teacher's and that many students' sessions over Streamlit's websocket protocol. Each listens at the room's stream, too, and
asks for its page again when it hears of something new, as browsers do. Nothing leaves this machine.
"""

import argparse
import asyncio
import json
import os
import random
import socket
import statistics
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import websockets
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.Element_pb2 import Element
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from benchmarks.classroom import MAX_SECONDS, memory_mb, server
from segviz.classroom.rooms import MAX_SEATS, OpenedRoom, Rooms

VIEW = "lessons?lesson=02-iterations&step=2"
"""What is pushed: a number to predict."""


@dataclass
class Tab:
    """One browser tab: what is on its page, and when it showed what was waited for (`time.perf_counter`)."""

    page: str
    query: str
    guess: float = 0.0
    elements: list[Element] = field(default_factory=list)
    scripts: list[float] = field(default_factory=list)
    sent: int = 0
    times: dict[str, float] = field(default_factory=dict)
    error: str = ""

    async def script(self, page: Any, press: str = "") -> None:
        """Have the page's script run, for a press of the button of this label if there is one, and keep what it draws."""
        message = BackMsg()
        message.rerun_script.query_string, message.rerun_script.page_name = self.query, self.page
        if press:
            state = message.rerun_script.widget_states.widgets.add()
            state.id, state.trigger_value = next(one.button.id for one in self.elements if one.button.label == press), True
            slider = message.rerun_script.widget_states.widgets.add()
            slider.id = next(one.slider.id for one in self.elements if one.WhichOneof("type") == "slider")
            slider.double_array_value.data[:] = [self.guess]
        began = time.perf_counter()
        await page.send(message.SerializeToString())
        self.elements = []
        while True:
            data = await page.recv()
            self.sent += len(data)
            forward = ForwardMsg()
            forward.ParseFromString(data)
            kind = forward.WhichOneof("type")
            if kind == "delta" and forward.delta.WhichOneof("type") == "new_element":
                self.elements.append(forward.delta.new_element)
            elif kind == "page_info_changed":
                self.query = forward.page_info_changed.query_string
            elif kind == "new_session":
                self.elements = []
            elif kind == "script_finished" and forward.script_finished == ForwardMsg.FINISHED_SUCCESSFULLY:
                self.scripts.append(time.perf_counter() - began)
                return

    def shows(self, text: str) -> bool:
        """Whether a text of the page has this in it."""
        return any(text in one.markdown.body or text in one.alert.body or text in one.button.label for one in self.elements)

    def metric(self, label: str) -> str:
        """The value of the figure with this label, empty if there is none."""
        return next((one.metric.body for one in self.elements if one.metric.label == label), "")

    def holder(self, name: str) -> str:
        """The token or the secret in the page's address."""
        return parse_qs(self.query)[name][0]


async def listen(ear: Any, tab: Tab, page: Any, shown: Any, name: str) -> None:
    """Draw the page again whenever the room's stream tells something, until it shows what is waited for; note when."""
    while not shown():
        await ear.recv()
        await tab.script(page)
    tab.times[name] = time.perf_counter()


async def attend(tab: Tab, port: int, joined: asyncio.Barrier, pushed: asyncio.Event) -> None:
    """A student from joining to the reveal."""
    async with websockets.connect(f"ws://127.0.0.1:{port}/_stcore/stream", subprotocols=["streamlit"], max_size=None) as page:  # type: ignore[list-item]
        await tab.script(page)
        async with websockets.connect(f"ws://127.0.0.1:{port}/live/room") as ear:
            await ear.send(tab.holder("seat"))
            await ear.recv()
            await joined.wait()
            await pushed.wait()
            await listen(ear, tab, page, lambda: tab.shows("This is my guess"), "pushed")
            await tab.script(page, press="This is my guess")
            if tab.shows("Your guess is in."):
                tab.times["answered"] = time.perf_counter()
            await listen(ear, tab, page, lambda: bool(tab.metric("Measured")), "revealed")


async def teach(tab: Tab, port: int, room: OpenedRoom, rooms: Rooms, users: int, joined: asyncio.Barrier, pushed: asyncio.Event) -> None:
    """The teacher from the opened room to the reveal."""
    async with websockets.connect(f"ws://127.0.0.1:{port}/_stcore/stream", subprotocols=["streamlit"], max_size=None) as page:  # type: ignore[list-item]
        await tab.script(page)
        async with websockets.connect(f"ws://127.0.0.1:{port}/live/room") as ear:
            await ear.send(room.secret)
            await joined.wait()
            tab.times["push"] = time.perf_counter()
            await asyncio.to_thread(rooms.push, room.secret, VIEW)
            pushed.set()
            await listen(ear, tab, page, lambda: tab.metric("Answers") == str(users), "histogram")
            tab.times["reveal"] = time.perf_counter()
            await asyncio.to_thread(rooms.reveal, room.secret)


async def hold(port: int, rooms: Rooms, room: OpenedRoom, teacher: Tab, students: list[Tab], seconds: float) -> None:
    """The lesson itself; what fails is noted with its tab."""
    joined, pushed = asyncio.Barrier(len(students) + 1), asyncio.Event()
    tabs = [teacher, *students]
    tasks = [asyncio.create_task(teach(teacher, port, room, rooms, len(students), joined, pushed))]
    tasks += [asyncio.create_task(attend(student, port, joined, pushed)) for student in students]
    await asyncio.wait(tasks, timeout=seconds)
    for task in tasks:
        task.cancel()
    for tab, ended in zip(tabs, await asyncio.gather(*tasks, return_exceptions=True), strict=True):
        if ended is not None:
            tab.error = f"{type(ended).__name__}: {ended}"


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """The lesson in figures; times in seconds, of None what never came."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        os.environ["SEGVIZ_DATA_DIR"] = folder
        rooms = Rooms()
        room = rooms.open()
        teacher = Tab("classroom", f"teacher={room.secret}")
        students = [Tab("room", f"room={room.code}-{room.key}", float(random.Random(n).randint(0, 100))) for n in range(options.users)]
        with server(port, options.log) as pid:
            time.sleep(options.settle)
            before = memory_mb(pid)
            asyncio.run(hold(port, rooms, room, teacher, students, options.seconds))
            after = memory_mb(pid)
        kept = sorted(given.value for given in rooms.answers(room.secret))
    sure = sorted(one.guess for one in students if "answered" in one.times)

    def delay(name: str, since: float | None) -> list[float]:
        return [] if since is None else [one.times[name] - since for one in students if name in one.times]

    follow, shown = delay("pushed", teacher.times.get("push")), delay("revealed", teacher.times.get("reveal"))
    last = max((one.times["answered"] for one in students if "answered" in one.times), default=None)
    scripts = [seconds for one in students for seconds in one.scripts]
    return {
        "users": options.users,
        "push_to_screen_median_s": round(statistics.median(follow), 3) if follow else None,
        "push_to_last_screen_s": round(max(follow), 3) if len(follow) == options.users else None,
        "last_answer_to_histogram_s": round(teacher.times["histogram"] - last, 3) if last and "histogram" in teacher.times else None,
        "reveal_to_last_screen_s": round(max(shown), 3) if len(shown) == options.users else None,
        "script_median_s": round(statistics.median(scripts), 3) if scripts else None,
        "kb_per_student": round(statistics.mean(one.sent for one in students) / 1000, 1),
        "mb_per_student": round((after - before) / options.users, 2),
        "answers_confirmed": len(sure),
        "answers_lost": len(sure) - sum(min(kept.count(value), sure.count(value)) for value in set(sure)),
        "errors": [f"{tab.page}: {tab.error}" for tab in (teacher, *students) if tab.error],
    }


def main() -> None:
    """Read the options, measure, print, and write JSON if that is wanted."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=int, default=8, help=f"students, at most {MAX_SEATS}")
    parser.add_argument("--seconds", type=float, default=300.0, help=f"give up after so long, at most {MAX_SECONDS}")
    parser.add_argument("--settle", type=float, default=8.0, help="seconds that the server has to load the model before the class begins")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    parser.add_argument("--log", type=Path, default=Path(os.devnull), help="write the server's log to this file")
    options = parser.parse_args()
    if not 1 <= options.users <= MAX_SEATS or not 0 < options.seconds <= MAX_SECONDS:
        parser.error(f"1 to {MAX_SEATS} students and at most {MAX_SECONDS} seconds")
    figures = measure(options)
    for name, value in figures.items():
        print(f"{name:26} {value}")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
