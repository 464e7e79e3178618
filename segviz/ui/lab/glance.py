"""The lab at a glance: two photos, two maps, and what happened, in words."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from segviz.engine.jobs import Job
from segviz.records import Frame, Trajectory
from segviz.ui.kit.layers import label_set_of
from segviz.ui.kit.pictures import data_url
from segviz.ui.kit.state import tab
from segviz.ui.live import live_layers

PURPOSE = "A network says of every pixel what it shows. Change the picture less than you can see, and the network says something else."
PAIRS = {"Same picture?": ("Input", "Adversarial"), "Different map?": ("Clean map", "Adversarial map")}
FOOLED, HOLDS = 0.5, 0.1
"""Shares of pixels with another class from which on a network counts as fooled, and below which it holds."""


def show_purpose() -> None:
    """The title of the page and what it is for."""
    st.markdown(f"### Same picture, different map\n{PURPOSE}")


def place_for_pairs(picture: np.ndarray, key: str = "glance") -> DeltaGenerator:
    """A place for two rows of two pictures of this shape, as large as a window shows at once; for a projector as wide as the window."""
    rows, columns = picture.shape[:2]
    place = st.container(key=key, gap="xsmall")
    if tab().presenting:
        return place
    place.html(f"<style>.st-key-{key} {{ max-width: clamp(640px, (100vh - 530px) * {columns / rows:.3f}, 1200px); }}</style>")
    return place


def places_of_pairs(picture: np.ndarray) -> dict[str, DeltaGenerator]:
    """By question the place of its pair of pictures: below one another, for a projector beside one another."""
    place = place_for_pairs(picture)
    return dict(zip(PAIRS, place.columns(2) if tab().presenting else (place, place), strict=True))


def show_glance(trajectory: Trajectory, frame: Frame, found: Mapping[str, Callable[[], np.ndarray]]) -> None:
    """The verdict, the two photos and the two maps of the iteration `frame`, drawn by the functions of `found`."""
    headline, told = verdict(trajectory, frame)
    st.markdown(f"**{headline}.** {told}")
    for question, place in places_of_pairs(frame.pixels).items():
        with place:
            st.markdown(f"**{question}**")
            with st.grid(2, min_column_width=150, gap="small"):
                for name in PAIRS[question]:
                    st.image(data_url(found[name]()), caption=name, width="stretch", alt=name)


def show_glance_live(job: Job[Any], photo: np.ndarray, look: Mapping[str, Any]) -> None:
    """As `show_glance`, of a run under way with the photo (H,W,3) uint8; the verdict comes with its result."""
    st.markdown("**The attack is under way.** Watch the second map; what came of it is told at the end.")
    for question, place in places_of_pairs(photo).items():
        names = PAIRS[question]
        with place:
            st.markdown(f"**{question}**")
            titles = {name: f"{name} (preview)" if name == "Adversarial" else name for name in names}
            live_layers(job, f"lab_{names[0]}", titles, {**look, "preview": True}, columns=2)


def verdict(trajectory: Trajectory, frame: Frame) -> tuple[str, str]:
    """What the attack came to at the iteration `frame`, in words: the headline, and what it says of the pixels."""
    before, after = trajectory.frames[0].prediction, frame.prediction
    if trajectory.settings.steps == 0:
        return "Not attacked yet", f"The network sees {shares(before, label_set_of(trajectory).classes)}. Press **Run** to attack it."
    changed, largest = float((before != after).mean()), np.abs(frame.pixels.astype(int) - trajectory.picture.pixels).max()
    if largest == 0:
        return "Nothing has changed", "Picture and map are the clean ones."
    headline = "The network is fooled" if changed >= FOOLED else "The network holds" if changed < HOLDS else "Partly fooled"
    classes = label_set_of(trajectory).classes
    return headline, (
        f"**{changed:.0%}** of the pixels have another class, while no colour value moved by more than **{largest} of 255**. "
        f"Before: {shares(before, classes)}. Now: {shares(after, classes)}."
    )


def shares(labels: np.ndarray, classes: Sequence[str]) -> str:
    """The largest classes of a map with their shares of the pixels, in words."""
    counts = np.bincount(labels.ravel(), minlength=len(classes))[: len(classes)] / labels.size
    largest = [index for index in np.argsort(-counts, kind="stable")[:3] if counts[index] >= 0.005]
    return ", ".join(f"{counts[index]:.0%} {classes[index]}" for index in largest)
