"""Leaderboard: models by their worst case over attacks, with the numbers of the papers beside ours."""

from segviz.studies.precomputed import STANDINGS
from segviz.ui.kit.session import through_app
from segviz.ui.leaderboard.state import PAGE, board
from segviz.ui.leaderboard.view import show_board
from segviz.ui.study.page import study_page

through_app(PAGE)
study_page("board", board(), STANDINGS, show_board)
