"""Leaderboard: models by their worst case over attacks, with the numbers of the papers beside ours."""

from segviz.studies.precomputed import STANDINGS
from segviz.ui.leaderboard_view import show_board
from segviz.ui.session import through_app
from segviz.ui.study_page import study_page

through_app("pages/leaderboard.py")
study_page("board", STANDINGS, show_board)
