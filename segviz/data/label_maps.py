"""Label maps from files and uploads: which ids a file holds, on which pixels of the photo, and what about it looks misread."""

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from segviz.data.eye import Colour
from segviz.data.images import TURNS, Photo, decode, moving, naming, orientation_of, upright
from segviz.data.label_sets import CITYSCAPES19, LABEL_SETS, VOC_SPREAD, LabelSet
from segviz.types import VOID, UserError


@dataclass(frozen=True)
class LabelMap:
    """Class indices (H,W) uint8, 255 for void; `notices` say what about the file looks as if it meant something else."""

    indices: np.ndarray
    notices: tuple[str, ...] = ()


class Stored(NamedTuple):
    """The ids (H,W) uint8 that a file holds, what is to be said of that, and what of the label set confirms them, if anything.

    That is "colours" where they were read by its colours, "palette" where the file's indices have its colours.
    """

    ids: np.ndarray
    notices: tuple[str, ...] = ()
    confirmed: str = ""


def read_label_map(source: Path | bytes, photo: Photo, label_set: LabelSet) -> LabelMap:
    """Decode the label map of a photo and bring it to the photo's working size (nearest).

    It is a PNG of class ids, grey or with a palette, or in the colours of the label set, and as large as the photo, upright or as stored.
    A map that fits only as the photo is stored is turned along with it. Raises UserError for anything else.
    """
    with naming(source):
        image = decode(source, ("PNG",))
        stored = stored_ids(image, source, label_set)
        lying, turned = turned_along(image, photo, label_set)
        ids = np.array(upright(Image.fromarray(stored.ids), lying))
        if ids.shape[::-1] != photo.original:
            raise UserError(
                f"The label map is {ids.shape[1]}x{ids.shape[0]}, the photo {photo.original[0]}x{photo.original[1]}. "
                "They must have the same size."
            )
        found = understood(ids, label_set, stored.confirmed)
    height, width = photo.pixels.shape[:2]
    indices = np.array(Image.fromarray(found.indices).resize((width, height), Image.Resampling.NEAREST))
    return LabelMap(indices, moving(image) + stored.notices + turned + found.notices)


def read_map(source: Path | bytes, label_set: LabelSet) -> LabelMap:
    """Decode a label map that belongs to no photo, at its own size; raises UserError as `read_label_map`."""
    with naming(source):
        image = decode(source, ("PNG",))
        stored = stored_ids(image, source, label_set)
        found = understood(np.array(upright(Image.fromarray(stored.ids), orientation_of(image)[0])), label_set, stored.confirmed)
    return LabelMap(found.indices, moving(image) + stored.notices + found.notices)


def turned_along(image: Image.Image, photo: Photo, label_set: LabelSet) -> tuple[int, tuple[str, ...]]:
    """The EXIF orientation by which a label map is turned so that it lies as the upright photo, and what is to be said of that."""
    own, _ = orientation_of(image)
    if own != 1 or photo.orientation == 1:
        return own, ()
    turn = TURNS[photo.orientation][1]
    stored = photo.original[::-1] if photo.orientation >= 5 else photo.original
    if image.size == stored != photo.original:
        return photo.orientation, (f"The photo's EXIF orientation {turn}; its label map fits as the photo is stored and was turned along.",)
    if stored != photo.original:
        return 1, ()
    if label_set.reading.turned:
        return photo.orientation, (f"The photo's EXIF orientation {turn}; its label map was turned along, as asked for.",)
    return 1, (
        f"The photo's EXIF orientation {turn}; its label map fits either way and is taken to be upright already. "
        "If it lies as the photo is stored, have it turned along (--labels-turned).",
    )


def stored_ids(image: Image.Image, source: Path | bytes, label_set: LabelSet) -> Stored:
    """The ids that a decoded PNG holds; raises UserError where they cannot be told."""
    if image.mode == "P":
        return ids_of_palette(np.array(image), palette_of(image), label_set)
    bits = bits_of(source)
    if image.mode in ("RGB", "RGBA", "LA"):
        if bits == 16:
            raise UserError("The label map has several channels of 16 bits. Save it as one channel of class ids (8-bit grey or palette).")
        pixels = np.array(image)
        if image.mode != "RGB" and (pixels[..., -1] != VOID).any():
            raise UserError("The label map is transparent in places. Save it as one channel of class ids (grey or palette), 255 for void.")
        return Stored(pixels[..., 0].copy()) if image.mode == "LA" else ids_of_colours(pixels[..., :3], label_set)
    if image.mode in ("I;16", "I"):
        values = np.array(image).astype(np.int64)
        if np.isin(values, (0, 0xFFFF)).all():
            values //= 0x101
        if values.max() > VOID:
            raise UserError(f"The label map holds values up to {values.max()}; ids go from 0 to 254, and 255 is void.")
        return Stored(values.astype(np.uint8))
    if image.mode not in ("L", "1"):
        raise UserError(
            f"The label map is a PNG of mode {image.mode}. Expected one channel of class ids (8-bit grey or palette), or the colours of "
            f"{label_set.name}; 255 is void."
        )
    # Pillow spreads the values of 2 and 4 bits over 0 to 255.
    spread = {2: 85, 4: 17}.get(bits, 1)
    ids = np.array(image).astype(np.uint8) // spread
    high = VOID // spread
    if spread == 1 or label_set.reading.mask_class or np.unique(ids).tolist() != [0, high]:
        return Stored(ids)
    said = (
        f"The label map holds 0 and {high} alone, the least and the most that its bits take, as a mask does; {high} is read as "
        f"{label_set.meaning(high)}. If it is another class, say which (--mask-class CLASS)."
    )
    return Stored(ids, (said,))


