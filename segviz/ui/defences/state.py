"""What the page Defences shows and runs."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from segviz.records import Picture
from segviz.settings import Settings
from segviz.studies import first_views
from segviz.studies.defences import Ladder, Survey, Trial
from segviz.studies.runs import run_ladder, run_survey, run_trial
from segviz.ui.kit.running import Running
from segviz.ui.kit.session import first_view, queue
from segviz.ui.kit.state import asked_by_link, page_state

PAGE = "pages/defences.py"
DEFAULT_DEFENCE = first_views.DEFENCE
LADDER_EPS = (1.0, 2.0, 4.0, 8.0)
"""Grey levels at which models are attacked side by side."""

Wish = tuple[Settings, str, int]


@dataclass
class Trials(Running[Trial | Survey | Ladder]):
    """On screen are the `trial`, of the run `trial_run`, the `survey` and the `ladder`, of the run `ladder_run`, if there are such.

    `tried` are settings, defence and budget of that trial, `wanted` those of the newest that was asked for, `survey_of` attack and budget
    of the survey, `survey_asked` those of the newest one. `text` says what to look at in a preset. `ladder_asked` says whether a ladder is
    asked for.
    """

    trial: Trial = field(default_factory=lambda: first_view("defences"))
    trial_run: str = "precomputed"
    tried: Wish = (Settings(), first_views.DEFENCE, first_views.BUDGET)
    wanted: Wish | None = None
    survey: Survey | None = None
    survey_of: tuple[Settings, int] | None = None
    survey_asked: tuple[Settings, int] | None = None
    ladder: Ladder | None = None
    ladder_run: str = ""
    ladder_asked: bool = False
    text: str = ""

    def update(self) -> None:
        """Take over what the run has come to."""
        if self.job is None or self.active:
            return
        latest = self.job.latest
        if isinstance(latest, Trial):
            self.trial, self.trial_run = latest, self.job.id
            self.tried = self.wanted or self.tried
        elif isinstance(latest, Survey):
            self.survey, self.survey_of = latest, self.survey_asked
        elif isinstance(latest, Ladder):
            self.ladder, self.ladder_run = latest, self.job.id


def trials() -> Trials:
    """The record of this tab."""
    return page_state(Trials, lambda: Trials(asked=asked_by_link(PAGE, "defence")))


def try_defence(state: Trials, settings: Settings, defence: str, picture: Picture, budget: int) -> None:
    """Queue a trial; what a preset says stays only if it was a preset that asked for it."""
    if not state.asked:
        state.text = ""
    state.job, state.wanted = queue(run_trial, settings, defence, picture, budget), (settings, defence, budget)


def fill_table(state: Trials, settings: Settings, defences: Sequence[str], budget: int) -> None:
    """Queue several defences over the samples."""
    state.survey_asked = settings, budget
    state.job = queue(run_survey, settings, list(defences), budget)


def attack_models(state: Trials, settings: Settings, picture: Picture, models: Sequence[str], budget: int) -> None:
    """Queue the attack on several models, by key, at growing eps."""
    state.job = queue(run_ladder, replace(settings, steps=budget), LADDER_EPS, picture, list(models))
