"""Rooms keep every answer, and give nothing to those who may not have it."""

import csv
import io
import os
import signal
import sqlite3
import subprocess
import sys
import threading

import pytest

from segviz.classroom import rooms as module
from segviz.classroom.rooms import KEPT_SECONDS, LETTERS, MAX_NAME, MAX_SEATS, Rooms
from segviz.types import UserError


class Clock:
    def __init__(self):
        self.time = 1_000_000.0

    def __call__(self):
        return self.time


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def rooms(tmp_path, clock):
    return Rooms(tmp_path / "rooms.sqlite", clock)


def test_a_class_answers_and_the_teacher_sees_it(rooms):
    room = rooms.open()
    assert len(room.code) == 4
    assert set(room.code) <= set(LETTERS)
    students = [rooms.join(room.code, room.key, "10.0.0.1") for _ in range(3)]
    assert rooms.seen_by_student(students[0]).push is None
    push = rooms.push(room.secret, "lessons?lesson=iterations&step=2")
    state = rooms.seen_by_student(students[1])
    assert (state.push, state.seats) == (push, 3)
    for student, value in zip(students, (10.0, [0.1, 0.9], 3), strict=True):
        rooms.answer(student, push.number, value)
    rooms.answer(students[0], push.number, 12.5)
    assert sorted(map(str, (given.value for given in rooms.answers(room.secret)))) == ["12.5", "3", "[0.1, 0.9]"]
    assert rooms.own_answer(students[0], push.number) == 12.5
    rooms.reveal(room.secret)
    assert rooms.seen_by_student(students[2]).push.revealed
    with pytest.raises(UserError, match="no longer"):
        rooms.answer(students[0], push.number, 1.0)


def test_an_answer_to_an_earlier_question_is_refused(rooms):
    room = rooms.open()
    student = rooms.join(room.code, room.key, "a")
    first = rooms.push(room.secret, "a")
    second = rooms.push(room.secret, "b")
    with pytest.raises(UserError, match="another question"):
        rooms.answer(student, first.number, 1)
    assert rooms.answers(room.secret, first.number) == []
    rooms.answer(student, second.number, 1)
    assert len(rooms.answers(room.secret)) == 1


def test_names_are_kept_only_where_they_were_asked_for(rooms):
    markup = "  <script>alert(1)</script>\n & co " + "x" * 100
    for named in (False, True):
        room = rooms.open(named)
        assert rooms.needs_name(room.code, room.key) is named
        student = rooms.join(room.code, room.key, "a", markup)
        rooms.answer(student, rooms.push(room.secret, "v").number, 1)
        (given,) = rooms.answers(room.secret)
        assert given.name == (" ".join(markup.split())[:MAX_NAME] if named else "")


@pytest.mark.parametrize("act", ["seen_by_teacher", "reveal", "answers", "export", "close"])
def test_a_student_cannot_act_as_the_teacher(rooms, act):
    room = rooms.open()
    other = rooms.open()
    student = rooms.join(room.code, room.key, "a")
    rooms.answer(student, rooms.push(room.secret, "v").number, 1)
    for forged in (student, room.code, room.key, room.secret[:-1], room.secret + "x", ""):
        with pytest.raises(UserError, match="not the link"):
            getattr(rooms, act)(forged)
        with pytest.raises(UserError, match="not the link"):
            rooms.push(forged, "elsewhere")
    assert rooms.answers(other.secret) == []
    assert len(rooms.answers(room.secret)) == 1
    with pytest.raises(UserError):
        rooms.seen_by_student(room.secret)


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("  Ann \n Bo\t", "Ann Bo"),
        ("\u202eevE\u2066", "evE"),
        ("na\u200bme\x00\x07", "name"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("👩\u200d🔬", "👩\u200d🔬"),
        ("x" * 100, "x" * MAX_NAME),
    ],
)
def test_a_name_is_shown_without_what_cannot_be_seen(rooms, given, shown):
    room = rooms.open(named=True)
    rooms.answer(rooms.join(room.code, room.key, "a", given), rooms.push(room.secret, "v").number, 1)
    assert [one.name for one in rooms.answers(room.secret)] == [shown]


@pytest.mark.parametrize("nothing", ["", "   ", "\u200b\u2060", "\u200d", "\u0301"])
def test_a_room_with_names_takes_nobody_without(rooms, nothing):
    room = rooms.open(named=True)
    for key in (room.key, None):
        with pytest.raises(UserError, match="name"):
            rooms.join(room.code, key, "a", nothing)
    assert rooms.seen_by_teacher(room.secret).seats == 0
    assert rooms.join(room.code, room.key, "a", "Ann")


def test_another_rooms_teacher_sees_nothing_of_it(rooms):
    mine, other = rooms.open(), rooms.open()
    push = rooms.push(mine.secret, "v")
    rooms.answer(rooms.join(mine.code, mine.key, "a"), push.number, 1)
    assert rooms.answers(other.secret, push.number) == []
    outsider = rooms.join(other.code, other.key, "a")
    with pytest.raises(UserError):
        rooms.answer(outsider, push.number, 2)
    assert [given.value for given in rooms.answers(mine.secret, push.number)] == [1]


