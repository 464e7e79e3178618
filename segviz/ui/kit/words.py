"""Words that several pages use: titles of choices, pictures, regions, figures."""

import re
from collections.abc import Sequence

from segviz.data.samples import samples
from segviz.records import Trajectory

OWN = "own"

GOAL_TITLES = {
    "break": "Break the labels",
    "class": "Break one class",
    "everywhere": "One class everywhere",
    "remove": "Hide one class",
    "swap": "Swap two classes",
}

REGIONS = ("region", "break_region")
"""The settings that are regions."""
REGION_TITLES = {"": "Whole picture", "class": "One class", "outside": "All but one class", "polygon": "Drawn"}

NORM_TITLES = {"linf": "L∞", "l2": "L2"}

PASSES_HELP = "Passes through the network, forward and backward, per picture, with the looks at the clean picture and at the result."

LABEL_TITLES = {"truth": "Labels", "prediction": "Prediction"}


MADE_BEFORE = " Made beforehand with the bundled models; **Run** makes it live."
"""Of what is on screen before anything has been run."""


def unformatted(text: str) -> str:
    """What somebody wrote, such as in a link, so that it is shown as it is and not as Markdown."""
    return re.sub(r"[\[*`$~]", r"\\\g<0>", text)


def image_keys() -> list[str]:
    """What can be chosen as picture: the samples, and one's own."""
    return [*samples(), OWN]


def image_title(key: str) -> str:
    """What the list of pictures shows for a key."""
    return "Your own picture …" if key == OWN else samples()[key].title


def where_of(region: str) -> str:
    """A region in words."""
    kind, _, name = region.partition(":")
    return {"class": f"the {name}", "outside": f"what is not {name}", "polygon": "the drawn region"}[kind]


def in_points(change: float) -> str | None:
    """A change of a rate in percentage points; None for none that would be seen."""
    return f"{100 * change:+.1f} points" if abs(change) >= 0.0005 else None


def basis(trajectory: Trajectory) -> str:
    """What the figures are measured on and against."""
    height, width = trajectory.picture.pixels.shape[:2]
    text = f"Everything is at {width}x{height} pixels"
    if trajectory.picture.original != (width, height):
        text += " (the photo came in {}x{})".format(*trajectory.picture.original)
    if trajectory.own_prediction:
        text += "; figures are against the **model's own clean prediction**, not against a label map."
    else:
        text += "; figures are against the label map."
    if trajectory.report is not None and trajectory.settings.steps > 0:
        text += (
            f" They are those of the result: step {trajectory.report.strongest}, the one that fooled most pixels, rounded to a real image."
            f" Computed on {trajectory.device}; other hardware or another number of threads rounds sums otherwise, which many steps can "
            "let grow into other figures."
        )
    return text


def in_percent(values: Sequence[float | None]) -> list[float | None]:
    """Fractions of 1 in percent."""
    return [None if value is None else 100 * value for value in values]
