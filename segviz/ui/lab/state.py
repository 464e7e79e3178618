"""What the attack lab shows and runs when another picture or model is chosen, a link is opened, or another page hands something over."""

from dataclasses import dataclass

from segviz.records import Picture, Trajectory
from segviz.settings import Settings
from segviz.studies.runs import run_attack
from segviz.ui.kit.links import link_refused
from segviz.ui.kit.running import Running
from segviz.ui.kit.session import first_trajectory, identity, look_only, queue
from segviz.ui.kit.state import asked_by_link, page_state, tab
from segviz.ui.kit.words import OWN
from segviz.ui.lab.controls import NOTHING_DRAWN
from segviz.ui.lab.second import start_second

PAGE = "pages/attack_lab.py"


@dataclass
class Lab(Running[Trajectory]):
    """`trajectory` is on screen, `seen` the identity of what was looked at last; `error` stands above it until another picture comes.

    `wanted` is what the newest run was asked to do.
    """

    trajectory: Trajectory | None = None
    seen: tuple[str, bytes, bytes | None] | None = None
    error: str | None = None
    wanted: tuple[Settings, Picture] | None = None

    @property
    def shown(self) -> Trajectory:
        """What is on screen: at first the run that ships with the project."""
        if self.job is not None and not self.active and self.job.latest is not None:
            self.trajectory = self.job.latest
        return self.trajectory or first_trajectory()


def lab() -> Lab:
    """The record of this tab, with what another page has left for it."""
    state = page_state(Lab, lambda: Lab(asked=asked_by_link(PAGE)))
    here = tab()
    if here.shown_in_lab is not None:
        state.trajectory, state.job, state.error = here.shown_in_lab, None, None
        state.seen = identity(here.shown_in_lab.settings.model, here.shown_in_lab.picture)
        here.shown_in_lab = None
    elif here.run_in_lab:
        state.asked, state.seen = True, None
        here.run_in_lab = False
    return state


def start_run(state: Lab, settings: Settings, picture: Picture, again: bool = False) -> None:
    """Queue a run, or take the result of one like it that is kept, unless it is to be made `again`; of one's own picture none is kept."""
    job = queue(run_attack, settings, picture, keep=settings.image != OWN, again=again)
    state.job, state.wanted = job, (settings, picture)
    start_second(settings, picture, again)


def run_in_view(state: Lab, settings: Settings, picture: Picture) -> None:
    """Queue a run."""
    start_run(state, settings, picture)
    state.error = None


def run_again(state: Lab) -> None:
    """Make the run whose kept result is on screen."""
    if state.wanted is not None:
        start_run(state, *state.wanted, again=True)


def look_at(state: Lab, settings: Settings, picture: Picture) -> None:
    """Queue a look at the clean picture."""
    start_run(state, look_only(settings), picture)


def look_or_run(state: Lab, settings: Settings, picture: Picture) -> None:
    """Show a picture or a model that is not on screen yet; run the settings if that is asked for, as by a link with some of its own."""
    seen = identity(settings.model, picture)
    if seen != state.seen:
        if settings == first_trajectory().settings:
            if not state.asked and state.job is not None:
                state.job.stop()
            state.trajectory, state.job = first_trajectory(), None
        elif state.asked and NOTHING_DRAWN not in (settings.region, settings.break_region) and not link_refused():
            start_run(state, settings, picture)
        else:
            look_at(state, settings, picture)
        state.seen, state.error = seen, None
    job = state.job
    if job is not None and job.error is not None and job.latest is None and state.error is None:
        # The message stays, above the picture that was asked for.
        state.error = job.error
        look_at(state, settings, picture)
