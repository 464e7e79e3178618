"""The addresses of live runs: a stream of news, the newest of them, and pictures.

`/live/RUN` is a websocket: unlike server-sent events it takes none of the six connections that a browser has for a server, and it passes
wherever the pages themselves do. `/live/RUN/latest` is for whom it does not reach all the same. `/live/RUN/frames/NAME` is one PNG, whose
name follows from its content. RUN cannot be guessed and is gone with the run.
"""

import asyncio
import contextlib
import json
from collections import Counter
from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from segviz.engine.jobs import Engine, SharedRun, engine, listening

MAX_STREAMS = 600
"""Streams that are open at once."""

MAX_STREAMS_PER_ADDRESS = 300
"""Those of one network address, behind which a whole class may sit."""

PACE_SECONDS = 0.1
"""Least time between two messages of a stream; what happens in between is told together."""

PATIENCE_SECONDS = 15.0
"""How long a reader may take for one message before the stream is closed."""

KINDS = {".png": "image/png", ".jpg": "image/jpeg"}

GONE, REFUSED = 4404, 4429
"""Why a stream was closed: there is no such run; there are too many streams."""

WORTHLESS = "There is no such run any more."


class Streams:
    """How many streams are open."""

    def __init__(self) -> None:
        self.by_address: Counter[str] = Counter()

    def refusal(self, address: str) -> str | None:
        """Why one more from an address cannot be had; None if it can."""
        if self.by_address[address] >= MAX_STREAMS_PER_ADDRESS:
            return f"{MAX_STREAMS_PER_ADDRESS} streams are open from this address, which is all it can have. Close other tabs of the app."
        if self.by_address.total() >= MAX_STREAMS:
            return f"{MAX_STREAMS} streams are open, which is all this server has. Try again later."
        return None

    @contextlib.contextmanager
    def counted(self, address: str) -> Any:
        """Count a stream while it is open."""
        self.by_address[address] += 1
        try:
            yield
        finally:
            self.by_address[address] -= 1
            if not self.by_address[address]:
                del self.by_address[address]


def run_news(run: SharedRun, sent: dict[str, int]) -> dict[str, Any]:
    """What there is to tell of a run to who was `sent` so many points of each series; counts those that are in it as sent."""
    series = []
    for one in run.news.get("series", ()):
        name = f"{one['panel']}/{one['name']}"
        start = sent.get(name, 0)
        start = start if start <= len(one["x"]) else 0
        sent[name] = len(one["x"])
        series.append(one | {"from": start, "x": one["x"][start:], "y": one["y"][start:]})
    return {
        "state": run.state.value,
        "error": run.error,
        "stopping": run.stopping,
        "wait": run.engine.wait_of(run),
        "left": run.seconds_to_go(),
        "others": max(run.engine.active() - 1, 0),
        "view": run.news | {"series": series} if run.news else None,
    }


class Live:
    """The routes over one engine."""

    def __init__(self, engine_of: Callable[[], Engine] = engine):
        self._engine = engine_of
        self.streams = Streams()

    def routes(self, base: str = "") -> list[BaseRoute]:
        """The routes below the path that the server is told to be at."""
        path = f"/{base.strip('/')}/live" if base.strip("/") else "/live"
        return [
            WebSocketRoute(f"{path}/{{run}}", self.stream),
            Route(f"{path}/{{run}}/latest", self.latest),
            Route(f"{path}/{{run}}/frames/{{name}}", self.frame),
        ]

    async def latest(self, request: Request) -> Response:
        """All there is to tell of a run now."""
        run = self._engine().run_at(request.path_params["run"])
        if run is None:
            return PlainTextResponse(WORTHLESS, 404)
        return JSONResponse(run_news(run, {}), headers={"Cache-Control": "no-store"})

    async def frame(self, request: Request) -> Response:
        """One picture of a run."""
        run = self._engine().run_at(request.path_params["run"])
        data = run.pictures.get(request.path_params["name"]) if run is not None else None
        if data is None:
            return PlainTextResponse(WORTHLESS, 404)
        return Response(
            data, media_type=KINDS[request.path_params["name"][-4:]], headers={"Cache-Control": "private, max-age=31536000, immutable"}
        )

    async def stream(self, socket: WebSocket) -> None:
        """The news of a run from now to its end."""
        address = socket.client.host if socket.client else ""
        await socket.accept()
        run = self._engine().run_at(socket.path_params["run"])
        refusal = self.streams.refusal(address)
        if run is None or refusal is not None:
            await self._close(socket, REFUSED if run is not None else GONE, refusal if run is not None else WORTHLESS)
            return
        with self.streams.counted(address), contextlib.suppress(WebSocketDisconnect, TimeoutError, RuntimeError):
            telling = asyncio.create_task(self._tell(socket, run))
            reading = asyncio.create_task(read(socket))
            done, pending = await asyncio.wait([telling, reading], return_when=asyncio.FIRST_COMPLETED)
            for task in pending:
                task.cancel()
            # A reader who goes in the middle of a message ends both at once; what each ended with must be taken.
            await asyncio.gather(telling, reading, return_exceptions=True)
            for task in done:
                task.result()
            await self._close(socket, 1000, "")

    async def _tell(self, socket: WebSocket, run: SharedRun) -> None:
        """Send news as it comes, no faster than the reader takes it: what it misses it gets with the next message."""
        loop, changed, sent = asyncio.get_running_loop(), asyncio.Event(), dict[str, int]()

        def listener() -> None:
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(changed.set)

        with listening(run, listener):
            version = -1
            while True:
                if run.version != version:
                    version = run.version
                    active = run.active
                    text = json.dumps(run_news(run, sent), separators=(",", ":"))
                    await asyncio.wait_for(socket.send_text(text), PATIENCE_SECONDS)
                    if not active:
                        return
                    await asyncio.sleep(PACE_SECONDS)
                    continue
                changed.clear()
                if run.version == version:
                    await changed.wait()

    async def _close(self, socket: WebSocket, code: int, reason: str | None) -> None:
        with contextlib.suppress(WebSocketDisconnect, TimeoutError, RuntimeError):
            await asyncio.wait_for(socket.close(code, reason), 1)


async def read(socket: WebSocket) -> None:
    """Wait until the browser goes; it has nothing to say."""
    while (await socket.receive())["type"] != "websocket.disconnect":
        pass
