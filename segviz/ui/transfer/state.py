"""What the page Transfer shows and runs."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import streamlit as st

from segviz.data.label_sets import LabelSet
from segviz.studies import first_transfer
from segviz.studies.runs import run_transfer
from segviz.studies.transfer import PhotoFile, Plan, Transfer, common_label_set
from segviz.ui.kit.running import Running
from segviz.ui.kit.session import first_view, queue
from segviz.ui.kit.state import page_state

PAGE = "pages/transfer.py"
BEFOREHAND = "beforehand"
"""The origin of a study that ships with the project."""


@st.cache_resource
def made_beforehand() -> dict[str, Transfer]:
    """The studies that ship with the project, by view."""
    return first_transfer.load()


def first_studies() -> dict[str, tuple[str, Transfer]]:
    """What every view shows at first."""
    return {view: (BEFOREHAND, study) for view, study in {**made_beforehand(), "picture": first_view("transfer")}.items()}


@dataclass
class Transfers(Running[Transfer]):
    """`studies` are on screen, by view, each with the identity of the run that made it; `job_view` is the view of the newest run.

    `label_set` is that of that run's maps.
    """

    studies: dict[str, tuple[str, Transfer]] = field(default_factory=first_studies)
    job_view: str = ""
    label_set: LabelSet | None = None

    def update(self) -> None:
        """Take over what the run has come to."""
        if self.job is not None and not self.active and self.job.latest is not None and self.job.latest.cells:
            self.studies[self.job_view] = self.job.id, self.job.latest

    def made_before(self, view: str) -> bool:
        """Whether what a view shows came with the project."""
        return self.studies[view][0] == BEFOREHAND


def transfers() -> Transfers:
    """The record of this tab; what a link asks for is run at once."""
    return page_state(Transfers, lambda: Transfers(asked=bool(st.query_params)))


def start_transfer(state: Transfers, plan: Plan, photos: Sequence[PhotoFile], stored: LabelSet | None, view: str) -> None:
    """Queue a study; the tab's attack goes on beside it."""
    state.label_set = common_label_set([*(run.settings.model for run in plan.runs), *plan.victims])
    state.job, state.job_view = queue(run_transfer, plan, photos, stored, beside="transfer"), view
