"""Parts of the page of defences: status, the three columns, curves, the table over the samples, models at growing eps."""

from collections.abc import Hashable

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from segviz import draw
from segviz.defences.catalog import defence_entry
from segviz.defences.uncertainty import roc
from segviz.engine.jobs import Job, State
from segviz.records import Trajectory
from segviz.results import survey_csv
from segviz.studies.defences import Ladder, Survey, Trial, signs_of_masking
from segviz.ui.kit.attacks import attack_title
from segviz.ui.kit.charts import QUANTITIES, comparison_curves
from segviz.ui.kit.layers import PERTURBATION, label_set_of, layer_title, layers
from segviz.ui.kit.models import model_title
from segviz.ui.kit.pictures import encoded, show_row
from segviz.ui.kit.session import engine
from segviz.ui.kit.status import AWAY
from segviz.ui.kit.words import basis

INTRODUCTION = (
    "A defence that stops an attack which does not know it may fall to one that does. Left: the attack on the network alone. Middle: the "
    "**same pictures** seen through the defence. Right: the attack that **knows** the defence and goes through it, at equal cost. "
    "Choose on the left and press **Run**, or take one of these:"
)
COLUMNS = (
    ("No defence", "#d9480f"),
    ("Defence, attack does not know it", "#1971c2"),
    ("Defence, attack knows it", "#9c36b5"),
)
SHOWN = ("Adversarial map", "Clean map", "Adversarial", PERTURBATION)


def runs_of(trial: Trial) -> tuple[Trajectory | None, Trajectory | None, Trajectory | None]:
    """The three columns."""
    return trial.plain, trial.naive, trial.adaptive


def show_status(job: Job[Trial | Survey | Ladder] | None) -> None:
    """Progress of what is under way; errors as messages."""
    if job is None:
        return
    if job.state is State.WAITING:
        st.progress(0.0, f"Waiting: {engine().ahead_of(job)} runs are served first.")
    elif job.state is State.RUNNING:
        stopping = ", stopping …" if job.stopping else ""
        latest = job.latest
        if latest is None:
            st.progress(0.0, "Loading the model …")
        elif isinstance(latest, Survey):
            st.progress(latest.done / latest.total, f"{latest.done} of {latest.total} trials{stopping}")
        elif isinstance(latest, Ladder):
            done, total = sum(map(len, latest.runs.values())), len(latest.eps) * len(latest.runs)
            st.progress(done / total, f"{done} of {total} attacks{stopping}")
        else:
            spent = max(0 if run is None else run.curve[-1].gradients for run in runs_of(latest))
            st.progress(min(spent / max(latest.budget, 1), 1.0), f"{spent} of {latest.budget} gradient evaluations each{stopping}")
    elif job.error is not None or job.state is State.ABANDONED:
        st.error(job.error or AWAY)


def show_columns(trial: Trial, on_photo: bool, run: str) -> None:
    """The three columns: figures and pictures of the 8-bit results, or of the newest stored iterates until then."""
    columns = st.columns(3, gap="medium")
    for number, (column, (name, _), trajectory) in enumerate(zip(columns, COLUMNS, runs_of(trial), strict=True)):
        with column:
            st.markdown(f"**{name}**")
            if trajectory is None:
                st.caption("Press **Run**.")
                continue
            show_figures(trajectory)
            frame = trajectory.final or trajectory.frames[-1]
            found = layers(trajectory, frame, label_set_of(trajectory), None, on_photo)
            moment = frame.index if trajectory.final is None else "result"
            identity: tuple[Hashable, ...] = (run, on_photo, number, moment, hash(trajectory.picture.pixels.tobytes()))
            for layer in SHOWN:
                drawn = encoded((*identity, layer), trajectory.final is None, found[layer])
                st.image(drawn, caption=layer, width="stretch", alt=f"{layer}: {name}")


def show_figures(trajectory: Trajectory) -> None:
    """Pixels won and mIoU of one column, with the clean mIoU of the same network."""
    point, report = trajectory.curve[-1], trajectory.report
    miou = report.adversarial.miou if report is not None else point.miou
    success = report.success if report is not None else point.success
    left, right = st.columns(2)
    left.metric("mIoU of this image", f"{miou:.1%}", f"{100 * (miou - trajectory.clean.miou):+.1f} from {trajectory.clean.miou:.1%}")
    right.metric("Pixels won", f"{success:.1%}")


def show_trial(trial: Trial, on_photo: bool, run: str) -> None:
    """What the trial is, signs of masked gradients, the columns and the curves."""
    entry = defence_entry(trial.defence)
    if trial.settings.steps > 0:
        settings = trial.settings
        views = f", {trial.passes} views at a time" if trial.passes > 1 else ""
        st.markdown(
            f"**{attack_title(settings)}**, ε = {settings.eps:g}/255, against **{entry.title}** "
            f"(`{settings.model}+{trial.defence}`{views})."
        )
    for sign in signs_of_masking(trial):
        st.warning(f"**Masked gradients?** {sign}", icon=":material/visibility_off:")
    if trial.ended and not signs_of_masking(trial) and trial.settings.steps > 0:
        st.caption("No sign of masked gradients: the attack that knows is at least as strong, its loss moves, more steps do not weaken it.")
    show_columns(trial, on_photo, run)
    if trial.plain is not None:
        st.caption(f"{basis(trial.plain)} {layer_title(PERTURBATION, trial.settings)}.")
    if trial.settings.steps > 0:
        quantity = st.segmented_control(
            "Curves of", list(QUANTITIES), default="pixels won", required=True, key="defence_quantity", label_visibility="collapsed"
        )
        runs = {name: (found, colour) for (name, colour), found in zip(COLUMNS, runs_of(trial), strict=True) if found is not None}
        st.plotly_chart(
            comparison_curves(runs, quantity, trial.budget),
            key="defence_curves",
            config={"displayModeBar": False},
            alt=f"{quantity} in the three columns over the gradient evaluations",
        )


