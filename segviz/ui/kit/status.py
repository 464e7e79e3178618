"""How far a run is, said in the same words on all pages."""

from collections.abc import Callable
from typing import Any, TypeVar

import streamlit as st

from segviz.engine.jobs import Job, State
from segviz.ui.kit.session import engine

T = TypeVar("T")
Told = tuple[float, str] | None
"""The share of a run that is done, in [0,1], and how far that is in words; None where there is nothing to tell."""

AWAY = "The run was given up because this page was away for too long. Press Run to start it again."


def show_job(job: Job[T] | None, told: Callable[[T], Told], *, loading: str = "Loading the model …", away: str = AWAY) -> bool:
    """Progress of a run that waits or runs, or why it failed or was given up; returns whether it is under way.

    `told` says how far a snapshot is; `loading` stands there until there is one.
    """
    if job is None:
        return False
    if job.state is State.WAITING:
        st.progress(0.0, f"Waiting: {engine().ahead_of(job)} runs are served first.")
        return True
    if job.state is State.RUNNING:
        share, words = (0.0, loading) if job.latest is None else told(job.latest) or (None, "")
        if share is not None:
            stopping = ", stopping …" if job.stopping and job.latest is not None else ""
            st.progress(min(max(share, 0.0), 1.0), f"{words}{stopping}{company() if job.latest is not None else ''}")
        return True
    if (problem := problem_of_job(job, away)) is not None:
        st.error(problem)
    return False


def company() -> str:
    """How many other runs are under way, as the end of a line."""
    others = engine().active() - 1
    return f"; {others} other run{'s are' if others > 1 else ' is'} under way" if others > 0 else ""


def problem_of_job(job: Job[Any], away: str = AWAY) -> str | None:
    """Why a run ended without a result of its own, for the user; None where it did not."""
    return job.error or (away if job.state is State.ABANDONED else None)


def spent_of(spent: int, total: int, what: str = "gradient evaluations") -> tuple[float, str]:
    """What `show_job` is told of a run that is counted, such as in gradient evaluations."""
    return spent / max(total, 1), f"{spent} of {total} {what}"
