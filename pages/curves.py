"""Curves: how models fall as attacks grow, as a grid of runs that can be stopped and continued."""

from segviz.studies.precomputed import FIRST
from segviz.ui.curves.view import show_body
from segviz.ui.kit.session import through_app
from segviz.ui.study.page import study_page

through_app("pages/curves.py")
study_page("curves", FIRST, show_body)
