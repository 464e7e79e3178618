"""Parts of the models page: the table, what is in memory, one photo segmented by several models."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import streamlit as st

from segviz import draw
from segviz.engine.jobs import engine
from segviz.engine.messages import Memory
from segviz.models.entry import CHANNELS
from segviz.models.load import budget_from_environment
from segviz.models.uploads import upload
from segviz.models.zoo import ModelEntry, catalogue, model_entry
from segviz.studies.gallery import NoView, PhotoView
from segviz.types import UserError
from segviz.ui.kit.models import is_here, megabytes, model_keys, model_title, show_faults
from segviz.ui.kit.pictures import data_url
from segviz.ui.kit.running import Running
from segviz.ui.kit.session import uploaded
from segviz.ui.kit.state import tab
from segviz.ui.kit.status import show_problem
from segviz.ui.live import live_status


@cache
def parameters_of(key: str) -> int | None:
    """Number of parameters of a network of the catalogue; of the user's own only what the entry says, None where it says nothing."""
    entry = catalogue()[key]
    return entry.parameters if entry.state == "own" else entry.count_parameters()


def show_models() -> None:
    """Every model with its parameters, size, licence, accuracy and state."""
    entries = [catalogue()[key] for key in model_keys()]
    counts = [parameters_of(entry.key) for entry in entries]
    st.dataframe(
        {
            "label set": [entry.label_set.name for entry in entries],
            "model": [entry.title for entry in entries],
            "state": [entry.state for entry in entries],
            "clean mIoU (ours)": [None if entry.val_miou is None else 100 * entry.val_miou for entry in entries],
            "size (MB)": [None if entry.bytes is None else entry.bytes / 1e6 for entry in entries],
            "parameters (M)": [None if count is None else count / 1e6 for count in counts],
            "licence": [entry.licence for entry in entries],
            "published": [entry.published or None for entry in entries],
            "key": [entry.key for entry in entries],
        },
        hide_index=True,
        placeholder="–",
        key="models",
        column_config={
            "parameters (M)": st.column_config.NumberColumn(format="%.2f"),
            "size (MB)": st.column_config.NumberColumn(format="%.1f"),
            "clean mIoU (ours)": st.column_config.NumberColumn(format="%.1f %%"),
        },
        alt="Models with label set, parameters, size, licence, accuracy and state",
    )
    measured = dict.fromkeys(entry.val_data for entry in entries if entry.val_miou is not None)
    st.caption(
        f"Our clean mIoU is that of a data set: {'; '.join(measured)} (models of VOC21 are read in the same classes). "
        "Published figures are the authors', on their own data and sizes."
    )
    show_faults()


def show_memory() -> None:
    """Which models are in memory, and the budget."""
    for memory in engine().memory() or (Memory((), budget_from_environment()),):
        names = ", ".join(f"{key} ({megabytes(size)})" for key, size in memory.models) or "none"
        total = sum(size for _, size in memory.models)
        st.caption(
            f"In memory: {names}; {megabytes(total)} of a budget of {megabytes(memory.budget)}. Beyond it the least recently used "
            "model is let go of; the environment variable SEGVIZ_MODEL_MB sets it."
        )


def upload_weights() -> None:
    """Weights of one's own for a network of the catalogue, through the browser."""
    st.markdown("Weights that you trained or hardened for a network of the catalogue: a safetensors file of its `state_dict`.")
    base = st.selectbox(
        "Network", [key for key in model_keys() if catalogue()[key].state != "own"], format_func=model_title, key="upload_network"
    )
    file = st.file_uploader("Weights", ["safetensors", "pt", "pth"], max_upload_size=300, key="weights_upload")
    if file is None:
        return
    channels, input_range = feeding_controls()
    known = set(catalogue())
    try:
        entry = upload(catalogue()[base], file.name, uploaded(file), channels, input_range)
    except UserError as error:
        st.error(str(error))
    else:
        if entry.key not in known:
            # The lists above were drawn without it.
            st.rerun()
        st.success(f"{entry.title} is now in all lists as {entry.key}, for everyone on this server until it ends.")


def feeding_controls() -> tuple[str, float]:
    """How uploaded weights want to be fed: the order of the colours, and by how much normalised values are multiplied."""
    with st.expander("If the weights were trained otherwise than the network's own"):
        channels = st.segmented_control(
            "Order of the colours", CHANNELS, default="rgb", required=True, format_func=str.upper, key="upload_channels"
        )
        grey = st.checkbox("Values of 0 to 255", key="upload_grey", help="The network's own takes values of 0 to 1, normalised.")
        st.caption("Networks of the catalogue end in scores, so that nothing need be said of their outputs.")
    return str(channels), 255.0 if grey else 1.0


def choose_models() -> list[str]:
    """The models to look through, of those that are here."""
    here = [key for key in model_keys() if is_here(model_entry(key))]
    chosen: list[str] = st.multiselect("Models", here, here[:2], format_func=model_title, key="gallery_models")
    return chosen


class Views(Running[tuple[PhotoView | NoView, ...]]):
    """The photo as models see it, so far."""


def show_views(state: Views) -> None:
    """The photo and what each model makes of it, three in a row; progress above as long as there are models to come."""
    if state.job is not None and state.job.active:
        live_status(state.job, "views")
    show_problem(state.job)
    views = (state.job.latest if state.job is not None else None) or ()
    for first in range(0, len(views), 3):
        for column, view in zip(st.columns(3), views[first : first + 3], strict=False):
            with column:
                if isinstance(view, NoView):
                    st.error(f"**{view.key}**: {view.error}")
                else:
                    show_view(view, model_entry(view.key))


def show_view(view: PhotoView, entry: ModelEntry) -> None:
    """One model's map over the photo, the classes that it sees, and its speed."""
    drawn = draw.seen_map(view.prediction, entry.label_set, view.pixels, replace(tab().look, on_photo=True))
    st.image(data_url(drawn), caption=entry.title, width="stretch", alt=entry.title)
    height, width = view.prediction.shape
    share = np.bincount(view.prediction.ravel(), minlength=len(entry.label_set.classes)) / (height * width)
    seen = ", ".join(
        f"{entry.label_set.classes[index]} {share[index]:.0%}" for index in np.argsort(-share, kind="stable")[:6] if share[index] > 0
    )
    st.caption(
        f"{seen}. {width}x{height} px, {view.parameters / 1e6:.2f} M parameters: forward {1000 * view.forward:.0f} ms, "
        f"forward and backward {1000 * view.gradient:.0f} ms."
    )


def device_line() -> str:
    """What the times are measured on."""
    return next((memory.device for memory in engine().memory()), "its device")
