"""About: how to read the numbers, the models and the photos."""

import streamlit as st

from segviz.attacks.entry import FAMILIES
from segviz.attacks.rows import ATTACKS
from segviz.data.samples import samples
from segviz.models.zoo import MODELS
from segviz.ui.kit.session import through_app

through_app("pages/about.py")

st.title("segviz")
st.markdown(
    """
Attack a semantic-segmentation network and see, live, what happens. The **attack lab** runs gradient attacks on a real pretrained model,
on the device of this server, step by step; nothing on screen is simulated.

#### How to read the numbers
- **Epsilon** is in grey levels of the picture that you see: 4/255 means that no colour value changes by more than 4 of 255. For L2 it is
  the root mean square of all changes.
- **Results are measured on 8-bit values**: the adversarial picture is rounded within the allowed change, and the model predicts once more
  on exactly the picture that you can download. Curves and stored iterations show the iterates before that rounding.
- **mIoU of this image** is the mean IoU over the classes that occur in the labels or in the prediction of this one picture. The mIoU of a
  data set adds up all its pixels first and is not comparable with it. A class in neither map has no IoU and does not count.
- **IoU ratio** is the adversarial mIoU over the clean one (Arnab, Miksik & Torr, CVPR 2018).
- **The result** is the step that fooled most pixels, rounded to a real image.
- **Without a label map** the figures are against the model's own clean prediction, which is 100 % right by definition.
"""
)
st.subheader("Attacks")
st.dataframe(
    {
        "attack": [entry.title for entry in ATTACKS.values()],
        "kind": [FAMILIES[entry.family] for entry in ATTACKS.values()],
        "targeted": [entry.takes_target for entry in ATTACKS.values()],
        "what it does": [entry.summary for entry in ATTACKS.values()],
        "paper": [entry.paper for entry in ATTACKS.values()],
        "link": [entry.url for entry in ATTACKS.values()],
        "ours, not the paper's": [entry.ours for entry in ATTACKS.values()],
    },
    hide_index=True,
    column_config={"link": st.column_config.LinkColumn(display_text="open")},
)
st.subheader("Models")
for model in MODELS.values():
    if model.state != "bundled":
        continue
    st.markdown(
        f"**{model.title}**: {', '.join(model.label_set.classes)}. Photos are brought to at most {model.working_size} px. "
        f"{model.data}; mIoU on the validation set {model.val_miou:.1%} (ours). Licence: {model.licence}."
    )
st.subheader("Photos")
for sample in samples().values():
    st.markdown(f"- **{sample.title}**: {sample.credit}; {sample.source}; {sample.licence}. Label map: the segviz authors, CC0.")
