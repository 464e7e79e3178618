"""Several attacks on one picture, each with the same budget of gradient evaluations, side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from segviz.attacks.catalog import attack_entry, gradients_of, iterations_of
from segviz.defences.catalog import passes_of_key
from segviz.lab import attack_picture
from segviz.records import Picture, Point, Trajectory
from segviz.settings import MAX_STEPS, Settings
from segviz.types import UserError

if TYPE_CHECKING:
    from segviz.models.segmenter import Segmenter

MAX_BUDGET = MAX_STEPS
MAX_FRAMES = 10
"""Iterations that are stored of each attack: fewer than of one alone, as there are several."""


@dataclass(frozen=True)
class Entrant:
    """One attack of a comparison at one moment; `trajectory` is None until its first look, `error` says why it could not go on."""

    settings: Settings
    trajectory: Trajectory | None = None
    error: str | None = None

    @property
    def spent(self) -> int:
        """Gradient evaluations so far, of what takes none its looks; -1 before the first look."""
        return -1 if self.trajectory is None else spent_at(self.trajectory.curve[-1])

    @property
    def ended(self) -> bool:
        """Whether its result is there, or an error."""
        return self.error is not None or (self.trajectory is not None and self.trajectory.report is not None)

    @property
    def success(self) -> float:
        """Share of counted pixels in [0,1] that are as the goal wants them: of the 8-bit result, or of the newest iterate until then."""
        if self.trajectory is None:
            return 0.0
        report = self.trajectory.report
        return self.trajectory.curve[-1].success if report is None else report.success


def spent_at(point: Point) -> int:
    """What a run has spent of its budget: gradient evaluations, or looks where it takes no gradients."""
    return point.gradients or point.index


def budget_of(settings: Settings) -> int:
    """What a whole run takes of a budget, per pass of a look."""
    return gradients_of(settings) or iterations_of(settings)


def within_budget(settings: Settings, budget: int, passes: int | None = None) -> Settings:
    """The settings with as many steps as `budget` gradient evaluations allow; the attacks of a suite share them. Of an attack that takes
    no gradients, a step counts as one.

    One look at the model takes `passes` of them, by default what its key says. A one-step attack takes its one step. Raises UserError
    where even one step costs more.
    """
    entry = attack_entry(settings.attack)
    each = passes_of_key(settings.model) if passes is None else passes
    least = each * budget_of(replace(settings, steps=1))
    if least > budget:
        raise UserError(
            f"{entry.title} needs at least {least} gradient evaluations, the budget is {budget}. Raise the budget or leave it out."
        )
    if entry.one_step:
        return replace(settings, steps=1)
    # Not simply budget // least: the attacks of a suite may have rounded shares of the steps.
    steps = 1
    while steps < MAX_STEPS and each * budget_of(replace(settings, steps=steps + 1)) <= budget:
        steps += 1
    return replace(settings, steps=steps)


def compare(
    runs: Sequence[Settings], picture: Picture, model: Segmenter, stopped: Callable[[], bool] = lambda: False
) -> Iterator[tuple[Entrant, ...]]:
    """Run the attacks in turns and yield where each of them stands, in the order of `runs`, after every step of any of them.

    The next step is always that of the attack that has spent the fewest gradient evaluations, so that all curves grow side by side. Each
    attack comes out as `attack_picture` alone would have it. A UserError ends the attack it comes from and no other. `stopped` is as in
    `attack_picture`: once it says yes, every attack yields the result of what it reached.
    """
    entrants = [Entrant(settings) for settings in runs]
    trajectories = [attack_picture(settings, picture, model, stopped, MAX_FRAMES) for settings in runs]
    while waiting := [number for number, entrant in enumerate(entrants) if not entrant.ended]:
        turn = min(waiting, key=lambda number: entrants[number].spent)
        try:
            entrants[turn] = replace(entrants[turn], trajectory=next(trajectories[turn]))
        except UserError as error:
            entrants[turn] = replace(entrants[turn], error=str(error))
        yield tuple(entrants)


def by_strength(entrants: Sequence[Entrant]) -> list[Entrant]:
    """Strongest first, by the pixels won; attacks with an error last, ties in the given order."""
    return sorted(entrants, key=lambda entrant: (entrant.error is not None, -entrant.success))