def bits_of(source: Path | bytes) -> int:
    """Bits per value of a PNG, as its header says."""
    with io.BytesIO(source) if isinstance(source, bytes) else source.open("rb") as file:
        return file.read(25)[24]


def palette_of(image: Image.Image) -> list[Colour]:
    """The 256 colours of a picture with a palette; black where it has fewer."""
    levels = (image.getpalette("RGB") or [])[: 3 * 256]
    levels += [0] * (3 * 256 - len(levels))
    return [(levels[i], levels[i + 1], levels[i + 2]) for i in range(0, 3 * 256, 3)]


def ids_of_palette(indices: np.ndarray, palette: list[Colour], label_set: LabelSet) -> Stored:
    """The ids of a map with a palette: its indices, where the palette agrees, else what its colours stand for.

    A palette agrees that has the label set's own colour at every index, or grey levels equal to the index. Raises UserError where neither
    indices nor colours can be relied upon.
    """
    used = [int(i) for i in np.unique(indices)]
    named = [i for i in used if i != VOID]
    own = label_set.painted
    agreeing = bool(named) and all(palette[i] in own.get(i, ()) for i in named)
    if agreeing or label_set.reading.by == "ids" or all(palette[i] == (i, i, i) for i in named):
        return Stored(indices, confirmed="palette" if agreeing else "")
    if not label_set.reading.by and label_set.colours:
        refuse_palette_of_another(palette, named, label_set)
    known = all(palette[i] in label_set.colours or i == VOID for i in used)
    if known or label_set.reading.by == "colours":
        table = np.array([label_set.colours.get(colour, VOID) for colour in palette], np.uint8)
        table[VOID] = VOID if VOID in used else table[VOID]
        if not known:
            refuse_colours([palette[i] for i in named], label_set)
        said = (
            f"The label map's palette is not in the order of {label_set.name}'s ids; it was read by its colours, which are all "
            f"{label_set.name}'s."
        )
        return Stored(table[indices], (said,), "colours")
    if all(len(set(palette[i])) == 1 for i in used):
        said = "The label map's palette is grey, and not in the order of its levels; the grey levels were taken for the ids."
        return Stored(np.array([colour[0] for colour in palette], np.uint8)[indices], (said,))
    if not label_set.colours and all(palette[i] == VOC_SPREAD[i] for i in named):
        return Stored(indices)
    if not label_set.colours:
        said = (
            f"The label map has a palette, but {label_set.name} has none to compare it with; the palette's indices were taken for the ids."
        )
        return Stored(indices, (said,))
    raise UserError(
        f"The label map's palette is not that of {label_set.name}: index {mismatch(palette, named, own)}. Its indices may be other ids, or "
        "none. Save it with that palette or as grey ids; if the indices are right, say so (--read-labels ids)."
    )


def refuse_palette_of_another(palette: list[Colour], named: list[int], label_set: LabelSet) -> None:
    """Raise UserError where a palette is, index by index, that of another known label set, whose colours may mean something here too."""
    for other in LABEL_SETS.values():
        if len(named) > 1 and other.classes != label_set.classes and all(palette[i] in other.painted.get(i, ()) for i in named):
            raise UserError(
                f"The label map's palette is that of {other.name}, not of {label_set.name}. Choose a model of that label set, or say what "
                "the ids mean (--label-ids SET), or that the colours are meant (--read-labels colours)."
            )


def mismatch(palette: list[Colour], used: list[int], own: Mapping[int, tuple[Colour, ...]]) -> str:
    """The first index whose colour is another one than the label set's, in words."""
    first = next(i for i in used if palette[i] not in own.get(i, ()))
    expected = f"expected {own[first][0]}" if own.get(first) else "which is no id of it"
    return f"{first} is {palette[first]}, {expected}"


