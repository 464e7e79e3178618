"""Label sets: class names, colours, how stored label maps are read into them, and which of them translate into which."""

import colorsys
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from segviz.data import ade20k
from segviz.data.eye import Colour, colours_on_screen
from segviz.types import UNSAID, VOID, Reading, UserError

READ_BY = ("", "ids", "colours")


@dataclass(frozen=True)
class LabelSet:
    """Classes of a model.

    `stored_ids` are the ids that label-map files may hold, besides 255 for void; `index_of` maps the ones that are classes of their
    own to class indices (or to 255, void), every other stored id counts as class 0 (background). `vocabulary` stands for what the stored
    ids mean: sets that share it read the same files. `painted` are the colours that files in colours have for the stored ids, and for 255;
    empty for a set whose colours were made up here. `reading` is what a person says of the files. `training_pixels`: how many pixels of
    each class a model was trained on, if known.
    """

    name: str
    classes: tuple[str, ...]
    palette: tuple[Colour, ...]
    stored_ids: Sequence[int] = field(hash=False)
    index_of: dict[int, int] = field(hash=False)
    vocabulary: str = ""
    training_pixels: tuple[float, ...] | None = None
    painted: Mapping[int, tuple[Colour, ...]] = field(default_factory=dict, hash=False)
    reading: Reading = UNSAID

    @property
    def ids(self) -> str:
        """The ids that label maps may hold, for people: "0 to 20" or "0, 8, 12"."""
        first, last = self.stored_ids[0], self.stored_ids[-1]
        return f"{first} to {last}" if len(self.stored_ids) == last - first + 1 else ", ".join(map(str, self.stored_ids))

    @cached_property
    def screen_palette(self) -> tuple[Colour, ...]:
        """The colours of the classes in maps on screen; files in colours hold those of `palette`."""
        return colours_on_screen(self.classes)

    @cached_property
    def colours(self) -> dict[Colour, int]:
        """The stored id of every colour of files that stands for one class, or for void, alone."""
        ids: dict[Colour, list[int]] = {}
        for stored, colours in self.painted.items():
            for colour in colours:
                ids.setdefault(colour, []).append(stored)
        return {colour: found[0] for colour, found in ids.items() if len({self.class_of(stored) for stored in found}) == 1}

    def class_of(self, stored: int) -> int:
        """The class index that a stored id counts as, or 255."""
        return VOID if stored == VOID else self.index_of.get(stored, 0)

    def meaning(self, stored: int) -> str:
        """The class that a stored id counts as, in words."""
        index = self.class_of(int(stored))
        return "void" if index == VOID else self.classes[index]

    def from_stored(self, stored: np.ndarray) -> np.ndarray:
        """Stored label map (H,W) of integers to class indices (H,W) uint8 with 255 for void.

        Raises UserError where the map holds ids that are neither in `stored_ids` nor 255, and where 8 bits do not take the classes.
        """
        if len(self.classes) > VOID:
            raise UserError(f"{self.name} has {len(self.classes)} classes; a label map of 8 bits takes at most {VOID}, besides void.")
        unknown = sorted(set(np.unique(stored).tolist()) - set(self.stored_ids) - {VOID})
        if unknown:
            shown = ", ".join(map(str, unknown[:5])) + (", ..." if len(unknown) > 5 else "")
            raise UserError(
                f"The label map holds the values {shown}, which are no ids of {self.name}. Expected {self.ids} and {VOID} for void."
            )
        table = np.full(256, VOID, np.uint8)
        known = [i for i in self.stored_ids if i < VOID]
        table[known] = [self.index_of.get(i, 0) for i in known]
        return table[stored]

    def for_files_of(self, stored: "LabelSet") -> "LabelSet":
        """These classes, read from label maps whose ids are those of `stored`; raises UserError as `translation`."""
        if stored.vocabulary == self.vocabulary:
            return self if stored.reading == self.reading else replace(self, reading=stored.reading)
        table = (*translation(stored, self), *[VOID] * (VOID + 1 - len(stored.classes)))
        index_of = {i: table[stored.index_of.get(i, 0)] for i in stored.stored_ids}
        described = {name: getattr(stored, name) for name in ("stored_ids", "vocabulary", "painted", "reading")}
        return replace(self, index_of=index_of, **described)


