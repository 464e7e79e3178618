"""A class at one server: sessions that open the attack lab at once and watch their runs, as browsers do.

`python -m benchmarks.classroom --users 30 --different --json out.json` starts a server of its own on the loopback address, opens that many
sessions over Streamlit's websocket protocol, each with a link that runs an attack, follows every run's stream and fetches the pictures
that the first view shows. The floor is the same attack in an engine alone, one run after the other. Nothing leaves this machine.
"""

import argparse
import asyncio
import json
import os
import re
import signal
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import websockets
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from segviz.data.samples import samples
from segviz.engine.channel import Process
from segviz.engine.jobs import Engine
from segviz.lab import sample_picture
from segviz.models.zoo import model_entry
from segviz.settings import Settings
from segviz.studies.runs import run_attack

MAX_USERS = 200
MAX_SECONDS = 3600
FLOOR_RUNS = 3
ADDRESS = re.compile(rb'"live":\s*"([A-Za-z0-9_-]{24})"')


@dataclass
class Session:
    """What one session saw; times in seconds since the class began."""

    number: int
    opened: float = 0.0
    first_frame: float | None = None
    done: float | None = None
    events: list[int] = field(default_factory=list)
    seen: dict[float, float] = field(default_factory=dict)
    scripts: list[float] = field(default_factory=list)
    sent: int = 0
    error: str = ""


def settings_of(number: int, options: argparse.Namespace) -> Settings:
    """The run of a session."""
    if not options.different:
        return Settings(image="dog", steps=options.steps)
    keys = list(samples())
    return Settings(image=keys[number % len(keys)], steps=options.steps, seed=1 + number)


async def fetch(url: str, session: Session, known: set[str]) -> int:
    """Bytes of a picture, as a browser fetches it once."""
    if url in known:
        return 0
    known.add(url)
    data = await asyncio.to_thread(lambda: urllib.request.urlopen(url, timeout=60).read())
    session.sent += len(data)
    return len(data)


async def watch(session: Session, port: int, run: str, start: float) -> None:
    """Follow a run's stream to its end, with the pictures of the first view."""
    known: set[str] = set()
    async with websockets.connect(f"ws://127.0.0.1:{port}/live/{run}", max_size=None, compression=None) as stream:
        async for message in stream:
            size = len(message)
            session.sent += size
            news = json.loads(message)
            view = news["view"]
            if view:
                for name in ("photo", "clean", "map"):
                    size += await fetch(f"http://127.0.0.1:{port}/live/{run}/frames/{view['pictures'][name]['src']}", session, known)
                small = view["pictures"]["adversarial"].get("preview")
                if small:
                    size += await fetch(f"http://127.0.0.1:{port}/live/{run}/frames/{small}", session, known)
                now = time.perf_counter() - start
                if session.first_frame is None:
                    session.first_frame = now
                if view["done"] not in session.seen:
                    session.seen[view["done"]] = now
                    session.events.append(size)
            if news["state"] not in ("waiting", "running"):
                if news["state"] != "done":
                    session.error = news["error"] or news["state"]
                return


async def script(socket: Any, session: Session, message: BackMsg) -> bytes:
    """Have the page's script run, and return all that it sends."""
    began = time.perf_counter()
    await socket.send(message.SerializeToString())
    found = b""
    while True:
        data = await socket.recv()
        session.sent += len(data)
        found += data
        forward = ForwardMsg()
        forward.ParseFromString(data)
        if forward.WhichOneof("type") == "script_finished":
            session.scripts.append(time.perf_counter() - began)
            return found


async def attend(session: Session, port: int, options: argparse.Namespace, start: float) -> None:
    """One session from its opening to the end of its run on its page."""
    settings = settings_of(session.number, options)
    try:
        url = f"ws://127.0.0.1:{port}/_stcore/stream"
        async with websockets.connect(url, subprotocols=["streamlit"], max_size=None, compression=None) as page:  # type: ignore[list-item]
            session.opened = time.perf_counter() - start
            opening = BackMsg()
            opening.rerun_script.query_string = f"image={settings.image}&steps={settings.steps}&seed={settings.seed}"
            found = ADDRESS.search(await script(page, session, opening))
            if found is None:
                session.error = "the page shows no run"
                return
            await watch(session, port, found[1].decode(), start)
            again = BackMsg()
            again.rerun_script.query_string = opening.rerun_script.query_string
            await script(page, session, again)
            session.done = time.perf_counter() - start
    except Exception as error:
        session.error = f"{type(error).__name__}: {error}"


