"""Links that were shared open the same view; what a link asks for in vain is said and starts nothing."""

from dataclasses import asdict, replace

import pytest
from app_page import button, choose, control, finish, metrics, open_page, text
from hypothesis import given
from streamlit.testing.v1 import AppTest

from segviz.attacks.catalog import check_settings
from segviz.fields import parameters
from segviz.settings import Settings
from segviz.studies.grid import AttackRow, Images
from segviz.studies.precomputed import FIRST
from segviz.types import UserError
from segviz.ui.certificate.controls import TABLE as CERTIFICATE
from segviz.ui.compare.controls import TABLE as COMPARE
from segviz.ui.defences.controls import TABLE as DEFENCES
from segviz.ui.image_scaling.controls import TABLE as SCALING
from segviz.ui.kit.links import LINK, OF_THE_ATTACK, link_of, read_link
from segviz.ui.study.controls import TABLE as GRID
from segviz.ui.study.controls import read_grid
from segviz.ui.targets.controls import TABLE as TARGETS
from segviz.ui.transfer.links import TABLE as TRANSFER
from tests.cases import invalid, quick, valid

TABLES = {
    "attack_lab": LINK,
    "compare": COMPARE,
    "targets": TARGETS,
    "transfer": TRANSFER,
    "image_scaling": SCALING,
    "defences": DEFENCES,
    "certificate": CERTIFICATE,
}

# What was shared before there was one codec, with what it opens.
SHARED_LINKS = [
    (
        "attack_lab",
        {"image": "camera", "steps": "5", "attack": "ifgsm", "eps": "3"},
        {"image": "camera", "steps": 5, "attack": "ifgsm", "eps": 3.0},
    ),
    ("attack_lab", {"steps": "300", "restarts": "20"}, {"steps": 300, "restarts": 20}),
    ("attack_lab", {"steps": "1", "eps": "0"}, {"steps": 1, "eps": 0.0}),
    ("attack_lab", {"region": "polygon:"}, {"region": "polygon:"}),
    ("attack_lab", {"region": "polygon:10,10 30,10 20,40"}, {"region": "polygon:10,10 30,10 20,40"}),
    ("attack_lab", {"region": "polygon:0,0 50,0 50,50|1.5,2 3,4 5,-6"}, {"region": "polygon:0,0 50,0 50,50|1.5,2 3,4 5,-6"}),
    (
        "attack_lab",
        {"region": "outside:cat", "goal": "class", "target": "cat"},
        {"region": "outside:cat", "goal": "class", "target": "cat"},
    ),
    ("attack_lab", {"model": "voc7-fcn8s+multiscale", "norm": "l2"}, {"model": "voc7-fcn8s+multiscale", "norm": "l2"}),
    ("attack_lab", {"attack": "apgd-js", "variant": "constant", "seed": "9"}, {"attack": "apgd-js", "variant": "constant", "seed": 9}),
    ("attack_lab", {"attack": "tsallispgd", "q": "-1.5"}, {"attack": "tsallispgd", "q": -1.5}),
    ("attack_lab", {"attack": "cira", "layer": "encoder.blocks.4"}, {"attack": "cira", "layer": "encoder.blocks.4"}),
    ("attack_lab", {"attack": "almaprox", "clip": "False", "alpha": "0.3"}, {"attack": "almaprox", "clip": False, "alpha": 0.3}),
    ("attack_lab", {"transforms": "di,ti", "against": "prediction"}, {"transforms": ("di", "ti"), "against": "prediction"}),
    (
        "attack_lab",
        {"goal": "swap", "target": "cat", "other": "dog", "image": "own"},
        {"goal": "swap", "target": "cat", "other": "dog", "image": "own"},
    ),
    ("compare", {"attacks": "fgsm,ifgsm", "budget": "3"}, {"attacks": ("fgsm", "ifgsm"), "budget": 3}),
    (
        "compare",
        {"attacks": "ifgsm,apgd-js constant", "eps": "2", "image": "dog", "against": "prediction"},
        {"attacks": ("ifgsm", "apgd-js constant"), "eps": 2.0, "image": "dog", "against": "prediction"},
    ),
    (
        "targets",
        {"victims": "dog,chelsea", "target": "class:cat", "steps": "2", "eps": "4", "alpha": "3", "attack": "ifgsm", "seed": "7"},
        {"victims": ("dog", "chelsea"), "target": "class:cat", "steps": 2, "eps": 4.0, "alpha": 3.0, "attack": "ifgsm", "seed": 7},
    ),
    ("targets", {"target": "photo:dog:prediction"}, {"target": "photo:dog:prediction"}),
    ("targets", {"target": "mirror"}, {"target": "mirror"}),
    ("targets", {"target": "drawn"}, {"target": "drawn"}),
    ("targets", {"target": "remove:person", "model": "voc7-fcn8s"}, {"target": "remove:person", "model": "voc7-fcn8s"}),
    ("transfer", {"view": "picture", "eps": "8"}, {"view": "picture", "eps": 8.0}),
    (
        "transfer",
        {"view": "matrix", "eps": "8", "sources": "voc7-fcn8s,voc7-lraspp+multiscale+crf", "through": "", "paper": "True", "limit": "7"},
        {
            "view": "matrix",
            "eps": 8.0,
            "sources": ("voc7-fcn8s", "voc7-lraspp+multiscale+crf"),
            "through": (),
            "paper": True,
            "limit": 7,
        },
    ),
    (
        "transfer",
        {"view": "transforms", "each": "di,momentum+di+ti", "iterative": "pgd"},
        {"view": "transforms", "each": ("di", "momentum+di+ti"), "iterative": "pgd"},
    ),
    (
        "transfer",
        {"view": "curves", "data": "folder", "folder": "/data/some set", "with": "scale"},
        {"view": "curves", "data": "folder", "folder": "/data/some set", "with": ("scale",)},
    ),
    ("image_scaling", {"size": "/8", "scaler": "torch-linear"}, {"size": "/8", "scaler": "torch-linear"}),
    (
        "image_scaling",
        {"hidden": "adversarial", "attack": "segpgd", "attack_eps": "4", "steps": "50", "share": "0.5", "size": "200x100", "eps": "2.5"},
        {"hidden": "adversarial", "attack": "segpgd", "eps": 4.0, "steps": 50, "share": 0.5, "size": "200x100", "slack": 2.5},
    ),
    ("image_scaling", {"hidden": "colour", "colour": "#102030", "other": "own"}, {"hidden": "colour", "colour": "#102030", "other": "own"}),
    (
        "defences",
        {"attack": "ifgsm", "defence": "random-noise=8,2", "budget": "4", "eps": "2", "image": "dog"},
        {"attack": "ifgsm", "defence": "random-noise=8,2", "budget": 4, "eps": 2.0, "image": "dog"},
    ),
    (
        "defences",
        {"defence": "median=5", "attack": "apgd-js", "variant": "constant"},
        {"defence": "median=5", "attack": "apgd-js", "variant": "constant"},
    ),
    (
        "certificate",
        {"image": "dog", "sigma": "0.1", "tau": "0.9", "n0": "5", "n": "300", "alpha": "0.01", "seed": "3"},
        {"image": "dog", "sigma": 0.1, "tau": 0.9, "first_looks": 5, "looks": 300, "alpha": 0.01, "seed": 3},
    ),
]


