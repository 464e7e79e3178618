"""What is shown of a run under way: progress, figures, curves, pictures, a table; all of it small or encoded once."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Series:
    """A curve that only grows: points (`x`, `y`), None in `y` breaks the line. Curves of one `panel` share a chart.

    `percent` says that values are shares of 1. `to` is where the x axis ends.
    """

    name: str
    colour: str
    x: tuple[float, ...]
    y: tuple[float | None, ...]
    panel: str = ""
    percent: bool = True
    to: float = 1.0


@dataclass(frozen=True)
class LivePicture:
    """A picture (H,W,3) uint8, or a map (H,W) uint8 of class indices or of confidence.

    `base` names the picture of the same view that it differs little from: the difference is sent if that is smaller. `often` says that it
    costs so little that it may change with every view.
    """

    pixels: np.ndarray
    base: str = ""
    caption: str = ""
    often: bool = False


@dataclass(frozen=True)
class LiveView:
    """A run at one moment.

    `done` of `total` say how far it is, `doing` in words. `figures` are label, value and change as people read them. `pictures` go by
    name: a name keeps its place on screen from view to view. `table` has a first row of titles. `results` counts what the page's script can
    show by now, beyond what is here: it is called when that has grown.
    """

    done: float
    total: float
    doing: str
    figures: tuple[tuple[str, str, str], ...] = ()
    series: tuple[Series, ...] = ()
    pictures: Mapping[str, LivePicture] = field(default_factory=dict)
    table: tuple[tuple[str, ...], ...] = ()
    results: int = 0


def plain(snapshot: object, *asked: object) -> LiveView:
    """The view of a run of which nothing but its being under way is to be shown."""
    return LiveView(0, 0, "Computing …")
