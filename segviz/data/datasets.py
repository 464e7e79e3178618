"""Data-set folders: `images/` and `labels/` with one PNG label map per photo."""

from pathlib import Path

from segviz.types import UserError

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")


def labelled_pairs(folder: Path) -> list[tuple[Path, Path]]:
    """Photo and label-map paths of `folder`/images and `folder`/labels, sorted by name.

    Raises UserError where a folder is missing, no photo is found or a photo has no label map of its name.
    """
    for part in (folder / "images", folder / "labels"):
        if not part.is_dir():
            raise UserError(f"{part} is not a folder. A data set needs the folders images/ and labels/.")
    photos = sorted(path for path in (folder / "images").iterdir() if path.suffix.lower() in IMAGE_SUFFIXES)
    if not photos:
        raise UserError(f"No photos ({', '.join(IMAGE_SUFFIXES)}) in {folder / 'images'}.")
    pairs = [(photo, folder / "labels" / f"{photo.stem}.png") for photo in photos]
    missing = [labels for _, labels in pairs if not labels.is_file()]
    if missing:
        raise UserError(f"{len(missing)} photos have no label map; the first one missing is {missing[0]}.")
    return pairs