def test_ten_thousand_guesses_find_no_room(rooms, clock, monkeypatch):
    room = rooms.open()
    opened = []
    monkeypatch.setattr(rooms, "_open", lambda: opened.append(1) or Rooms._open(rooms))
    wrong = next(code for code in iter(module.new_code, "") if code != room.code)
    refused = 0
    for number in range(10_000):
        try:
            # The right code comes up again and again, from ever new addresses; those who try are refused unread.
            rooms.join(wrong if number < 200 or number % 7 else room.code, None, f"10.0.{number % 250}.{number % 40}")
        except UserError as error:
            refused += "Too many" in str(error)
    assert refused == 10_000 - module.GUESSES_IN_ALL
    assert len(opened) == module.GUESSES_IN_ALL
    assert rooms.join(room.code, room.key, "10.0.0.1")
    clock.time += module.GUESS_SECONDS + 1
    assert rooms.join(f" {room.code.lower()} ", None, "10.0.0.1")


def test_one_address_that_guesses_does_not_lock_out_the_others(rooms):
    room = rooms.open()
    for _ in range(1000):
        with pytest.raises(UserError):
            rooms.join("????", None, "10.0.0.66")
    with pytest.raises(UserError, match="Too many"):
        rooms.join(room.code, None, "10.0.0.66")
    assert rooms.join(room.code, None, "10.0.0.1")


def test_the_key_of_a_link_is_as_good_as_long(rooms):
    room, other = rooms.open(), rooms.open()
    for key in ("", other.key, room.key[:-1], "ä"):
        with pytest.raises(UserError, match="no room"):
            rooms.join(room.code, key, "a")


def test_a_room_takes_two_hundred(rooms):
    room = rooms.open()
    for _ in range(MAX_SEATS):
        rooms.join(room.code, room.key, "a")
    with pytest.raises(UserError, match="full"):
        rooms.join(room.code, room.key, "a")


def test_rooms_end_after_a_day_and_on_request(rooms, clock, tmp_path):
    room, closed = rooms.open(), rooms.open()
    student = rooms.join(room.code, room.key, "a")
    rooms.close(closed.secret)
    with pytest.raises(UserError):
        rooms.join(closed.code, closed.key, "a")
    clock.time += KEPT_SECONDS - 1
    assert rooms.seen_by_student(student)
    clock.time += 1
    for call in (lambda: rooms.seen_by_student(student), lambda: rooms.seen_by_teacher(room.secret)):
        with pytest.raises(UserError, match="over"):
            call()
    assert rooms.open().code
    with sqlite3.connect(tmp_path / "rooms.sqlite") as base:
        assert base.execute("SELECT COUNT(*) FROM rooms").fetchone() == (1,)
        assert base.execute("SELECT COUNT(*) FROM seats").fetchone() == (0,)


def test_answers_come_as_csv_that_no_spreadsheet_runs(rooms):
    room = rooms.open(named=True)
    student = rooms.join(room.code, room.key, "a", "=1+1")
    rooms.answer(student, rooms.push(room.secret, "lessons?lesson=a&step=1").number, [0.25, 0.5])
    (row,) = csv.DictReader(io.StringIO(rooms.export(room.secret)))
    assert (row["view"], row["seat"], row["name"], row["answer"]) == ("lessons?lesson=a&step=1", "1", "'=1+1", "[0.25, 0.5]")


def test_a_hundred_students_at_once_lose_no_answer(rooms):
    room = rooms.open()
    students = [rooms.join(room.code, room.key, "a") for _ in range(100)]
    push = rooms.push(room.secret, "v").number
    threads = [threading.Thread(target=rooms.answer, args=(student, push, number)) for number, student in enumerate(students)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(given.value for given in rooms.answers(room.secret)) == list(range(100))


KILLED = """
import os, signal, sys
from pathlib import Path
from segviz.classroom.rooms import Rooms
rooms = Rooms(Path(sys.argv[1]))
room = rooms.open()
token = rooms.join(room.code, room.key, "a")
push = rooms.push(room.secret, "v")
rooms.answer(token, push.number, 42)
print(room.secret, token, push.number, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_was_answered_survives_a_killed_server(tmp_path):
    file = tmp_path / "rooms.sqlite"
    killed = subprocess.run([sys.executable, "-c", KILLED, str(file)], capture_output=True, text=True, cwd=os.getcwd())
    assert killed.returncode == -signal.SIGKILL
    secret, token, push = killed.stdout.split()
    again = Rooms(file)
    assert [given.value for given in again.answers(secret)] == [42]
    assert again.own_answer(token, int(push)) == 42
    again.answer(token, int(push), 43)


def test_a_folder_that_cannot_be_written_is_one_clear_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="SEGVIZ_DATA_DIR"):
        Rooms(tmp_path / "file" / "rooms.sqlite")
