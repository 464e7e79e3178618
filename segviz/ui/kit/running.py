"""The run of a page: its buttons, what asks for it, and the part of the page that follows it."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from segviz.engine.jobs import Job
from segviz.types import UserError
from segviz.ui.kit.links import link_refused
from segviz.ui.kit.presenter import key_for
from segviz.ui.kit.session import check_may_run
from segviz.ui.kit.state import tab

T = TypeVar("T")


@dataclass
class Running(Generic[T]):
    """The newest run of a page, and whether another one is asked for: by a link, a preset, another page."""

    job: Job[T] | None = None
    asked: bool = False

    @property
    def active(self) -> bool:
        """Whether the run waits or is under way."""
        return self.job is not None and self.job.active

    @property
    def run_name(self) -> str:
        """Identity of the newest run."""
        return "precomputed" if self.job is None else self.job.id


def open_as_link(page: str, query: Mapping[str, str]) -> None:
    """Go to a page as a new tab does by a link: its widgets say what the link says, and what it asks for is run.

    Other records of the tab stay, such as one's own picture.
    """
    for key, kept in st.session_state.to_dict().items():
        if isinstance(kept, Running) or not key.startswith("segviz."):
            del st.session_state[key]
    tab().entrance, tab().polygons, tab().subject = page, {}, None
    st.switch_page(page, query_params=query)


def run_bar(
    running: Running[Any],
    page: str,
    start: Callable[[], None] | None,
    otherwise: Callable[[], None] | None = None,
    again: Callable[[], None] | None = None,
) -> DeltaGenerator:
    """Run and Stop, whose keys begin with `page`; returns the place beside them, for the status.

    `start` queues a run and is called when Run was pressed or a run is asked for, but not by a link that asks for something in vain; None
    where there is nothing to run. `otherwise` is called where it is not, `again` to have a run made whose result was taken from those
    that are kept. What asks for a run is forgotten only here, so that a script that is broken off before loses nothing.
    """
    buttons, status = st.columns([2 if tab().presenting else 1, 3], vertical_alignment="center")
    with buttons, st.container(horizontal=True):
        clicked = st.button(
            "Run", type="primary", icon=":material/play_arrow:", key=f"{page}_run", disabled=start is None, shortcut=key_for("run")
        )
        in_vain = running.asked and link_refused()
        if start is not None and (clicked or (running.asked and not in_vain)):
            with told_here():
                check_may_run(running.job)
                start()
        elif otherwise is not None:
            otherwise()
        running.asked = False
        taken = again is not None and running.job is not None and running.job.before
        if again is not None and taken and st.button("Run again", icon=":material/replay:", key=f"{page}_again", disabled=start is None):
            with told_here():
                check_may_run()
                again()
        job = running.job
        st.button(
            "Stop",
            icon=":material/stop:",
            key=f"{page}_stop",
            disabled=not running.active,
            on_click=job.stop if job is not None else None,
            shortcut=key_for("stop"),
        )
    if in_vain and start is not None:
        status.info("Nothing was run: the link asks for something that cannot be had, as is said on the left. **Run** takes what is there.")
    return status


@contextmanager
def told_here() -> Iterator[None]:
    """What the user can put right is said where it happens, and the rest of the page is drawn."""
    try:
        yield
    except UserError as error:
        st.error(str(error))


def follow(show: Callable[[], object], *jobs: Job[Any] | None, live: Callable[[], object]) -> None:
    """Draw the part of a page that changes with runs: by `show` or, while any of them is under way, by `live`.

    What `live` draws is kept up to date by the browser, from the streams of the runs; it is called again when the page's script has new
    results to show. When a run has ended the whole page is drawn again.
    """
    under_way = [job for job in jobs if job is not None and job.active]

    @st.fragment
    def part() -> None:
        (live if under_way else show)()
        if not all(job.active for job in under_way):
            st.rerun()

    part()
