"""Pictures on screen: encoded for the browser, in rows, and the colours of curves and their swatches."""

import base64
from collections.abc import Callable, Hashable

import numpy as np
import streamlit as st

from segviz import draw
from segviz.engine.kept import content_of

COLOURS = ("#d9480f", "#1971c2", "#2f9e44", "#9c36b5", "#e8a200", "#0b7285", "#c2255c", "#5c4033")


def swatch(colour: str) -> str:
    """A small picture of a colour #rrggbb."""
    return data_url(np.full((16, 16, 3), list(bytes.fromhex(colour[1:])), np.uint8))


@st.cache_resource(max_entries=256, show_spinner=False)
def encoded(identity: tuple[Hashable, ...], preview: bool, _drawn: Callable[[], np.ndarray]) -> str:
    """A picture as a data URL, drawn once for all polls that show it; a `preview` is lossy."""
    if preview:
        return "data:image/jpeg;base64," + base64.b64encode(draw.preview(_drawn())).decode()
    return data_url(_drawn())


def show_row(pictures: dict[str, Callable[[], np.ndarray]], identity: tuple[Hashable, ...], preview: bool = False) -> None:
    """Pictures in a row, two abreast on a phone; `identity` tells them from all others of the same names.

    All the pictures of a comparison, lossless and twice a second, are more than a browser on a busy computer can take.
    """
    with st.grid(4, min_column_width=150, gap="small"):
        for name, drawn in pictures.items():
            st.image(encoded((*identity, name), preview, drawn), caption=name, width="stretch", alt=name)


def data_url(picture: np.ndarray) -> str:
    """A picture (H,W,3) uint8 as a lossless data URL: nothing on the way encodes it again, and nothing expires while it is shown."""
    return "data:image/png;base64," + base64.b64encode(png_of(picture)).decode()


def png_of(picture: np.ndarray) -> bytes:
    """As `draw.png`, once for all sessions that show the same pixels."""
    return png_of_content(content_of(picture), picture)


@st.cache_resource(max_entries=128, show_spinner=False)
def png_of_content(content: tuple[Hashable, ...], _picture: np.ndarray) -> bytes:
    """The PNG of a picture of that content."""
    return draw.png(_picture)
