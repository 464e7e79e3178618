"""Image scaling: a picture that becomes another one when it is scaled down, for which scalers, what prevents it and what detects it."""

import numpy as np
import streamlit as st

from segviz.models.zoo import model_entry
from segviz.scaling.kernels import SCALERS
from segviz.scaling.prevention import read_pixels
from segviz.studies.runs import run_detection, run_scaling
from segviz.studies.scaling import ScalingSettings, detection_settings, target_size
from segviz.types import UserError
from segviz.ui.image_scaling import view as scaling_view
from segviz.ui.image_scaling.controls import chosen_pictures, link_of_scaling, scaling_controls
from segviz.ui.kit.models import is_here
from segviz.ui.kit.session import queue, through_app

through_app("pages/image_scaling.py")

state = st.session_state
if "scaling_study" not in state:
    state.scaling_go = True
    state.scaling_shown = state.scaling_job = state.scaling_roc_job = state.scaling_study = None

settings = source = other = None
hint = None
with st.sidebar:
    try:
        settings = scaling_controls()
        source, other = chosen_pictures(settings)
        if source is not None:
            full = source.pixels.shape[:2]
            size = target_size(settings.size, full)
            hint = scaling_view.warning_before(settings, float(read_pixels(SCALERS[settings.scaler], full, size).mean()))
    except UserError as error:
        st.error(str(error))
        source = None

run: tuple[ScalingSettings, np.ndarray, np.ndarray | None] | None = None
if settings is not None and source is not None and (settings.hidden != "photo" or other is not None):
    run = settings, source.pixels, None if other is None else other.pixels
ready = run is not None and is_here(model_entry(run[0].model))
buttons, progress = st.columns([1, 3], vertical_alignment="center")
with buttons, st.container(horizontal=True):
    clicked = st.button("Run", type="primary", icon=":material/play_arrow:", key="scaling_run", disabled=not ready)
    if run is not None and ready and (clicked or state.scaling_go):
        state.scaling_job = queue(run_scaling, *run)
    state.scaling_go = False
    job = state.scaling_job
    active = job is not None and job.active
    st.button("Stop", icon=":material/stop:", key="scaling_stop", disabled=not active, on_click=job.stop if job else None)
if settings is not None:
    st.query_params.from_dict(link_of_scaling(settings))
if hint is not None:
    st.warning(hint)
if run is None and settings is not None:
    st.info("Choose or upload the pictures on the left. Until then the last view stays.")


roc_job = state.scaling_roc_job
roc_active = roc_job is not None and roc_job.active


@st.fragment(run_every=0.5 if active or roc_active else None)
def live() -> None:
    """Everything that changes with the run; asks for new snapshots while one is under way."""
    if (active and not job.active) or (roc_active and not roc_job.active):
        st.rerun()
    if job is not None and job.latest is not None:
        state.scaling_study, state.scaling_shown = job.latest, job.id
    study = state.scaling_study
    with progress:
        scaling_view.show_status(job, study)
        if not active and settings is not None and study is not None and study.settings != settings:
            st.caption("The settings on the left have changed since this run. Press **Run** to use them.")
    st.markdown(scaling_view.INTRODUCTION)
    if study is None:
        return
    shown = state.scaling_shown
    scaling_view.show_headline(study)
    if not (active and max(study.source.shape) > scaling_view.LARGE):
        scaling_view.show_viewer(study, shown)
        scaling_view.show_downloads(study)
        scaling_view.show_looks(study, shown)
    scaling_view.show_grid(study, shown)
    scaling_view.show_prevention(study, shown)
    st.subheader("Detection")
    wanted, latest = detection_settings(study), roc_job.latest if roc_job is not None else None
    if latest is not None and latest.finished:
        scaling_view.measured()[latest.settings] = latest
    found = scaling_view.measured().get(wanted) or (latest if latest is not None and latest.settings == wanted else None)
    scaling_view.show_detection(study, found, roc_active)
    missing = study.ended and (found is None or not found.finished) and not roc_active
    if missing and st.button("Measure the detectors on the samples", icon=":material/query_stats:", key="scaling_measure"):
        state.scaling_roc_job = queue(run_detection, wanted, beside="detection")
        st.rerun()
    if roc_job is not None and roc_job.error is not None:
        st.error(roc_job.error)


live()
