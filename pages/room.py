"""Room: a student joins, follows what is pushed, predicts, and sees what was measured."""

import streamlit as st

from segviz.types import UserError
from segviz.ui.classroom import student
from segviz.ui.classroom.common import mark_of_room
from segviz.ui.classroom.news import hear
from segviz.ui.classroom.student import StudentState
from segviz.ui.kit.presenter import end_page
from segviz.ui.kit.session import through_app
from segviz.ui.kit.state import page_state

through_app("pages/room.py")

state = page_state(StudentState)
seat = st.query_params.get("seat", "") or state.seat
if not seat:
    student.show_entrance(st.query_params.get("room", ""))
    end_page()
try:
    mark = mark_of_room(seat)
except UserError as error:
    state.seat = ""
    st.query_params.clear()
    st.error(str(error))
    student.show_entrance("")
    end_page()
st.query_params["seat"] = seat
hear(seat, mark)
student.show_room(seat, state)
