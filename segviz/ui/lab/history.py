"""The strip of the last and the pinned runs: names, pins, comparison, one file."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace

import numpy as np
import streamlit as st

from segviz import draw
from segviz.attacks.catalog import steps_of
from segviz.attacks.rows import ATTACKS
from segviz.defences.titles import short_title
from segviz.engine.kept import limit
from segviz.history import History, KeptRun, is_token, new_token
from segviz.records import Trajectory
from segviz.settings import FIELDS
from segviz.types import UserError
from segviz.ui.kit.charts import QUANTITIES, comparison_curves, show_chart
from segviz.ui.kit.export import File, download_buttons
from segviz.ui.kit.handover import show_in_lab
from segviz.ui.kit.layers import label_set_of
from segviz.ui.kit.pictures import COLOURS, encoded, show_row
from segviz.ui.kit.running import told_here
from segviz.ui.kit.session import uploaded
from segviz.ui.kit.state import page_state
from segviz.ui.kit.words import OWN, image_title
from segviz.ui.lab.state import Lab

COOKIE = "segviz_runs"
KEEPING = "A run on your own picture is kept on this server, with the picture, only if you press this. Delete it below at any time."

_remember = st.components.v2.component(
    "segviz_remember",
    html="<span></span>",
    js=f"""export default function({{ data }}) {{
  document.cookie = `{COOKIE}=${{data.token}}; path=/; max-age=31536000; samesite=lax`;
}}""",
)


def token_of_browser() -> str:
    """The secret that the browser keeps, or a new one."""
    kept = str(st.context.cookies.get(COOKIE, ""))
    return kept if is_token(kept) else new_token()


@dataclass
class RunStrip:
    """The runs of the browser of this tab; `token` finds them, `remembered` is the run kept last, `said` what came of a click."""

    token: str
    remembered: str = ""
    said: str = ""
    history: History = field(init=False)

    def __post_init__(self) -> None:
        self.history = History(self.token)


def strip_of_tab() -> RunStrip:
    """The record of this tab."""
    return page_state(RunStrip, lambda: RunStrip(token_of_browser()))


def remember_run(state: Lab, trajectory: Trajectory) -> None:
    """Keep the run that has just ended; one on the user's own picture only if he says so."""
    strip, job = strip_of_tab(), state.job
    if not limit() or job is None or job.id == strip.remembered or trajectory is not job.latest:
        return
    if trajectory.report is None or trajectory.settings.steps == 0:
        return
    if trajectory.settings.image != OWN or st.button("Keep this run", icon=":material/save:", help=KEEPING, key="history_keep"):
        strip.remembered = job.id
        strip.history.remember(trajectory, name_of_run(trajectory))


def name_of_run(trajectory: Trajectory) -> str:
    """What a run is called at first."""
    settings = trajectory.settings
    return f"{ATTACKS[settings.attack].title}, ε {settings.eps:g}"


def show_run_strip() -> None:
    """The runs with what can be done with them."""
    if not limit():
        return
    strip = strip_of_tab()
    _remember(key="remember_browser", data={"token": strip.token})
    runs = strip.history.runs()
    with st.expander(f"Your runs ({len(runs)})", icon=":material/history:", key="history"):
        st.caption(
            "The last eight runs of this browser, kept on this server. Pin a run to keep it for longer; tick two or more to compare them."
        )
        with st.container(horizontal=True, key="run_strip"):
            ticked = [run for run in runs if show_kept_run(strip, run)]
        show_actions(strip, runs, ticked)
        if len(ticked) > 1:
            show_side_by_side(ticked)


def show_kept_run(strip: RunStrip, run: KeptRun) -> bool:
    """One run of the strip; returns whether it is ticked."""
    found, final = run.trajectory, run.trajectory.final
    assert found.report is not None
    assert final is not None
    with st.container(width=150):
        shown = encoded((run.key, "strip"), True, lambda: draw.colour_map(final.prediction, label_set_of(found).screen_palette))
        told = f"{image_title(found.settings.image)}, mIoU {found.report.adversarial.miou:.1%}"
        st.image(shown, caption=told, width="stretch", alt=f"Map of {run.name}")
        ticked = st.checkbox(run.name, key=f"tick-{run.key}")
        st.button(
            "Unpin" if run.pinned else "Pin",
            icon=":material/keep_off:" if run.pinned else ":material/keep:",
            key=f"pin-{run.key}",
            on_click=pin_run,
            args=(strip, run),
        )
    return ticked


