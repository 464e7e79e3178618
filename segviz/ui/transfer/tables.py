"""The figures of a study: heat tables, the published table beside ours, curves, all numbers."""

from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from segviz.attacks.catalog import steps_of
from segviz.attacks.transforms import TRANSFORMS
from segviz.defences.catalog import evaluations_of
from segviz.report.kinds import transfer_document
from segviz.results import transfer_csv
from segviz.studies import arnab
from segviz.studies.transfer import SCALES, Transfer, TransferCell
from segviz.ui.kit.charts import show_chart
from segviz.ui.kit.export import File, download_buttons, page_link, report_file
from segviz.ui.kit.words import PASSES_HELP
from segviz.ui.transfer.charts import heat_table, transfer_curves
from segviz.ui.transfer.words import miou_name

QUANTITIES: dict[str, Callable[[TransferCell], float | None]] = {
    "IoU ratio": lambda cell: cell.iou_ratio,
    "adversarial mIoU": lambda cell: cell.adversarial.miou if cell.adversarial is not None else None,
    "clean mIoU": lambda cell: cell.clean.miou,
}


def show_heat(study: Transfer, view: str) -> None:
    """A heat table per attack, with the choice of what it shows; of scales with the published one below."""
    quantity = st.segmented_control(
        "Cells show",
        list(QUANTITIES),
        default="IoU ratio",
        required=True,
        key="transfer_quantity",
        persist_state="session",
        label_visibility="collapsed",
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


def row_names(study: Transfer, view: str) -> list[str]:
    """What the victims are called in a table: at its scales, one network goes by them."""
    if view != "scales":
        return list(study.plan.victims)
    return [*SCALES, *study.plan.victims[len(SCALES) :]]


def show_table(values: Sequence[Sequence[float | None]], columns: Sequence[str], rows: Sequence[str], title: str, key: str) -> None:
    """One heat table."""
    show_chart(
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


def show_iterations(study: Transfer) -> None:
    """Source and victims over the iterations."""
    names = [f"{key} (source)" if key == study.plan.runs[0].settings.model else key for key in study.plan.victims]
    show_chart(
        transfer_curves(study, names, miou_name(study)),
        key="transfer-curves",
        config={"displayModeBar": False},
        alt="mIoU of source and victims over the iterations of the attack",
    )
    st.caption(
        "Each iterate is rounded to 8 bits within the ball before anyone looks. The star is the result: the step that "
        "fooled most pixels of the source."
    )


def show_numbers(study: Transfer) -> None:
    """All figures as a table."""
    rows = [cell_values(study, cell) for cell in study.cells]
    if not rows:
        return
    columns = [name for name in rows[0] if name not in ("transforms", "draws") or any(row[name] for row in rows)]
    percent = st.column_config.NumberColumn(format="%.1f %%")
    st.dataframe(
        {name: [row[name] for row in rows] for name in columns},
        hide_index=True,
        placeholder="–",
        column_config={
            **{name: percent for name in columns if "mIoU" in name or "accuracy" in name},
            "draws": st.column_config.TextColumn(
                help="Adversarial mIoU in per cent over the draws of a random victim, which count together."
            ),
            "IoU ratio": st.column_config.NumberColumn(format="%.3f", help="Adversarial over clean mIoU of the victim (Arnab et al.)."),
            "gradients": st.column_config.NumberColumn(format="%d", help="Gradient evaluations per picture."),
            "passes": st.column_config.NumberColumn(format="%.0f", help=PASSES_HELP),
        },
        alt="Clean and adversarial figures of every source and victim",
    )


def cell_values(study: Transfer, cell: TransferCell) -> dict[str, Any]:
    """A line of the table: figures in per cent, the IoU ratio as a fraction."""
    name, settings, adversarial = miou_name(study), study.plan.runs[cell.run].settings, cell.adversarial
    return {
        "attack": study.plan.runs[cell.run].group,
        "source": settings.model,
        "transforms": " + ".join(TRANSFORMS[key].title for key in settings.transforms) or None,
        "steps": steps_of(settings),
        "gradients": evaluations_of(settings),
        "passes": study.passes_of(cell.run),
        "victim": study.plan.victims[cell.victim],
        f"clean {name}": 100 * cell.clean.miou,
        f"adversarial {name}": None if adversarial is None else 100 * adversarial.miou,
        "draws": None if cell.draws is None else f"{100 * cell.draws[0]:.1f} to {100 * cell.draws[1]:.1f}",
        "IoU ratio": cell.iou_ratio,
        "clean accuracy": 100 * cell.clean.pixel_accuracy,
        "adversarial accuracy": None if adversarial is None else 100 * adversarial.pixel_accuracy,
    }


def show_download(study: Transfer) -> None:
    """The figures as CSV and as a report."""
    link = page_link()
    csv = File("Figures (CSV)", "transfer.csv", lambda: transfer_csv(study), ":material/table:")
    download_buttons("transfer", [csv, report_file(lambda: transfer_document(study, link))])
