"""Pictures of label maps, perturbations, flips and confidence, and lossless PNG bytes of them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from PIL import Image

from segviz.data.eye import Colour
from segviz.data.label_sets import LabelSet
from segviz.deferred import cv2
from segviz.types import VOID

VOID_COLOUR = (150, 150, 150)
FLIP_COLOUR = (255, 140, 0)
BLUE, RED = (33, 102, 172), (178, 24, 43)
LUMA = np.array([4899, 9617, 1868])
"""Red, green and blue in grey, of 2^14: ITU-R BT.601."""
WALL = np.array([(120, 180, 230), (30, 70, 130)])


@dataclass(frozen=True)
class MapLook:
    """How maps look on screen: laid over the photo with `opacity` in [0,1], or alone; in the label set's own colours, or in those made for
    the eye; with a line between classes, and with a pattern for each class.
    """

    on_photo: bool = True
    opacity: float = 0.65
    own_colours: bool = False
    outlines: bool = False
    patterns: bool = False

    def palette(self, label_set: LabelSet) -> Sequence[Colour]:
        """The colours that the classes have on screen."""
        return label_set.palette if self.own_colours else label_set.screen_palette


def colour_map(labels: np.ndarray, palette: Sequence[Colour], shown: set[int] | None = None) -> np.ndarray:
    """Label map (H,W) of class indices to its colours (H,W,3) uint8; void is hatched grey, classes not in `shown` are white."""
    table = np.full((256, 3), VOID_COLOUR, np.uint8)
    table[: len(palette)] = palette
    if shown is not None:
        table[[index for index in range(len(palette)) if index not in shown]] = 255
    picture = table[labels]
    rows, columns = np.indices(labels.shape)
    picture[(labels == VOID) & ((rows + columns) % 6 < 2)] = 90
    return picture


def certified_map(labels: np.ndarray, palette: Sequence[Colour]) -> np.ndarray:
    """A certified map (H,W) to its colours (H,W,3) uint8; white where nothing is certified (255)."""
    picture = colour_map(labels, palette)
    picture[labels == VOID] = 255
    return picture


def seen_map(labels: np.ndarray, label_set: LabelSet, photo: np.ndarray, look: MapLook, shown: set[int] | None = None) -> np.ndarray:
    """Label map (H,W) as it looks on screen, (H,W,3) uint8; the photo (H,W,3) uint8 may lie below it. Every class is tinted alike."""
    picture = colour_map(labels, look.palette(label_set), shown)
    if look.patterns:
        picture[stripes(labels)] //= 2
    if look.on_photo:
        picture = (look.opacity * picture + (1 - look.opacity) * photo).round().astype(np.uint8)
    if look.outlines:
        outline(picture, labels)
    return picture


def stripes(labels: np.ndarray) -> np.ndarray:
    """(H,W) bool: what is darker where classes have patterns: stripes of four directions and two widths, none for class 0."""
    rows, columns = np.indices(labels.shape)
    along = np.choose(labels % 4, (columns - rows, columns, rows, columns + rows))
    return (along % np.where(labels // 4 % 2, 12, 7) < 2) & (labels > 0) & (labels != VOID)


def outline(picture: np.ndarray, labels: np.ndarray) -> None:
    """Draw, into a picture (H,W,3) uint8, where the classes of a map (H,W) meet: black on one side, white on the other."""
    for axis in (0, 1):
        before, after = ((slice(None),) * axis + (part,) for part in (slice(None, -1), slice(1, None)))
        edge = labels[before] != labels[after]
        picture[before][edge] = 0
        picture[after][edge] = 255


def grey(photo: np.ndarray) -> np.ndarray:
    """The photo without colour, (H,W,3) uint8."""
    luma = (photo @ LUMA + 2**13) >> 14
    return np.repeat(luma.astype(np.uint8)[..., None], 3, axis=2)


def full_scale(eps: float, norm: str) -> int:
    """Change in grey levels that gets full colour: eps for L-inf, three times the root mean square for L2; at least 1."""
    return max(math.ceil(eps if norm == "linf" else 3 * eps), 1)


def perturbation(x_adv: np.ndarray, x: np.ndarray, scale: int) -> np.ndarray:
    """Signed change, mean of the three channels, on a diverging scale: blue darker, white unchanged, red brighter.

    Photos are (H,W,3) uint8; the scale is symmetric and saturates at +-`scale` grey levels. Returns (H,W,3) uint8.
    """
    change = (x_adv.astype(np.float32) - x).mean(2) / scale
    fade = 1 - np.abs(change).clip(0, 1)[..., None]
    end = np.where(change[..., None] > 0, np.array(RED, np.float32), np.array(BLUE, np.float32))
    return (fade * 255 + (1 - fade) * end).round().astype(np.uint8)


def perturbation_rgb(x_adv: np.ndarray, x: np.ndarray, scale: int) -> np.ndarray:
    """Signed change per channel about middle grey, which means unchanged; saturates at +-`scale` grey levels. (H,W,3) uint8."""
    change = (x_adv.astype(np.float32) - x) / scale
    return (127.5 + 127.5 * change.clip(-1, 1)).round().astype(np.uint8)


def flipped(before: np.ndarray, after: np.ndarray, photo: np.ndarray) -> np.ndarray:
    """Pixels whose class changed in orange over the darkened photo; maps (H,W), photo (H,W,3) uint8."""
    picture = grey(photo) // 2
    picture[before != after] = FLIP_COLOUR
    return picture


def within(mask: np.ndarray, photo: np.ndarray) -> np.ndarray:
    """The photo (H,W,3) uint8 inside `mask` (H,W) bool, and darkened without colour outside."""
    return np.where(mask[..., None], photo, grey(photo) // 2)


def mixed(front: np.ndarray, back: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Two pictures (H,W,3) uint8, of the front one the `share` (H,W) in [0,1]."""
    share = share[..., None]
    return (share * front + (1 - share) * back).round().astype(np.uint8)


