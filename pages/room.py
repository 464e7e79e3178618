"""Room: a student joins, follows what is pushed, predicts, and sees what was measured."""

import streamlit as st

from segviz.types import UserError
from segviz.ui.classroom import student
from segviz.ui.classroom.common import mark_of_room
from segviz.ui.classroom.news import hear, member
from segviz.ui.kit.presenter import end_page
from segviz.ui.kit.session import through_app

through_app("pages/room.py")

one, link = member(), st.query_params.get("room", "")
seat = st.query_params.get("seat", "") or student.seat_for(link, one)
if not seat:
    hear()
    student.show_entrance(link)
    end_page()
try:
    mark = mark_of_room(seat)
except UserError as error:
    one.become()
    st.query_params.clear()
    hear()
    st.error(str(error))
    student.show_entrance("")
    end_page()
one.become(seat=seat)
st.query_params.from_dict({"seat": seat})
student.show_room(one)
hear(seat, mark)
