"""Why this pixel: the part of the lab that explains the class of a pixel that was clicked, before and after the attack."""

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from segviz import draw
from segviz.engine.jobs import Job
from segviz.records import Frame, Trajectory
from segviz.studies.runs import run_why
from segviz.studies.why import Reason
from segviz.ui.kit.layers import label_set_of
from segviz.ui.kit.pictures import data_url
from segviz.ui.kit.session import queue
from segviz.ui.kit.state import page_state
from segviz.ui.kit.status import problem_of_job
from segviz.ui.live import live_status

METHODS = {
    "Input gradient": "How much the score of the class at the marked pixel moves with every pixel of the picture.",
    "Integrated gradients": "What every pixel adds to the score, on the way from a black picture to this one; what lowers it is left out. "
    "Exact parts would add up to what the score rises by; where they do not, trust the picture less.",
}


@dataclass
class PixelQuestion:
    """What was asked last: of the run `run`, at the iteration of `frame`."""

    run: str = ""
    frame: Frame | None = None
    job: Job[tuple[Reason, ...]] | None = None


def ask_why(trajectory: Trajectory, frame: Frame, run: str, x: int, y: int) -> None:
    """Queue the question why the pixel (x, y) has its class, in the clean picture and in that of the iteration `frame`."""
    asked = page_state(PixelQuestion)
    pictures = (trajectory.picture.pixels,) if trajectory.settings.steps == 0 else (trajectory.picture.pixels, frame.pixels)
    asked.run, asked.frame = run, frame
    asked.job = queue(run_why, trajectory.settings.model, pictures, x, y, beside="why")


def ask_by_click(trajectory: Trajectory, frame: Frame, run: str, x: int, y: int) -> None:
    """As `ask_why`, before the page is drawn; its widgets follow."""
    st.session_state.update(why_x=x, why_y=y)
    ask_why(trajectory, frame, run, x, y)


def show_why(trajectory: Trajectory, frame: Frame, run: str) -> None:
    """How to ask, and the answer to what was asked of this run last."""
    asked = page_state(PixelQuestion)
    job = asked.job if asked.run == run else None
    st.markdown("**Why this pixel?** Click one in the picture above, or name it.")
    height, width = frame.prediction.shape
    with st.container(horizontal=True, vertical_alignment="bottom"):
        x = st.number_input("x", 0, width - 1, width // 2, key="why_x", width=110)
        y = st.number_input("y", 0, height - 1, height // 2, key="why_y", width=110)
        if st.button("Explain it", icon=":material/help:", key="why_ask"):
            ask_why(trajectory, frame, run, int(x), int(y))
            job = asked.job
    if job is None:
        return
    if job.active:
        live_status(job, "why")
    elif (problem := problem_of_job(job)) is not None:
        st.error(problem)
    elif job.latest and asked.frame is not None:
        show_reasons(trajectory, asked.frame, job.latest)


def show_reasons(trajectory: Trajectory, frame: Frame, reasons: Sequence[Reason]) -> None:
    """The answers side by side: where the class comes from, and how far the network looks for it."""
    method = st.segmented_control("Method", list(METHODS), default=next(iter(METHODS)), required=True, key="why_method")
    st.caption(METHODS[method])
    classes = label_set_of(trajectory).classes
    pictures = (trajectory.picture.pixels, frame.pixels)
    for column, title, reason, pixels in zip(st.columns(2), ("Before", "After"), reasons, pictures, strict=False):
        weights = reason.gradient if method == "Input gradient" else reason.integrated.clip(0)
        drawn = draw.marked(draw.lit(weights, pixels), reason.x, reason.y)
        with column:
            name = classes[reason.label]
            st.image(data_url(drawn), caption=f"{title}: {name}", width="stretch", alt=f"{title} the attack: where {name} comes from")
            st.markdown(reason_in_words(reason, name))
            if method != "Input gradient":
                st.markdown(f"The parts add up to **{reason.integrated.sum():.1f}**; the score rises by **{reason.rise:.1f}**.")


def reason_in_words(reason: Reason, name: str) -> str:
    """Class and confidence of the pixel, and how far the gradient reaches."""
    seen = "all pixels" if reason.touched > 0.999 else f"{reason.touched:.0%} of the pixels"
    return (
        f"Pixel {reason.x}, {reason.y} is **{name}**, {reason.confidence:.0%} sure. Half of the gradient lies within "
        f"**{reason.reach(0.5)}** pixels of it, 90 % within **{reason.reach(0.9)}**; {seen} count at all."
    )
