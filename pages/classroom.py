"""Classroom: the teacher opens a room, pushes, sees predictions come in, and reveals."""

import streamlit as st

from segviz.types import UserError
from segviz.ui.classroom import teacher
from segviz.ui.classroom.common import mark_of_room, rooms
from segviz.ui.classroom.news import hear
from segviz.ui.kit.presenter import end_page
from segviz.ui.kit.session import through_app

through_app("pages/classroom.py")

secret = st.query_params.get("teacher", "")
st.title("Classroom")
if not secret:
    teacher.show_opening()
    end_page()
try:
    room = rooms().seen_by_teacher(secret)
    mark = mark_of_room(secret)
except UserError as error:
    st.error(str(error))
    teacher.show_opening()
    end_page()
hear(secret, mark)
st.caption("This address is yours alone: whoever has it can push, reveal and see the answers. Keep it to come back after a reload.")
teacher.show_door(room)
st.divider()
teacher.show_push(secret)
st.divider()
teacher.show_answer_board(secret)
st.divider()
teacher.show_end_of_room(secret)
