"""Classroom: the teacher opens a room, pushes, sees predictions come in, and reveals."""

import streamlit as st

from segviz.types import UserError
from segviz.ui.classroom import teacher
from segviz.ui.classroom.common import mark_of_room, rooms
from segviz.ui.classroom.news import hear, member
from segviz.ui.kit.presenter import end_page
from segviz.ui.kit.session import through_app

through_app("pages/classroom.py")

one = member()
secret = st.query_params.get("teacher", "") or one.secret
if not secret:
    hear()
    st.title("Classroom")
    teacher.show_opening()
    end_page()
try:
    room = rooms().seen_by_teacher(secret)
    mark = mark_of_room(secret)
except UserError as error:
    one.become()
    hear()
    st.title("Classroom")
    st.error(str(error))
    teacher.show_opening()
    end_page()
one.become(secret=secret)
st.query_params["teacher"] = secret
hear(secret, mark)
answers = rooms().answers(secret)
teacher.show_head(secret, room, len(answers))
if room.push is None:
    teacher.show_door(room)
    teacher.show_push(secret)
else:
    teacher.show_answer_board(room, room.push, answers)
    st.divider()
    teacher.show_push(secret)
    with st.expander("How to join", icon=":material/qr_code_2:"):
        teacher.show_door(room)
st.divider()
teacher.show_end_of_room(secret)
