"""What the page Leaderboard shows and runs."""

from dataclasses import dataclass

from segviz.ui.kit.state import page_state
from segviz.ui.study.state import StudyRun

PAGE = "pages/leaderboard.py"


@dataclass
class Board(StudyRun):
    """The study whose models are ranked."""


def board() -> Board:
    """The record of this tab."""
    return page_state(Board)
