"""Data-set folders, recognised by their layout: VOC, Cityscapes, ADE20K, CamVid, and `images/` with `labels/`. Only paths are kept."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from segviz.data.label_sets import ADE20K150, CAMVID11, CITYSCAPES19, VOC21, LabelSet, read_label_file
from segviz.types import UserError

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")

Pairs = list[tuple[Path, Path]]


@dataclass(frozen=True)
class DataSet:
    """Paths of photos and their label maps, sorted; `label_set` says what the ids in the maps mean, None where the folder does not."""

    layout: str
    pairs: Pairs
    label_set: LabelSet | None


def open_data_set(folder: Path, split: str | None = None) -> DataSet:
    """The data set in a folder; `split` is the part of it, by default the one that the layout is usually judged on.

    Layouts: VOC (`JPEGImages`, `SegmentationClass`, list file), Cityscapes (`leftImg8bit`, `gtFine` with labelTrainIds), ADE20K (`images`,
    `annotations`), CamVid (`test`, `testannot` and so on), and `images` with `labels`, where a label file `labels.toml` may say what the
    ids mean. Raises UserError where the folder has none of these layouts, a part is missing or a photo has no label map.
    """
    if not folder.is_dir():
        raise UserError(f"{folder} is not a folder.")
    for recognised, read in LAYOUTS:
        if recognised(folder):
            return read(folder, split)
    raise UserError(
        f"{folder} has the layout of no known data set. Expected images/ and labels/ (one PNG of class ids per photo); or JPEGImages/ and "
        "SegmentationClass/ (VOC); leftImg8bit/ and gtFine/ (Cityscapes); images/ and annotations/ (ADE20K); test/ and testannot/ (CamVid)."
    )


def labelled_pairs(folder: Path) -> Pairs:
    """Photo and label-map paths of `folder`/images and `folder`/labels, sorted by name.

    Raises UserError where a folder is missing, no photo is found or a photo has no label map of its name.
    """
    for part in (folder / "images", folder / "labels"):
        if not part.is_dir():
            raise UserError(f"{part} is not a folder. A data set needs the folders images/ and labels/.")
    return checked([(photo, folder / "labels" / f"{photo.stem}.png") for photo in photos_in(folder / "images")])


def own_layout(folder: Path, split: str | None) -> DataSet:
    """`images` and `labels`; with a split, those folders within the folder of its name."""
    splits = [part.name for part in sorted(folder.iterdir()) if has("images", "labels")(part)]
    if split is None and not (folder / "images").is_dir():
        raise UserError(
            f"{folder} is divided into {', '.join(splits)}. Choose one of them as the split, or its folder: {folder / splits[0]}."
        )
    part = folder if split is None else folder / split
    described = folder / "labels.toml"
    return DataSet("images and labels", labelled_pairs(part), read_label_file(described.name, folder) if described.is_file() else None)


def voc(folder: Path, split: str | None) -> DataSet:
    """Pascal VOC: the photos that `ImageSets/Segmentation/<split>.txt` lists, by default val."""
    names = folder / "ImageSets" / "Segmentation" / f"{split or 'val'}.txt"
    if not names.is_file():
        raise UserError(f"There is no list of photos {names}.")
    try:
        listed = sorted(names.read_text().split())
    except UnicodeDecodeError:
        raise UserError(f"The list {names} is no plain text in UTF-8. Save it as such.") from None
    if not listed:
        raise UserError(f"The list {names} is empty.")
    return DataSet(
        "VOC", checked([(folder / "JPEGImages" / f"{name}.jpg", folder / "SegmentationClass" / f"{name}.png") for name in listed]), VOC21
    )


def cityscapes(folder: Path, split: str | None) -> DataSet:
    """Cityscapes: frames of all cities of a split, by default val, with their labelTrainIds."""
    frames, labels = folder / "leftImg8bit" / (split or "val"), folder / "gtFine" / (split or "val")
    photos = [photo for city in subfolders(frames) for photo in photos_in(city)]
    pairs = [(photo, labels / photo.parent.name / photo.name.replace("_leftImg8bit", "_gtFine_labelTrainIds")) for photo in photos]
    if pairs and not pairs[0][1].is_file() and Path(str(pairs[0][1]).replace("TrainIds", "Ids")).is_file():
        raise UserError(
            f"{labels} holds labelIds but no labelTrainIds. Make them with csCreateTrainIdLabelImgs of the package cityscapesScripts."
        )
    return DataSet("Cityscapes", checked(pairs), CITYSCAPES19)


def ade20k(folder: Path, split: str | None) -> DataSet:
    """ADE20K scene parsing: a split, by default validation."""
    part = split or "validation"
    photos = photos_in(folder / "images" / part)
    return DataSet("ADE20K", checked([(photo, folder / "annotations" / part / f"{photo.stem}.png") for photo in photos]), ADE20K150)


def camvid(folder: Path, split: str | None) -> DataSet:
    """CamVid as distributed with the SegNet tutorial: frames and eleven classes, by default the split test."""
    part = split or "test"
    photos = photos_in(folder / part)
    return DataSet("CamVid", checked([(photo, folder / f"{part}annot" / f"{photo.stem}.png") for photo in photos]), CAMVID11)


def has(*names: str) -> Callable[[Path], bool]:
    """Whether a folder has all these folders in it."""
    return lambda folder: all((folder / name).is_dir() for name in names)


LAYOUTS: tuple[tuple[Callable[[Path], bool], Callable[[Path, str | None], DataSet]], ...] = (
    (has("JPEGImages"), voc),
    (has("leftImg8bit"), cityscapes),
    (has("images", "annotations"), ade20k),
    (lambda folder: any(has(part, f"{part}annot")(folder) for part in ("train", "val", "test")), camvid),
    (lambda folder: has("images")(folder) or any(has("images", "labels")(part) for part in folder.iterdir() if part.is_dir()), own_layout),
)


def photos_in(folder: Path) -> list[Path]:
    """The photos of a folder, sorted, without hidden files; raises UserError where there is no folder or no photo in it."""
    if not folder.is_dir():
        raise UserError(f"{folder} is not a folder.")
    photos = sorted(path for path in folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith("."))
    if not photos:
        raise UserError(f"No photos ({', '.join(IMAGE_SUFFIXES)}) in {folder}.")
    return photos


def subfolders(folder: Path) -> list[Path]:
    """The folders of a folder, sorted; raises UserError where there is none."""
    found = sorted(path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
    if not found:
        raise UserError(f"{folder} is not a folder with one folder per city.")
    return found


def checked(pairs: Pairs) -> Pairs:
    """The pairs; raises UserError with the first file that is missing."""
    for what, index in (("listed photos are not there", 0), ("photos have no label map", 1)):
        missing = [pair[index] for pair in pairs if not pair[index].is_file()]
        if missing:
            raise UserError(f"{len(missing)} {what}; the first one missing is {missing[0]}.")
    return pairs
