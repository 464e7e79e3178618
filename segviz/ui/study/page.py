"""What the pages of a study share: grid and cost, Run and Stop, results that come in from the store while it runs."""

from collections.abc import Callable
from dataclasses import dataclass

import streamlit as st

from segviz.engine.jobs import Job, State
from segviz.studies import precomputed
from segviz.studies.grid import GridPoint, Study
from segviz.studies.ledger import Progress
from segviz.studies.run import Cost, cost
from segviz.studies.runs import run_study
from segviz.studies.store import CellResult, Store
from segviz.studies.table import Pairs, Row, results_at, row_of
from segviz.types import UserError
from segviz.ui.kit.session import engine, queue
from segviz.ui.kit.status import AWAY
from segviz.ui.study.controls import fill_grid, grid_controls, link_of_grid, read_grid


@st.cache_resource
def store() -> Store:
    """The results on this server."""
    return Store()


@dataclass(frozen=True)
class Shown:
    """What is on screen: a study, its results so far and their table; `made_before` results came with the project."""

    study: Study
    pairs: Pairs
    rows: tuple[Row, ...]
    made_before: bool = False

    @property
    def results(self) -> dict[GridPoint, list[CellResult | None]]:
        """The results of each point, image by image."""
        return {point: [result for _, result in pairs] for point, pairs in self.pairs.items()}

    @property
    def empty(self) -> bool:
        """Whether there is nothing to draw."""
        return not any(row.images for row in self.rows)


def shown_of(study: Study, pairs: Pairs, before: Shown | None = None, made_before: bool = False) -> Shown:
    """The table of results; rows of `before` to which nothing has come are taken from there."""
    known = {row.point: row for row in before.rows} if before is not None and before.study == study else {}
    rows = []
    for point, of_point in pairs.items():
        pending = sum(result is None for _, result in of_point)
        old = known.get(point)
        rows.append(old if old is not None and old.pending == pending else row_of(point, [result for _, result in of_point]))
    return Shown(study, pairs, tuple(rows), made_before)


def stored(study: Study, before: Shown | None = None) -> Shown:
    """What is stored of a study."""
    return shown_of(study, results_at(study, store()), before)


@st.cache_resource
def first(name: str) -> Shown:
    """The study that ships with the project under this name."""
    study = next(one for one in precomputed.STUDIES if one.name == name)
    return shown_of(study, precomputed.load(study), made_before=True)


def at_hand(study: Study, default: Study) -> Shown:
    """What there is of a study without computing anything: what is stored or, until all of it is, what ships with the project."""
    there = stored(study)
    return first(default.name) if study == default and any(row.pending for row in there.rows) else there


def study_page(page: str, default: Study, show: Callable[[Shown, bool], None]) -> None:
    """A page around a study of its own: the controls, what the grid costs, Run and Stop, and `show` for what there is so far.

    `show` gets what is on screen and whether a run is under way. `page` begins the keys of the page's state; what `show` itself queues is
    watched as `<page>_search`, and a study that it puts at `<page>_wanted` is run next. A run goes on beside the tab's attacks.
    """
    state = st.session_state
    key = {name: f"{page}_{name}" for name in ("shown", "job", "done", "running", "wanted")}
    if key["shown"] not in state:
        fill_grid(read_grid(st.query_params.to_dict(), default), page)
        state[key["job"]], state[key["done"]], state[key["shown"]] = None, -1, at_hand(default, default)
    wanted: Study | None = state.get(key["wanted"])
    if wanted is not None:
        fill_grid(wanted, page)
    study = None
    with st.sidebar:
        try:
            study = grid_controls(page, default)
        except UserError as error:
            st.error(str(error))
    job: Job[Progress] | None = state[key["job"]]
    active = job is not None and job.active
    price = st.empty()
    if study is not None:
        st.query_params.from_dict(link_of_grid(study, default))
        try:
            if not active and study != state[key["shown"]].study:
                there = at_hand(study, default)
                if not there.empty:
                    state[key["shown"]] = there
                    job = state[key["job"]] = None
            if not active:
                with st.spinner("Measuring how fast this machine is …"):
                    todo = cost(study, store())
                with price.container():
                    show_cost(todo)
        except UserError as error:
            st.error(str(error))
            study = None
    buttons, progress = st.columns([1, 3], vertical_alignment="center")
    with buttons, st.container(horizontal=True):
        clicked = st.button("Run", type="primary", icon=":material/play_arrow:", key=f"{page}_run", disabled=study is None)
        if (clicked or wanted is not None) and study is not None:
            state[key["running"]], state[key["done"]] = study, -1
            job = state[key["job"]] = queue(run_study, study, store().folder, beside=page)
            active = True
            price.empty()
        state[key["wanted"]] = None
        st.button("Stop", icon=":material/stop:", key=f"{page}_stop", disabled=not active, on_click=job.stop if job else None)

    under_way = [one for one in (job, state.get(f"{page}_search")) if one is not None and one.active]

    @st.fragment(run_every=0.5 if under_way else None)
    def live() -> None:
        """Everything that changes with the study; asks for new results while it is under way."""
        if not all(one.active for one in under_way):
            st.rerun()
        if job is not None and job.latest is not None and job.latest.done != state[key["done"]]:
            state[key["done"]] = job.latest.done
            found = stored(state[key["running"]], state[key["shown"]])
            state[key["shown"]] = state[key["shown"]] if found.empty else found
        with progress:
            show_status(job)
            if not active and study is not None and study != state[key["shown"]].study:
                st.caption("Nothing of the grid on the left is computed yet. Press **Run** to see it; until then the last one stays.")
        show(state[key["shown"]], active)

    live()


def duration(seconds: float) -> str:
    """A time for people."""
    if seconds < 90:
        return f"{max(round(seconds), 1)} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def show_cost(cost: Cost) -> None:
    """What the grid costs, before anything else."""
    if cost.cells == 0:
        st.markdown(f"**{cost.total:,} runs, all of them stored**: there is nothing left to compute.")
        return
    there = cost.total - cost.cells
    known = f"{there:,} of them are stored; the rest takes " if there else ""
    st.markdown(
        f"**{cost.total:,} runs.** {known}**{cost.gradients:,} gradient evaluations, about {duration(cost.seconds)} here**. "
        "What is computed is kept, so Run goes on where it stopped, also after a restart."
    )


def show_status(job: Job[Progress] | None) -> None:
    """Progress of a run under way; errors as messages."""
    if job is not None and job.state is State.WAITING:
        st.progress(0.0, f"Waiting: {engine().ahead_of(job)} runs are served first.")
    elif job is not None and job.state is State.RUNNING:
        if job.latest is None:
            st.progress(0.0, "Loading the model …")
            return
        now = job.latest
        rest = f", about {duration(now.eta)} to go" if now.eta is not None else ""
        stopping = ", stopping …" if job.stopping else ""
        text = f"{now.done} of {now.total} runs, {now.gradients:,} of {now.all_gradients:,} gradient evaluations{rest}{stopping}"
        st.progress(min(now.gradients / max(now.all_gradients, 1), 1.0), text)
    elif job is not None and (job.error is not None or job.state is State.ABANDONED):
        st.error(job.error or AWAY.replace("start it again", "go on"))
