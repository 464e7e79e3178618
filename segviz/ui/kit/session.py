"""What belongs to one browser session, and the engine that all of them share."""

import pickle
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, TypeVar

import streamlit as st
from streamlit import runtime
from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.runtime.uploaded_file_manager import UploadedFile

from segviz.engine.jobs import Job
from segviz.engine.jobs import engine as engine
from segviz.engine.keys import content_key, texts_in
from segviz.engine.view import plain
from segviz.limits import Uploads, check_runs
from segviz.live.views import VIEWS
from segviz.models import uploads
from segviz.models.keys import split_key
from segviz.models.stamp import stamp
from segviz.records import Picture, Trajectory
from segviz.settings import Settings
from segviz.studies import first_views
from segviz.ui.kit.state import tab

T = TypeVar("T")


def through_app(page: str) -> None:
    """Send a visitor whom Streamlit let in without `app.py` through it: it does so on the first link to a page of a fresh server."""
    if not tab().through_app:
        tab().wanted = page, st.query_params.to_dict()
        st.switch_page("app.py")
    tab().entrance = tab().entrance or page
    tab().asks = ""


def session_id() -> str:
    """Identity of this browser tab."""
    context = get_script_run_ctx()
    assert context is not None
    return context.session_id


def visitor() -> str:
    """Who uses this tab, as far as limits go: the address that the nearest proxy tells, or that of the connection, else the tab."""
    forwarded = str(st.context.headers.get("X-Forwarded-For", "")).rpartition(",")[2].strip()
    return forwarded or str(st.context.ip_address or session_id())


@st.cache_resource
def visitors() -> dict[str, str]:
    """Who uses each tab that has queued a run."""
    return {}


def check_may_run(*replaced: Job[Any] | None) -> None:
    """Raise UserError where the visitor has as many runs under way as the server allows; those `replaced` end with the new one."""
    others = [run.jobs[0].owner for run in engine().runs() if run.jobs and not any(job in run.jobs for job in replaced)]
    check_runs(sum(visitors().get(owner) == visitor() for owner in others))


@st.cache_resource
def uploads_seen() -> Uploads:
    """What all visitors have uploaded."""
    return Uploads()


def uploaded(file: UploadedFile) -> bytes:
    """What an uploader was given; raises UserError where the visitor has uploaded too much in the last hour."""
    data = file.getvalue()
    uploads_seen().check(visitor(), data)
    return data


def is_present(owner: str) -> Callable[[], bool]:
    """Says, whenever it is asked, whether a browser tab is still open."""
    return lambda: not runtime.exists() or runtime.get_instance().is_active_session(owner)


def queue(function: Callable[..., Iterator[T]], *arguments: Any, beside: str = "", keep: bool = False, again: bool = False) -> Job[T]:
    """Queue a run for this tab; it is given up when the tab is closed. Runs named differently by `beside` go on beside one another.

    `function` is one of a module, such as those of `segviz.studies.runs`, and its arguments are records, so that both can be sent to
    another process; it is called there with the keyword `stopped` as well, and returns an iterator of snapshots. Whoever queues the same
    as somebody else shares his run. The result is kept if `keep`, and one that was kept is taken instead of a run unless `again`.
    """
    owner, models = session_id(), stamp(texts_in(arguments))
    visitors()[owner] = visitor()
    return engine().submit(
        owner,
        function,
        arguments,
        is_present(owner),
        VIEWS.get(function, plain),
        lane=beside,
        key=None if models is None else content_key(function, arguments, models),
        keep=keep,
        again=again,
        uploads=uploads_of(arguments),
    )


def uploads_of(arguments: tuple[Any, ...]) -> bytes:
    """A pickle of the uploaded models that the arguments name, by key; empty if there are none."""
    named = {split_key(text)[0] for text in texts_in(arguments)} & set(uploads.UPLOADED)
    return pickle.dumps({key: uploads.UPLOADED[key] for key in named}) if named else b""


@st.cache_resource(show_spinner=False)
def first_view(page: str) -> Any:
    """The result that ships with the project for a page, of `segviz.studies.first_views`."""
    return first_views.load(page)


def first_trajectory() -> Trajectory:
    """The run of the lab that ships with the project."""
    found: Trajectory = first_view("lab")
    return found


def identity(model: str, picture: Picture) -> tuple[str, bytes, bytes | None]:
    """What makes a clean view another one: the model, the pixels, the label map."""
    return model, picture.pixels.tobytes(), None if picture.labels is None else picture.labels.tobytes()


def look_only(settings: Settings) -> Settings:
    """Settings that only look at the clean picture."""
    return replace(settings, goal="break", target=None, region="", break_region="", steps=0)
