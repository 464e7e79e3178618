"""Browsers hear of what is new in their room, whoever wrote it, and of no other room."""

import socket
import threading
import time

import pytest
import uvicorn
from starlette.applications import Starlette
from waiting import LIMIT
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from segviz.classroom.rooms import Rooms
from segviz.live.rooms import LiveRooms
from segviz.live.routes import GONE


@pytest.fixture
def rooms(tmp_path):
    return Rooms(tmp_path / "rooms.sqlite")


@pytest.fixture
def address(rooms):
    """A server of nothing but this route; what it reads is written by others."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    app = Starlette(routes=LiveRooms(lambda: Rooms(rooms._file)).routes("below"))
    running = uvicorn.Server(uvicorn.Config(app, port=port, log_level="warning", ws="websockets-sansio"))
    thread = threading.Thread(target=running.run, daemon=True)
    thread.start()
    while not running.started:
        time.sleep(0.01)
    yield f"ws://127.0.0.1:{port}/below/live/room"
    running.should_exit = running.force_exit = True
    thread.join(10)


def hello(ear, holder):
    ear.send(holder)
    return ear.recv(timeout=LIMIT)


def closed_with(ear):
    with pytest.raises(ConnectionClosed) as closed:
        ear.recv(timeout=LIMIT)
    return closed.value.rcvd.code


def test_teacher_and_students_hear_what_concerns_them(rooms, address):
    room, other = rooms.open(), rooms.open()
    token = rooms.join(room.code, room.key, "here")
    with connect(address) as teacher, connect(address) as student:
        first, before = hello(teacher, room.secret), hello(student, token)
        push = rooms.push(room.secret, "lessons?lesson=02-iterations&step=2")
        pushed = student.recv(timeout=LIMIT)
        assert pushed != before
        assert teacher.recv(timeout=LIMIT) != first
        rooms.answer(token, push.number, 20.0)
        answered = teacher.recv(timeout=LIMIT)
        rooms.push(other.secret, "compare")
        rooms.reveal(room.secret)
        # Neither the answer nor the other room's push was told to the student.
        assert student.recv(timeout=LIMIT) == rooms.marks()[rooms.membership(token)[0]][0] != pushed
        assert teacher.recv(timeout=LIMIT) == rooms.marks()[rooms.membership(token)[0]][1] != answered
        rooms.close(room.secret)
        assert closed_with(student) == closed_with(teacher) == GONE


def test_who_has_neither_seat_nor_secret_hears_nothing(rooms, address):
    room = rooms.open()
    for forged in ("", room.key, room.secret[:-1], room.code):
        with connect(address) as ear:
            ear.send(forged)
            assert closed_with(ear) == GONE
