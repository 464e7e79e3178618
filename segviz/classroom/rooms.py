"""Rooms of a class: codes, seats, what the teacher pushed, and what was answered, in SQLite, so that a restart loses nothing.

The teacher holds a long secret, a student the token of a seat; the file keeps hashes of both. Whoever has neither needs the room's code,
and wrong codes are counted.
"""

import hashlib
import json
import os
import secrets
import sqlite3
import sys
import time
import unicodedata
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segviz.export import csv_of
from segviz.types import UserError

LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ"
"""Of a room's code: capitals without I and O, which look like digits on a projector."""

MAX_SEATS = 200
MAX_NAME = 40
JOINERS = "\u200c\u200d"
"""Invisible, but part of how names in some scripts, and some emojis, are written."""
KEPT_SECONDS = 24 * 3600.0
"""A room is deleted this long after it was opened."""

GUESSES_PER_ADDRESS, GUESSES_IN_ALL, GUESS_SECONDS = 10, 100, 60.0
"""Wrong codes that are looked at within so many seconds, from one address and from all; further tries are refused unread."""

MAX_ROOMS = 500

SCHEMA = """
CREATE TABLE IF NOT EXISTS rooms (
    id INTEGER PRIMARY KEY, code TEXT NOT NULL UNIQUE, key TEXT NOT NULL, secret BLOB NOT NULL UNIQUE,
    named INTEGER NOT NULL, opened REAL NOT NULL);
CREATE TABLE IF NOT EXISTS seats (
    id INTEGER PRIMARY KEY, room INTEGER NOT NULL REFERENCES rooms ON DELETE CASCADE, token BLOB NOT NULL UNIQUE, name TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS pushes (
    id INTEGER PRIMARY KEY AUTOINCREMENT, room INTEGER NOT NULL REFERENCES rooms ON DELETE CASCADE, view TEXT NOT NULL,
    pushed REAL NOT NULL, revealed INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS answers (
    push INTEGER NOT NULL REFERENCES pushes ON DELETE CASCADE, seat INTEGER NOT NULL REFERENCES seats ON DELETE CASCADE,
    value TEXT NOT NULL, answered REAL NOT NULL, PRIMARY KEY (push, seat));
CREATE INDEX IF NOT EXISTS seats_of_room ON seats (room);
CREATE INDEX IF NOT EXISTS pushes_of_room ON pushes (room);
"""


@dataclass(frozen=True)
class OpenedRoom:
    """What the teacher gets: the `code` to read out, the `key` that goes into links beside it, and the `secret` of the teacher's link."""

    code: str
    key: str
    secret: str


@dataclass(frozen=True)
class Push:
    """A view of the app that the teacher showed to the room: its link, and whether the measured result was revealed.

    `view` is the page with its query, such as "lessons?lesson=iterations&step=2". `number` grows from push to push.
    """

    number: int
    view: str
    revealed: bool


@dataclass(frozen=True)
class RoomState:
    """What a member of a room sees of it: the code, whether names are asked for, seats taken, and the newest push, if any."""

    code: str
    key: str
    named: bool
    seats: int
    push: Push | None


@dataclass(frozen=True)
class GivenAnswer:
    """An answer to a push; `name` is empty in a room without names."""

    value: Any
    name: str
    answered: float


def data_folder() -> Path:
    """Where the app keeps its own data: the environment variable SEGVIZ_DATA_DIR, or the platform's data folder."""
    chosen = os.environ.get("SEGVIZ_DATA_DIR")
    if chosen:
        return Path(chosen).expanduser()
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or "~/AppData/Local"
    elif sys.platform == "darwin":
        base = "~/Library/Application Support"
    else:
        base = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    return Path(base).expanduser() / "segviz"


