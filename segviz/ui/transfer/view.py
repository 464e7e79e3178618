"""Parts of the transfer page: status, maps of every victim, heat tables, curves, the published table, downloads."""

from collections.abc import Callable, Sequence

import numpy as np
import streamlit as st

from segviz import draw
from segviz.attacks.catalog import gradients_of, steps_of
from segviz.attacks.transforms import TRANSFORMS
from segviz.data.samples import samples
from segviz.engine.jobs import Job, State
from segviz.models.wrappers import split_key
from segviz.models.zoo import MODELS, catalogue
from segviz.results import csv_text, transfer_rows
from segviz.studies import arnab
from segviz.studies.transfer import SCALES, Plan, Transfer, TransferCell, common_label_set
from segviz.ui.kit.pictures import encoded
from segviz.ui.kit.session import engine
from segviz.ui.kit.status import AWAY
from segviz.ui.transfer.charts import heat_table, transfer_curves

ARNAB = "[Arnab, Miksik & Torr, CVPR 2018](https://arxiv.org/abs/1711.09856)"
READING = {
    "picture": "The adversarial picture of each source, as every victim sees it.",
    "matrix": "Read a column downwards: how much of its mIoU each victim keeps on the pictures made on one source.",
    "scales": f"Table 1 of {ARNAB}: pictures made at one scale of a network, seen by the same network at others.",
    "transforms": "[Gu, Zhao, Tresp & Torr, 2021](https://arxiv.org/abs/2111.11368) hold that scale is what limits transfer between "
    "segmentation networks, and attack through random sizes (dynamic scaling; the details here are ours). All columns cost the same.",
    "curves": "Does the attack over-fit to its source, so that victims recover while the source still falls? "
    "[Gu et al., 2021](https://arxiv.org/abs/2111.11368) say not always.",
}
BEFOREHAND = "beforehand"
"""The origin of a study that ships with the project."""
QUANTITIES: dict[str, Callable[[TransferCell], float | None]] = {
    "IoU ratio": lambda cell: cell.iou_ratio,
    "adversarial mIoU": lambda cell: cell.adversarial.miou if cell.adversarial is not None else None,
    "clean mIoU": lambda cell: cell.clean.miou,
}
FAMILY = (
    "The bundled networks except ENet are one encoder with different decoders and go back to the same ImageNet weights; the adversarially "
    "trained ones were trained onwards from `voc7-lraspp`. Transfer between such relatives is easier than between strangers."
)


def show_study(study: Transfer, view: str, origin: str) -> None:
    """A study as one of the page's views; `origin` is the identity of the job that made it."""
    st.caption(READING[view])
    if study.exhibits and view == "picture":
        show_maps(study, origin)
    if view == "curves":
        show_curves(study)
    else:
        show_heat(study, view)
    st.caption(basis(study))
    show_family_note(study.plan)
    show_numbers(study)


def show_status(job: Job[Transfer] | None, study: Transfer | None, origin: str) -> None:
    """Progress of a study under way, or what is on screen and where it is from; errors as messages."""
    if job is not None and job.state is State.WAITING:
        st.progress(0.0, f"Waiting: {engine().ahead_of(job)} runs are served first.")
        return
    if job is not None and job.state is State.RUNNING:
        latest = job.latest
        if latest is None:
            st.progress(0.0, "Loading the models …")
            return
        others = engine().active() - 1
        company = f"; {others} other run{'s are' if others > 1 else ' is'} under way" if others else ""
        stopping = ", stopping …" if job.stopping else ""
        done = f"{latest.pictures} of {latest.total} pictures, " if latest.total > 1 else ""
        text = f"{done}{latest.spent} of {latest.budget} gradient evaluations{stopping}{company}"
        st.progress(min(latest.spent / max(latest.budget, 1), 1.0), text)
        return
    if job is not None and (job.error is not None or job.state is State.ABANDONED):
        st.error(job.error or AWAY)
    if study is not None:
        made = " Made beforehand with the bundled models; **Run** makes it live with your settings." if origin == BEFOREHAND else ""
        st.markdown(f"{describe(study)}{made}")


def describe(study: Transfer) -> str:
    """One sentence or two that tell what is on screen."""
    plan, first = study.plan, study.plan.runs[0].settings
    groups = " and ".join(dict.fromkeys(run.group.split(" + ")[0] for run in plan.runs))
    sources = len(dict.fromkeys(run.settings.model for run in plan.runs))
    over = photos_in_words(study)
    unit = "" if first.norm == "linf" else " (root mean square)"
    who = f"on {count(sources, 'source')}, seen by {count(len(plan.victims), 'victim')}"
    text = f"**{groups}** at ε = {first.eps:g}/255{unit} {who}, over {over}."
    if study.stopped_after is not None:
        text += f" Stopped: the last attack took {count(study.stopped_after, 'iteration')}."
    elif study.ended and study.spent < study.budget:
        text += " Stopped before all were done."
    return text


