"""Photos from files and uploads, checked, upright, in RGB and at a model's working size."""

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

from segviz.limits import PICTURE_PIXELS
from segviz.types import UserError

MAX_BYTES = 10 * 2**20
MIN_SIDE = 32
FORMATS = ("PNG", "JPEG", "WEBP")


TURNS = {
    2: (Image.Transpose.FLIP_LEFT_RIGHT, "mirrors it left to right"),
    3: (Image.Transpose.ROTATE_180, "turns it by 180°"),
    4: (Image.Transpose.FLIP_TOP_BOTTOM, "mirrors it top to bottom"),
    5: (Image.Transpose.TRANSPOSE, "mirrors it along its diagonal"),
    6: (Image.Transpose.ROTATE_270, "turns it clockwise by 90°"),
    7: (Image.Transpose.TRANSVERSE, "mirrors it along its other diagonal"),
    8: (Image.Transpose.ROTATE_90, "turns it counter-clockwise by 90°"),
}
"""What makes a picture upright by its EXIF orientation, and in words."""


@dataclass(frozen=True)
class Photo:
    """A photo at working size: `pixels` (H,W,3) uint8 RGB; `original` is the size (width, height) it came in, upright.

    `orientation` is the EXIF orientation that it was turned upright by, 1 for none. `notices` say what was odd about the file.
    """

    pixels: np.ndarray
    original: tuple[int, int]
    orientation: int = 1
    notices: tuple[str, ...] = ()


def read_photo(source: Path | bytes, long_side: int | None) -> Photo:
    """Decode a PNG, JPEG or WebP picture, turn it upright by its EXIF orientation as far as that can be read, drop all metadata, shrink it.

    The longer side becomes at most `long_side` pixels (Pillow, Lanczos with antialiasing); smaller pictures stay as they are, and with
    None all do.
    Transparency is laid over white. Raises UserError for anything that is no such picture, is broken, too large or too small.
    """
    with naming(source):
        image = decode(source, FORMATS)
        if image.mode.startswith(("I", "F")):
            raise UserError("The picture has more than 8 bits per value. Save it as an ordinary 8-bit PNG or JPEG.")
        orientation, notices = orientation_of(image)
        notices += moving(image)
        image = upright(image, orientation)
        if image.has_transparency_data:
            image = image.convert("RGBA")
            image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
        image = image.convert("RGB")
        original = image.size
        scale = min(1, (long_side or max(original)) / max(original))
        size = (round(original[0] * scale), round(original[1] * scale))
        if min(size) < MIN_SIDE:
            raise UserError(
                f"The picture is {original[0]}x{original[1]}; "
                + (f"at working size ({long_side} px on the long side) " if long_side else "")
                + f"its shorter side must keep at least {MIN_SIDE} px. Take a larger or less elongated picture."
            )
        if size != original:
            image = image.resize(size, Image.Resampling.LANCZOS)
        return Photo(np.array(image), original, orientation, notices)


def orientation_of(image: Image.Image) -> tuple[int, tuple[str, ...]]:
    """The EXIF orientation of a picture, 1 to 8, and a notice where its EXIF data are damaged: no reason to refuse what can be seen."""
    with warnings.catch_warnings(record=True) as raised:
        warnings.simplefilter("always")
        try:
            found = image.getexif().get(ExifTags.Base.Orientation, 1)
            damaged = bool(raised)
        except Exception:
            # What Pillow raises here depends on the bytes in the file.
            found, damaged = 1, True
    orientation = found if type(found) is int and found in TURNS else 1
    damaged |= type(found) is not int
    shown = "as it is stored" if orientation == 1 else "turned as they say"
    return orientation, (f"The photo's EXIF data are damaged; it is shown {shown}.",) if damaged else ()


def moving(image: Image.Image) -> tuple[str, ...]:
    """What is to be said of a picture that holds several: but for those that cameras put behind a photo, only the first was taken."""
    frames = getattr(image, "n_frames", 1)
    return (f"The file holds {frames} pictures; the first was taken.",) if frames > 1 and image.format != "MPO" else ()


def upright(image: Image.Image, orientation: int) -> Image.Image:
    """A picture turned by an EXIF orientation, 1 to 8."""
    return image.transpose(TURNS[orientation][0]) if orientation in TURNS else image


@contextmanager
def naming(source: Path | bytes) -> Iterator[None]:
    """Messages about `source` begin with its path, if it has one: in a folder of thousands they say which file is meant."""
    try:
        yield
    except UserError as error:
        raise UserError(f"{source}: {error}" if isinstance(source, Path) else str(error)) from None


def picture_size(source: Path | bytes) -> tuple[int, int]:
    """Width and height of a picture as it is stored, without decoding it; raises UserError where it cannot be read."""
    with naming(source), opened(source, FORMATS) as image:
        return image.size


def decode(source: Path | bytes, formats: tuple[str, ...]) -> Image.Image:
    """Open and fully decode a picture in one of `formats`; raises UserError with what is wrong."""
    image = opened(source, formats)
    try:
        image.load()
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise UserError(f"The picture is damaged or cut off ({error}). Save it again as {' or '.join(formats)}.") from None
    return image


def opened(source: Path | bytes, formats: tuple[str, ...]) -> Image.Image:
    """A picture in one of `formats` whose pixels are still to be decoded; raises UserError with what is wrong."""
    size = len(source) if isinstance(source, bytes) else file_size(source)
    if size > MAX_BYTES:
        raise UserError(f"The file has {size / 2**20:.1f} MB; at most {MAX_BYTES // 2**20} MB are allowed. Save it smaller or as JPEG.")
    expected = " or ".join(formats)
    try:
        with warnings.catch_warnings():
            # Size is judged below, and damaged metadata in `orientation_of`, with messages of our own.
            warnings.simplefilter("ignore")
            image = Image.open(io.BytesIO(source) if isinstance(source, bytes) else source, formats=formats)
    except Image.DecompressionBombError:
        raise UserError(too_many_pixels()) from None
    except UnidentifiedImageError:
        raise UserError(f"This is not a picture in {expected} format.") from None
    except (OSError, SyntaxError, ValueError) as error:
        raise UserError(f"The picture cannot be opened ({error}). Save it again as {expected}.") from None
    if image.width * image.height > PICTURE_PIXELS.value:
        raise UserError(too_many_pixels(image.size))
    return image


def too_many_pixels(size: tuple[int, int] | None = None) -> str:
    """Message for a picture of too many pixels."""
    shown = f"{size[0]}x{size[1]}" if size else "far too many pixels"
    return f"The picture has {shown}; at most {PICTURE_PIXELS.value / 10**6:g} megapixels are allowed. Scale it down first."


def file_size(path: Path) -> int:
    """Bytes of a file; raises UserError where there is none."""
    if not path.is_file():
        raise UserError("There is no such file.")
    return path.stat().st_size
