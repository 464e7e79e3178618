"""All defences over the samples: the table, its file, and detection by uncertainty."""

import streamlit as st

from segviz.defences.catalog import defence_entry
from segviz.report.kinds import survey_document
from segviz.results import survey_csv
from segviz.settings import Settings
from segviz.studies.defences import Survey
from segviz.ui.defences.charts import entropy_roc
from segviz.ui.kit.beside import show_left_out, show_warnings
from segviz.ui.kit.charts import show_chart
from segviz.ui.kit.export import File, download_buttons, page_link, report_file
from segviz.ui.kit.words import PASSES_HELP

PERCENT = st.column_config.NumberColumn(format="%.1f %%")
RATIO = st.column_config.NumberColumn(format="%.2f", help="mIoU under attack over the clean one of the same row (Arnab et al.).")
COLUMNS = {
    "clean mIoU": PERCENT,
    "clean cost": st.column_config.NumberColumn(
        format="%.1f", help="Percentage points of mIoU that the defence costs without an attack; below 0 it helps."
    ),
    "naive mIoU": PERCENT,
    "adaptive mIoU": PERCENT,
    "spread": st.column_config.NumberColumn(
        format="%.1f", help="Percentage points between the lowest and the highest adaptive mIoU over the draws of a random defence."
    ),
    "draws": st.column_config.NumberColumn(help="Draws of the defence by which every result is judged; figures are their means."),
    "views": st.column_config.NumberColumn(help="Passes that one look of the attack through the defence takes."),
    "passes": st.column_config.NumberColumn(format="%.0f", help=PASSES_HELP),
    "naive IoU ratio": RATIO,
    "adaptive IoU ratio": RATIO,
}


def show_survey(survey: Survey, of: tuple[Settings, int] | None) -> None:
    """The table over the samples, its CSV, and how well uncertainty tells attacked pictures from clean ones."""
    show_warnings(survey.warnings)
    show_left_out(survey.left_out)
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
            "spread": [100 * (row.adaptive_high - row.adaptive_low) if row.draws > 1 and row.pictures else None for row in rows],
            "draws": [row.draws if row.pictures else None for row in rows],
            "views": [row.views for row in rows],
            "passes": [row.passes for row in rows],
            "pictures": [row.pictures for row in rows],
            "": [row.error for row in rows],
        },
        hide_index=True,
        placeholder="–",
        column_config=COLUMNS,
        alt="Clean, naive and adaptive mIoU of each defence",
    )
    st.caption(
        "mIoU over all pictures of a row together. Naive: the attack does not know the defence. Adaptive: it goes through it, at the same "
        "number of gradient evaluations."
    )
    files = [File("Table (CSV)", "defences.csv", lambda: survey_csv(survey), ":material/table:")]
    if of is not None:
        link = page_link()
        files.append(report_file(lambda: survey_document(survey, *of, link)))
    download_buttons("survey", files)
    if len(survey.clean_entropy) > 1:
        show_uncertainty(survey)


def show_uncertainty(survey: Survey) -> None:
    """The ROC curve of the mean entropy as a detector."""
    figure, area = entropy_roc(survey)
    st.markdown(f"**Detection by uncertainty**: area under the curve {area:.2f}")
    show_chart(figure, key="roc", width="content", config={"displayModeBar": False}, alt="ROC curve of the mean entropy")
    st.caption(
        "A picture is called attacked when the model is unsure of it: when the mean entropy of its pixels, as a share of the largest "
        f"possible, is at least a threshold. Over {len(survey.clean_entropy)} clean pictures and their attacked versions. Below 0.5 the "
        "model is surer of the attacked ones. "
        "[Maag & Fischer, Uncertainty-based Detection of Adversarial Attacks in Semantic Segmentation](https://arxiv.org/abs/2305.12825)."
    )