def out_of_focus(photo: np.ndarray) -> np.ndarray:
    """The photo (H,W,3) uint8 out of focus: a Gaussian of a thirtieth of its longer side."""
    return cv2.GaussianBlur(photo, (0, 0), max(photo.shape[:2]) / 30)


def blue_wall(photo: np.ndarray) -> np.ndarray:
    """A picture of the size of the photo, (H,W,3) uint8, that shows a blue wall: lighter above, darker below."""
    fade = np.linspace(0, 1, photo.shape[0])[:, None, None]
    return np.broadcast_to((1 - fade) * WALL[0] + fade * WALL[1], photo.shape).round().astype(np.uint8)


def heat(confidence: np.ndarray) -> np.ndarray:
    """Confidence (H,W) uint8 on the viridis scale: dark 0, yellow 1. Returns (H,W,3) uint8."""
    return cv2.cvtColor(cv2.applyColorMap(confidence, cv2.COLORMAP_VIRIDIS), cv2.COLOR_BGR2RGB)


def flip_times(clean: np.ndarray, looks: Sequence[tuple[float, np.ndarray]], photo: np.ndarray) -> np.ndarray:
    """When each pixel first had another class than in the map `clean` (H,W), over the darkened photo, (H,W,3) uint8.

    `looks` are maps (H,W) in the order of the run, each with its place in it in [0,1]: viridis, dark for the start and yellow for the end.
    """
    picture = grey(photo) // 2
    colours = heat(np.arange(256, dtype=np.uint8)[None])[0]
    for place, prediction in reversed(looks):
        picture[prediction != clean] = colours[round(255 * place)]
    return picture


def spectrum(x_adv: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Spectrum of the change (mean of the channels) between photos (H,W,3) uint8, low frequencies in the middle, (H,W,3) uint8.

    log(1 + magnitude) of the discrete Fourier transform on the viridis scale, yellow for the strongest; all dark without a change.
    """
    change = (x_adv.astype(np.float32) - x).mean(2)
    level = np.log1p(np.abs(np.fft.fftshift(np.fft.fft2(change))))
    return heat((255 * level / max(level.max(), 1e-9)).round().astype(np.uint8))


def lit(weights: np.ndarray, photo: np.ndarray) -> np.ndarray:
    """The dark photo (H,W,3) uint8 without colour, lit where `weights` (H,W), 0 or more, are large: full at their 99th percentile.

    What single pixels weigh is too rough to be seen, so weights are smoothed first, by a Gaussian of a hundredth of the longer side.
    """
    smooth = cv2.GaussianBlur(weights.astype(np.float32), (0, 0), max(max(weights.shape) / 100, 0.1))
    share = (smooth / max(float(np.percentile(smooth, 99)), 1e-12)).clip(0, 1)
    return mixed(heat((255 * share).round().astype(np.uint8)), grey(photo) // 2, share)


def marked(picture: np.ndarray, x: int, y: int) -> np.ndarray:
    """A picture (H,W,3) uint8 with a ring, white in black, about the pixel (x, y)."""
    found = picture.copy()
    radius = max(max(picture.shape[:2]) // 40, 3)
    cv2.circle(found, (x, y), radius, (0, 0, 0), 3, cv2.LINE_AA)
    return cv2.circle(found, (x, y), radius, (255, 255, 255), 1, cv2.LINE_AA)


def png(picture: np.ndarray) -> bytes:
    """Lossless PNG of a picture (H,W,3) RGB or (H,W) grey, uint8."""
    file = BytesIO()
    Image.fromarray(picture).save(file, "PNG", compress_level=1)
    return file.getvalue()


def preview(picture: np.ndarray) -> bytes:
    """Small lossy JPEG of a picture (H,W,3) RGB uint8, a twentieth of the PNG's size: for pictures that are soon replaced."""
    height, width = picture.shape[:2]
    scale = min(1.0, 240 / width)
    small = cv2.resize(picture, (round(width * scale), max(round(height * scale), 1)), interpolation=cv2.INTER_AREA)
    done, data = cv2.imencode(".jpg", cv2.cvtColor(small, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 80])
    assert done
    return data.tobytes()
