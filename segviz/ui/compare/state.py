"""What the page Compare shows and runs."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from segviz.records import Picture, Trajectory
from segviz.settings import Settings
from segviz.studies import first_views
from segviz.studies.compare import Entrant
from segviz.studies.runs import run_comparison
from segviz.ui.compare.controls import ComparisonWish
from segviz.ui.kit.running import Running
from segviz.ui.kit.session import first_trajectory, first_view, identity, look_only, queue
from segviz.ui.kit.state import asked_by_link, page_state

PAGE = "pages/compare.py"


def first_identity() -> tuple[str, bytes, bytes | None]:
    """Identity of the clean view that ships with the project."""
    return identity(first_trajectory().settings.model, first_trajectory().picture)


@dataclass
class Comparison(Running[tuple[Entrant, ...]]):
    """On screen are the `entrants`, each with a `budget`, and the `clean` picture; at first those that ship with the project.

    `seen` is the identity of what was looked at last, `looking` says that the newest run only looks.
    """

    entrants: tuple[Entrant, ...] = field(default_factory=lambda: first_view("compare"))
    budget: int = first_views.BUDGET
    clean: Trajectory = field(default_factory=first_trajectory)
    seen: tuple[str, bytes, bytes | None] = field(default_factory=first_identity)
    looking: bool = False

    @property
    def made_before(self) -> bool:
        """Whether what is on screen came with the project."""
        return self.job is None

    @property
    def look(self) -> bool:
        """Whether the picture has only been looked at."""
        return is_look(self.entrants)

    def update(self) -> None:
        """Take over what the run has come to."""
        if self.job is not None and not self.active and self.job.latest is not None:
            self.entrants = self.job.latest
        self.clean = next((entrant.trajectory for entrant in self.entrants if entrant.trajectory is not None), self.clean)


def is_look(entrants: Sequence[Entrant]) -> bool:
    """Whether the picture has only been looked at."""
    return all(entrant.settings.steps == 0 for entrant in entrants)


def comparison() -> Comparison:
    """The record of this tab."""
    return page_state(Comparison, lambda: Comparison(asked=asked_by_link(PAGE, "attacks")))


def run_attacks(state: Comparison, wish: ComparisonWish, runs: tuple[Settings, ...], picture: Picture) -> None:
    """Queue the attacks."""
    state.job, state.budget = queue(run_comparison, runs, picture), wish.budget
    state.looking = False
    state.entrants, state.seen = tuple(map(Entrant, runs)), identity(wish.shared.model, picture)


def look_if_new(state: Comparison, wish: ComparisonWish, picture: Picture) -> None:
    """Queue a look at the picture if it, its labels or the model are not those that were looked at last."""
    seen = identity(wish.shared.model, picture)
    if seen != state.seen:
        state.looking = True
        state.job, state.seen = queue(run_comparison, (look_only(wish.shared),), picture), seen