@pytest.mark.parametrize(("page", "query", "values"), SHARED_LINKS)
def test_links_that_were_shared_say_what_they_said(page, query, values):
    link = read_link(query, TABLES[page])
    assert link.values == values
    assert link.refused == ()
    assert parameters(values, TABLES[page]).items() <= query.items()


def test_links_of_studies_open_the_same_grid():
    query = {"models": "voc7-lraspp,voc7-lraspp crf", "attacks": "pgd@2,fgsm,pgd<voc7-fcn8s", "eps": "4,2,0.5", "images": "camera,dog"}
    study = read_grid(read_link(query | {"seeds": "3", "steps": "10,5", "norm": "l2"}, GRID).values, FIRST)
    assert (study.models, study.eps, study.steps, study.seeds) == (("voc7-lraspp", "voc7-lraspp+crf"), (0.5, 2, 4), (5, 10), (0, 1, 2))
    assert study.attacks == (AttackRow("pgd", steps=2), AttackRow("fgsm"), AttackRow("pgd", source="voc7-fcn8s"))
    assert (study.images, study.base.norm, study.base.against) == (Images(names=("camera", "dog")), "l2", FIRST.base.against)
    folder = read_grid(read_link({"data": "/data/voc", "split": "val", "limit": "7"}, GRID).values, FIRST)
    assert folder.images == Images("/data/voc", split="val", limit=7)


@quick
@given(valid())
def test_the_link_of_settings_brings_them_back(wanted):
    link = read_link(link_of(wanted))
    unfit = ["region is", "break_region is", "target is", "other is", "variant is"]
    try:
        check_settings(replace(wanted, variant=""))
    except UserError:
        unfit += [f"{name} is" for name in OF_THE_ATTACK]
    assert [line for line in link.refused if not line.startswith(tuple(unfit))] == []
    if not link.refused:
        assert asdict(Settings(**link.values)) == asdict(wanted)


