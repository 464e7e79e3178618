"""Transfer: adversarial pictures made on source models, as victim models see them."""

from functools import partial

import streamlit as st

from segviz.types import UserError
from segviz.ui.kit.links import write_link
from segviz.ui.kit.running import follow, run_bar
from segviz.ui.kit.session import through_app
from segviz.ui.live import watching
from segviz.ui.transfer import view as transfer_view
from segviz.ui.transfer.controls import open_page, transfer_controls, view_control
from segviz.ui.transfer.links import link_of_transfer
from segviz.ui.transfer.plan import photos_of, plan_of
from segviz.ui.transfer.state import PAGE, start_transfer, transfers
from segviz.ui.transfer.words import count

through_app(PAGE)

state = transfers()
open_page()
view = view_control()
wish = start = None
missing = False
with st.sidebar:
    try:
        wish = transfer_controls(view)
        plan = plan_of(wish)
        photos, stored = photos_of(wish, plan)
        missing = not photos
        if photos:
            start = partial(start_transfer, state, plan, photos, stored, view)
            each = count(plan.gradients, "gradient evaluation")
            st.caption(f"{count(len(photos), 'picture')}, {each} each: {plan.gradients * len(photos)} in all.")
    except UserError as error:
        st.error(str(error))

if wish is not None and wish.own.get("data") == "folder":
    # A folder on the server is run only when somebody presses Run.
    state.asked = False
progress = run_bar(state, "transfer", start)
if wish is not None:
    write_link(link_of_transfer(wish))
if missing:
    st.info("Upload or take a picture, or name a folder, on the left. Until then the last view stays.")


def show() -> None:
    """Everything that changes with the study."""
    state.update()
    with progress:
        transfer_view.show_transfer_status(state, view)
    transfer_view.show_study(state, view)


watch = watching(state.job, "transfer", progress, state.label_set)
follow(show, state.job, live=watch if state.job_view == view else show)
