"""The picture viewer of the app: two aligned pictures under a swipe divider or side by side, with zoom and a per-pixel read-out."""

import base64
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

from segviz import draw
from segviz.data.label_sets import LabelSet
from segviz.draw import MapLook
from segviz.engine.jobs import Job
from segviz.ui.live import STREAM, map_look

_HERE = Path(__file__).parent

_mount = st.components.v2.component(
    "segviz_viewer",
    html='<div class="component viewer" data-testid="segviz-viewer"></div>',
    css=(_HERE.parent / "toolbar.css").read_text(encoding="utf-8") + (_HERE / "viewer.css").read_text(encoding="utf-8"),
    js=STREAM + (_HERE / "viewer.js").read_text(encoding="utf-8"),
)


@dataclass(frozen=True)
class Layer:
    """One picture of the viewer: the `name` on its label and a lossless `png` (H,W) at the working size."""

    name: str
    png: bytes


def viewer(
    left: Layer,
    right: Layer,
    before: bytes,
    after: bytes,
    classes: Sequence[str],
    palette: Sequence[tuple[int, int, int]],
    *,
    key: str,
    height: int = 480,
    on_pixel: Callable[[int, int], None] | None = None,
) -> None:
    """Show `left` against `right` on a stage `height` CSS pixels high and as wide as its column.

    `before` and `after` are RGB PNGs (H,W) of the clean and of the adversarial prediction for the read-out: R is the class, an index into
    `classes` and `palette`, and G is round(255 * confidence). `palette` holds one (R,G,B) in 0..255 per class. All four pictures have
    the same size. Zoom, pan, divider and mode live in the browser and stay as they are when a viewer of the same `key` gets new pictures.
    `on_pixel` gets the place (x, y) of a pixel that is clicked, before the script runs again.
    """
    sizes = [_size(png) for png in (left.png, right.png, before, after)]
    if len(set(sizes)) > 1:
        raise ValueError(f"the viewer's pictures differ in size: {sizes}")
    if len(classes) != len(palette):
        raise ValueError(f"{len(classes)} class names but {len(palette)} colours")

    def clicked() -> None:
        if on_pixel is not None and (place := st.session_state[key]["pixel"]) is not None:
            on_pixel(int(place["x"]), int(place["y"]))

    _mount(
        key=key,
        data={
            "left": {"name": left.name, "src": _data_url(left.png)},
            "right": {"name": right.name, "src": _data_url(right.png)},
            "before": _data_url(before),
            "after": _data_url(after),
            "classes": list(classes),
            "palette": [[int(value) for value in colour] for colour in palette],
            "height": height,
            "clickable": on_pixel is not None,
        },
        on_pixel_change=clicked,
    )


def live_viewer(
    job: Job[Any],
    left: tuple[str, str],
    right: tuple[str, str],
    classes: Sequence[str],
    look: dict[str, Any],
    *,
    key: str,
    height: int = 480,
) -> None:
    """As `viewer`, of a run under way, drawn from its stream: `left` and `right` are layers with titles, `look` is from `layer_look`."""
    _mount(
        key=key,
        data={
            "live": job.run.id,
            "left": {"layer": left[0], "name": left[1]},
            "right": {"layer": right[0], "name": right[1]},
            "classes": list(classes),
            "palette": look["palette"],
            "look": look,
            "height": height,
        },
    )


def layer_look(label_set: LabelSet, shown: set[int] | None, look: MapLook, scale: int) -> dict[str, Any]:
    """How the browser draws layers: maps as `look` says with the classes `shown` in them (None: all), and the grey levels at which a
    perturbation has full colour.
    """
    return {
        **map_look(look, label_set),
        "shown": None if shown is None else sorted(shown),
        "scale": scale,
        "heat": draw.heat(np.arange(256, dtype=np.uint8)[None])[0].tolist(),
    }


def _size(png: bytes) -> tuple[int, int]:
    """The width and height that a PNG's header gives."""
    width, height = struct.unpack(">II", png[16:24])
    return width, height


def _data_url(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode("ascii")
