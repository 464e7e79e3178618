"""Label maps as people really bring them: what is read from them, what is said of them, what is refused."""

import io
import zlib
from dataclasses import replace

import cv2
import numpy as np
import pytest
from PIL import Image

from segviz.data.images import TURNS, Photo, read_photo
from segviz.data.label_maps import read_label_map, read_map
from segviz.data.label_sets import ADE20K150, CAMVID11, CITYSCAPES19, CITYSCAPES_LABEL_IDS, VOC7, VOC21, plain_label_set
from segviz.data.samples import samples
from segviz.types import VOID, Reading, UserError

PETS = plain_label_set("pets", ["ground", "cat", "dog"])


def png(image: Image.Image | np.ndarray, **options: object) -> bytes:
    data = io.BytesIO()
    (Image.fromarray(image) if isinstance(image, np.ndarray) else image).save(data, "PNG", **options)
    return data.getvalue()


def with_palette(indices: np.ndarray, palette: dict[int, tuple[int, int, int]]) -> bytes:
    image = Image.fromarray(indices.astype(np.uint8), "P")
    colours = [palette.get(index, (0, 0, 0)) for index in range(256)]
    image.putpalette([level for colour in colours for level in colour])
    return png(image)


def in_halves(left: int, right: int, height: int = 40, width: int = 60) -> np.ndarray:
    ids = np.full((height, width), left, np.uint8)
    ids[:, width // 2 :] = right
    return ids


def photo_of(ids: np.ndarray, orientation: int = 1) -> Photo:
    return Photo(np.zeros((*ids.shape, 3), np.uint8), ids.shape[::-1], orientation)


def test_maps_follow_the_photo():
    ids = np.zeros((100, 200), np.uint8)
    ids[:, 100:] = 12
    ids[:10] = 255
    found = read_label_map(png(ids), Photo(np.zeros((50, 100, 3), np.uint8), (200, 100)), VOC21)
    assert found.indices.shape == (50, 100)
    assert np.unique(found.indices).tolist() == [0, 12, 255]
    assert (found.indices[20:, :50] == 0).all()
    assert (found.indices[20:, 50:] == 12).all()
    assert found.notices == ()


@pytest.mark.parametrize("label_set", [VOC7, VOC21])
def test_nothing_is_said_of_maps_in_which_all_is_well(label_set):
    for sample in samples().values():
        assert read_label_map(sample.labels, read_photo(sample.photo, 320), label_set).notices == ()


def test_a_mask_of_0_and_255_is_said_to_be_one():
    ids = in_halves(0, 255)
    (notice,) = read_label_map(png(ids), photo_of(ids), VOC7).notices
    assert "holds 255 and 0 alone, as a mask does" in notice
    assert "50% of the pixels do not count, and those that do are background" in notice
    assert "255 and 0 alone" in read_map(png(ids), VOC7).notices[0]
    mask = replace(VOC7, reading=Reading(mask_class="cat"))
    found = read_label_map(png(ids), photo_of(ids), mask)
    assert found.indices.tolist() == in_halves(0, VOC7.classes.index("cat")).tolist()
    assert found.notices == ()
    with pytest.raises(UserError, match="VOC7 has no class 'unicorn'"):
        read_map(png(ids), replace(VOC7, reading=Reading(mask_class="unicorn")))


@pytest.mark.parametrize("stored", [in_halves(0, 1), in_halves(0, 1).astype(bool)], ids=["8 bits", "1 bit"])
def test_a_mask_of_0_and_1_is_said_to_be_one(stored):
    found = read_map(png(stored), VOC21)
    assert np.unique(found.indices).tolist() == [0, 1]
    assert "read as background and aeroplane" in found.notices[0]
    as_cat = read_map(png(stored), replace(VOC21, reading=Reading(mask_class="cat")))
    assert np.unique(as_cat.indices).tolist() == [0, 8]
    assert as_cat.notices == ()


def test_a_mask_of_0_and_1_with_void_around_it_is_said_to_be_one():
    ids = np.repeat(np.array([0, 1, 255], np.uint8), 20)[None].repeat(40, 0)
    assert "read as background and aeroplane" in read_map(png(ids), VOC21).notices[0]
    as_cat = read_map(png(ids), replace(VOC21, reading=Reading(mask_class="cat")))
    assert np.unique(as_cat.indices).tolist() == [0, 8, VOID]
    assert "1 was read as cat, and 255 as void" in as_cat.notices[0]
    # An aeroplane in the palette of VOC is one.
    assert read_map(with_palette(ids, {**dict(enumerate(VOC21.palette)), 255: (224, 224, 192)}), VOC21).notices == ()


def test_masks_that_count_from_1_are_said_to_be_such():
    trimap = np.repeat(np.array([1, 2, 3], np.uint8), 20)[None].repeat(40, 0)
    assert "as masks do that count from 1; they are read as aeroplane and bicycle and bird" in read_map(png(trimap), VOC21).notices[0]


def test_maps_of_which_one_class_alone_counts_say_so():
    assert "All that counts in the label map is animal; 50% of it is void" in read_map(png(in_halves(0, 127)), ADE20K150).notices[0]
    assert np.unique(read_map(png(in_halves(0, 127)), replace(ADE20K150, reading=Reading(mask_class="wall"))).indices).tolist() == [0, VOID]
    assert read_map(png(in_halves(0, 0)), VOC21).notices == ("Every pixel of the label map is background.",)
    assert "is void in ADE20K150. If it is a mask" in read_map(png(in_halves(0, 255)), ADE20K150).notices[0]
    # Black and red are void and rider of Cityscapes, and a mask.
    red = np.dstack([in_halves(0, 255), in_halves(0, 0), in_halves(0, 0)])
    (notice,) = read_map(png(red), CITYSCAPES19).notices
    assert "All that counts in the label map is rider" in notice


def test_a_mask_whose_value_is_no_id_offers_to_name_it():
    with pytest.raises(UserError, match=r"values 128, which are no ids of VOC7.*say what 128 stands for"):
        read_map(png(in_halves(0, 128)), VOC7)
    as_cat = read_map(png(in_halves(0, 128)), replace(VOC7, reading=Reading(mask_class="cat")))
    assert np.unique(as_cat.indices).tolist() == [0, 1]


def test_maps_that_are_void_for_the_most_part_say_so():
    ids = in_halves(255, 255)
    ids[:10, :20], ids[10:20, :20] = 8, 15
    assert read_map(png(ids), VOC21).notices == ("83% of the label map is void and does not count.",)
    ids = in_halves(0, 0)
    ids[:10], ids[10:15] = 1, 2
    assert read_map(png(ids), ADE20K150).notices == ("62% of the label map is void and does not count.",)
    (notice,) = read_map(png(in_halves(255, 255)), VOC21).notices
    assert "Every pixel of the label map is 255, void" in notice


def test_palettes_of_the_label_set_leave_indices_as_ids():
    ids = in_halves(8, 15)
    ids[0] = 255
    for label_set in (VOC7, VOC21):
        found = read_map(with_palette(ids, {**dict(enumerate(VOC21.palette)), 255: (224, 224, 192)}), label_set)
        assert found.indices.tolist() == label_set.from_stored(ids).tolist()
        assert found.notices == ()
    assert read_map(with_palette(ids, {i: (i, i, i) for i in range(256)}), VOC21).notices == ()
    camvid = in_halves(3, 11)
    assert read_map(with_palette(camvid, dict(enumerate((*CAMVID11.palette, (0, 0, 0))))), CAMVID11).notices == ()
    scenes = in_halves(5, 49)
    palette = {index + 1: colour for index, colour in enumerate(ADE20K150.palette)}
    assert np.unique(read_map(with_palette(scenes, palette), ADE20K150).indices).tolist() == [4, 48]


def test_palettes_in_another_order_are_read_by_colour():
    colours = np.array([*VOC21.palette], np.uint8)[in_halves(8, 15)]
    quantised = Image.fromarray(colours).quantize(4)
    found = read_map(png(quantised), VOC21)
    assert found.indices.tolist() == in_halves(8, 15).tolist()
    assert "read by its colours" in found.notices[0]
    swapped = with_palette(in_halves(8, 15), {8: VOC21.palette[15], 15: VOC21.palette[8]})
    assert read_map(swapped, VOC21).indices.tolist() == in_halves(15, 8).tolist()
    assert read_map(swapped, replace(VOC21, reading=Reading(by="ids"))).indices.tolist() == in_halves(8, 15).tolist()


def test_grey_palettes_in_another_order_are_read_by_level():
    found = read_map(with_palette(in_halves(0, 1), {0: (8, 8, 8), 1: (15, 15, 15)}), VOC21)
    assert found.indices.tolist() == in_halves(8, 15).tolist()


def test_the_palette_of_another_label_set_is_refused_even_where_its_colours_mean_something():
    voc = with_palette(in_halves(0, 15), dict(enumerate(VOC21.palette)))
    with pytest.raises(UserError, match="palette is that of VOC7, not of CamVid11"):
        read_map(voc, CAMVID11)
    found = read_map(voc, replace(CAMVID11, reading=Reading(by="colours")))
    assert np.unique(found.indices).tolist() == [6, VOID]


def test_palettes_of_something_else_are_refused():
    odd = with_palette(in_halves(0, 1), {0: (1, 2, 3), 1: (200, 100, 7)})
    with pytest.raises(UserError, match=r"not that of VOC21: index 0 is \(1, 2, 3\), expected \(0, 0, 0\).*--read-labels ids"):
        read_map(odd, VOC21)
    with pytest.raises(UserError, match="that of VOC7, not of Cityscapes19"):
        read_map(with_palette(in_halves(8, 15), dict(enumerate(VOC21.palette))), CITYSCAPES19)
    # A set without colours of its own has nothing to compare with.
    found = read_map(odd, PETS)
    assert np.unique(found.indices).tolist() == [0, 1]
    assert "pets has none to compare it with" in found.notices[0]
    assert read_map(with_palette(in_halves(1, 2), dict(enumerate(VOC21.palette))), PETS).notices == ()


@pytest.mark.parametrize(
    ("label_set", "ids", "expected"),
    [
        (VOC21, in_halves(8, 255), (8, VOID)),
        (VOC7, in_halves(8, 15), (1, 5)),
        (CITYSCAPES19, in_halves(0, 13), (0, 13)),
        (CITYSCAPES_LABEL_IDS, in_halves(7, 26), (0, 13)),
        (CAMVID11, in_halves(3, 8), (3, 8)),
        (ADE20K150, in_halves(3, 13), (2, 12)),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_maps_in_colours_of_a_known_palette(label_set, ids, expected):
    table = np.zeros((256, 3), np.uint8)
    for stored, colours in label_set.painted.items():
        if colours:
            table[stored] = colours[0]
    pixels = table[ids]
    opaque = np.dstack([pixels, np.full(ids.shape, 255, np.uint8)])
    for image in (pixels, opaque):
        assert read_map(png(image), label_set).indices.tolist() == in_halves(*expected).tolist()


def test_colours_of_something_else_are_refused():
    colours = np.array([*CITYSCAPES19.palette], np.uint8)[in_halves(0, 13)]
    with pytest.raises(UserError, match=r"2 of 2 of which are not VOC7's.*all colours of Cityscapes19"):
        read_map(png(colours), VOC7)
    with pytest.raises(UserError, match="pets has no palette"):
        read_map(png(colours), PETS)
    smooth = cv2.resize(np.array([*VOC21.palette], np.uint8)[in_halves(8, 15)], (90, 60))
    with pytest.raises(UserError, match="without smoothing"):
        read_map(png(smooth), VOC21)
    half = np.dstack([colours, np.full(colours.shape[:2], 128, np.uint8)])
    with pytest.raises(UserError, match="transparent"):
        read_map(png(half), CITYSCAPES19)


def test_grey_maps_in_three_channels_are_ids():
    ids = in_halves(8, 15)
    assert read_map(png(np.dstack([ids] * 3)), VOC21).indices.tolist() == ids.tolist()


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_grey_maps_of_few_bits_hold_the_ids_in_the_file(bits):
    high = 2**bits - 1
    packed = Image.fromarray(in_halves(0, high), "P")
    packed.putpalette([0, 0, 0] * 256)
    data = bytearray(png(packed, bits=bits))
    assert data[24] == bits
    # Grey in place of a palette: another colour type, and no palette.
    start = data.index(b"PLTE") - 4
    end = start + 12 + int.from_bytes(data[start : start + 4], "big")
    data[start:end] = b""
    data[25] = 0
    data[29:33] = zlib.crc32(bytes(data[12:29])).to_bytes(4, "big")
    found = read_map(bytes(data), VOC21)
    assert np.unique(found.indices).tolist() == [0, high]
    assert f"holds 0 and {high} alone" in found.notices[0]
    as_cat = read_map(bytes(data), replace(VOC21, reading=Reading(mask_class="cat")))
    assert np.unique(as_cat.indices).tolist() == [0, 8]
    assert as_cat.notices == ()


def test_maps_of_16_bits():
    assert np.unique(read_map(png(in_halves(8, 15).astype(np.uint16)), VOC21).indices).tolist() == [8, 15]
    with pytest.raises(UserError, match="values up to 257"):
        read_map(png(in_halves(0, 1).astype(np.uint16) * 257), VOC21)
    # The least and the most are a mask's, whatever the bits.
    full = png(in_halves(0, 1).astype(np.uint16) * 65535)
    assert "holds 255 and 0 alone" in read_map(full, VOC21).notices[0]
    assert np.unique(read_map(full, replace(VOC21, reading=Reading(mask_class="cat"))).indices).tolist() == [0, 8]
    # Of three channels of 16 bits only the higher bytes would be seen, which are 0 for all ids.
    with pytest.raises(UserError, match="several channels of 16 bits"):
        read_map(cv2.imencode(".png", np.dstack([in_halves(8, 15).astype(np.uint16)] * 3))[1].tobytes(), VOC21)


def test_ids_from_jpeg_or_interpolation_are_recognised():
    ids = in_halves(0, 8, 80, 120)
    ids[20:60, 20:50] = 15
    buffer = io.BytesIO()
    Image.fromarray(ids).save(buffer, "JPEG", quality=60)
    jpeg = np.minimum(np.asarray(Image.open(buffer)), 20)
    assert any("thin rims only" in notice for notice in read_map(png(jpeg), VOC21).notices)
    # Few classes make few rims: 1 between 0 and 2.
    few = cv2.resize(in_halves(0, 2, 80, 120), (240, 160), interpolation=cv2.INTER_LINEAR)
    assert any("The ids 1 " in notice for notice in read_map(png(few), PETS).notices)
    smooth = cv2.resize(in_halves(0, 255, 80, 120), (180, 120), interpolation=cv2.INTER_CUBIC)
    with pytest.raises(UserError, match="thin rims only"):
        read_map(png(smooth), VOC21)
    # Void around things is no such rim, and nor is a thin thing.
    ids[:, 59:61] = 255
    ids[5:70, 100] = 3
    assert read_map(png(ids), VOC21).notices == ()


def corner(height: int = 40, width: int = 60) -> np.ndarray:
    ids = np.zeros((height, width), np.uint8)
    ids[: height // 4, : width // 3] = 12
    return ids


def turned_photo(orientation: int, height: int = 40, width: int = 60) -> Photo:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = io.BytesIO()
    Image.new("RGB", (width, height)).save(data, "JPEG", exif=exif)
    return read_photo(data.getvalue(), 320)


@pytest.mark.parametrize("orientation", range(2, 9))
def test_a_map_that_lies_as_the_photo_is_stored_goes_along(orientation):
    photo = turned_photo(orientation)
    wanted = np.asarray(Image.fromarray(corner()).transpose(TURNS[orientation][0]))
    turn = TURNS[orientation][1]
    as_stored = read_label_map(png(corner()), photo, VOC21)
    assert turn in as_stored.notices[0]
    if orientation >= 5:
        assert as_stored.indices.tolist() == wanted.tolist()
        assert "turned along" in as_stored.notices[0]
        upright = read_label_map(png(wanted), photo, VOC21)
        assert upright.indices.tolist() == wanted.tolist()
        assert upright.notices == ()
    else:
        assert as_stored.indices.tolist() == corner().tolist()
        assert "fits either way" in as_stored.notices[0]
        along = read_label_map(png(corner()), photo, replace(VOC21, reading=Reading(turned=True)))
        assert along.indices.tolist() == wanted.tolist()


def test_a_square_map_fits_either_way():
    photo = turned_photo(6, 50, 50)
    assert "fits either way" in read_label_map(png(corner(50, 50)), photo, VOC21).notices[0]


@pytest.mark.parametrize("orientation", range(2, 9))
def test_the_exif_of_a_map_counts(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    found = read_label_map(png(corner(), exif=exif), turned_photo(orientation), VOC21)
    assert found.indices.tolist() == np.asarray(Image.fromarray(corner()).transpose(TURNS[orientation][0])).tolist()
    assert found.notices == ()


@pytest.mark.parametrize("values", [(7, 11, 17), (7, 8), (7, 8, 11), (11, 17), (8, 11, 12)])
def test_label_ids_of_cityscapes_below_19_are_asked_about(values):
    ids = np.repeat(np.array(values, np.uint8), 20)[None].repeat(30, 0)
    assert any("looks like Cityscapes labelIds" in notice for notice in read_map(png(ids), CITYSCAPES19).notices)
    read = read_map(png(ids), CITYSCAPES19.for_files_of(CITYSCAPES_LABEL_IDS))
    assert read.notices == ()
    assert read.indices.tolist() == CITYSCAPES_LABEL_IDS.from_stored(ids).tolist()


@pytest.mark.parametrize("values", [(0, 1, 2), (0, 2, 8, 10, 13), (2, 8, 11), (8, 10), (0, 0, 0, 7), (1, 2, 11), (8, 9, 13)])
def test_train_ids_of_streets_are_not(values):
    ids = np.repeat(np.array(values, np.uint8), 20)[None].repeat(30, 0)
    assert read_map(png(ids), CITYSCAPES19).notices == ()


def test_more_than_255_classes_get_a_message():
    many = plain_label_set("many", [f"class {index}" for index in range(300)])
    with pytest.raises(UserError, match="many has 300 classes; a label map of 8 bits takes at most 255"):
        read_map(png(in_halves(0, 8)), many)


def test_wrong_maps_get_a_message():
    with pytest.raises(UserError, match="same size"):
        read_label_map(png(in_halves(0, 8)), Photo(np.zeros((50, 100, 3), np.uint8), (200, 100)), VOC21)
    with pytest.raises(UserError, match="transparent"):
        read_map(png(Image.new("LA", (40, 40))), VOC21)
