"""The address at which browsers hear that something in their room is new.

`/live/room` is a websocket. The browser says the token of its seat, or the teacher's secret, and gets the room's mark (`Rooms.marks`) at
once and whenever it is another one. What is new the page reads itself.
"""

import asyncio
import contextlib
from collections.abc import Callable

from starlette.routing import BaseRoute, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from segviz.classroom.rooms import Rooms
from segviz.live.routes import GONE, PATIENCE_SECONDS, REFUSED, Streams, read
from segviz.types import UserError

LOOK_SECONDS = 0.1
"""Time between two looks at whether anything was written; one look serves all rooms."""


class LiveRooms:
    """The route over the rooms of this server."""

    def __init__(self, rooms_of: Callable[[], Rooms] = Rooms):
        self._rooms_of = rooms_of
        self._rooms: Rooms | None = None
        self._read_change: Callable[[], int] = lambda: 0
        self._change = 0
        self._looked = -LOOK_SECONDS
        self._marks: dict[int, tuple[str, str]] = {}
        self.streams = Streams()

    def routes(self, base: str = "") -> list[BaseRoute]:
        """The route below the path that the server is told to be at; it stands before those of `Live`."""
        path = f"/{base.strip('/')}/live" if base.strip("/") else "/live"
        return [WebSocketRoute(f"{path}/room", self.stream)]

    async def stream(self, socket: WebSocket) -> None:
        """The mark of a room, from now until the browser goes or the room is over."""
        address = socket.client.host if socket.client else ""
        await socket.accept()
        with contextlib.suppress(WebSocketDisconnect, TimeoutError, RuntimeError):
            if (refusal := self.streams.refusal(address)) is not None:
                return await socket.close(REFUSED, refusal)
            with self.streams.counted(address):
                holder = await asyncio.wait_for(socket.receive_text(), PATIENCE_SECONDS)
                try:
                    room, teaches = self._open().membership(holder)
                except UserError as error:
                    return await socket.close(GONE, str(error)[:120])
                telling, reading = asyncio.create_task(self._tell(socket, room, teaches)), asyncio.create_task(read(socket))
                _, pending = await asyncio.wait([telling, reading], return_when=asyncio.FIRST_COMPLETED)
                for task in pending:
                    task.cancel()
                await asyncio.gather(telling, reading, return_exceptions=True)
                await socket.close(GONE, "The room is over.")

    async def _tell(self, socket: WebSocket, room: int, teaches: bool) -> None:
        """Send the mark whenever it is another one, until the room is over."""
        sent = ""
        while room in self._look():
            mark = self._marks[room][teaches]
            if mark != sent:
                await asyncio.wait_for(socket.send_text(mark), PATIENCE_SECONDS)
                sent = mark
            await asyncio.sleep(LOOK_SECONDS)

    def _open(self) -> Rooms:
        """The rooms, opened by the first browser that asks."""
        if self._rooms is None:
            self._rooms = self._rooms_of()
            self._read_change = self._rooms.change_reader()
        return self._rooms

    def _look(self) -> dict[int, tuple[str, str]]:
        """The marks of all rooms, read again where something was written."""
        rooms, now = self._open(), asyncio.get_running_loop().time()
        if now - self._looked >= LOOK_SECONDS / 2:
            self._looked, change = now, self._read_change()
            if change != self._change:
                self._change, self._marks = change, rooms.marks()
        return self._marks