def count(number: int, what: str) -> str:
    """A number of things."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def photos_in_words(study: Transfer) -> str:
    """What the figures are over."""
    if study.total == 1:
        image = study.plan.runs[0].settings.image
        return f"one picture ({samples()[image].title})" if image in samples() else "one picture"
    return f"{study.pictures} of {study.total} pictures" if study.pictures < study.total else f"{study.total} pictures"


def miou_name(study: Transfer) -> str:
    """What the mIoU of the study is called: that of one image never shares its name with that of several."""
    return "mIoU of this image" if study.pictures <= 1 else f"mIoU over {study.pictures} pictures"


def basis(study: Transfer) -> str:
    """What the figures are measured on and against."""
    against = "each victim's **own clean prediction**, for want of a label map" if study.own_prediction else "the label map"
    one = "of this image" if study.pictures <= 1 else "from one confusion matrix over all pictures"
    return (
        f"IoU ratio ({ARNAB}): adversarial over clean mIoU of the victim, {one}; both against {against}. The adversarial pictures are in "
        "8-bit values and at the working size of their source; every victim gets that same picture, whatever its own working size."
    )


def shares_the_encoder(key: str) -> bool:
    """Whether a network is one of the bundled ones around the same encoder, with our weights or with uploaded ones."""
    entry = catalogue().get(key)
    network = "" if entry is None else entry.network_of or entry.key
    return network in MODELS and network.startswith("voc7-") and network != "voc7-enet"


def show_family_note(plan: Plan) -> None:
    """Warns where sources and victims are relatives."""
    bases = {split_key(key)[0] for key in [*(run.settings.model for run in plan.runs), *plan.victims]}
    if sum(map(shares_the_encoder, bases)) > 1:
        st.caption(f":material/family_restroom: {FAMILY}")


def show_maps(study: Transfer, job: str) -> None:
    """The clean picture and the adversarial picture of every source as each victim sees them, a column per victim."""
    on_photo = st.toggle("Maps over the photo", True, key="transfer_on_photo")
    plan = study.plan
    label_set = common_label_set([*(run.settings.model for run in plan.runs), *plan.victims])

    def drawn(labels: np.ndarray, photo: np.ndarray) -> Callable[[], np.ndarray]:
        colours = draw.colour_map(labels, label_set)
        return lambda: draw.over_photo(colours, photo) if on_photo else colours

    shape: tuple[int, ...] = ()
    for number, (run, exhibit) in enumerate(zip(plan.runs, study.exhibits, strict=False)):
        photo = exhibit.pixels
        if photo.shape != shape:
            shape = photo.shape
            pictures = {"Input": shown(photo)}
            for victim, labels in enumerate(exhibit.clean_maps):
                cell = study.cell(number, victim)
                pictures[f"{plan.victims[victim]}: mIoU {cell.clean.miou:.1%}" if cell is not None else ""] = drawn(labels, photo)
            st.markdown(f"**Clean picture** at {shape[1]}x{shape[0]}")
            show_row(pictures, len(plan.victims) + 1, (job, on_photo, "clean", number))
        pictures = {"Adversarial picture": shown(exhibit.adversarial)}
        for victim, labels in enumerate(exhibit.maps):
            white = ", white box" if plan.victims[victim] == run.settings.model else ""
            ratio = f"IoU ratio {ratio_of(study.cell(number, victim))}{white}"
            pictures[f"{plan.victims[victim]}: {ratio}"] = drawn(labels, photo)
        st.markdown(f"**{run.group} on {run.settings.model}**")
        show_row(pictures, len(plan.victims) + 1, (job, on_photo, number))


def shown(picture: np.ndarray) -> Callable[[], np.ndarray]:
    """A picture that needs no drawing."""
    return lambda: picture


def ratio_of(cell: TransferCell | None) -> str:
    """An IoU ratio for people."""
    return f"{cell.iou_ratio:.2f}" if cell is not None and cell.iou_ratio is not None else "–"


def show_row(pictures: dict[str, Callable[[], np.ndarray]], columns: int, identity: tuple[object, ...]) -> None:
    """Pictures in a row with their names below, two abreast on a phone."""
    with st.grid(columns, min_column_width=150, gap="small"):
        for name, picture in pictures.items():
            st.image(encoded((*identity, name), False, picture), caption=name, width="stretch", alt=name)


def row_names(study: Transfer, view: str) -> list[str]:
    """What the victims are called in a table: at its scales, one network goes by them."""
    if view != "scales":
        return list(study.plan.victims)
    return [*SCALES, *study.plan.victims[len(SCALES) :]]


def show_heat(study: Transfer, view: str) -> None:
    """A heat table per attack, with the choice of what it shows; of scales with the published one below."""
    quantity = st.segmented_control(
        "Cells show", list(QUANTITIES), default="IoU ratio", required=True, key="transfer_quantity", label_visibility="collapsed"
    )
    if quantity != "IoU ratio":
        st.caption(f"mIoU here is the {miou_name(study)}.")
    groups = list(dict.fromkeys(run.group for run in study.plan.runs))
    titles = {"scales": "made at", "transforms": "input transform"}
    places = st.columns(min(len(groups), 2), gap="medium")
    for position, group in enumerate(groups):
        numbers = [number for number, run in enumerate(study.plan.runs) if run.group == group]
        cells = [[study.cell(number, victim) for number in numbers] for victim in range(len(study.plan.victims))]
        values = [[QUANTITIES[quantity](cell) if cell is not None else None for cell in row] for row in cells]
        names = [study.plan.runs[number].name for number in numbers]
        with places[position % len(places)]:
            st.markdown(f"**{group}**" + (", ours" if view == "scales" else ""))
            show_table(values, names, row_names(study, view), titles.get(view, "made on"), f"heat-{position}")
    if view == "scales":
        show_published()


def show_table(values: Sequence[Sequence[float | None]], columns: Sequence[str], rows: Sequence[str], title: str, key: str) -> None:
    """One heat table."""
    st.plotly_chart(
        heat_table(values, columns, rows, title),
        key=f"transfer-{key}",
        config={"displayModeBar": False},
        alt=f"Heat table: a row per victim, a column per {title}",
    )


def show_published() -> None:
    """Table 1 of Arnab et al., marked as theirs."""
    st.markdown("##### Theirs: IoU ratio as published in Table 1 of Arnab, Miksik & Torr (CVPR 2018)")
    st.caption("DeepLab v2 with a ResNet is the source; Pascal VOC, 21 classes, ε = 8/255. Other networks, classes and photos than ours.")
    for place, (attack, title) in zip(st.columns(2, gap="medium"), (("fgsm", "FGSM"), ("ifgsm-ll", "I-FGSM least-likely")), strict=True):
        with place:
            st.markdown(f"**{title}**, theirs")
            values = [[value / 100 for value in row] for row in arnab.IOU_RATIO[attack]]
            show_table(values, arnab.SOURCES, arnab.VICTIMS, "made at", f"theirs-{attack}")


def show_curves(study: Transfer) -> None:
    """Source and victims over the iterations."""
    names = [f"{key} (source)" if key == study.plan.runs[0].settings.model else key for key in study.plan.victims]
    st.plotly_chart(
        transfer_curves(study, names, miou_name(study)),
        key="transfer-curves",
        config={"displayModeBar": False},
        alt="mIoU of source and victims over the iterations of the attack",
    )
    st.caption(
        "Each iterate is rounded to 8 bits within the ball before anyone looks. The star is the result: the source's strongest iterate."
    )


def show_numbers(study: Transfer) -> None:
    """All figures as a table, with a CSV of them."""
    name = miou_name(study)
    percent = st.column_config.NumberColumn(format="%.1f %%")
    rows = []
    for cell in study.cells:
        run = study.plan.runs[cell.run]
        adversarial = cell.adversarial
        rows.append(
            {
                "attack": run.group,
                "source": run.settings.model,
                "transforms": " + ".join(TRANSFORMS[key].title for key in run.settings.transforms) or None,
                "steps": steps_of(run.settings),
                "gradients": gradients_of(run.settings),
                "victim": study.plan.victims[cell.victim],
                f"clean {name}": 100 * cell.clean.miou,
                f"adversarial {name}": None if adversarial is None else 100 * adversarial.miou,
                "IoU ratio": cell.iou_ratio,
                "clean accuracy": 100 * cell.clean.pixel_accuracy,
                "adversarial accuracy": None if adversarial is None else 100 * adversarial.pixel_accuracy,
            }
        )
    if not rows:
        return
    if all(row["transforms"] is None for row in rows):
        rows = [{column: value for column, value in row.items() if column != "transforms"} for row in rows]
    columns = {column: percent for column in rows[0] if "mIoU" in column or "accuracy" in column}
    st.dataframe(
        {column: [row[column] for row in rows] for column in rows[0]},
        hide_index=True,
        placeholder="–",
        column_config={
            **columns,
            "IoU ratio": st.column_config.NumberColumn(format="%.3f", help="Adversarial over clean mIoU of the victim (Arnab et al.)."),
            "gradients": st.column_config.NumberColumn(format="%d", help="Gradient evaluations per picture."),
        },
        alt="Clean and adversarial figures of every source and victim",
    )


def show_download(study: Transfer) -> None:
    """The figures as CSV."""
    st.download_button(
        "Figures (CSV)",
        lambda: csv_text(transfer_rows(study)),
        "transfer.csv",
        "text/csv",
        on_click="ignore",
        icon=":material/table:",
        key="transfer_csv",
    )