def plain_label_set(name: str, classes: Sequence[str], palette: Sequence[Colour] | None = None) -> LabelSet:
    """A label set whose files hold class indices; without a palette, colours are generated."""
    return described_label_set(name, classes, palette, range(len(classes)))


def described_label_set(name: str, classes: Sequence[str], palette: Sequence[Colour] | None, ids: Sequence[int]) -> LabelSet:
    """A label set from the id of each class in label maps. Its vocabulary is all of that, as anyone may give two sets the same name."""
    painted = paint(palette, ids) if palette else {}
    palette = palette or generated_palette(len(classes))
    vocabulary = ", ".join(f"{stored} {meaning}" for stored, meaning in sorted(zip(ids, classes, strict=True)))
    index_of = {stored: index for index, stored in enumerate(ids)}
    return LabelSet(name, tuple(classes), tuple(palette), tuple(sorted(ids)), index_of, vocabulary, painted=painted)


def paint(palette: Sequence[Colour], ids: Sequence[int], void: Sequence[Colour] = (), void_id: int = VOID) -> dict[int, tuple[Colour, ...]]:
    """The colour of each stored id, and those of void."""
    return {**{stored: (colour,) for stored, colour in zip(ids, palette, strict=True)}, void_id: tuple(void)}


def generated_palette(count: int) -> tuple[Colour, ...]:
    """Colours that differ, for classes that have none: hues a golden angle apart at three levels of brightness."""
    hues = ((index * 0.381966) % 1 for index in range(count))
    tones = (colorsys.hsv_to_rgb(hue, 0.75, (0.95, 0.7, 0.5)[index % 3]) for index, hue in enumerate(hues))
    return tuple((round(255 * r), round(255 * g), round(255 * b)) for r, g, b in tones)


def hex_palette(text: str) -> tuple[Colour, ...]:
    """Colours written as rrggbb words."""
    return tuple((int(word[:2], 16), int(word[2:4], 16), int(word[4:], 16)) for word in text.split())


def level_at(index: int, channel: int) -> int:
    """The level of a colour channel that the palette of VOC has at an index: every third bit of it, the lowest first."""
    return sum((index >> (3 * place + channel) & 1) << (7 - place) for place in range(3))


def words(text: str) -> tuple[str, ...]:
    """Names separated by commas."""
    return tuple(" ".join(name.split()) for name in text.split(","))


VOC_NAMES = words(
    "background, aeroplane, bicycle, bird, boat, bottle, bus, car, cat, chair, cow, diningtable, dog, horse, motorbike, person, "
    "pottedplant, sheep, sofa, train, tvmonitor"
)
VOC_COLOURS = hex_palette(
    "000000 800000 008000 808000 000080 800080 008080 808080 400000 c00000 408000 c08000 400080 c00080 408080 c08080 004000 804000 "
    "00c000 80c000 004080"
)
VOC7_IDS = (0, 8, 10, 12, 13, 15, 17)

# The palette of VOC spreads the bits of an index over the three colours; it is used for ids of any kind.
VOC_SPREAD = tuple((level_at(index, 0), level_at(index, 1), level_at(index, 2)) for index in range(256))
VOC_FILES = paint(VOC_COLOURS, range(21), hex_palette("e0e0c0"))

VOC21 = LabelSet("VOC21", VOC_NAMES, VOC_COLOURS, range(21), {index: index for index in range(21)}, "VOC", painted=VOC_FILES)

VOC7 = LabelSet(
    name="VOC7",
    classes=tuple(VOC_NAMES[voc_id] for voc_id in VOC7_IDS),
    palette=tuple(VOC_COLOURS[voc_id] for voc_id in VOC7_IDS),
    stored_ids=range(21),
    index_of={voc_id: index for index, voc_id in enumerate(VOC7_IDS)},
    vocabulary="VOC",
    training_pixels=(130604624, 20730594, 3458462, 18508673, 5784097, 5716235, 3849981),
    painted=VOC_FILES,
)

