"""Models on screen: their titles and facts, the download of one that is not here yet, uploaded weights."""

import streamlit as st

from segviz.engine.downloads import Downloads
from segviz.models.zoo import ModelEntry, catalogue, configured


@st.cache_resource
def downloads() -> Downloads:
    """The downloads of this server."""
    return Downloads()


def model_keys() -> list[str]:
    """The catalogue's keys, grouped by label set in the order in which the sets come up."""
    entries = catalogue()
    sets = list(dict.fromkeys(entry.label_set.name for entry in entries.values()))
    return sorted(entries, key=lambda key: sets.index(entries[key].label_set.name))


def model_title(key: str) -> str:
    """What the list of models shows: label set, then title; the key of the user's own, whose titles may be alike."""
    entry = catalogue()[key]
    return f"{entry.label_set.name} · {entry.title}" + (f" [{key}]" if entry.state == "own" and key != entry.title else "")


def model_facts(entry: ModelEntry) -> str:
    """One line: size, licence, clean mIoU, state."""
    miou = f"clean mIoU {entry.val_miou:.1%} (ours)" if entry.val_miou is not None else entry.published or "mIoU not measured"
    return " · ".join([megabytes(entry.bytes), entry.licence, miou, entry.state])


def show_faults() -> None:
    """What is wrong in the user's configuration, whose other models can be used all the same."""
    for fault in configured().faults.values():
        st.warning(fault)


def mention_faults() -> None:
    """That something is wrong there, in a line."""
    if configured().faults:
        st.caption(":material/warning: Models of segviz.toml are left out; the page Models says why.")


def megabytes(size: int | None) -> str:
    """A number of bytes for people."""
    return "size unknown" if size is None else f"{size / 10**6:.1f} MB"


def is_here(entry: ModelEntry) -> bool:
    """Whether a model can be loaded without a download."""
    return entry.state != "to be downloaded"


def download_panel(entry: ModelEntry) -> None:
    """For a model whose weights are not on this machine: what it is, a button that fetches them, and how far that is."""
    running = downloads().of(entry)
    active = running is not None and running.active
    if is_here(entry) and not active:
        return

    @st.fragment(run_every=0.5 if active else None)
    def panel() -> None:
        download = downloads().of(entry)
        if active and download is not None and not download.active:
            st.rerun()
        if download is not None and download.active:
            share = min(download.done / download.total, 1.0) if download.total else 0.0
            st.progress(share, f"Downloading: {megabytes(download.done)} of {megabytes(download.total)}")
            return
        st.info(f"{entry.title} is not on this machine yet: {megabytes(entry.bytes)}, licence {entry.licence}. {entry.data}.")
        if download is not None and download.error is not None:
            st.error(download.error)
        if st.button("Download", icon=":material/download:", key=f"download-{entry.key}"):
            downloads().start(entry)
            st.rerun()

    panel()
