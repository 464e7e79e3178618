"""A room as its teacher and its students see it."""

import re

import pytest
import streamlit as st
from app_page import LIMIT, button, control, go_to, metric, open_page, press, text
from streamlit.testing.v1 import AppTest

from segviz.classroom.rooms import Rooms
from segviz.places import APP
from segviz.types import UserError
from segviz.ui.classroom.common import view_of_link
from segviz.ui.classroom.news import Member
from segviz.ui.kit.state import record_key

LINK = "Or any view of the app: paste its link, or go there and press **Show this page to the class**"


@pytest.fixture(autouse=True)
def _own_rooms(tmp_path, monkeypatch):
    monkeypatch.setenv("SEGVIZ_DATA_DIR", str(tmp_path))
    st.cache_resource.clear()
    yield
    st.cache_resource.clear()


def opened(named=False):
    teacher = open_page("classroom")
    if named:
        control(teacher, "Ask students for a name").set_value(True).run()
    press(teacher, "Open a room")
    return teacher, parameter(teacher, "teacher")


def parameter(app, name):
    value = app.query_params[name]
    return value[0] if isinstance(value, list) else value


def link_of(teacher):
    return re.search(r"room=([A-Z]{4}-[\w-]+)", teacher.code[0].value)[1]


def test_push_predict_histogram_reveal():
    teacher, secret = opened()
    students = [open_page("room", room=link_of(teacher)) for _ in range(2)]
    assert all("Your teacher will show something soon" in text(student) for student in students)
    Rooms().push(secret, "lessons?lesson=02-iterations&step=2")
    for student, guess in zip(students, (20.0, 80.0), strict=True):
        student.run()
        student.slider[0].set_value(guess).run()
        press(student, "This is my guess")
        assert "Your guess is in" in text(student)
        assert not student.metric
    teacher.run()
    assert (metric(teacher, "Students"), metric(teacher, "Answers")) == ("2", "2")
    assert sum(given.value for given in Rooms().answers(secret)) == 100
    press(teacher, "Reveal")
    students[0].run()
    assert metric(students[0], "Your guess") == "20 %"
    assert metric(students[0], "Measured") == metric(teacher, "Measured")


def test_the_teacher_pushes_steps_one_after_another():
    teacher, secret = opened()
    press(teacher, "Push the next step")
    assert Rooms().seen_by_teacher(secret).push.view == "lessons?lesson=01-what-changes&step=1"
    press(teacher, "Push the next step")
    assert Rooms().seen_by_teacher(secret).push.view == "lessons?lesson=01-what-changes&step=2"
    control(teacher, "Lesson").set_value("05-one-map-for-all").run()
    press(teacher, "Push this step")
    assert "One photo's map on four photos, step 1" in text(teacher)


def test_any_view_can_be_pushed_by_its_link_and_nothing_else():
    teacher, secret = opened()
    for link in ("https://elsewhere.example/unknown?x=1", "javascript:alert(1)", "javascript:compare", "http://host/classroom?teacher=x"):
        control(teacher, LINK).set_value(link).run()
        press(teacher, "Push this link")
        assert "no link to a page of the app" in text(teacher)
        assert Rooms().seen_by_teacher(secret).push is None
    for link, view in (
        ("http://host/base/compare?eps=2&attacks=pgd", "compare?eps=2&attacks=pgd"),
        ("http://host:8501/?image=dog&eps=2", "?image=dog&eps=2"),
        ("http://host:8501", ""),
    ):
        control(teacher, LINK).set_value(link).run()
        press(teacher, "Push this link")
        assert Rooms().seen_by_teacher(secret).push.view == view


def test_a_link_that_would_lead_a_class_astray_is_not_pushed():
    for link, says in (
        ("http://host/lessons?lesson=unicorn&step=1", "no lesson 'unicorn'"),
        ("http://host/?eps=many", "eps"),
        ("http://host/?model=unknown", "unknown"),
    ):
        with pytest.raises(UserError, match=says):
            view_of_link(link)


def test_an_answer_that_comes_too_late_says_so():
    teacher, secret = opened()
    student = open_page("room", room=link_of(teacher))
    Rooms().push(secret, "lessons?lesson=02-iterations&step=2")
    student.run()
    Rooms().reveal(secret)
    press(student, "This is my guess")
    assert "no longer taken" in student.toast[0].value
    assert not student.exception
    assert Rooms().answers(secret) == []


