"""Photos and label maps as people really bring them."""

import io

import numpy as np
import pytest
from PIL import Image

from segviz.data.datasets import labelled_pairs
from segviz.data.images import read_photo
from segviz.data.label_sets import VOC7
from segviz.types import UserError


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    data = io.BytesIO()
    image.save(data, kind, **options)
    return data.getvalue()


@pytest.fixture
def gradient() -> Image.Image:
    rows, columns = np.indices((60, 100))
    return Image.fromarray(np.stack([rows * 4, columns * 2, rows + columns], 2).astype(np.uint8))


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_small_pictures_stay_as_they_are(gradient, kind):
    photo = read_photo(encoded(gradient, kind, lossless=True), 320)
    assert np.array_equal(photo.pixels, np.asarray(gradient))
    assert photo.original == (100, 60)


def test_large_pictures_are_shrunk_to_the_long_side(gradient):
    photo = read_photo(encoded(gradient.resize((1000, 600)), "JPEG"), 320)
    assert photo.pixels.shape == (192, 320, 3)
    assert photo.original == (1000, 600)


def test_exif_rotation_is_honoured(gradient):
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: show the picture rotated clockwise
    photo = read_photo(encoded(gradient, exif=exif), 320)
    assert np.array_equal(photo.pixels, np.rot90(np.asarray(gradient), -1))
    assert photo.original == (60, 100)


def test_grey_palette_and_transparent_pictures_become_rgb(gradient):
    grey = read_photo(encoded(gradient.convert("L")), 320).pixels
    assert np.array_equal(grey[..., 0], grey[..., 2])
    assert read_photo(encoded(gradient.quantize(16)), 320).pixels.shape == (60, 100, 3)
    assert (read_photo(encoded(Image.new("RGBA", (64, 64), (255, 0, 0, 0))), 320).pixels == 255).all()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not a picture"),
        (b"GIF89a" + bytes(100), "not a picture"),
        (b"<html>nothing</html>", "not a picture"),
        (encoded(Image.new("RGB", (20, 20))), "shorter side"),
        (encoded(Image.new("RGB", (3000, 40))), "shorter side"),
        (encoded(Image.new("L", (8000, 8000))), "megapixels"),
        (encoded(Image.fromarray(np.zeros((64, 64), np.uint16))), "8 bits"),
        (bytes(11 * 2**20), "10 MB"),
    ],
    ids=["empty", "gif", "html", "tiny", "elongated", "many pixels", "16 bit", "many bytes"],
)
def test_bad_photos_get_a_message(data, message):
    with pytest.raises(UserError, match=message):
        read_photo(data, 320)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize("part", [0.1, 0.5, 0.9])
def test_truncated_photos_get_a_message(gradient, kind, part):
    data = encoded(gradient.resize((400, 300)), kind)
    with pytest.raises(UserError):
        read_photo(data[: int(len(data) * part)], 320)


def test_decompression_bomb_gets_a_message():
    bomb = bytearray(encoded(Image.new("L", (100, 100))))
    bomb[16:24] = (60000).to_bytes(4, "big") * 2
    with pytest.raises(UserError):
        read_photo(bytes(bomb), 320)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize(
    "exif",
    [
        b"Exif\0\0nonsense",
        b"Exif\0\0II*\0\xff\xff\xff\xff",
        b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01",
        b"Exif\0\0" + bytes(range(256)),
    ],
    ids=["text", "far offset", "cut off", "bytes"],
)
def test_damaged_exif_is_no_reason_to_refuse(gradient, kind, exif):
    photo = read_photo(encoded(gradient, kind, exif=exif, lossless=True), 320)
    assert photo.pixels.shape == (60, 100, 3)
    assert photo.orientation == 1
    # Pillow itself passes over some of it.
    assert photo.notices in ((), ("The photo's EXIF data are damaged; it is shown as it is stored.",))


def test_damaged_exif_is_said(gradient):
    photo = read_photo(encoded(gradient, exif=b"Exif\0\0nonsense"), 320)
    assert photo.notices == ("The photo's EXIF data are damaged; it is shown as it is stored.",)


def test_an_orientation_that_does_not_exist_is_none(gradient):
    exif = Image.Exif()
    exif[0x0112] = 77
    photo = read_photo(encoded(gradient, exif=exif), 320)
    assert np.array_equal(photo.pixels, np.asarray(gradient))
    assert photo.notices == ()


def test_an_orientation_that_is_no_number_is_damage(gradient):
    exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x02\0\x04\0\0\0abc\0\0\0\0\0"
    assert "EXIF data are damaged" in read_photo(encoded(gradient, exif=exif), 320).notices[0]


@pytest.mark.parametrize("suffix", ["PNG", "WEBP"])
def test_of_an_animation_the_first_picture_is_taken_and_that_is_said(gradient, suffix):
    data = io.BytesIO()
    gradient.save(data, suffix, save_all=True, append_images=[gradient.rotate(180)], lossless=True)
    photo = read_photo(data.getvalue(), 320)
    assert np.array_equal(photo.pixels, np.asarray(gradient))
    assert photo.notices == ("The file holds 2 pictures; the first was taken.",)


def test_stored_ids_become_class_indices():
    stored = np.array([[0, 8, 12, 20, 255]], np.uint8)
    assert VOC7.from_stored(stored).tolist() == [[0, 1, 3, 0, 255]]
    with pytest.raises(UserError, match="21, 90"):
        VOC7.from_stored(np.array([[0, 21, 90]], np.uint8))


def test_data_set_folders(small_data, tmp_path):
    assert [photo.stem for photo, _ in labelled_pairs(small_data)] == ["astronaut", "chelsea", "horses", "person"]
    with pytest.raises(UserError, match="images is not a folder"):
        labelled_pairs(tmp_path)
    (tmp_path / "images").mkdir()
    (tmp_path / "labels").mkdir()
    with pytest.raises(UserError, match="No photos"):
        labelled_pairs(tmp_path)
    Image.new("RGB", (40, 40)).save(tmp_path / "images" / "lonely.png")
    with pytest.raises(UserError, match=r"lonely\.png"):
        labelled_pairs(tmp_path)
