"""What the pages of a study share: grid and cost, Run and Stop, errors, and what is on screen while results come in."""

from collections.abc import Callable
from functools import partial
from typing import Any

import streamlit as st

from segviz.engine.jobs import Job, engine
from segviz.live.views import time_in_words
from segviz.studies.grid import Study
from segviz.studies.run import Cost, cost
from segviz.types import UserError
from segviz.ui.kit.beside import show_left_out
from segviz.ui.kit.links import open_link, write_link
from segviz.ui.kit.running import follow, run_bar
from segviz.ui.kit.status import AWAY, show_job
from segviz.ui.study.controls import TABLE, fill_grid, grid_controls, link_of_grid, read_grid
from segviz.ui.study.state import Shown, StudyRun, at_hand, results_store


def study_page(page: str, state: StudyRun, default: Study, show: Callable[[Shown, bool], None], beside: Job[Any] | None = None) -> None:
    """A page around a study of its own: the controls, what the grid costs, Run and Stop, and `show` for what there is so far.

    `show` gets what is on screen and whether a run is under way. `page` begins the keys of the page's widgets; `beside` is a job of
    `show` itself, which is followed, too.
    """
    study = chosen_study(page, state, default)
    price = st.empty()
    if study is not None and not state.active:
        with price.container():
            study = look_up(state, study, default)
    status = run_bar(state, page, partial(state.run, study, page) if study is not None else None)
    running = state.active
    if running:
        price.empty()

    def live() -> None:
        """Everything that changes with the study."""
        state.update()
        with status:
            show_job(state.job, page, away=AWAY.replace("start it again", "go on"))
            if not running and study is not None and study != state.shown.study:
                st.caption("Nothing of the grid on the left is computed yet. Press **Run** to see it; until then the last one stays.")
        show(state.shown, running)

    follow(live, state.job, beside, live=live)


def chosen_study(page: str, state: StudyRun, default: Study) -> Study | None:
    """The study of the controls, filled from the link at first and by presets later; None, with a message, where they make none."""
    with st.sidebar:
        link = open_link(page, TABLE)
    if not state.opened:
        fill_grid(read_grid(link, default), page)
        state.opened, state.shown = True, at_hand(default, default)
    if state.wanted is not None:
        fill_grid(state.wanted, page)
        state.wanted, state.asked = None, True
    with st.sidebar:
        try:
            study = grid_controls(page, default)
        except UserError as error:
            st.error(str(error))
            return None
    write_link(link_of_grid(study, default))
    return study


def look_up(state: StudyRun, study: Study, default: Study) -> Study | None:
    """Show what there is of a study and what the rest costs; returns the study, or None, with a message, where it cannot be run."""
    try:
        state.show(study, default)
        told = engine().memory()
        todo = cost(study, results_store(), told[0].device, told[0].pace) if told else cost(study, results_store())
    except UserError as error:
        st.error(str(error))
        return None
    show_cost(todo)
    return study


def show_errors(shown: Shown) -> list[str]:
    """Which pictures of the study count in some or all of its points not, and why, the first three reasons in full; returns all."""
    errors = list(dict.fromkeys(error for row in shown.rows for error in row.errors))
    for error in errors[:3]:
        st.warning(error)
    show_left_out(list(dict.fromkeys(lacking for row in shown.rows for lacking in row.left_out)))
    return errors


def show_cost(cost: Cost) -> None:
    """What the grid costs, before anything else."""
    if cost.cells == 0:
        st.markdown(f"**{cost.total:,} runs, all of them stored**: there is nothing left to compute.")
        return
    there = cost.total - cost.cells
    known = f"{there:,} of them are stored; the rest takes " if there else ""
    time = "" if cost.seconds is None else f", about {time_in_words(cost.seconds)} here"
    st.markdown(
        f"**{cost.total:,} runs.** {known}**{cost.gradients:,} gradient evaluations{time}**. "
        "What is computed is kept, so Run goes on where it stopped, also after a restart."
    )
