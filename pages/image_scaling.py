"""Image scaling: a picture that becomes another one when it is scaled down, for which scalers, what prevents it and what detects it."""

import streamlit as st

from segviz.models.load import default_device, load_model
from segviz.models.zoo import model_entry
from segviz.scaling.kernels import SCALERS
from segviz.scaling.prevention import read_pixels
from segviz.studies.scaling import detection_study, sample_full_size, scaling_study, target_size
from segviz.types import UserError
from segviz.ui import scaling_view
from segviz.ui.models import is_here
from segviz.ui.scaling_controls import chosen_pictures, link_of_scaling, scaling_controls
from segviz.ui.session import queue, through_app
from segviz.data.samples import samples

through_app("pages/image_scaling.py")

state = st.session_state
arrived = "scaling_study" not in state
if arrived:
    state.scaling_study = state.scaling_job = state.scaling_roc_job = None
    # The lab is not to run by itself when it is visited later.
    state.opened = True

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

ready = settings is not None and source is not None and is_here(model_entry(settings.model))
ready = ready and (settings.hidden != "photo" or other is not None)
job = state.scaling_job
active = job is not None and job.active
buttons, progress = st.columns([1, 3], vertical_alignment="center")
with buttons, st.container(horizontal=True):
    clicked = st.button("Run", type="primary", icon=":material/play_arrow:", key="scaling_run", disabled=not ready)
    st.button("Stop", icon=":material/stop:", key="scaling_stop", disabled=not active, on_click=job.stop if job else None)
if settings is not None:
    st.query_params.from_dict(link_of_scaling(settings))
if ready and (clicked or arrived):
    wish, photo, hidden = settings, source.pixels, other.pixels if other is not None else None
    state.scaling_job = queue(
        lambda stopped: scaling_study(wish, photo, hidden, load_model(wish.model, default_device()), stopped)
    )
    st.rerun()
if hint is not None:
    st.warning(hint)
if not ready and settings is not None:
    st.info("Choose or upload the pictures on the left. Until then the last view stays.")


def measured() -> dict:
    """Finished measurements on the samples, for everyone on this server."""
    return {}


measured = st.cache_resource(measured)
roc_job = state.scaling_roc_job
roc_active = roc_job is not None and roc_job.active


@st.fragment(run_every=0.5 if active or roc_active else None)
def live() -> None:
    """Everything that changes with the run; asks for new snapshots while one is under way."""
    if (active and not job.active) or (roc_active and not roc_job.active):
        st.rerun()
    if job is not None and job.latest is not None:
        state.scaling_study = job.latest
    study = state.scaling_study
    with progress:
        scaling_view.show_status(job, study)
    st.markdown(scaling_view.INTRODUCTION)
    if study is None:
        return
    run = job.id
    scaling_view.show_headline(study)
    scaling_view.show_viewer(study, run)
    scaling_view.show_downloads(study)
    scaling_view.show_looks(study, run)
    scaling_view.show_grid(study, run)
    scaling_view.show_prevention(study, run)
    st.subheader("Detection")
    place = (study.settings.scaler, scaling_view.ratio_of(study), study.settings.eps)
    if roc_job is not None and roc_job.latest is not None and roc_job.latest.done == roc_job.latest.total:
        finished = roc_job.latest
        measured()[finished.scaler, finished.ratio, finished.eps] = finished
    found = measured().get(place)
    if found is None and roc_job is not None and roc_job.latest is not None:
        latest = roc_job.latest
        found = latest if (latest.scaler, latest.ratio, latest.eps) == place else None
    scaling_view.show_detection(study, found, roc_active)
    if study.ended and (found is None or found.done < found.total) and not roc_active:
        if st.button("Measure the detectors on the samples", icon=":material/query_stats:", key="scaling_measure"):
            photos = {key: sample_full_size(key).pixels for key in samples()}
            state.scaling_roc_job = queue(lambda stopped: detection_study(SCALERS[place[0]], *place[1:], photos, stopped=stopped), "roc")
            st.rerun()
    if roc_job is not None and roc_job.error is not None:
        st.error(roc_job.error)


live()