class Rooms:
    """All rooms of this server. Any number of threads and processes may use the same file at once.

    Every call that takes a teacher's `secret` or a student's `token` raises UserError where it is not, or no longer, that of a room.
    `now` is the clock, in seconds.
    """

    def __init__(self, file: Path | None = None, now: Callable[[], float] = time.time):
        self._file = file or data_folder() / "rooms.sqlite"
        self._now = now
        self._wrong: dict[str, deque[float]] = {}
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with self._open() as base:
                base.execute("PRAGMA journal_mode=WAL")
                base.executescript(SCHEMA)
        except (OSError, sqlite3.Error) as error:
            raise UserError(f"Cannot keep rooms in {self._file}: {error}. Set SEGVIZ_DATA_DIR to a folder that can be written.") from None

    def open(self, named: bool = False) -> OpenedRoom:
        """A new room; with `named`, students are asked for a name and the teacher sees who answered.

        Raises UserError where there are `MAX_ROOMS` already.
        """
        key, secret = secrets.token_urlsafe(9), secrets.token_urlsafe(32)
        with self._open() as base:
            self._delete_old(base)
            taken = {code for (code,) in base.execute("SELECT code FROM rooms")}
            if len(taken) >= MAX_ROOMS:
                raise UserError(f"There are {MAX_ROOMS} rooms on this server already. Close one that is over, or try again tomorrow.")
            code = next(code for code in iter(new_code, "") if code not in taken)
            row = (code, key, hashed(secret), named, self._now())
            base.execute("INSERT INTO rooms (code, key, secret, named, opened) VALUES (?, ?, ?, ?, ?)", row)
        return OpenedRoom(code, key, secret)

    def join(self, code: str, key: str | None, address: str, name: str = "") -> str:
        """A seat in the room of `code`; returns its token.

        `key` comes with the room's link. Who types the code alone has none, and may be wrong only so often (`GUESSES_PER_ADDRESS`).
        `name` is kept in rooms with names alone, cut to `MAX_NAME` characters, and is plain text: whoever shows it must not take it for
        HTML. Raises UserError for a wrong code or key, too many tries, a name that is missing, or a full room.
        """
        code = code.strip().upper()
        if key is None:
            self._refuse_guesser(address)
        with self._open() as base:
            self._delete_old(base)
            found = base.execute("SELECT id, key, named FROM rooms WHERE code = ?", (code,)).fetchone()
            if found is None or (key is not None and not secrets.compare_digest(found[1].encode(), key.encode())):
                if key is None:
                    self._count_guess(address)
                raise UserError(f"There is no room {code[:8] or 'without a code'}. Ask for its code; rooms end after 24 hours.")
            room, _, named = found
            if seats_of(base, room) >= MAX_SEATS:
                raise UserError(f"The room is full: {MAX_SEATS} have joined.")
            kept = shown_name(name) if named else ""
            if named and not kept:
                raise UserError("This room asks for a name. Type one that others can read.")
            token = secrets.token_urlsafe(24)
            base.execute("INSERT INTO seats (room, token, name) VALUES (?, ?, ?)", (room, hashed(token), kept))
        return token

    def needs_name(self, code: str, key: str) -> bool:
        """Whether the room of a link asks for names. Raises UserError where there is no such room."""
        with self._open() as base:
            found = base.execute("SELECT named FROM rooms WHERE code = ? AND key = ?", (code.strip().upper(), key)).fetchone()
        if found is None:
            raise UserError("This link is of a room that is over. Ask for the new one.")
        return bool(found[0])

    def seen_by_student(self, token: str) -> RoomState:
        """The room as the holder of a seat sees it."""
        with self._open() as base:
            return self._state(base, self._seat(base, token)[1])

    def seen_by_teacher(self, secret: str) -> RoomState:
        """The room as its teacher sees it."""
        with self._open() as base:
            return self._state(base, self._room(base, secret))

    def membership(self, holder: str) -> tuple[int, bool]:
        """The number of the room that a token or a secret belongs to, and whether it is the teacher's. Raises UserError for neither."""
        with self._open() as base:
            row = (hashed(holder), self._now() - KEPT_SECONDS)
            found = base.execute("SELECT id FROM rooms WHERE secret = ? AND opened > ?", row).fetchone()
            return (int(found[0]), True) if found is not None else (self._seat(base, holder)[1], False)

    def marks(self) -> dict[int, tuple[str, str]]:
        """Of each room, by its number, what becomes another text whenever its students, or its teacher, have something new to see."""
        with self._open() as base:
            rows = base.execute(
                "SELECT rooms.id, IFNULL(pushes.id, 0), IFNULL(revealed, 0), (SELECT COUNT(*) FROM seats WHERE seats.room = rooms.id), "
                "(SELECT COUNT(*) FROM answers WHERE push = pushes.id), (SELECT MAX(answered) FROM answers WHERE push = pushes.id) "
                "FROM rooms LEFT JOIN pushes ON pushes.id = (SELECT MAX(id) FROM pushes AS any_push WHERE any_push.room = rooms.id)"
            ).fetchall()
        return {room: (f"{push} {shown}", f"{push} {shown} {rest}") for room, push, shown, *rest in rows}

    def change_reader(self) -> Callable[[], int]:
        """Tells, on the thread that asked for it, a number that becomes another one with whatever any process writes."""
        base = sqlite3.connect(self._file)
        return lambda: int(base.execute("PRAGMA data_version").fetchone()[0])

    def push(self, secret: str, view: str) -> Push:
        """Show a view of the app to the room."""
        with self._open() as base:
            room = self._room(base, secret)
            made = base.execute("INSERT INTO pushes (room, view, pushed) VALUES (?, ?, ?)", (room, view, self._now()))
            assert made.lastrowid is not None
            return Push(made.lastrowid, view, False)

    def reveal(self, secret: str) -> None:
        """Let everybody see the measured result of the newest push; answers to it are no longer taken."""
        with self._open() as base:
            newest = self._newest(base, self._room(base, secret))
            if newest is not None:
                base.execute("UPDATE pushes SET revealed = 1 WHERE id = ?", (newest.number,))

    def answer(self, token: str, push: int, value: Any) -> None:
        """Keep a student's answer to the push of this number; a later one takes its place.

        `value` is a JSON value that the question has already checked. Raises UserError where the push is not the room's newest one or its
        result has been revealed.
        """
        with self._open() as base:
            seat, room = self._seat(base, token)
            newest = self._newest(base, room)
            if newest is None or newest.number != push:
                raise UserError("The class has gone on to another question.")
            if newest.revealed:
                raise UserError("The result has been shown, so answers are no longer taken.")
            row = (push, seat, json.dumps(value, allow_nan=False), self._now())
            base.execute("INSERT OR REPLACE INTO answers (push, seat, value, answered) VALUES (?, ?, ?, ?)", row)

    def own_answer(self, token: str, push: int) -> Any:
        """What the holder of a seat answered to a push; None where there is no answer."""
        with self._open() as base:
            seat, _ = self._seat(base, token)
            found = base.execute("SELECT value FROM answers WHERE push = ? AND seat = ?", (push, seat)).fetchone()
        return None if found is None else json.loads(found[0])

    def answers(self, secret: str, push: int | None = None) -> list[GivenAnswer]:
        """The answers to a push of the teacher's room, in the order in which they came; to the newest one for None."""
        with self._open() as base:
            room = self._room(base, secret)
            if push is None:
                newest = self._newest(base, room)
                push = newest.number if newest is not None else 0
            rows = base.execute(
                "SELECT value, name, answered FROM answers JOIN seats ON seats.id = seat JOIN pushes ON pushes.id = push "
                "WHERE push = ? AND pushes.room = ? ORDER BY answered, seat",
                (push, room),
            ).fetchall()
        return [GivenAnswer(json.loads(value), name, answered) for value, name, answered in rows]

    def export(self, secret: str) -> str:
        """All answers of the room as CSV: the view, the seat's number, its name if the room has names, the answer as JSON, the time."""
        with self._open() as base:
            room = self._room(base, secret)
            rows = base.execute(
                "SELECT view, seat - (SELECT MIN(id) FROM seats WHERE room = ?1) + 1, name, value, answered FROM answers "
                "JOIN seats ON seats.id = seat JOIN pushes ON pushes.id = push WHERE pushes.room = ?1 ORDER BY push, answered",
                (room,),
            ).fetchall()
        columns = ("view", "seat", "name", "answer", "time")
        cells = ((as_cell(view), seat, as_cell(name), value, f"{answered:.3f}") for view, seat, name, value, answered in rows)
        return csv_of(columns, (dict(zip(columns, one, strict=True)) for one in cells))

    def close(self, secret: str) -> None:
        """Delete the room with all that was answered in it, at once."""
        with self._open() as base:
            base.execute("DELETE FROM rooms WHERE id = ?", (self._room(base, secret),))

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """A connection for one transaction, which is on the disk when this ends."""
        base = sqlite3.connect(self._file, timeout=30, isolation_level="IMMEDIATE")
        try:
            base.execute("PRAGMA foreign_keys=ON")
            with base:
                yield base
        finally:
            base.close()

    def _room(self, base: sqlite3.Connection, secret: str) -> int:
        self._delete_old(base)
        found = base.execute("SELECT id FROM rooms WHERE secret = ?", (hashed(secret),)).fetchone()
        if found is None:
            raise UserError("This is not the link of a room's teacher, or the room is over. Open a new room.")
        return int(found[0])

    def _seat(self, base: sqlite3.Connection, token: str) -> tuple[int, int]:
        """The numbers of a seat and of its room."""
        found = base.execute(
            "SELECT seats.id, room FROM seats JOIN rooms ON rooms.id = room WHERE token = ? AND opened > ?",
            (hashed(token), self._now() - KEPT_SECONDS),
        ).fetchone()
        if found is None:
            raise UserError("The room is over, or this seat is not in it. Join again with the room's code.")
        return int(found[0]), int(found[1])

    def _newest(self, base: sqlite3.Connection, room: int) -> Push | None:
        found = base.execute("SELECT id, view, revealed FROM pushes WHERE room = ? ORDER BY id DESC LIMIT 1", (room,)).fetchone()
        return None if found is None else Push(int(found[0]), str(found[1]), bool(found[2]))

    def _state(self, base: sqlite3.Connection, room: int) -> RoomState:
        code, key, named = base.execute("SELECT code, key, named FROM rooms WHERE id = ?", (room,)).fetchone()
        return RoomState(code, key, bool(named), seats_of(base, room), self._newest(base, room))

    def _delete_old(self, base: sqlite3.Connection) -> None:
        base.execute("DELETE FROM rooms WHERE opened <= ?", (self._now() - KEPT_SECONDS,))

    def _refuse_guesser(self, address: str) -> None:
        """Raises UserError where this address, or all together, have tried too many wrong codes of late."""
        since = self._now() - GUESS_SECONDS
        for tried in self._wrong.values():
            while tried and tried[0] <= since:
                tried.popleft()
        self._wrong = {one: tried for one, tried in self._wrong.items() if tried}
        if len(self._wrong.get(address, ())) >= GUESSES_PER_ADDRESS:
            raise UserError("Too many wrong codes. Wait a minute, or join with the room's link.")
        if sum(map(len, self._wrong.values())) >= GUESSES_IN_ALL:
            raise UserError("Too many wrong codes have been tried on this server. Join with the room's link, or wait a minute.")

    def _count_guess(self, address: str) -> None:
        self._wrong.setdefault(address, deque()).append(self._now())


def new_code() -> str:
    """Four random letters."""
    return "".join(secrets.choice(LETTERS) for _ in range(4))


def shown_name(name: str) -> str:
    """A name on one line, of at most MAX_NAME characters, without those that turn the text around; empty if nothing of it can be seen."""
    letters = " ".join("".join(one for one in name if unicodedata.category(one)[0] != "C" or one in JOINERS or one.isspace()).split())
    return letters[:MAX_NAME].strip() if any(unicodedata.category(one)[0] in "LNPS" for one in letters) else ""


def hashed(secret: str) -> bytes:
    """What the file keeps of a secret; the secrets are random and long, so no salt is needed."""
    return hashlib.sha256(secret.encode()).digest()


def seats_of(base: sqlite3.Connection, room: int) -> int:
    """Number of seats taken in a room."""
    return int(base.execute("SELECT COUNT(*) FROM seats WHERE room = ?", (room,)).fetchone()[0])


def as_cell(text: str) -> str:
    """A text that no spreadsheet takes for a formula."""
    return f"'{text}" if text[:1] in "=+-@\t\r" else text
