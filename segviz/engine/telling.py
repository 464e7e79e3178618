"""A run's views as news: only what has changed, every picture encoded once."""

import hashlib
import time
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np

from segviz.draw import preview
from segviz.engine.view import LivePicture, LiveView

PICTURE_SECONDS = 0.4
"""Changing pictures are encoded no more often than this; maps of classes, which are a hundredth of the size, with every view."""


class Teller:
    """Turns the views of one run into news."""

    def __init__(self, clock: Callable[[], float] = time.monotonic):
        self._clock = clock
        self._sent: dict[str, int] = {}
        self._shown: dict[str, tuple[np.ndarray, dict[str, Any]]] = {}
        self._next_pictures = 0.0

    def tell(self, view: LiveView, last: bool = False) -> tuple[dict[str, Any], dict[str, bytes]]:
        """What there is to tell of a view, and PNGs by file name; `last` leaves no picture out.

        Series hold the points that are new, those from number `from` on. A picture has the file's name as `src`; one with a `base` is the
        difference from that picture, 128 meaning none, and has a `preview`, a small JPEG for where it is shown small.
        """
        news: dict[str, Any] = {"done": view.done, "total": view.total, "doing": view.doing, "figures": view.figures, "table": view.table}
        news["results"] = view.results
        news["series"] = []
        for series in view.series:
            name = f"{series.panel}/{series.name}"
            start = self._sent.get(name, 0)
            start = start if start <= len(series.x) else 0
            self._sent[name] = len(series.x)
            news["series"].append(
                {
                    "name": series.name,
                    "panel": series.panel,
                    "colour": series.colour,
                    "percent": series.percent,
                    "to": series.to,
                    "from": start,
                    "x": series.x[start:],
                    "y": [None if y is None else round(y, 5) for y in series.y[start:]],
                }
            )
        files: dict[str, bytes] = {}
        due = last or self._clock() >= self._next_pictures
        pictures = {}
        for name, picture in view.pictures.items():
            before = self._shown.get(name)
            if before is not None and (same(before[0], picture.pixels) or not (due or picture.often)):
                pictures[name] = before[1]
                continue
            file, fact = encode(picture, view)
            files[fact["src"]] = file
            if picture.base:
                fact["preview"] = fact["src"].replace(".png", ".jpg")
                files[fact["preview"]] = preview(picture.pixels)
            self._shown[name] = picture.pixels, fact
            pictures[name] = fact
            if before is not None and not picture.often:
                self._next_pictures = self._clock() + PICTURE_SECONDS
        news["pictures"] = pictures
        return news, files


def same(before: np.ndarray, now: np.ndarray) -> bool:
    """Whether a picture is still what it was."""
    return before is now or np.array_equal(before, now)


def encode(picture: LivePicture, view: LiveView) -> tuple[bytes, dict[str, Any]]:
    """A picture as a lossless PNG, and what is to be known of it. A map is a grey PNG of the class indices."""
    height, width = picture.pixels.shape[:2]
    fact: dict[str, Any] = {"width": width, "height": height, "map": picture.pixels.ndim == 2, "base": "", "caption": picture.caption}
    name = hashlib.sha256(picture.pixels.tobytes()).hexdigest()[:20]
    base = view.pictures.get(picture.base)
    if base is not None and base.pixels.shape == picture.pixels.shape:
        # Modulo 256, so that any difference can be told.
        difference = picture.pixels - base.pixels + np.uint8(128)
        # Small differences have no structure that prediction or repetition would find: Huffman codes alone are smaller and faster.
        file = packed_png(difference, cv2.IMWRITE_PNG_STRATEGY_HUFFMAN_ONLY)
        if len(file) < 0.55 * picture.pixels.nbytes:
            return file, fact | {"src": f"{name}-d.png", "base": picture.base}
    strategy = cv2.IMWRITE_PNG_STRATEGY_DEFAULT if picture.pixels.ndim == 2 else cv2.IMWRITE_PNG_STRATEGY_RLE
    return packed_png(picture.pixels, strategy), fact | {"src": f"{name}.png"}


def packed_png(pixels: np.ndarray, strategy: int) -> bytes:
    """(H,W,3) RGB or (H,W), uint8, as PNG."""
    channels = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR) if pixels.ndim == 3 else pixels
    level = 6 if pixels.ndim == 2 else 1
    done, data = cv2.imencode(".png", channels, [cv2.IMWRITE_PNG_COMPRESSION, level, cv2.IMWRITE_PNG_STRATEGY, strategy])
    assert done
    return data.tobytes()
