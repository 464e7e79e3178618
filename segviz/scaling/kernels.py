"""The scaling functions of OpenCV, Pillow and torch under one face, with their coefficient matrices recovered from the real library."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from PIL import Image

from segviz.deferred import F, cv2, torch
from segviz.types import UserError

LIBRARIES = {"opencv": "OpenCV", "pillow": "Pillow", "torch": "torch"}

OPENCV = {
    "nearest": "INTER_NEAREST",
    "nearest-exact": "INTER_NEAREST_EXACT",
    "linear": "INTER_LINEAR",
    "linear-exact": "INTER_LINEAR_EXACT",
    "cubic": "INTER_CUBIC",
    "lanczos": "INTER_LANCZOS4",
    "area": "INTER_AREA",
}

PILLOW = {
    "nearest": Image.Resampling.NEAREST,
    "box": Image.Resampling.BOX,
    "linear": Image.Resampling.BILINEAR,
    "hamming": Image.Resampling.HAMMING,
    "cubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}

TORCH = {"nearest": "nearest", "nearest-exact": "nearest-exact", "linear": "bilinear", "cubic": "bicubic", "area": "area"}


@dataclass(frozen=True)
class Scaler:
    """One way to scale a picture: a kernel of a library.

    `antialias`: the kernel widens with the ratio, so that every pixel of the picture counts. That is a choice in torch only; in OpenCV
    it is what area does, in Pillow every kernel but nearest.
    """

    library: str
    kernel: str
    antialias: bool

    @property
    def key(self) -> str:
        """Name in `SCALERS`, such as "opencv-linear" or "torch-linear-antialias"."""
        chosen = self.library == "torch" and self.kernel != "area" and self.antialias
        return f"{self.library}-{self.kernel}" + ("-antialias" if chosen else "")

    @property
    def title(self) -> str:
        """Text for people, such as "OpenCV linear"."""
        chosen = self.library == "torch" and self.kernel != "area" and self.antialias
        return f"{LIBRARIES[self.library]} {self.kernel}" + (", antialiased" if chosen else "")

    def resize(self, pixels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        """What the library makes of an 8-bit picture (H,W,3) or (H,W) at `size` (height, width), uint8.

        OpenCV and Pillow work on the 8-bit values in fixed-point arithmetic of their own (Pillow also rounds to 8 bits between its
        horizontal and vertical pass). torch's `interpolate` gets the values as float32; the result is clamped to 0..255 and rounded.
        """
        return self._call(np.ascontiguousarray(pixels), size)

    def matrices(self, source: tuple[int, int], target: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
        """Coefficients of scaling from `source` (H,W) to `target` (h,w): L (h,H) and R (W,w), so that an image S becomes L S R.

        Recovered from the library by scaling unit vectors in floating point, one direction at a time (Xiao et al., USENIX Security
        2019), and normalised so that the weights of each output pixel sum to 1; float64, read-only. They are the exact float pipeline
        where both directions shrink, or neither does; `resize` differs from them by its rounding.
        """
        return vertical(self, source[0], target[0]), horizontal(self, source[1], target[1])

    def _call(self, values: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        """The library's own call: 8-bit pictures to 8 bits, float pictures (H,W) to floats."""
        height, width = size
        if self.library == "opencv":
            return cv2.resize(values, (width, height), interpolation=getattr(cv2, OPENCV[self.kernel]))
        if self.library == "pillow":
            picture = Image.fromarray(values if values.dtype == np.uint8 else values.astype(np.float32))
            return np.array(picture.resize((width, height), PILLOW[self.kernel]))
        whole = values.dtype == np.uint8
        # float32 throughout: where a position falls between two pixels, nearest-exact depends on the precision.
        planes = torch.from_numpy(values.astype(np.float32))
        planes = planes.permute(2, 0, 1).contiguous() if planes.ndim == 3 else planes[None]
        # With area and the nearest kernels, `antialias` is no option of torch's.
        option = {"antialias": self.antialias} if self.kernel in ("linear", "cubic") else {}
        scaled = F.interpolate(planes[None], size, mode=TORCH[self.kernel], **option)[0]
        scaled = scaled.permute(1, 2, 0) if values.ndim == 3 else scaled[0]
        return (scaled.clamp(0, 255).round().byte() if whole else scaled).contiguous().numpy()


@lru_cache(maxsize=32)
def vertical(scaler: Scaler, source: int, target: int) -> np.ndarray:
    """L (target, source) of `Scaler.matrices`."""
    return normalised(scaler._call(np.eye(source), (target, source)), axis=1)


@lru_cache(maxsize=32)
def horizontal(scaler: Scaler, source: int, target: int) -> np.ndarray:
    """R (source, target) of `Scaler.matrices`."""
    return normalised(scaler._call(np.eye(source), (source, target)), axis=0)


def normalised(weights: np.ndarray, axis: int) -> np.ndarray:
    """Weights that sum to 1 along `axis`, float64, read-only; those below single precision, such as sin(pi) in Lanczos, are 0."""
    weights = np.where(np.abs(weights) < 1e-7, 0, weights.astype(np.float64))
    weights = weights / weights.sum(axis, keepdims=True)
    weights.setflags(write=False)
    return weights


def all_scalers() -> Mapping[str, Scaler]:
    """Every combination that the libraries really have, by key."""
    combinations = [
        *(Scaler("opencv", kernel, kernel == "area") for kernel in OPENCV),
        *(Scaler("pillow", kernel, kernel != "nearest") for kernel in PILLOW),
        *(Scaler("torch", kernel, kernel == "area") for kernel in TORCH),
        *(Scaler("torch", kernel, True) for kernel in ("linear", "cubic")),
    ]
    return {scaler.key: scaler for scaler in combinations}


SCALERS = all_scalers()


def scaler(library: str, kernel: str, antialias: bool | None = None) -> Scaler:
    """The scaler of this name; without `antialias` the library's default. Raises UserError, naming what there is, for any other."""
    found = [each for each in SCALERS.values() if (each.library, each.kernel) == (library, kernel)]
    chosen = [each for each in found if antialias is None or each.antialias == antialias]
    if chosen:
        return chosen[0]
    if found:
        raise UserError(f"{found[0].title} is always {'with' if found[0].antialias else 'without'} antialiasing. Leave that option out.")
    if library in LIBRARIES:
        kernels = dict.fromkeys(each.kernel for each in SCALERS.values() if each.library == library)
        raise UserError(f"{LIBRARIES[library]} has no kernel '{kernel}'. It has {', '.join(kernels)}.")
    raise UserError(f"There is no library '{library}'. Choose one of {', '.join(LIBRARIES)}.")
