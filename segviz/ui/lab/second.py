"""The lab's second network: it sees the pictures of the attack on the first one, or is attacked with the same settings."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import streamlit as st

from segviz import draw
from segviz.defences.catalog import evaluations_of
from segviz.defences.titles import short_title
from segviz.engine.jobs import Job
from segviz.models.zoo import model_entry
from segviz.records import Picture, Trajectory
from segviz.settings import Settings
from segviz.studies.runs import run_attack, run_seen_by
from segviz.ui.kit.charts import QUANTITIES, comparison_curves
from segviz.ui.kit.layers import label_set_of, layers_of
from segviz.ui.kit.models import is_here, model_keys, model_title
from segviz.ui.kit.pictures import COLOURS, data_url
from segviz.ui.kit.session import queue
from segviz.ui.kit.state import page_state, tab
from segviz.ui.kit.status import problem_of_job
from segviz.ui.kit.words import OWN
from segviz.ui.lab.glance import place_for_pairs, verdict
from segviz.ui.live import live_curves, live_layers, live_status
from segviz.ui.viewer import layer_look

NONE = ""
MAPS = ("Clean map", "Adversarial map")


@dataclass
class SecondRun:
    """The newest run of the second network, beside the lab's run of these settings and picture."""

    job: Job[Trajectory] | None = None
    settings: Settings | None = None
    picture: Picture | None = None
    alike: bool = False


def twins_of(key: str) -> list[str]:
    """The models that are here and have the classes of that one."""
    classes = model_entry(key).label_set.classes
    return [name for name in model_keys() if name != key and is_here(model_entry(name)) and model_entry(name).label_set.classes == classes]


def second_controls(key: str) -> dict[str, str | bool]:
    """The choice of a second network beside the model of that key, and what becomes of it; as a link tells it."""
    options = [NONE, *twins_of(key)]
    if st.session_state.get("second") not in options:
        st.session_state.second = NONE
    second = st.selectbox(
        "Second network",
        options,
        format_func=lambda name: model_title(name) if name else "None",
        help="Two networks, one attack: their maps and curves beside one another.",
        key="second",
        persist_state="session",
    )
    alike = False
    if second:
        alike = st.toggle(
            "Attack it as well",
            key="alike",
            persist_state="session",
            help="With the same settings. Otherwise it sees the pictures that are made to fool the first network.",
        )
    return {"second": second, "alike": alike}


def start_second(settings: Settings, picture: Picture, again: bool) -> None:
    """Queue the run of the second network, if one is chosen, beside the lab's with these settings."""
    state, key = page_state(SecondRun), st.session_state.get("second", NONE)
    if state.job is not None:
        state.job.stop()
    state.job = None
    if not key or settings.steps == 0 or key not in twins_of(settings.model):
        return
    state.settings, state.picture, state.alike = settings, picture, bool(st.session_state.get("alike", False))
    if state.alike:
        state.job = queue(run_attack, replace(settings, model=key), picture, beside="second", keep=settings.image != OWN, again=again)
    else:
        state.job = queue(run_seen_by, key, settings, picture, beside="second", keep=settings.image != OWN, again=again)


def show_second(first: Trajectory | None) -> None:
    """The second network's run: from its stream while it is under way, then its maps, the verdict, and both curves if `first` is there."""
    state = page_state(SecondRun)
    job, settings = state.job, state.settings
    if job is None or settings is None or state.picture is None or (first is not None and first.settings != settings):
        return
    if first is not None and first.report is not None and first.report.stopped:
        job.stop()
    if job.active:
        st.markdown("**The second network** is under way.")
        live_status(job, "second")
        look = layer_look(model_entry(settings.model).label_set, None, tab().look, draw.full_scale(settings.eps, settings.norm))
        with place_for_pairs(state.picture.pixels, "glance_second"):
            live_layers(job, "second", {name: name for name in MAPS}, look, columns=2)
        live_curves(job, "second", 300)
    elif (problem := problem_of_job(job)) is not None:
        st.error(problem)
    elif job.latest is not None and job.latest.final is not None:
        show_seen(job.latest, state.alike)
        if first is not None:
            show_both_curves((first, job.latest))


def show_seen(second: Trajectory, alike: bool) -> None:
    """What came of the second network: the verdict and its maps."""
    assert second.final is not None
    how = "attacked with the same settings" if alike else "which sees the same pictures, made to fool the first"
    headline, told = verdict(second, second.final)
    st.markdown(f"**The second network**, {short_title(second.settings.model)}, {how}. **{headline}.** {told}")
    found = layers_of(second, second.final, label_set_of(second), None, tab().look)
    with place_for_pairs(second.picture.pixels, "glance_second"), st.grid(2, min_column_width=150, gap="small"):
        for name in MAPS:
            st.image(data_url(found[name]()), caption=f"{name}, second network", width="stretch", alt=f"{name} of the second network")


def show_both_curves(runs: Sequence[Trajectory]) -> None:
    """The mIoU of both networks on one axis."""
    names = [short_title(run.settings.model) for run in runs]
    quantity = next(name for name in QUANTITIES if "mIoU" in name)
    lines = {name: (run, COLOURS[number]) for number, (name, run) in enumerate(zip(names, runs, strict=True))}
    st.plotly_chart(
        comparison_curves(lines, quantity, evaluations_of(runs[0].settings)),
        key="second_curves",
        config={"displayModeBar": False},
        alt=f"{quantity} of both networks over the gradient evaluations",
    )