@quick
@given(invalid())
def test_what_a_link_asks_for_in_vain_is_named(case):
    name, wrong = case
    link = read_link({"image": "dog", name: wrong})
    assert link.values == {"image": "dog"}
    (line,) = link.refused
    assert line.startswith(f"{name} is ")


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"eps": "abc", "image": "dog"}, "eps is 'abc'; it must be a number between 0 and 255, in grey levels."),
        ({"attack": "pdg"}, "attack is 'pdg'; it must be one of the"),
        ({"seed": "99999999999"}, "seed is 99999999999; it must be a whole number between 0 and 4294967295."),
        ({"region": "class:unicorn"}, "region is 'class:unicorn'; of the classes of this model it must be one of background, "),
        ({"target": "unicorn", "goal": "class"}, "target is 'unicorn'; it must be one of"),
        ({"target": "road", "goal": "class"}, "target is 'road'; of the classes of this model it must be one of background, "),
        ({"variant": "constant"}, "variant is 'constant'; of the variants of PGD there are none."),
        ({"attack": "dag", "norm": "l2"}, "norm is 'l2'. DAG is defined for the norm linf."),
        ({"goal": "swap", "target": "cat", "other": "cat"}, "other is 'cat'; a class cannot be swapped with itself."),
        ({"stepz": "3"}, "This page has no setting 'stepz'. Perhaps steps is meant."),
    ],
)
def test_the_lab_says_what_it_did_not_take_and_runs_nothing(query, said):
    app = finish(open_page(**query | {"image": "dog"}))
    assert said in app.warning[0].value
    assert "Largest change" not in metrics(app)
    # The message goes when something is changed.
    app = choose(app, Goal="break", **{"Epsilon, in n/255": 2.0})
    app.run()
    assert said not in text(app)


@pytest.mark.parametrize(
    ("page", "query", "said"),
    [
        ("compare", {"attacks": "fgsm,magic"}, "attacks is 'magic'; it must be one of the"),
        ("targets", {"victims": "dog", "steps": "0"}, "steps is 0; it must be a whole number between 1 and 1000"),
        ("transfer", {"view": "picture", "sources": "nothing"}, "sources: There is no model 'nothing' on this server."),
        ("image_scaling", {"size": "wide"}, "size: 'wide' is no target size."),
        ("targets", {"target": "class:road", "victims": "dog"}, "target is 'class:road'; of the classes of this model it must be one of"),
        ("defences", {"defence": "jpeg=1000"}, "defence: "),
        ("certificate", {"sigma": "0.1", "tau": "0.2"}, "tau is 0.2; it must be a number between 0.5 and 0.99"),
        (
            "defences",
            {"defence": "jpeg", "attack": "cospgd", "variant": "constant"},
            "variant is 'constant'; of the variants of CosPGD it must be one of softmax, sigmoid.",
        ),
        ("curves", {"eps": "1,x"}, "eps is 'x'; it must be a number between 0.01 and 255"),
    ],
)
def test_every_page_says_what_it_did_not_take_and_runs_nothing(page, query, said):
    app = open_page(page, **query)
    assert said in app.warning[0].value
    if page == "targets":
        # It looks at the picture, without an attack and its curves.
        assert len(finish(app).get("plotly_chart")) == 0
    else:
        assert button(app, "Stop").disabled


def test_a_link_beyond_the_usual_range_extends_the_slider():
    app = finish(open_page(eps="40", alpha="0.001", steps="1", image="camera"))
    assert not app.warning
    assert (control(app, "Epsilon, in n/255").value, control(app, "Epsilon, in n/255").max) == (40, 40)
    assert control(app, "Step size, in n/255").value == 0.001


def test_a_field_that_a_page_does_not_know_gets_the_widget_of_its_kind():
    def page() -> None:
        import streamlit as st

        from segviz.fields import Field
        from segviz.ui.kit.fields import widget

        rows = (
            Field("warmth", float, 0.5, low=0, high=9, step=0.5, usual=2, label="Warmth", tip="How warm."),
            Field("depth", int, 3, low=1, high=9, label="Depth"),
            Field("dry", bool, True, label="Dry"),
            Field("taste", str, "sweet", choices=lambda: ("sweet", "sour"), label="Taste"),
            Field("note", str, "", label="Note"),
        )
        for field in rows:
            st.session_state.setdefault(field.name, field.default)
        st.text(str([widget(field) for field in rows]))

    app = AppTest.from_function(page).run()
    assert app.text[0].value == "[0.5, 3, True, 'sweet', '']"
    assert (app.slider[0].label, app.slider[0].max, app.slider[0].step, app.slider[0].help) == ("Warmth", 2, 0.5, "How warm.")
    assert (app.number_input[0].min, app.number_input[0].max) == (1, 9)
    assert app.selectbox[0].options == ["sweet", "sour"]
