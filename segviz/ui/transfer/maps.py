"""The pictures of a study as every victim sees them."""

from collections.abc import Callable

import numpy as np
import streamlit as st

from segviz import draw
from segviz.studies.transfer import Transfer, TransferCell, common_label_set
from segviz.ui.kit.look import choose_look
from segviz.ui.kit.pictures import encoded


def show_maps(study: Transfer, job: str) -> None:
    """The clean picture and the adversarial picture of every source as each victim sees them, a column per victim."""
    look = choose_look("transfer_on_photo")
    plan = study.plan
    label_set = common_label_set([*(run.settings.model for run in plan.runs), *plan.victims])

    def drawn(labels: np.ndarray, photo: np.ndarray) -> Callable[[], np.ndarray]:
        return lambda: draw.seen_map(labels, label_set, photo, look)

    shape: tuple[int, ...] = ()
    for number, (run, exhibit) in enumerate(zip(plan.runs, study.exhibits, strict=False)):
        photo = exhibit.pixels
        if photo.shape != shape:
            shape = photo.shape
            pictures = {"Input": as_it_is(photo)}
            for victim, labels in enumerate(exhibit.clean_maps):
                cell = study.cell(number, victim)
                pictures[f"{plan.victims[victim]}: mIoU {cell.clean.miou:.1%}" if cell is not None else ""] = drawn(labels, photo)
            st.markdown(f"**Clean picture** at {shape[1]}x{shape[0]}")
            row_of_maps(pictures, len(plan.victims) + 1, (job, look, "clean", number))
        pictures = {"Adversarial picture": as_it_is(exhibit.adversarial)}
        for victim, labels in enumerate(exhibit.maps):
            white = ", white box" if plan.victims[victim] == run.settings.model else ""
            ratio = f"IoU ratio {ratio_of(study.cell(number, victim))}{white}"
            pictures[f"{plan.victims[victim]}: {ratio}"] = drawn(labels, photo)
        st.markdown(f"**{run.group} on {run.settings.model}**")
        row_of_maps(pictures, len(plan.victims) + 1, (job, look, number))


def ratio_of(cell: TransferCell | None) -> str:
    """An IoU ratio for people."""
    return f"{cell.iou_ratio:.2f}" if cell is not None and cell.iou_ratio is not None else "–"


def row_of_maps(pictures: dict[str, Callable[[], np.ndarray]], columns: int, identity: tuple[object, ...]) -> None:
    """Pictures in a row with their names below, two abreast on a phone."""
    with st.grid(columns, min_column_width=150, gap="small"):
        for name, picture in pictures.items():
            st.image(encoded((*identity, name), False, picture), caption=name, width="stretch", alt=name)


def as_it_is(picture: np.ndarray) -> Callable[[], np.ndarray]:
    """A picture that needs no drawing."""
    return lambda: picture
