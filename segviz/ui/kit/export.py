"""What can be taken home: a row of download buttons."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

import streamlit as st

from segviz.report.document import Document, report_html

KINDS = {
    ".csv": ("text/csv", ":material/show_chart:"),
    ".gif": ("image/gif", ":material/animation:"),
    ".html": ("text/html", ":material/draft:"),
    ".json": ("application/json", ":material/settings:"),
    ".mp4": ("video/mp4", ":material/movie:"),
    ".png": ("image/png", ":material/image:"),
    ".py": ("text/x-python", ":material/code:"),
    ".runs": ("application/octet-stream", ":material/inventory_2:"),
    ".toml": ("application/toml", ":material/tune:"),
    ".webp": ("image/webp", ":material/animation:"),
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


def report_file(made: Callable[[], Document]) -> File:
    """The report that is to be had beside other files."""
    return File("Report (HTML)", "report.html", lambda: report_html(made()))


def page_address() -> str:
    """Where the page on screen is, without parameters."""
    return str(st.context.url or "").partition("?")[0]


def page_link() -> str:
    """The link of the page as its widgets are."""
    return f"{page_address()}?{urlencode(st.query_params.to_dict())}"


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
