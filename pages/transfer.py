"""Transfer: adversarial pictures made on source models, as victim models see them."""

import streamlit as st

from segviz.studies import first_transfer
from segviz.studies.runs import run_transfer
from segviz.studies.transfer import PhotoFile
from segviz.types import UserError
from segviz.ui.kit.session import queue, through_app
from segviz.ui.transfer import view as transfer_view
from segviz.ui.transfer.controls import VIEWS, key_of, link_of_wish, open_page, photos_of, plan_of, wish_controls

through_app("pages/transfer.py")

state = st.session_state
open_page()
if "transfer_studies" not in state:
    # A link runs, and so does the first picture.
    state.transfer_go = "view" in st.query_params or state[key_of("view")] == "picture"
    state.transfer_job = state.transfer_job_view = None
    # What is on screen in each view: studies made beforehand, until there is one of one's own.
    ready = st.cache_resource(first_transfer.load)()
    state.transfer_studies = {name: (transfer_view.BEFOREHAND, study) for name, study in ready.items()}

view = str(
    st.segmented_control(
        "View",
        list(VIEWS),
        required=True,
        format_func=VIEWS.__getitem__,
        key=key_of("view"),
        label_visibility="collapsed",
        persist_state="session",
    )
)
wish = plan = stored = None
photos: list[PhotoFile] = []
refused = False
with st.sidebar:
    try:
        wish = wish_controls(view)
        plan = plan_of(wish)
        photos, stored = photos_of(wish, plan)
    except UserError as error:
        st.error(str(error))
        refused = True
    if plan is not None and photos:
        per = transfer_view.count(plan.gradients, "gradient evaluation")
        st.caption(f"{transfer_view.count(len(photos), 'picture')}, {per} each: {plan.gradients * len(photos)} in all.")

buttons, progress = st.columns([1, 3], vertical_alignment="center")
with buttons, st.container(horizontal=True):
    clicked = st.button("Run", type="primary", icon=":material/play_arrow:", key="transfer_run", disabled=plan is None or not photos)
    # A folder on the server is run only when it is asked for.
    unasked = state.transfer_go and wish is not None and wish.own.get("data") != "folder"
    if (clicked or unasked) and plan is not None and photos:
        state.transfer_job, state.transfer_job_view = queue(run_transfer, plan, photos, stored, beside="transfer"), view
    state.transfer_go = False
    job = state.transfer_job
    active = job is not None and job.active
    st.button("Stop", icon=":material/stop:", key="transfer_stop", disabled=not active, on_click=job.stop if job else None)
if wish is not None:
    st.query_params.from_dict(link_of_wish(wish))
if plan is not None and not photos and not refused:
    st.info("Upload a picture, or name a folder, on the left. Until then the last view stays.")


@st.fragment(run_every=0.5 if active else None)
def live() -> None:
    """Everything that changes with the study; asks for new snapshots while it is under way."""
    if active and not job.active:
        st.rerun()
    if job is not None and job.latest is not None and job.latest.cells:
        state.transfer_studies[state.transfer_job_view] = job.id, job.latest
    origin, study = state.transfer_studies.get(view, (transfer_view.BEFOREHAND, None))
    with progress:
        transfer_view.show_status(job if active or state.transfer_job_view == view else None, study, origin)
    if study is not None:
        transfer_view.show_study(study, view, origin)
        if not active:
            transfer_view.show_download(study)


live()
