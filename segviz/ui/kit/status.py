"""How far a run is, or why it ended without a result, said in the same words on all pages."""

from typing import Any

import streamlit as st

from segviz.engine.jobs import Job, State
from segviz.ui.live import live_status

AWAY = "The run was given up because this page was away for too long. Press Run to start it again."


def show_job(job: Job[Any] | None, key: str, *, away: str = AWAY) -> bool:
    """How far a run is that waits or is under way, kept up to date by the browser, or why it failed; returns whether it is under way."""
    if job is not None and job.active:
        live_status(job, key)
        return True
    show_problem(job, away)
    return False


def show_problem(job: Job[Any] | None, away: str = AWAY) -> None:
    """Why a run ended without a result of its own, if it did."""
    if job is not None and (problem := problem_of_job(job, away)) is not None:
        st.error(problem)


def problem_of_job(job: Job[Any], away: str = AWAY) -> str | None:
    """Why a run ended without a result of its own, for the user; None where it did not."""
    return job.error or (away if job.state is State.ABANDONED else None)
