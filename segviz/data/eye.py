"""Colours for maps on screen: bright on a photo, and told apart by people who lack one kind of cone.

Differences are Euclidean distances in OKLab (B. Ottosson, 2020), in which a just noticeable one is about 0.02; what is seen without the
cones for long or middle wavelengths is simulated after Machado, Oliveira & Fernandes (IEEE TVCG 2009, Table 1, severity 1).
"""

from collections.abc import Sequence
from functools import cache

import numpy as np

Colour = tuple[int, int, int]

LMS = np.array(
    [
        (0.4122214708, 0.5363325363, 0.0514459929),
        (0.2119034982, 0.6806995451, 0.1073969566),
        (0.0883024619, 0.2817188376, 0.6299787005),
    ]
)
LAB = np.array(
    [
        (0.2104542553, 0.7936177850, -0.0040720468),
        (1.9779984951, -2.4285922050, 0.4505937099),
        (0.0259040371, 0.7827717662, -0.8086757660),
    ]
)
SIGHTS = {
    "normal": np.eye(3),
    "protanopia": np.array([(0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)]),
    "deuteranopia": np.array([(0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)]),
}
"""Linear RGB to the linear RGB that looks to everybody as the first does to people of that sight."""

DARK: Colour = (32, 36, 48)
"""The background: the classes stand out from it by a contrast of 3 or more."""
CONTRAST = 3.0

VOC = """
background 202430 aeroplane e18796 bicycle 5aff87 bird e1e11e boat 4b69c3 bottle a578d2 bus 4be1c3 car f0d2ff cat 00d200 chair f00096
cow 0f8796 diningtable d27800 dog 962dff horse d22d00 motorbike 4bb4c3 person ff96ff pottedplant 3ca55a sheep e1ffd2 sofa c3c387
train 87695a tvmonitor 4b96ff
"""
CITYSCAPES = """
road 9678ff sidewalk f078d2 building a58769 wall b44b78 fence ffb4c3 pole e1ffe1 traffic-light ff870f traffic-sign f0ff1e
vegetation 00871e terrain 69ff96 sky 96e1ff person f01e00 rider d200b4 car 0078c3 truck 3cb4ff bus 2da5a5 train 4bc369
motorcycle a50fff bicycle ffc300
"""
CAMVID = """
sky 96e1ff building a58769 pole e1ffe1 road 9678ff pavement f078d2 tree 00871e sign f0ff1e fence ffb4c3 car 0078c3 pedestrian f01e00
bicyclist d200b4
"""
KNOWN = tuple(
    {name.replace("-", " "): bytes.fromhex(colour) for name, colour in zip(words[::2], words[1::2], strict=True)}
    for words in (VOC.split(), CITYSCAPES.split(), CAMVID.split())
)
"""Colours by class.

Simulated annealing made the least difference of two, to anybody, as large as it could (0.6 times that to people who see all colours).
VOC7 came first, the other classes of VOC found their place beside it. Which class has which was chosen by hand, near to the hues of the
data set.
"""


def linear(colours: np.ndarray) -> np.ndarray:
    """Colours (..., 3) of sRGB, 0 to 255, as intensities in [0,1]."""
    levels = np.asarray(colours, float) / 255
    return np.where(levels <= 0.04045, levels / 12.92, ((levels + 0.055) / 1.055) ** 2.4)


def oklab(colours: np.ndarray, sight: str = "normal") -> np.ndarray:
    """Colours (..., 3) of sRGB, 0 to 255, in OKLab, as people of that sight see them; lightness in [0,1] comes first."""
    seen = (linear(colours) @ SIGHTS[sight].T).clip(0, 1)
    return np.cbrt(seen @ LMS.T) @ LAB.T


def contrast(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The contrast ratio of colours (..., 3) of sRGB after WCAG 2.2, from 1 to 21."""
    bright, dark = (linear(colours) @ (0.2126, 0.7152, 0.0722) + 0.05 for colours in (one, other))
    return np.maximum(bright, dark) / np.minimum(bright, dark)


def differences(colours: Sequence[Colour], others: np.ndarray) -> np.ndarray:
    """How much each of `others` (M,3) differs from each of N colours, (N,M): to those who tell the two apart least."""
    pairs = ((oklab(np.array(colours), sight)[:, None], oklab(others, sight)) for sight in SIGHTS)
    return np.min([np.linalg.norm(one - other, axis=-1) for one, other in pairs], axis=0)


def colours_on_screen(classes: Sequence[str]) -> tuple[Colour, ...]:
    """A colour for each class: those of `KNOWN` for sets of such classes, else colours as different as possible."""
    for known in KNOWN:
        if known.keys() >= set(classes):
            return tuple((known[name][0], known[name][1], known[name][2]) for name in classes)
    return spread_palette(len(classes), (DARK,) if classes[0] == "background" else ())


@cache
def spread_palette(count: int, first: tuple[Colour, ...] = ()) -> tuple[Colour, ...]:
    """As many colours, `first` and then always the one that differs most from all before it."""
    levels = np.stack(np.meshgrid(*[range(0, 256, 15)] * 3, indexing="ij"), -1).reshape(-1, 3)
    bright = levels[contrast(levels, np.array(DARK)) >= CONTRAST]
    chosen = list(first) or [DARK]
    nearest = differences(chosen, bright).min(0)
    found = list(first)
    while len(found) < count:
        red, green, blue = map(int, bright[nearest.argmax()])
        found.append((red, green, blue))
        nearest = np.minimum(nearest, differences(found[-1:], bright)[0])
    return tuple(found[:count])
