"""What belongs to one browser session, and the engine that all of them share."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

import streamlit as st
from streamlit import runtime
from streamlit.runtime.scriptrunner import get_script_run_ctx

from segviz.engine.jobs import Engine, Job
from segviz.records import Picture, Trajectory
from segviz.settings import Settings
from segviz.studies import first_view
from segviz.ui.kit.state import tab

T = TypeVar("T")


@st.cache_resource
def engine() -> Engine:
    """The one engine of this server."""
    return Engine()


def through_app(page: str) -> None:
    """Send a visitor whom Streamlit let in without `app.py` through it: it does so on the first link to a page of a fresh server."""
    if not tab().through_app:
        tab().wanted = page, st.query_params.to_dict()
        st.switch_page("app.py")
    tab().entrance = tab().entrance or page


def session_id() -> str:
    """Identity of this browser tab."""
    context = get_script_run_ctx()
    assert context is not None
    return context.session_id


def is_present(owner: str) -> Callable[[], bool]:
    """Says, whenever it is asked, whether a browser tab is still open."""
    return lambda: not runtime.exists() or runtime.get_instance().is_active_session(owner)


def queue(function: Callable[..., Iterator[T]], *arguments: Any, beside: str = "") -> Job[T]:
    """Queue a run for this tab; it is given up when the tab is closed. Runs named differently by `beside` go on beside one another.

    `function` is one of a module, such as those of `segviz.studies.runs`, and its arguments are records, so that both can be sent to
    another process; it is called there with the keyword `stopped` as well, and returns an iterator of snapshots.
    """
    owner = session_id()
    return engine().submit(f"{owner}-{beside}" if beside else owner, partial(started, function, arguments), is_present(owner))


def started(function: Callable[..., Iterator[T]], arguments: tuple[Any, ...], stopped: Callable[[], bool]) -> Iterator[T]:
    """The snapshots of a queued run."""
    return function(*arguments, stopped=stopped)


@st.cache_resource
def first_trajectory() -> Trajectory:
    """The run that ships with the project, for pages that have none of their own yet."""
    return first_view.load()


def identity(model: str, picture: Picture) -> tuple[str, bytes, bytes | None]:
    """What makes a clean view another one: the model, the pixels, the label map."""
    return model, picture.pixels.tobytes(), None if picture.labels is None else picture.labels.tobytes()


def look_only(settings: Settings) -> Settings:
    """Settings that only look at the clean picture."""
    return replace(settings, goal="break", target=None, region="", steps=0)
