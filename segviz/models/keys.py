"""Model keys: the network inside and what is around it."""

import re

WRAPPER_PASSES = {"multiscale": 3, "multiscale-mean": 3, "scale50": 1, "scale75": 1, "crf": 1}
"""The wrappers, with the passes through the network inside that one look at it takes."""


def split_key(key: str) -> tuple[str, list[str]]:
    """A model key into that of the network inside and its wrappers, maybe with values: `voc7-lraspp+jpeg=50+crf`."""
    base, *names = re.split(r"\+(?=[a-z][a-z0-9-]*(?:=[\d.,]+)?(?:\+|$))", key)
    return base, names
