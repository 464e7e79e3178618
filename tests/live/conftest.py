"""Shared by the tests of what travels to browsers: a server of nothing but the live routes."""

import socket
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import uvicorn
from starlette.applications import Starlette

from segviz.engine.jobs import Engine
from segviz.live.routes import Live

sys.path.insert(0, str(Path(__file__).parents[1] / "engine"))


@dataclass
class Server:
    """A server at a port, its engine and its streams."""

    engine: Engine
    live: Live
    port: int

    @property
    def http(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def ws(self) -> str:
        return f"ws://127.0.0.1:{self.port}"


@pytest.fixture
def server() -> Iterator[Server]:
    """The live routes over an engine on a thread, at the root and below a path."""
    engine = Engine()
    live = Live(lambda: engine)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    app = Starlette(routes=[*live.routes(), *live.routes("/below/it/")])
    running = uvicorn.Server(uvicorn.Config(app, port=port, log_level="warning", ws="websockets-sansio"))
    thread = threading.Thread(target=running.run, daemon=True)
    thread.start()
    while not running.started:
        time.sleep(0.01)
    yield Server(engine, live, port)
    for run in engine.runs():
        for job in list(run.jobs):
            job.stop()
    running.should_exit = running.force_exit = True
    thread.join(10)
    engine.close()