@contextmanager
def server(port: int, log: Path) -> Iterator[int]:
    """The app on a port of this machine; gives the number of its process."""
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.headless=true", f"--server.port={port}"]
    command += ["--server.address=127.0.0.1"]
    with log.open("w") as output:
        environment = os.environ | {"SEGVIZ_RUNS_MB": "0"}
        process = subprocess.Popen(command, stdout=output, stderr=output, env=environment, cwd=Path(__file__).parents[1])
        try:
            for _ in range(600):
                try:
                    urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=1)
                    break
                except OSError:
                    time.sleep(0.1)
            yield process.pid
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(20)


def cpu_seconds(pid: int) -> float:
    """Time that a process has had of the processors, which other programs on the machine do not change much."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_mb(pid: int) -> float:
    """Resident memory of a process."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


def floor_seconds(options: argparse.Namespace) -> float:
    """What all runs take one after the other in an engine alone, from the mean of the first ones."""
    engine = Engine(Process)
    try:
        wanted = [settings_of(number, options) for number in range(min(options.users, FLOOR_RUNS) if options.different else 1)]
        seconds = []
        # The first one loads the model and is not counted.
        for settings in [wanted[0], *wanted]:
            picture = sample_picture(settings.image, model_entry(settings.model))
            began = time.perf_counter()
            job = engine.submit("floor", run_attack, (settings, picture))
            while job.active:
                time.sleep(0.01)
            seconds.append(time.perf_counter() - began)
        return statistics.mean(seconds[1:]) * (options.users if options.different else 1)
    finally:
        engine.close()


async def hold(options: argparse.Namespace, port: int, sessions: list[Session]) -> None:
    """The class itself."""
    start = time.perf_counter()
    tasks = [asyncio.create_task(attend(session, port, options, start)) for session in sessions]
    await asyncio.wait(tasks, timeout=options.seconds)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def lag(sessions: list[Session]) -> float:
    """The longest time that any session got a frame after the first one who got it."""
    first: dict[float, float] = {}
    for session in sessions:
        for done, at in session.seen.items():
            first[done] = min(first.get(done, at), at)
    return max((at - first[done] for session in sessions for done, at in session.seen.items()), default=0.0)


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Floor and class, as figures."""
    floor = floor_seconds(options)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    sessions = [Session(number) for number in range(options.users)]
    with server(port, options.log) as pid:
        time.sleep(options.settle)
        before, spent = memory_mb(pid), cpu_seconds(pid)
        asyncio.run(hold(options, port, sessions))
        after, spent = memory_mb(pid), cpu_seconds(pid) - spent
    finished = [session.done for session in sessions if session.done is not None]
    frames = [session.first_frame for session in sessions if session.first_frame is not None]
    events = [size for session in sessions for size in session.events]
    scripts = [seconds for session in sessions for seconds in session.scripts]
    return {
        "users": options.users,
        "different": options.different,
        "steps": options.steps,
        "floor_s": round(floor, 2),
        "round_s": round(floor / options.steps, 2),
        "first_frame_median_s": round(statistics.median(frames), 2) if frames else None,
        "first_frame_max_s": round(max(frames), 2) if frames else None,
        "all_done_s": round(max(finished), 2) if finished else None,
        "done_over_floor": round(max(finished) / floor, 3) if finished else None,
        "lag_max_s": None if options.different else round(lag(sessions), 2),
        "kb_per_event": round(statistics.median(events) / 1000, 1) if events else None,
        "sent_mb": round(sum(session.sent for session in sessions) / 1e6, 1),
        "script_median_s": round(statistics.median(scripts), 3) if scripts else None,
        "web_cpu_s_per_session": round(spent / options.users, 3),
        "mb_per_session": round((after - before) / options.users, 2),
        "errors": [f"session {session.number}: {session.error}" for session in sessions if session.error],
        "unfinished": sum(session.done is None for session in sessions),
    }


def main() -> None:
    """Read the options, measure, print, and write JSON if that is wanted."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=int, default=8, help=f"sessions, at most {MAX_USERS}")
    parser.add_argument("--different", action="store_true", help="a picture and a seed of its own for each; else all have one link")
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--seconds", type=float, default=900.0, help=f"give up after so long, at most {MAX_SECONDS}")
    parser.add_argument("--settle", type=float, default=8.0, help="seconds that the server has to load the model before the class begins")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    parser.add_argument("--log", type=Path, default=Path(os.devnull), help="write the server's log to this file")
    options = parser.parse_args()
    if not 1 <= options.users <= MAX_USERS or not 0 < options.seconds <= MAX_SECONDS or not 1 <= options.steps <= 300:
        parser.error(f"1 to {MAX_USERS} users, 1 to 300 steps and at most {MAX_SECONDS} seconds")
    figures = measure(options)
    for name, value in figures.items():
        print(f"{name:22} {value}")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
