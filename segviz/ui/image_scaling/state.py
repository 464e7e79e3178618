"""What the page Image scaling shows and runs."""

from dataclasses import dataclass, field

import numpy as np
import streamlit as st

from segviz.engine.jobs import Job
from segviz.records import Picture
from segviz.studies.runs import run_detection, run_scaling
from segviz.studies.scaling import DetectionStudy, ScalingSettings, ScalingStudy
from segviz.ui.kit.running import Running
from segviz.ui.kit.session import first_view, queue
from segviz.ui.kit.state import page_state

PAGE = "pages/image_scaling.py"


@dataclass
class Scaling(Running[ScalingStudy]):
    """`study` is on screen, of the run `shown`; `detection` measures the detectors on the samples.

    `own` are one's own pictures at full size, by the widget that they were uploaded in.
    """

    study: ScalingStudy | None = field(default_factory=lambda: first_view("scaling"))
    shown: str = "precomputed"
    detection: Job[DetectionStudy] | None = None
    own: dict[str, Picture] = field(default_factory=dict)

    @property
    def measuring(self) -> bool:
        """Whether the detectors are being measured."""
        return self.detection is not None and self.detection.active

    def update(self) -> None:
        """Take over what the runs have come to."""
        if self.job is not None and not self.active and self.job.latest is not None:
            self.study, self.shown = self.job.latest, self.job.id
        latest = self.detection.latest if self.detection is not None else None
        if latest is not None and latest.finished:
            measured_detectors()[latest.settings] = latest

    def detection_of(self, wanted: ScalingSettings) -> DetectionStudy | None:
        """What is known of the detectors on the samples, for these settings."""
        latest = self.detection.latest if self.detection is not None else None
        return measured_detectors().get(wanted) or (latest if latest is not None and latest.settings == wanted else None)


@st.cache_resource
def measured_detectors() -> dict[ScalingSettings, DetectionStudy]:
    """Finished measurements on the samples by what matters for them, for everyone on this server."""
    return {}


def scaling() -> Scaling:
    """The record of this tab; what a link asks for is run at once."""
    return page_state(Scaling, lambda: Scaling(asked=bool(st.query_params)))


def start_scaling(state: Scaling, settings: ScalingSettings, source: np.ndarray, other: np.ndarray | None) -> None:
    """Queue a scaling attack; pictures (H,W,3) uint8 as in `scaling_study`."""
    state.job = queue(run_scaling, settings, source, other)


def measure_detectors(state: Scaling, settings: ScalingSettings) -> None:
    """Queue a measurement of the detectors; a scaling attack goes on beside it."""
    state.detection = queue(run_detection, settings, beside="detection")