PERSON2 = LabelSet(
    name="Person2",
    classes=("background", "person"),
    palette=(VOC_COLOURS[0], VOC_COLOURS[15]),
    stored_ids=range(21),
    index_of={0: 0, 15: 1},
    vocabulary="VOC",
    painted=VOC_FILES,
)
"""People and everything else, in label maps of VOC ids."""

TRAIN_IDS = plain_label_set(
    "Cityscapes19",
    words(
        "road, sidewalk, building, wall, fence, pole, traffic light, traffic sign, vegetation, terrain, sky, person, rider, car, truck, "
        "bus, train, motorcycle, bicycle"
    ),
    hex_palette(
        "804080 f423e8 464646 66669c be9999 999999 faaa1e dcdc00 6b8e23 98fb98 4682b4 dc143c ff0000 00008e 000046 003c64 005064 0000e6 "
        "770b20"
    ),
)
# What maps in colours paint the classes with that are void as trainIds.
CITYSCAPES_VOID = hex_palette("000000 6f4a00 510051 faaaa0 e6968c b4a5b4 966464 96785a 00005a 00006e")

CITYSCAPES19 = replace(TRAIN_IDS, painted=paint(TRAIN_IDS.palette, range(19), CITYSCAPES_VOID))
"""Label maps hold trainIds."""

LABEL_IDS = (7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33)

CITYSCAPES_LABEL_IDS = replace(
    CITYSCAPES19,
    name="CityscapesLabelIds",
    stored_ids=range(34),
    index_of={**dict.fromkeys(range(34), VOID), **{stored: index for index, stored in enumerate(LABEL_IDS)}},
    vocabulary="Cityscapes labelIds",
    painted=paint(CITYSCAPES19.palette, LABEL_IDS, CITYSCAPES_VOID),
)
"""The same classes, from label maps that hold labelIds."""

CAMVID_COLOURS = hex_palette("808080 800000 c0c080 804080 3c28de 808000 c08080 404080 400080 404000 0080c0")

CAMVID11 = LabelSet(
    name="CamVid11",
    classes=words("sky, building, pole, road, pavement, tree, sign, fence, car, pedestrian, bicyclist"),
    palette=CAMVID_COLOURS,
    stored_ids=range(12),
    # The distributed maps mark unlabelled pixels with 11.
    index_of={**{index: index for index in range(11)}, 11: VOID},
    vocabulary="CamVid11",
    painted=paint(CAMVID_COLOURS, range(11), hex_palette("000000"), 11),
)

ADE20K150 = LabelSet(
    name="ADE20K150",
    classes=words(ade20k.NAMES),
    palette=hex_palette(ade20k.COLOURS),
    stored_ids=range(151),
    # 0 stands for "other objects", which the benchmark does not count.
    index_of={0: VOID, **{index + 1: index for index in range(150)}},
    vocabulary="ADE20K150",
    painted=paint(hex_palette(ade20k.COLOURS), range(1, 151), hex_palette("000000"), 0),
)

LABEL_SETS = {label_set.name: label_set for label_set in (VOC7, VOC21, PERSON2, CITYSCAPES19, CITYSCAPES_LABEL_IDS, CAMVID11, ADE20K150)}

CITYSCAPES_TO_CAMVID = {
    "sky": "sky",
    "building": "building wall",
    "pole": "pole",
    "road": "road",
    "pavement": "sidewalk",
    "tree": "vegetation terrain",
    "sign": "traffic-light traffic-sign",
    "fence": "fence",
    "car": "car truck bus train",
    "pedestrian": "person",
    "bicyclist": "rider bicycle motorcycle",
}
"""CamVid class to the Cityscapes classes that it takes in."""


