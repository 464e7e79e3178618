"""What the page Curves shows and runs."""

from dataclasses import dataclass

from segviz.engine.jobs import Job
from segviz.studies.grid import Cell, Study
from segviz.studies.runs import run_search
from segviz.studies.smallest import Damage, Search
from segviz.ui.kit.session import queue
from segviz.ui.kit.state import page_state
from segviz.ui.study.state import StudyRun, results_store

PAGE = "pages/curves.py"


@dataclass
class Curves(StudyRun):
    """`clicked` is the run of the point that was clicked, `eps_wish` the radius that is to be drawn over the steps.

    `search` looks for the smallest eps, as `searched` says.
    """

    clicked: Cell | None = None
    eps_wish: float = 1.0
    search: Job[Search] | None = None
    searched: tuple[Study, Damage] | None = None

    @property
    def searching(self) -> bool:
        """Whether the search is under way."""
        return self.search is not None and self.search.active

    def found(self, study: Study, damage: Damage) -> Search | None:
        """What the search has come to, if it is the one for this study and damage."""
        return self.search.latest if self.search is not None and self.searched == (study, damage) else None

    def bisect(self, study: Study, damage: Damage) -> None:
        """Queue a search; a run of the study goes on beside it."""
        self.search = queue(run_search, study, results_store().folder, damage, beside="bisection")
        self.searched = study, damage


def curves() -> Curves:
    """The record of this tab."""
    return page_state(Curves)
