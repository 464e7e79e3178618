"""What Google's runtime makes of parts of the samples; `python -m tests.models.selfie_oracle` writes it anew (needs `mediapipe`)."""

from pathlib import Path

import numpy as np
from PIL import Image

from segviz.data.samples import samples
from segviz.models.mediapipe import person_probability
from segviz.models.zoo import SELFIES

FILE = Path(__file__).with_name("selfie_oracle.npz")
PHOTOS = ("astronaut", "camera", "chelsea")
KEPT = (slice(1, None, 4), slice(2, None, 4))
"""Every fourth row and column."""


def part_of(photo: str, size: tuple[int, int]) -> np.ndarray:
    """The upper middle of a sample photo, of `size` (width, height), as (H,W,3) uint8: lossless, and nothing is resized."""
    image = Image.open(samples()[photo].photo).convert("RGB")
    left = (image.width - size[0]) // 2
    return np.array(image.crop((left, 20, left + size[0], 20 + size[1])))


def cases() -> list[tuple[str, str, tuple[int, int]]]:
    """Model, photo and input size."""
    return [(key, photo, size) for key, _, size, *_ in SELFIES for photo in PHOTOS]


if __name__ == "__main__":
    np.savez_compressed(FILE, **{f"{key}/{photo}": person_probability(key, part_of(photo, size))[KEPT] for key, photo, size in cases()})
    print(f"wrote {FILE}")