def show_survey(survey: Survey) -> None:
    """The table over the samples, its CSV, and how well uncertainty tells attacked pictures from clean ones."""
    percent = st.column_config.NumberColumn(format="%.1f %%")
    ratio = st.column_config.NumberColumn(format="%.2f", help="mIoU under attack over the clean one of the same row (Arnab et al.).")
    rows = [row for row in survey.rows if row.pictures or row.error]
    clean = rows[0].clean
    st.dataframe(
        {
            "defence": [defence_entry(row.defence).title if row.defence else "None" for row in rows],
            "clean mIoU": [100 * row.clean if row.pictures else None for row in rows],
            "clean cost": [100 * (clean - row.clean) if row.pictures else None for row in rows],
            "naive mIoU": [100 * row.naive if row.pictures else None for row in rows],
            "naive IoU ratio": [row.ratio(row.naive) for row in rows],
            "adaptive mIoU": [100 * row.adaptive if row.pictures else None for row in rows],
            "adaptive IoU ratio": [row.ratio(row.adaptive) for row in rows],
            "views": [row.passes for row in rows],
            "pictures": [row.pictures for row in rows],
            "": [row.error for row in rows],
        },
        hide_index=True,
        placeholder="–",
        column_config={
            "clean mIoU": percent,
            "clean cost": st.column_config.NumberColumn(
                format="%.1f", help="Percentage points of mIoU that the defence costs without an attack; below 0 it helps."
            ),
            "naive mIoU": percent,
            "adaptive mIoU": percent,
            "naive IoU ratio": ratio,
            "adaptive IoU ratio": ratio,
        },
        alt="Clean, naive and adaptive mIoU of each defence",
    )
    st.caption(
        "mIoU from one confusion matrix over all pictures of a row. Naive: the attack does not know the defence. Adaptive: it goes through "
        "it, at the same number of gradient evaluations."
    )
    st.download_button(
        "Table (CSV)",
        lambda: survey_csv(survey),
        "defences.csv",
        "text/csv",
        on_click="ignore",
        icon=":material/table:",
        key="survey_csv",
    )
    if len(survey.clean_entropy) > 1:
        show_detection(survey)


def show_detection(survey: Survey) -> None:
    """The ROC curve of the mean entropy as a detector."""

    false_positive, true_positive, area = roc(np.array(survey.clean_entropy), np.array(survey.attacked_entropy))
    st.markdown(f"**Detection by uncertainty**: area under the curve {area:.2f}")
    figure = go.Figure()
    figure.add_scatter(x=false_positive, y=true_positive, mode="lines+markers", name="mean entropy", line_color="#1971c2")
    figure.add_scatter(x=[0, 1], y=[0, 1], mode="lines", line={"dash": "dot", "color": "#adb5bd"}, showlegend=False)
    figure.update_xaxes(title_text="clean pictures called attacked", tickformat=".0%")
    figure.update_yaxes(title_text="attacked pictures found", tickformat=".0%")
    figure.update_layout(height=300, width=420, margin={"l": 10, "r": 10, "t": 10, "b": 10}, showlegend=False)
    st.plotly_chart(figure, key="roc", width="content", config={"displayModeBar": False}, alt="ROC curve of the mean entropy")
    st.caption(
        f"Called attacked: a picture whose mean entropy of the softmax over its maximum is at least a threshold, over "
        f"{len(survey.clean_entropy)} clean pictures and their attacked versions. Below 0.5 the attacked ones are the surer ones. "
        "[Maag & Fischer, Uncertainty-based Detection of Adversarial Attacks in Semantic Segmentation](https://arxiv.org/abs/2305.12825)."
    )


def show_ladder(ladder: Ladder, on_photo: bool, run: str) -> None:
    """Per model a row of maps and a row of perturbations, one for each eps."""
    for key, runs in ladder.runs.items():
        if not runs:
            continue
        told = " · ".join(f"{one.settings.eps:g}: {one.report.adversarial.miou:.1%}" for one in runs if one.report is not None)
        st.markdown(f"**{model_title(key)}** · clean mIoU of this image {runs[0].clean.miou:.1%}; at ε = {told}")
        maps, changes = {}, {}
        for one in runs:
            assert one.final is not None
            found = layers(one, one.final, label_set_of(one), None, on_photo)
            maps[f"map, ε = {one.settings.eps:g}"] = found["Adversarial map"]
            changes[f"perturbation, ε = {one.settings.eps:g}: ±{draw.full_scale(one.settings.eps, one.settings.norm)}/255"] = found[
                PERTURBATION
            ]
        show_row(maps, (run, "ladder", key, on_photo))
        show_row(changes, (run, "ladder", key, on_photo))