def ids_of_colours(pixels: np.ndarray, label_set: LabelSet) -> Stored:
    """The ids of a map in colours (H,W,3): those of the label set, or grey levels that are ids; raises UserError otherwise."""
    packed = (pixels.astype(np.uint32) << np.array([16, 8, 0], np.uint32)).sum(2)
    values, places = np.unique(packed, return_inverse=True)
    colours: list[Colour] = [(int(v) >> 16, int(v) >> 8 & 255, int(v) & 255) for v in values]
    grey = all(len(set(colour)) == 1 for colour in colours)
    if label_set.reading.by == "ids" or (grey and not all(colour in label_set.colours for colour in colours)):
        if not grey:
            raise UserError("The label map is in colours, not in ids. Save it as one channel of class ids (grey or palette), 255 for void.")
        return Stored(pixels[..., 0].copy())
    refuse_colours(colours, label_set)
    table = np.array([label_set.colours[colour] for colour in colours], np.uint8)
    return Stored(table[places.reshape(packed.shape)], confirmed="colours")


def refuse_colours(colours: list[Colour], label_set: LabelSet) -> None:
    """Raise UserError if some of the colours of a map are not the label set's."""
    unknown = [colour for colour in colours if colour not in label_set.colours]
    if not unknown:
        return
    if not label_set.colours:
        raise UserError(
            f"The label map is in colours, but {label_set.name} has no palette. Save it as one channel of class ids, 255 for void."
        )
    others = [other.name for other in LABEL_SETS.values() if all(colour in other.colours for colour in colours)]
    hint = f" They are all colours of {others[0]}." if others else ""
    raise UserError(
        f"The label map is in colours, {len(unknown)} of {len(colours)} of which are not {label_set.name}'s, such as {unknown[0]}.{hint} "
        "Save it without smoothing or compression in that palette, or as one channel of class ids (grey or palette), 255 for void."
    )


def understood(ids: np.ndarray, label_set: LabelSet, confirmed: str) -> LabelMap:
    """Ids (H,W) as classes of the label set, with what makes them look misread; raises UserError for ids that it does not have.

    `confirmed` as in `Stored`.
    """
    values = np.unique(ids)
    thin = thin_rims(ids)
    reading = masked if label_set.reading.mask_class else LabelSet.from_stored
    try:
        indices = reading(label_set, ids)
    except UserError as error:
        hint = ""
        if len(thin):
            hint = f" Its values {few_of(thin)} occur in thin rims only, as JPEG or interpolation makes them: save it losslessly."
        elif len(values) <= 2 and not label_set.reading.mask_class:
            hint = f" If it is a mask, say what {values[-1]} stands for (--mask-class CLASS)."
        raise UserError(f"{error}{hint}") from None
    said = [] if label_set.reading.mask_class else [*of_void(values, indices, label_set, confirmed)]
    if not confirmed:
        said += of_ids(ids, values, label_set)
    if len(thin):
        said.append(
            f"The ids {few_of(thin)} ({np.isin(ids, thin).mean():.1%} of the label map) occur in thin rims only, as JPEG or interpolation "
            "makes them, and count as classes here. Save the map losslessly, and resize it by nearest neighbour."
        )
    return LabelMap(indices, tuple(said))


def of_void(values: np.ndarray, indices: np.ndarray, label_set: LabelSet, confirmed: str) -> Iterator[str]:
    """What is to be said of class indices (H,W) of which many are void or all the same; `values` are those stored."""
    void, counted = (indices == VOID).mean(), [value for value in values.tolist() if label_set.class_of(value) != VOID]
    if values.tolist() == [VOID]:
        yield "Every pixel of the label map is 255, void. If 255 is a class, say which (--mask-class CLASS)."
    elif not counted:
        yield f"Every pixel of the label map is void in {label_set.name}. If it is a mask, say of which class (--mask-class CLASS)."
    elif len(counted) == 1 and not void:
        yield f"Every pixel of the label map is {label_set.meaning(counted[0])}."
    elif len(counted) == 1 and values.tolist() == [*counted, VOID] and not confirmed:
        yield (
            f"The label map holds 255 and {counted[0]} alone, as a mask does, but 255 is void here: {void:.0%} of the pixels do not count, "
            f"and those that do are {label_set.meaning(counted[0])}. If 255 is a class, say which (--mask-class CLASS)."
        )
    elif len(counted) == 1 and confirmed != "palette":
        yield (
            f"All that counts in the label map is {label_set.meaning(counted[0])}; {void:.0%} of it is void. "
            "If it is a mask of another class, say of which (--mask-class CLASS)."
        )
    elif void > 0.5:
        yield f"{void:.0%} of the label map is void and does not count."


