"""A run under way, drawn by the browser from its stream: the script that puts these parts on the page is called again once it has ended."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from segviz.data.label_sets import LabelSet
from segviz.draw import MapLook
from segviz.engine.jobs import Job
from segviz.ui.kit.state import tab

HERE = Path(__file__).parent


def file_text(name: str) -> str:
    """A file beside this one."""
    return (HERE / name).read_text(encoding="utf-8")


LEAVING = file_text("leaving.js")
"""What a component begins with that calls the script of its own accord, which it must not do while another page is on its way."""

STREAM = file_text("stream.js") + file_text("layers.js")
"""What every component that draws a live run begins with."""

_mount = st.components.v2.component(
    "segviz_live",
    html='<div class="component live" data-testid="segviz-live"></div>',
    css=(HERE.parent / "toolbar.css").read_text(encoding="utf-8") + file_text("live.css"),
    js=LEAVING + STREAM + file_text("live.js"),
)


def _part(job: Job[Any], part: str, key: str, data: Mapping[str, Any] | None = None) -> None:
    _mount(key=f"{key}_{part}", data={"live": job.run.id, "part": part, **(data or {})}, on_ended_change=lambda: None)


def live_status(job: Job[Any], key: str) -> None:
    """How far a run is, or why it waits; the page's script is run once more when it has ended."""
    _part(job, "status", key)


def live_figures(job: Job[Any], key: str) -> None:
    """The newest figures of a run."""
    _part(job, "figures", key)


def live_curves(job: Job[Any], key: str, height: int = 400) -> None:
    """The curves of a run, together `height` CSS pixels high."""
    _part(job, "curves", key, {"height": height})


def map_look(look: MapLook, label_set: LabelSet | None) -> dict[str, Any]:
    """How the browser draws maps of the label set, None where there are none."""
    palette = look.palette(label_set) if label_set is not None else ()
    return {
        "palette": [list(map(int, colour)) for colour in palette],
        "onPhoto": look.on_photo,
        "opacity": look.opacity,
        "outlines": look.outlines,
        "patterns": look.patterns,
    }


def live_table(job: Job[Any], key: str) -> None:
    """The table of a run."""
    _part(job, "table", key)


def live_run(job: Job[Any], key: str, label_set: LabelSet | None = None, columns: int = 4) -> None:
    """Figures, table, curves and pictures of a run, as far as it has them; maps look as chosen, but without the photo."""
    look = map_look(replace(tab().look, on_photo=False), label_set)
    _part(job, "all", key, {**look, "shown": None, "height": 320, "columns": columns})


def live_layers(job: Job[Any], key: str, titles: Mapping[str, str], look: Mapping[str, Any], columns: int = 4) -> None:
    """Layers of the pictures of a run, by name with their titles, drawn in the way of `look`, as `segviz.ui.viewer.layer_look` makes it."""
    layers = [{"name": name, "title": title} for name, title in titles.items()]
    _part(job, "pictures", key, {"layers": layers, "columns": columns, **look})


def watching(
    job: Job[Any] | None, page: str, status: DeltaGenerator | None, label_set: LabelSet | None = None, columns: int = 4
) -> Callable[[], None]:
    """Draws a run that is under way when it is called: how far it is at the place `status`, or here, and below all that it has to show."""

    def watch() -> None:
        if job is not None:
            with status or st.container():
                live_status(job, page)
            live_run(job, page, label_set, columns)

    return watch


def looking(job: Job[Any] | None, page: str, status: DeltaGenerator, show: Callable[[], None]) -> Callable[[], None]:
    """As `watching`, of a run that only looks at what is to be attacked: what is on screen stays until it has ended."""

    def look() -> None:
        if job is not None:
            with status:
                live_status(job, page)
        show()

    return look