def test_a_room_with_names_asks_for_one_and_shows_markup_as_text():
    teacher, secret = opened(named=True)
    student = open_page("room", room=link_of(teacher))
    assert button(student, "Join").disabled
    student.text_input[0].set_value("<b>Eve</b>").run()
    press(student, "Join")
    Rooms().push(secret, "lessons?lesson=02-iterations&step=2")
    student.run()
    press(student, "This is my guess")
    teacher.run()
    assert list(teacher.dataframe[0].value["name"]) == ["<b>Eve</b>"]


def test_a_student_without_the_secret_sees_no_room():
    teacher, secret = opened()
    student = open_page("room", room=link_of(teacher))
    seat = parameter(student, "seat")
    for forged in (seat, secret[:-1], link_of(teacher)):
        intruder = open_page("classroom", teacher=forged)
        assert "not the link of a room's teacher" in text(intruder)
        assert not intruder.metric
    assert "over" in text(open_page("room", room="ABCD-wrong")) or "over" in text(open_page("room", seat="wrong"))


def test_a_closed_room_tells_its_students():
    teacher, secret = opened()
    student = open_page("room", room=link_of(teacher))
    press(teacher, "Close the room and delete its answers")
    student.run()
    assert "over" in text(student)
    with pytest.raises(Exception, match="over"):
        Rooms().seen_by_teacher(secret)


def test_a_tab_remembers_its_room_on_other_pages_and_shows_them_to_the_class():
    room = Rooms().open()
    teacher = AppTest.from_file(str(APP), default_timeout=LIMIT)
    teacher.switch_page("pages/lessons.py")
    teacher.session_state[record_key(Member)] = Member(secret=room.secret, settled=True)
    # The secret as the browser's way back may leave it.
    for name, value in {"teacher": room.secret, "lesson": "02-iterations", "step": "2"}.items():
        teacher.query_params[name] = value
    press(teacher.run(), "Show this page to the class")
    assert Rooms().seen_by_teacher(room.secret).push.view == "lessons?lesson=02-iterations&step=2"
    go_to(teacher, "classroom")
    assert parameter(teacher, "teacher") == room.secret
    press(teacher, "Close the room and delete its answers")
    assert "Open a room" in [one.label for one in go_to(teacher, "classroom").button]


def test_what_a_browser_kept_is_taken_only_where_it_is_good():
    room = Rooms().open()
    seat = Rooms().join(room.code, room.key, "a")
    for kept, held in (
        ({"holder": seat, "number": 3, "revealed": True, "opened": 2}, (seat, "", (3, True), 2)),
        ({"holder": room.secret}, ("", room.secret, (0, False), 0)),
        ({"holder": seat, "number": "<b>", "revealed": 1, "opened": None}, (seat, "", (0, False), 0)),
        ({"holder": "forged"}, ("", "", (0, False), 0)),
        ({"holder": ["x"]}, ("", "", (0, False), 0)),
        ({}, ("", "", (0, False), 0)),
    ):
        one = Member()
        one.recall(kept)
        assert (one.seat, one.secret, one.seen, one.opened) == held
        assert one.settled
        assert (one.kept() is None) == (held[:2] == ("", ""))


def test_a_link_to_another_room_leads_there_and_one_to_the_same_room_takes_no_second_seat():
    rooms = Rooms()
    first, second = rooms.open(), rooms.open()
    student = open_page("room", room=f"{first.code}-{first.key}")
    seat = parameter(student, "seat")
    for room, same in ((first, True), (second, False)):
        student.query_params.clear()
        student.query_params["room"] = f"{room.code}-{room.key}"
        student.run()
        assert (parameter(student, "seat") == seat) is same
    assert [rooms.seen_by_teacher(one.secret).seats for one in (first, second)] == [1, 1]


def test_a_student_may_leave():
    teacher, _ = opened()
    student = open_page("room", room=link_of(teacher))
    press(student, "Leave")
    assert "Join your class" in text(student)
    go_to(student, "about")
    assert not any(link_of(teacher)[:4] in one for one in text(student).split())


def test_a_second_network_of_the_lab_can_be_pushed():
    assert view_of_link("http://x/?second=voc7-enet&alike=True") == "?second=voc7-enet&alike=True"
    with pytest.raises(UserError, match="second is 'nothing'"):
        view_of_link("http://x/?second=nothing")
