"""What belongs to one browser session, and the engine that all of them share."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np
import streamlit as st
from streamlit import runtime
from streamlit.runtime.scriptrunner import get_script_run_ctx

from segviz.data.label_sets import LabelSet
from segviz.data.samples import Sample, samples
from segviz.engine.jobs import Engine, Job
from segviz.lab import attack_picture
from segviz.models.load import default_device, load_model
from segviz.records import Picture, Trajectory
from segviz.settings import Settings
from segviz.studies.compare import Entrant, compare
from segviz.studies.gallery import NoView, View, view_photo
from segviz.studies.scaling import DetectionStudy, ScalingSettings, ScalingStudy, detection_study, sample_full_size, scaling_study
from segviz.studies.target_maps import TargetMap
from segviz.studies.targets import Victim, morph
from segviz.studies.transfer import PhotoFile, Plan, Transfer, transfer

T = TypeVar("T")


@st.cache_resource
def engine() -> Engine:
    """The one engine of this server."""
    return Engine()


def through_app(page: str) -> None:
    """Send a visitor whom Streamlit let in without `app.py` through it: it does so on the first link to a page of a fresh server."""
    if "app" not in st.session_state:
        st.session_state.wanted = page, st.query_params.to_dict()
        st.switch_page("app.py")


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
    return queue(lambda stopped: attack_picture(settings, picture, load_model(settings.model, default_device()), stopped))


def submit_comparison(runs: Sequence[Settings], picture: Picture) -> Job[tuple[Entrant, ...]]:
    """Queue several attacks of one model on one picture as one run, likewise."""
    return queue(lambda stopped: compare(runs, picture, load_model(runs[0].model, default_device()), stopped))


def submit_morph(settings: Settings, target: TargetMap | None, pictures: Sequence[Picture]) -> Job[tuple[Victim, ...]]:
    """Queue an attack on several pictures towards one target map, likewise."""
    return queue(lambda stopped: morph(settings, target, pictures, load_model(settings.model, default_device()), stopped))


def queue(start: Callable[[Callable[[], bool]], Iterator[T]], beside: str = "") -> Job[T]:
    """Queue a run for this tab, as `Engine.submit` describes; runs named differently by `beside` go on beside one another."""
    owner = session_id()
    return engine().submit(f"{owner}-{beside}" if beside else owner, start, is_present(owner))


def submit_scaling(settings: ScalingSettings, source: np.ndarray, other: np.ndarray | None) -> Job[ScalingStudy]:
    """Queue a scaling attack with its consequences; pictures as in `scaling_study`."""
    return queue(lambda stopped: scaling_study(settings, source, other, load_model(settings.model, default_device()), stopped))


def submit_detection(settings: ScalingSettings) -> Job[DetectionStudy]:
    """Queue a measurement of the detectors on the samples; a scaling attack goes on beside it."""

    def start(stopped: Callable[[], bool]) -> Iterator[DetectionStudy]:
        photos = {key: sample_full_size(key).pixels for key in samples()}
        return detection_study(settings, photos, load_model(settings.model, default_device()), stopped)

    return queue(start, "detection")


def submit_views(keys: list[str], sample: Sample) -> Job[tuple[View | NoView, ...]]:
    """Queue a look at a photo through several models for this tab; its attack goes on beside it."""
    return queue(lambda stopped: view_photo(keys, sample, default_device(), stopped), "views")


def submit_transfer(plan: Plan, photos: Sequence[PhotoFile], stored: LabelSet | None) -> Job[Transfer]:
    """Queue a study of transfer for this tab, as `transfer` describes; the tab's attack goes on beside it."""
    return queue(lambda stopped: transfer(plan, photos, default_device(), stopped, stored), "transfer")


def identity(model: str, picture: Picture) -> tuple[str, bytes, bytes | None]:
    """What makes a clean view another one: the model, the pixels, the label map."""
    return model, picture.pixels.tobytes(), None if picture.labels is None else picture.labels.tobytes()


def look_only(settings: Settings) -> Settings:
    """Settings that only look at the clean picture."""
    return replace(settings, goal="break", target=None, region="", steps=0)
