"""The lens: a patch of the picture, magnified, under changes of 1, 4 and 16 of 255."""

import numpy as np
import streamlit as st

from segviz.records import Frame, Trajectory
from segviz.ui.kit.pictures import data_url

STEPS = (1, 4, 16)
SIDE, FACTOR = 48, 8
"""Of the patch in pixels, and how much larger it is shown."""


def busiest_patch(where: np.ndarray, side: int) -> tuple[slice, slice]:
    """The square of that side, or smaller in a small picture, with most True pixels of a mask (H,W) bool."""
    height, width = min(side, where.shape[0]), min(side, where.shape[1])
    corners = np.pad(where.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    inside = corners[height:, width:] - corners[:-height, width:] - corners[height:, :-width] + corners[:-height, :-width]
    top, left = np.unravel_index(int(inside.argmax()), inside.shape)
    return slice(int(top), int(top) + height), slice(int(left), int(left) + width)


def moved(photo: np.ndarray, direction: np.ndarray, eps: int) -> np.ndarray:
    """The photo (H,W,3) uint8 with every colour value moved by `eps` grey levels to the side that `direction` says, -1, 0 or 1."""
    return (photo.astype(int) + eps * direction).clip(0, 255).astype(np.uint8)


def show_lens(trajectory: Trajectory, frame: Frame) -> None:
    """The patch where most pixels got another class, as it is and moved by 1, 4 and 16, in the directions that the attack found."""
    photo, change = trajectory.picture.pixels, frame.pixels.astype(int) - trajectory.picture.pixels
    if not change.any():
        return
    lens = st.expander("How small is ε? A patch of the picture, magnified", expanded=True, icon=":material/search:")
    lens.caption("Every colour value is moved by ε, up or down as in the attacked picture. Where do you begin to see it?")
    patch = busiest_patch(trajectory.frames[0].prediction != frame.prediction, SIDE)
    part, direction = photo[patch], np.sign(change[patch])
    tiles = {"The photo": part} | {f"ε = {eps}/255": moved(part, direction, eps) for eps in STEPS}
    with lens, st.grid(4, min_column_width=150, gap="small"):
        for name, tile in tiles.items():
            st.image(data_url(tile.repeat(FACTOR, 0).repeat(FACTOR, 1)), caption=name, width="stretch", alt=f"Patch of the picture: {name}")
