"""Curves: how models fall as attacks grow, as a grid of runs that can be stopped and continued."""

from segviz.studies.precomputed import FIRST
from segviz.ui.curves.state import PAGE, curves
from segviz.ui.curves.view import show_chosen_view
from segviz.ui.kit.session import through_app
from segviz.ui.study.page import study_page

through_app(PAGE)
study_page("curves", curves(), FIRST, show_chosen_view, beside=curves().search)