def pin_run(strip: RunStrip, run: KeptRun) -> None:
    """Pin a run, or unpin it."""
    try:
        strip.history.pin(run.key, not run.pinned)
        strip.said = ""
    except UserError as error:
        strip.said = str(error)


def show_actions(strip: RunStrip, runs: Sequence[KeptRun], ticked: Sequence[KeptRun]) -> None:
    """What is done with the ticked runs, and one file of all."""
    bar = st.container(horizontal=True, vertical_alignment="bottom")
    if len(ticked) == 1:
        run = ticked[0]
        key = f"name-{run.key}"
        bar.text_input("Name", run.name, max_chars=80, key=key, on_change=lambda: strip.history.rename(run.key, st.session_state[key]))
        bar.button("Show above", icon=":material/visibility:", key="history_show", on_click=show_in_lab, args=(run.trajectory,))
    keys = [run.key for run in ticked]
    bar.button("Delete", icon=":material/delete:", key="history_delete", disabled=not ticked, on_click=strip.history.delete, args=(keys,))
    if runs:
        chosen = keys or [run.key for run in runs]
        label = "Export the ticked" if keys else "Export all"
        with bar:
            download_buttons("history", [File(label, "segviz.runs", lambda: strip.history.exported(chosen))])
    file = st.file_uploader("Import runs", ["runs"], max_upload_size=50, key="history_import")
    if file is not None and st.button("Take them", icon=":material/download:", key="history_take"):
        with told_here():
            count = strip.history.load(uploaded(file))
            strip.said = f"{count} run{'' if count == 1 else 's'} imported, pinned."
            st.rerun()
    if strip.said:
        st.info(strip.said)


def show_side_by_side(ticked: Sequence[KeptRun]) -> None:
    """Curves over each other, maps side by side, and the settings that differ."""
    names = unlike_names(ticked)
    runs = {name: (run.trajectory, COLOURS[number % len(COLOURS)]) for number, (name, run) in enumerate(zip(names, ticked, strict=True))}
    quantity = st.segmented_control("Curves of", QUANTITIES, default=next(iter(QUANTITIES)), required=True, key="history_quantity")
    budget = max(run.trajectory.curve[-1].gradients for run in ticked)
    show_chart(comparison_curves(runs, quantity, max(budget, 1)), key="history_curves", alt=f"{quantity} of the ticked runs")
    maps = {}
    for name, run in zip(names, ticked, strict=True):
        maps[f"{name}: clean"] = map_of(run.trajectory, run.trajectory.frames[0].prediction)
        if run.trajectory.final is not None:
            maps[name] = map_of(run.trajectory, run.trajectory.final.prediction)
    show_row(maps, ("history", *(run.key for run in ticked)))
    differing = unlike_settings([run.trajectory for run in ticked])
    if differing:
        columns = {name: [values[number] for values in differing.values()] for number, name in enumerate(names)}
        st.dataframe({"setting": list(differing), **columns}, hide_index=True, alt="Settings that differ between the ticked runs")
    else:
        st.caption("All of their settings are the same.")


def map_of(trajectory: Trajectory, prediction: np.ndarray) -> Callable[[], np.ndarray]:
    """A function that draws a label map of a run."""
    return lambda: draw.colour_map(prediction, label_set_of(trajectory).screen_palette)


def unlike_names(runs: Sequence[KeptRun]) -> list[str]:
    """The names of runs, numbered where they are alike."""
    names = [run.name for run in runs]
    return [f"{name} ({number})" if names.count(name) > 1 else name for number, name in enumerate(names, 1)]


def unlike_settings(runs: Sequence[Trajectory]) -> dict[str, list[str]]:
    """By label the settings that are not the same in all runs, as text, run by run."""
    told = [
        {name: FIELDS[name].format(value) for name, value in asdict(replace(run.settings, steps=steps_of(run.settings))).items()}
        for run in runs
    ]
    found = {name: [one[name] for one in told] for name in told[0] if len({one[name] for one in told}) > 1}
    named = {FIELDS[name].label or name: values for name, values in found.items()}
    if "Model" in named:
        named["Model"] = [short_title(key) for key in named["Model"]]
    return named