def of_ids(ids: np.ndarray, values: np.ndarray, label_set: LabelSet) -> Iterator[str]:
    """What makes ids (H,W) with these `values`, which could be read, look like numbers of something else."""
    named, mask_class = values[values != VOID].tolist(), label_set.reading.mask_class
    meant = " and ".join(label_set.meaning(value) for value in named)
    if mask_class:
        if values.tolist() == [0, 1, VOID]:
            yield f"The label map holds 0, 1 and 255; 1 was read as {mask_class}, and 255 as void."
        return
    if named == [0, 1] and len(label_set.classes) > 2 and label_set.class_of(1) != VOID:
        yield (
            f"The label map holds 0 and 1 alone, as a mask does; they are read as {meant}. "
            "If 1 is another class, say which (--mask-class CLASS)."
        )
    elif named in ([1, 2], [1, 2, 3]) and label_set.meaning(0) == "background":
        yield (
            f"The label map holds {', '.join(map(str, named))} and no 0, as masks do that count from 1; they are read as {meant}. "
            f"If they are not the ids of {label_set.name}, renumber them."
        )
    if label_set.vocabulary == CITYSCAPES19.vocabulary and likelier_label_ids(ids):
        yield (
            "The label map looks like Cityscapes labelIds (7 is road, 11 building), but is read as trainIds (7 is traffic sign, "
            "11 person). If it holds labelIds, say so (--label-ids CityscapesLabelIds)."
        )


def masked(label_set: LabelSet, ids: np.ndarray) -> np.ndarray:
    """A mask (H,W) of one class as class indices: where it is 255, or the higher of two values, it is that class; elsewhere ids are ids.

    Beside 0 and 1 alone, 255 is void, and 1 is the class.
    """
    name, values = label_set.reading.mask_class, np.unique(ids).tolist()
    if name not in label_set.classes:
        raise UserError(f"{label_set.name} has no class '{name}' that a mask could be of. It has {', '.join(label_set.classes)}.")
    high = values[-1] if len(values) <= 2 else VOID
    if values == [0, 1, VOID]:
        high = 1
    indices = label_set.from_stored(np.where(ids == high, VOID, ids))
    indices[ids == high] = label_set.classes.index(name)
    return indices


def thin_rims(ids: np.ndarray) -> np.ndarray:
    """The ids of a map (H,W) that look made by JPEG compression or interpolation: they occur in thin rims only.

    An id that has no 3x3 block of its own is thin. One that lies between lower and higher neighbours nearly everywhere is such a rim; and
    so are all thin ids once there are three, and as many as there are others.
    """
    low, high = least_around(ids, 1), 255 - least_around(255 - ids, 1)
    present = np.bincount(ids.ravel(), minlength=256)
    present[VOID] = 0
    solid = np.bincount(ids[low == high], minlength=256)
    # Rims are up to two pixels wide. What lies beside void is not between two classes.
    classes = np.where(ids == VOID, 0, ids).astype(np.uint8)
    low, high = least_around(ids, 2), 255 - least_around(255 - classes, 2)
    between = np.bincount(ids[(low < ids) & (ids < high)], minlength=256)
    thin = (present > 0) & (solid < 0.02 * present)
    if thin.sum() >= 3 and 2 * thin.sum() >= (present > 0).sum():
        return np.flatnonzero(thin)
    return np.flatnonzero(thin & (present >= 4) & (between >= 0.9 * present))


def least_around(ids: np.ndarray, reach: int) -> np.ndarray:
    """The least value of a map (H,W) in the square of `reach` pixels around each."""
    for axis in (0, 1):
        padded = np.pad(ids, [(reach, reach) if axis == along else (0, 0) for along in (0, 1)], mode="edge")
        ids = np.minimum.reduce([np.take(padded, range(at, at + ids.shape[axis]), axis) for at in range(2 * reach + 1)])
    return ids


# Shares of the pixels of Cityscapes, in ten thousandths, by trainId and by labelId; ids that are absent are rarer than 1.
AS_TRAIN_IDS = (3700, 600, 2280, 70, 90, 120, 20, 60, 1590, 120, 400, 120, 14, 700, 27, 24, 23, 10, 41)
AS_LABEL_IDS = (30, 450, 120, 150, 200, 30, 130, 3260, 540, 60, 20, 2020, 60, 80, 1, 30, 5, 110, 1)


def likelier_label_ids(ids: np.ndarray) -> bool:
    """Whether ids below 19 are far more likely labelIds of Cityscapes than its trainIds, by how large the classes usually are."""
    counts = np.bincount(ids.ravel(), minlength=256)[: len(AS_TRAIN_IDS)]
    if not counts.sum():
        return False
    return bool((counts * np.log(np.divide(AS_LABEL_IDS, AS_TRAIN_IDS))).sum() > counts.sum())


def few_of(values: np.ndarray) -> str:
    """The first few of some ids, in words."""
    shown = ", ".join(map(str, values[:5].tolist()))
    return shown + (", ..." if len(values) > 5 else "")
