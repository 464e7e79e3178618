"""What can be taken home: a row of download buttons."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

KINDS = {
    ".csv": ("text/csv", ":material/show_chart:"),
    ".html": ("text/html", ":material/draft:"),
    ".json": ("application/json", ":material/settings:"),
    ".png": ("image/png", ":material/image:"),
    ".py": ("text/x-python", ":material/code:"),
    ".toml": ("application/toml", ":material/tune:"),
    ".zip": ("application/zip", ":material/folder_zip:"),
}
"""Suffix of a file to its media type and its icon."""


@dataclass(frozen=True)
class File:
    """A file on offer: what the button says, the file's name, and a function that makes it."""

    label: str
    name: str
    made: Callable[[], str | bytes]
    icon: str = ""


def download_buttons(page: str, files: Sequence[File]) -> None:
    """A button per file, side by side; `page` begins their keys.

    A file is made on the click: one registered with the page may be gone again, as of a rerun, when the browser asks for it.
    """
    bar = st.container(horizontal=True)
    for file in files:
        media_type, icon = KINDS[Path(file.name).suffix]
        bar.download_button(
            file.label, file.made, file.name, media_type, on_click="ignore", icon=file.icon or icon, key=f"{page}-{file.name}"
        )
