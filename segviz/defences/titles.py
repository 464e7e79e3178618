"""What models are called where space is short, with what is around them."""

from segviz.defences.rows import DEFENCES
from segviz.models.keys import split_key
from segviz.models.zoo import catalogue

WRAPPER_TITLES = {
    "": "Nothing",
    "multiscale": "Multi-scale: 50, 75, 100 %, maximum",
    "multiscale-mean": "Multi-scale: 50, 75, 100 %, mean",
    "scale50": "Only at 50 % of its size",
    "scale75": "Only at 75 % of its size",
    **{key: entry.title for key, entry in DEFENCES.items()},
}
WRAPPER_SHORTS = {**WRAPPER_TITLES, "multiscale": "Multi-scale", "multiscale-mean": "Multi-scale mean"}
"""The same where space is short."""


def short_title(key: str) -> str:
    """A model in a few words, no two alike, with what is around the network."""
    base, wrappers = split_key(key)
    entry = catalogue().get(base)
    title = base if entry is None else entry.short or entry.title
    return " + ".join([title, *(WRAPPER_SHORTS.get(name, name) for name in wrappers)])
