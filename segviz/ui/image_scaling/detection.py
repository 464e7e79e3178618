"""The detectors: their scores of source and attack image, and where these lie among the samples."""

from typing import Any

import numpy as np
import streamlit as st

from segviz.scaling.detection import DETECTORS, detector_roc, threshold_at
from segviz.studies.scaling import DetectionStudy, ScalingStudy, detection_settings
from segviz.ui.image_scaling.charts import roc_curves
from segviz.ui.image_scaling.state import Scaling, measure_detectors
from segviz.ui.kit.charts import show_chart
from segviz.ui.kit.status import show_job


def show_detection(state: Scaling, study: ScalingStudy) -> None:
    """The detectors' scores, and a button that measures them on the samples."""
    wanted = detection_settings(study)
    found = state.detection_of(wanted)
    st.subheader("Detection")
    st.markdown(
        "Each detector gives a picture a score: the higher, the likelier an attack. Down-and-up, minimum filter and spectrum follow "
        "[Kim et al., Decamouflage, DSN 2021](https://arxiv.org/abs/2010.03735), histogram Xiao et al., maximum and clean filter Quiring "
        "et al., ACSAC 2023. They know which library, kernel and size are used."
    )
    if study.scores:
        show_job(state.detection, "detection")
        show_scores(study, found if found is not None and found.finished else None)
    missing = study.ended and (found is None or not found.finished) and not state.measuring
    if missing and st.button("Measure the detectors on the samples", icon=":material/query_stats:", key="scaling_measure"):
        measure_detectors(state, wanted)
        st.rerun()


def show_scores(study: ScalingStudy, measured: DetectionStudy | None) -> None:
    """The scores of source and attack image and, once the samples are `measured`, where they lie among these, with ROC curves."""
    rows = [detector_row(key, *study.scores[key], measured) for key in study.scores]
    percent = st.column_config.NumberColumn(format="%.0f %%", help="Share of the untouched samples that score lower.")
    st.dataframe(
        {name: [row[name] for row in rows] for name in rows[0]},
        hide_index=True,
        placeholder="–",
        key="scaling_scores",
        column_config={
            "detector": st.column_config.TextColumn(width="medium"),
            "source": st.column_config.NumberColumn(format="%.4g"),
            "attack image": st.column_config.NumberColumn(format="%.4g"),
            "threshold": st.column_config.NumberColumn(format="%.4g", help="At most 1 % of the untouched samples score above it."),
            "samples below source": percent,
            "samples below attack": percent,
            "AUC": st.column_config.NumberColumn(
                format="%.3f", help="Area under the ROC curve over the samples: 0.5 guesses, 1 is perfect."
            ),
        },
        alt="Scores of the detectors for source and attack image",
    )
    if measured is not None:
        st.caption(detection_basis(measured))
        curves = {key: detector_roc(*measured.values(key)) for key in study.scores if all(measured.values(key))}
        show_chart(
            roc_curves(curves), key="scaling_roc", config={"displayModeBar": False}, alt="ROC curve of each detector over the samples"
        )


def detector_row(key: str, source: float, attacked: float, measured: DetectionStudy | None) -> dict[str, Any]:
    """One line of the table of detectors."""
    row: dict[str, Any] = {"detector": DETECTORS[key].title, "source": source, "attack image": attacked}
    if measured is None or not all(measured.values(key)):
        return row | dict.fromkeys(("samples below source", "samples below attack", "threshold", "AUC", "says"))
    benign, hidden = measured.values(key)
    threshold = threshold_at(benign)
    says = {(False, True): "attack found", (False, False): "attack missed"}.get((source > threshold, attacked > threshold), "false alarm")
    return row | {
        "samples below source": 100 * float(np.mean(np.array(benign) < source)),
        "samples below attack": 100 * float(np.mean(np.array(benign) < attacked)),
        "threshold": threshold,
        "AUC": detector_roc(benign, hidden).auc,
        "says": says,
    }


def detection_basis(measured: DetectionStudy) -> str:
    """What the thresholds and curves were measured on."""
    settings = measured.settings
    hidden = {"photo": "other samples", "colour": "this colour", "adversarial": "an adversarial version of the crop"}[settings.hidden]
    return (
        f"Over {len(measured.benign)} crops of the sample photos as they are and {len(measured.attacked)} attack images that "
        f"hide {hidden} in them, for the same scaling at ratio {settings.size[1:]} and slack {settings.slack:g}. "
        "Crops of a photo overlap, and there are few: below a hundred pictures the threshold at 1 % is the highest score of an untouched "
        "one. Your picture may have another size than the crops."
    )