def translation(source: LabelSet, target: LabelSet) -> tuple[int, ...]:
    """The index in `target` of every class of `source`; raises UserError where there is no meaningful mapping.

    VOC21 goes to VOC7, both to Person2 (classes that the target lacks become background) and Cityscapes19 to CamVid11; every set goes to
    one of the same classes.
    """
    if source.classes == target.classes:
        return tuple(range(len(source.classes)))
    if source.vocabulary == target.vocabulary == "VOC" and set(target.classes) < set(source.classes):
        return tuple(target.classes.index(name) if name in target.classes else 0 for name in source.classes)
    if source.classes == CITYSCAPES19.classes and target.name == CAMVID11.name:
        taken = {part.replace("-", " "): name for name, parts in CITYSCAPES_TO_CAMVID.items() for part in parts.split()}
        return tuple(CAMVID11.classes.index(taken[name]) for name in CITYSCAPES19.classes)
    raise UserError(
        f"The classes of {source.name} have no meaningful counterpart in {target.name}. "
        "VOC21 translates to VOC7, both to Person2, and Cityscapes19 to CamVid11; choose a model or a data set of one label set."
    )


def label_set_named(name: str) -> LabelSet:
    """A label set by its name, whatever its case; raises UserError for an unknown one."""
    found = {known.lower(): label_set for known, label_set in LABEL_SETS.items()}.get(name.lower())
    if found is None:
        raise UserError(f"Unknown label set '{name}'. Known: {', '.join(LABEL_SETS)}.")
    return found


def read_label_file(source: str, folder: Path = Path()) -> LabelSet:
    """A label set from its name, or from a TOML file (relative to `folder`).

    The file holds `classes` (names), and if wanted `name`, `palette` ([r, g, b] per class) and `ids` (the id per class in label maps;
    by default their position); and what `Reading` is made of: `mask_class`, `read_labels`, `labels_turned`. Raises UserError where the
    file is missing or says something else.
    """
    if source.lower() in {name.lower() for name in LABEL_SETS}:
        return label_set_named(source)
    path = folder / source
    if not path.is_file():
        raise UserError(f"There is no label file {path}. Give a TOML file with classes = [...], or one of {', '.join(LABEL_SETS)}.")
    try:
        table = tomllib.loads(path.read_text())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"The label file {path} is no TOML: {error}.") from None
    classes = table.get("classes")
    if not isinstance(classes, list) or not all(isinstance(name, str) for name in classes) or not 2 <= len(classes) <= 255:
        raise UserError(f"The label file {path} needs classes = [...], a list of 2 to 255 names.")
    palette = table.get("palette")
    if palette is not None and not (isinstance(palette, list) and len(palette) == len(classes) and all(map(is_colour, palette))):
        raise UserError(f"palette in {path} must hold one [r, g, b] of 0 to 255 for each of the {len(classes)} classes.")
    ids = table.get("ids", list(range(len(classes))))
    right = isinstance(ids, list) and all(isinstance(i, int) and 0 <= i < VOID for i in ids)
    if not right or len(set(ids)) != len(classes):
        raise UserError(f"ids in {path} must hold one id of 0 to 254 for each of the {len(classes)} classes, each once.")
    name = str(table.get("name", path.stem))
    described = described_label_set(name, classes, [(r, g, b) for r, g, b in palette] if palette else None, ids)
    return replace(described, reading=read_reading(table, path))


def read_reading(table: dict[str, Any], path: Path) -> Reading:
    """What a label file at `path` says of label maps; raises UserError where it is something else."""
    mask, by, turned = table.get("mask_class", ""), table.get("read_labels", ""), table.get("labels_turned", False)
    if mask and mask not in table["classes"]:
        raise UserError(f"mask_class = {mask!r} in {path} is none of its classes.")
    if by not in READ_BY:
        raise UserError(f"read_labels = {by!r} in {path} must be 'ids' or 'colours'.")
    if not isinstance(turned, bool):
        raise UserError(f"labels_turned = {turned!r} in {path} must be true or false.")
    return Reading(mask, by, turned)


def is_colour(value: object) -> bool:
    """Whether a value from a file is [r, g, b]."""
    return isinstance(value, list) and len(value) == 3 and all(isinstance(level, int) and 0 <= level <= 255 for level in value)
