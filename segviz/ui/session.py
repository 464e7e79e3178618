"""What belongs to one browser session, and the engine that all of them share."""

from collections.abc import Callable, Iterator

import streamlit as st
from streamlit import runtime
from streamlit.runtime.scriptrunner import get_script_run_ctx

from segviz.data.samples import Sample
from segviz.engine.jobs import Engine, Job
from segviz.lab import Picture, Trajectory, attack_picture
from segviz.models.load import default_device, load_model
from segviz.settings import Settings
from segviz.studies.gallery import View, view_photo


@st.cache_resource
def engine() -> Engine:
    """The one engine of this server."""
    return Engine()


def session_id() -> str:
    """Identity of this browser tab."""
    context = get_script_run_ctx()
    assert context is not None
    return context.session_id


def is_present(owner: str) -> Callable[[], bool]:
    """Says, whenever it is asked, whether a browser tab is still open."""
    return lambda: not runtime.exists() or runtime.get_instance().is_active_session(owner)


def submit(settings: Settings, picture: Picture) -> Job[Trajectory]:
    """Queue a run for this tab; it is given up when the tab is closed."""
    owner = session_id()

    def start(stopped: Callable[[], bool]) -> Iterator[Trajectory]:
        return attack_picture(settings, picture, load_model(settings.model, default_device()), stopped)

    return engine().submit(owner, start, is_present(owner))


def submit_views(keys: list[str], sample: Sample) -> Job[tuple[View, ...]]:
    """Queue a look at a photo through several models for this tab; its attack goes on beside it."""
    owner = session_id()
    return engine().submit(f"{owner}-views", lambda stopped: view_photo(keys, sample, default_device(), stopped), is_present(owner))
