"""The attack lab's page, driven by AppTest."""

import io
import json
import re

import numpy as np
import pytest
from app_page import (
    button,
    choose,
    control,
    finish,
    go_to,
    metric,
    metrics,
    open_page,
    pictures,
    press,
    progress,
    record,
    table,
    text,
    until,
    upload,
)
from PIL import Image

from segviz.attacks.regions import inside
from segviz.attacks.rows import ATTACKS
from segviz.data.label_sets import VOC7
from segviz.lab import sample_picture
from segviz.models.zoo import MODELS
from segviz.settings import FIELDS, Settings
from segviz.ui.kit.links import link_of, read_link
from segviz.ui.kit.session import first_trajectory
from segviz.ui.kit.state import Tab
from segviz.ui.lab.view import RESULT

EPS, NORM = "Epsilon, in n/255", "Norm"
PERSON = VOC7.classes.index("person")


def record_of(files) -> dict:
    """The file of settings and result."""
    return json.loads(files["settings.json"]())


def adversarial(files) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(files["adversarial.png"]())))


def photo(key: str) -> np.ndarray:
    return sample_picture(key, MODELS["voc7-lraspp"]).pixels


def attacked(app) -> bool:
    """Whether a result is on screen, and not only a look."""
    return "Largest change" in metrics(app)


def test_first_view_needs_no_model_and_no_run():
    app = open_page()
    assert {"mIoU of this image", "Pixel accuracy", "IoU ratio", "Largest change"} <= metrics(app)
    assert metric(app, "Largest change") == "4/255"
    assert button(app, "Stop").disabled
    assert not button(app, "Run").disabled


def test_run_shows_a_live_result(files):
    app = choose(open_page(), Attack="ifgsm", Steps=2)
    finish(press(app, "Run"))
    assert metric(app, "Gradients") == "2"
    assert record_of(files)["attack"] == "ifgsm"


def test_the_run_on_screen_is_animated_as_chosen(files):
    app = open_page()
    with Image.open(io.BytesIO(files["run.gif"]())) as gif:
        assert gif.n_frames == 10
    choose(app, Format=".webp", Frames_per_second=10)
    control(app, "Length, in seconds").set_value(1.0).run()
    with Image.open(io.BytesIO(files["run.webp"]())) as webp:
        assert webp.n_frames == 8
    control(app, "Shown, side by side").set_value([]).run()
    assert "shows one or more of" in text(app)


def test_link_reproduces_the_view(files):
    """A link with settings of its own runs at once and twice the same."""
    query = {"image": "horses", "attack": "pgd", "eps": "2.0", "steps": "2", "seed": "7", "norm": "l2"}
    results = []
    for _ in range(2):
        finish(open_page(**query))
        results.append(adversarial(files))
    assert {name: record_of(files)[name] for name in query} == query | {"eps": 2, "steps": 2, "seed": 7}
    assert np.array_equal(*results)


def test_settings_appear_in_the_url():
    app = choose(open_page(), **{EPS: 8.0, NORM: "l2"})
    assert dict(app.query_params) == {"eps": "8", "norm": "l2"}


def test_link_and_settings_are_inverse():
    settings = Settings(image="dog", goal="remove", target="dog", attack="ifgsm", norm="l2", eps=1.25, steps=50, alpha=0.3, seed=9)
    assert Settings(**read_link(link_of(settings)).values) == settings
    assert link_of(Settings()) == {}


def test_another_picture_is_shown_before_it_is_attacked():
    app = finish(choose(open_page(), Picture="dog"))
    assert np.array_equal(pictures(app, "Input")[0], photo("dog"))
    assert not attacked(app)


def test_stop_keeps_what_was_reached(files):
    app = press(choose(open_page(), Steps=300), "Run")
    until(app, lambda: re.search(r"Iteration ([2-9]|\d\d)", progress(app)))
    finish(press(app, "Stop"))
    result = record_of(files)
    assert result["stopped"]
    assert 2 <= result["iterations"] < 300
    assert int(metric(app, "Gradients")) == result["gradient_evaluations"]


def test_scrubbing_shows_a_stored_iteration():
    app = open_page()
    choose(app, Iteration_on_screen=0)
    assert np.array_equal(pictures(app, "Adversarial")[0], photo("chelsea"))
    first = first_trajectory()
    assert metric(app, "mIoU of this image") == f"{first.clean.miou:.1%}"
    assert (metric(app, "Largest change"), metric(app, "Gradients")) == ("0/255", "0")
    choose(app, Iteration_on_screen=3)
    assert metric(app, "Pixel accuracy") == f"{first.curve[3].pixel_accuracy:.1%}"
    choose(app, Iteration_on_screen=RESULT)
    assert metric(app, "Pixel accuracy") == f"{first.report.adversarial.pixel_accuracy:.1%}"


def test_a_class_that_enters_the_mean_with_nothing_is_named():
    app = finish(open_page(image="dog", steps="1", attack="pgd"))
    (told,) = [info.value for info in app.info if "one image's mIoU counts" in info.value]
    assert "in neither map before" in told


def test_epsilon_goes_in_whole_grey_levels_but_for_l2_and_what_a_link_says():
    app = open_page()
    assert (control(app, EPS).step, control(app, EPS).value) == (1, 4)
    choose(app, **{NORM: "l2"})
    assert (control(app, EPS).step, control(app, EPS).value) == (0.25, 4)
    app = open_page(eps="1.3")
    assert (control(app, EPS).step, control(app, EPS).value) == (0.01, 1.3)


def test_an_epsilon_that_rounding_removes_says_so(files):
    app = finish(open_page(image="camera", attack="fgsm", eps="0.5"))
    assert any("below one grey level" in warning.value for warning in app.warning)
    result = record_of(files)
    assert (result["linf"], result["warnings"]) == (0, ["Epsilon is below one grey level, so rounding removed the change."])


def test_goal_that_cannot_be_gets_a_message_and_keeps_the_picture():
    app = choose(open_page(), Goal="remove", Class="sheep")
    press(app, "Run")
    until(app, lambda: any("sheep" in error.value for error in app.error))
    finish(app)
    assert any("sheep" in error.value for error in app.error)
    assert np.array_equal(pictures(app, "Input")[0], photo("chelsea"))


def test_drawn_region_comes_from_the_link_and_follows_the_drawing(files):
    app = finish(open_page(image="camera", steps="1", region="polygon:10,10 90,10 50,90"))
    assert record_of(files)["region"] == "polygon:10,10 90,10 50,90"
    assert control(app, "Change only").value == "polygon"
    mask = inside("10,10 90,10 50,90", *photo("camera").shape[:2])
    changed = (adversarial(files) != photo("camera")).any(2)
    assert changed[mask].any()
    assert not changed[~mask].any()
    choose(app, Left="Region")
    record(app, Tab).polygons["region"] = "0,0 50,0 50,50 0,50"
    app.run()
    assert not app.exception
    assert app.query_params["region"] == "polygon:0,0 50,0 50,50 0,50"
    assert re.search(r"25\.\d%", text(app))
    # Drawing alone runs nothing.
    assert button(app, "Stop").disabled
    assert record_of(files)["region"] == "polygon:10,10 90,10 50,90"


def test_nothing_drawn_is_not_the_whole_picture():
    app = choose(open_page(), Change_only="polygon")
    assert button(app, "Run").disabled
    app = finish(open_page(**app.query_params, image="camera"))
    assert button(app, "Run").disabled
    assert not attacked(app)


def test_broken_polygon_gets_a_message():
    app = finish(open_page(image="camera", steps="1", region="polygon:1,2 3"))
    assert app.error
    assert button(app, "Run").disabled


def test_least_likely_attacks_are_left_out_for_targets():
    app = choose(open_page(), Goal="everywhere")
    assert ATTACKS["fgsm-ll"].title not in control(app, "Attack").options
    finish(press(choose(app, Class="sheep", Steps=2), "Run"))
    assert "Target reached" in metrics(app)


def test_upload_and_bad_uploads():
    app = choose(open_page(), Picture="own")
    assert button(app, "Run").disabled
    upload(app, "Photo", ("broken.png", b"nothing", "image/png"))
    assert any("not a picture" in error.value for error in app.error)
    assert metric(app, "Largest change") == "4/255"

    finish(upload(app, "Photo", ("own.png", png_of((90, 60)), "image/png")))
    assert "90x60 pixels" in text(app)

    upload(app, "Label map (optional)", ("labels.png", png_of((80, 60)), "image/png"))
    assert app.error
    assert "90x60 pixels" in text(app)
    finish(press(choose(app, Steps=1), "Run"))
    assert metric(app, "Gradients") == "1"


def test_own_picture_survives_a_page_change_and_takes_its_label_map_later(tmp_path, monkeypatch, files):
    app = open_page(image="own")
    own, labels = png_of((90, 60)), io.BytesIO()
    Image.fromarray(np.full((60, 90), 12, np.uint8)).save(labels, "PNG")
    label_file = ("labels.png", labels.getvalue(), "image/png")
    upload(app, "Label map (optional)", label_file)
    assert any("photo" in error.value for error in app.error)
    control(app, "Label map (optional)").set_value(None)
    finish(upload(app, "Photo", ("own.png", own, "image/png")))
    assert not attacked(app)
    go_to(go_to(app, "about"), "attack_lab")
    assert "**own.png**, without a label map" in text(app)
    finish(upload(app, "Label map (optional)", label_file))
    assert "**own.png**, with a label map" in text(app)
    finish(press(choose(app, Steps=1), "Run"))
    result = record_of(files)
    assert result["reference"] == "label map"

    (tmp_path / "photo.png").write_bytes(own)
    (tmp_path / "labels.png").write_bytes(labels.getvalue())
    monkeypatch.chdir(tmp_path)
    scope: dict = {}
    exec(files["attack.py"](), scope)
    assert scope["trajectory"].report.adversarial.miou == result["adversarial"]["miou"]


def png_of(size: tuple[int, int]) -> bytes:
    data = io.BytesIO()
    Image.linear_gradient("L").resize(size).convert("RGB").save(data, "PNG")
    return data.getvalue()


@pytest.mark.parametrize(
    "query",
    [
        {"attack": "nonsense"},
        {"eps": "nan"},
        {"eps": "-3"},
        {"steps": "7"},
        {"image": "nessie"},
        {"seed": "x"},
        {"goal": "everywhere", "target": "zebra"},
    ],
)
def test_links_with_nonsense_do_no_harm(query):
    finish(open_page(**query))


def test_six_pictures():
    app = open_page()
    glance = len(app.get("image"))
    assert len(choose(app, View="Six pictures").get("image")) == glance + 6


def test_about_page():
    app = open_page("about")
    assert {ATTACKS[key].title for key in ("pgd", "segpgd")} <= set(table(app, "attack")["attack"])
    assert MODELS["voc7-lraspp"].title in text(app)


def test_suite_shows_its_attacks():
    app = finish(open_page(image="camera", attack="quick", steps="2", eps="2.0"))
    members = table(app, "pixels won")
    assert set(members["attack"]) == {"apgd-mce", "apgd-js", "padam-cos"}
    assert members["pixels won"].is_monotonic_decreasing
    assert metric(app, "Gradients") == "6"


def test_settings_of_the_paper():
    app = choose(open_page(attack="ifgsm"), **{EPS: 8.0})
    press(app, "Settings of Arnab et al., 2018")
    assert control(app, "Steps").value == 10
    assert control(app, "Step size, in n/255").value == 1
    assert dict(app.query_params)["against"] == "prediction"


def test_variant_transforms_and_region_reach_the_run(files):
    query = {"image": "camera", "attack": "apgd-js", "variant": "constant", "transforms": "ti,si", "region": "outside:person"} | {
        "break_region": "class:person"
    }
    app = finish(open_page(**query, steps="2"))
    result = record_of(files)
    assert {name: result[name] for name in query} == query | {"transforms": ["ti", "si"]}
    assert metric(app, "Gradients") == "10"
    changed = (adversarial(files) != photo("camera")).any(2)
    labels = sample_picture("camera", MODELS["voc7-lraspp"]).labels
    assert not changed[labels == PERSON].any()
    assert changed[labels != PERSON].any()


def test_q_of_the_link_reaches_the_run_and_is_left_out_for_other_attacks(files):
    app = finish(open_page(image="camera", attack="tsallispgd", q="-1", steps="1"))
    assert control(app, FIELDS["q"].label).value == -1
    assert record_of(files)["q"] == -1
    choose(app, Attack="pgd")
    assert "q" not in dict(app.query_params)


def test_wrapped_model_runs_and_stays_in_the_link():
    app = finish(open_page(model="voc7-fcn8s+multiscale", image="camera", attack="fgsm"))
    assert control(app, "Model").value == "voc7-fcn8s"
    assert control(app, "Around the network").value == "multiscale"
    assert dict(app.query_params)["model"] == "voc7-fcn8s+multiscale"
    assert attacked(app)
    choose(app, Around_the_network="crf")
    assert dict(app.query_params)["model"] == "voc7-fcn8s+crf"


def test_swap_needs_two_classes_the_model_sees(files):
    app = choose(open_page(image="person"), Goal="swap", Class="person", With="horse", Steps=2)
    finish(press(app, "Run"))
    assert "Target reached" in metrics(app)
    assert "Target map" in control(app, "Left").options
    result = record_of(files)
    assert (result["goal"], result["target"], result["other"]) == ("swap", "person", "horse")


def test_downloads_repeat_the_run(tmp_path, monkeypatch, files):
    finish(open_page(image="camera", attack="pgd", steps="1", eps="3.0"))
    rows = files["curve.csv"]().splitlines()
    assert rows[0] == "index,loss,success,pixel_accuracy,miou,gradients,stage,member"
    assert len(rows) == 3
    result = record_of(files)
    assert (result["eps"], result["alpha"], result["reference"]) == (3, 3, "label map")
    assert set(result["adversarial"]["iou"]) == set(VOC7.classes)
    monkeypatch.chdir(tmp_path)
    exec(files["attack.py"](), {})
    assert np.array_equal(np.asarray(Image.open("adversarial.png")), adversarial(files))


def test_a_run_that_cannot_be_keeps_its_message_and_shows_the_picture_asked_for():
    app = finish(finish(open_page(image="person", goal="remove", target="cat", steps="2")))
    assert any("cat" in error.value for error in app.error)
    assert np.array_equal(pictures(app, "Input")[0], photo("person"))
    assert not attacked(app)
    finish(press(choose(app, Class="horse"), "Run"))
    assert not app.error
    assert attacked(app)


def test_changed_settings_are_told_from_those_of_the_run():
    app = finish(open_page(image="camera", attack="fgsm"))
    before = len(app.caption)
    choose(app, **{EPS: 9.0})
    assert len(app.caption) == before + 1


def test_another_goal_suggests_a_class_of_the_picture():
    app = choose(open_page(), Picture="person", Goal="swap")
    assert control(app, "Class").value in {"person", "horse", "dog"}
    assert control(app, "With").value in {"person", "horse", "dog"} - {control(app, "Class").value}


def test_an_attack_that_cannot_reach_the_goal_is_replaced_aloud():
    app = choose(choose(open_page(), Attack="fgsm-ll"), Goal="everywhere")
    assert any(ATTACKS["fgsm-ll"].title in info.value for info in app.info)
    assert control(app, "Attack").value == "pgd"


def test_a_link_to_an_attack_that_cannot_reach_the_goal_starts_nothing():
    app = open_page(attack="fgsm-ll", goal="everywhere", target="cat", image="camera", steps="2")
    assert any(ATTACKS["fgsm-ll"].title in warning.value and "Take another attack" in warning.value for warning in app.warning)
    assert (control(app, "Attack").value, control(app, "Goal").value) == ("fgsm-ll", "break")
    finish(app)
    assert not attacked(app)


def test_the_lab_does_not_run_by_itself_when_one_comes_from_another_page():
    app = open_page("transfer", image="dog", eps="2", view="matrix", data="folder")
    go_to(app, "attack_lab")
    finish(app)
    assert np.array_equal(pictures(app, "Input")[0], photo("dog"))
    assert not attacked(app)


def test_what_looks_misread_stands_beside_the_figures_and_can_be_put_right(tmp_path, monkeypatch, files):
    app = finish(open_page(image="own", attack="fgsm", steps="1", eps="2"))
    mask = np.zeros((60, 90), np.uint8)
    mask[10:40, 20:70] = 255
    data = io.BytesIO()
    Image.fromarray(mask).save(data, "PNG")
    upload(app, "Photo", ("own.png", png_of((90, 60)), "image/png"))
    finish(upload(app, "Label map (optional)", ("mask.png", data.getvalue(), "image/png")))
    assert any("holds 255 and 0 alone, as a mask does" in warning.value for warning in app.warning)
    control(app, "In a mask, 255 (or the higher of two values) is").select("cat")
    finish(app.run())
    assert not any("as a mask does" in warning.value for warning in app.warning)
    finish(press(app, "Run"))
    (tmp_path / "photo.png").write_bytes(png_of((90, 60)))
    (tmp_path / "labels.png").write_bytes(data.getvalue())
    monkeypatch.chdir(tmp_path)
    scope: dict = {}
    exec(files["attack.py"](), scope)
    assert scope["trajectory"].report.adversarial.miou == record_of(files)["adversarial"]["miou"]
    assert not any("as a mask does" in warning for warning in scope["trajectory"].warnings)


def colours_in(app, name: str) -> set[tuple[int, ...]]:
    """The colours of the picture of that name."""
    return {tuple(map(int, colour)) for colour in np.unique(pictures(app, name)[0].reshape(-1, 3), axis=0)}


def test_maps_are_in_colours_for_the_eye_and_in_the_data_set_s_own_at_a_switch():
    app = choose(open_page(), Maps_over_the_photo=False)
    cat = VOC7.classes.index("cat")
    assert colours_in(app, "Clean map") == {VOC7.screen_palette[0], VOC7.screen_palette[cat]}
    choose(app, **{"The data set's own colours": True})
    assert colours_in(app, "Clean map") == {VOC7.palette[0], VOC7.palette[cat]}
    choose(app, Outlines=True)
    assert colours_in(app, "Clean map") == {VOC7.palette[0], VOC7.palette[cat], (255, 255, 255)}
    app = choose(go_to(app, "transfer"), Maps_over_the_photo=False)
    assert VOC7.palette[cat] in set().union(*({tuple(map(int, c)) for c in np.unique(p.reshape(-1, 3), axis=0)} for p in pictures(app)))


def test_a_pixel_is_explained_before_and_after_the_attack():
    app = open_page()
    run = first_trajectory()
    control(app, "x").set_value(150)
    control(app, "y").set_value(100).run()
    press(app, "Explain it")
    until(app, lambda: any("Half of the gradient" in one.value for one in app.markdown))
    for title, frame in (("Before", run.frames[0]), ("After", run.final)):
        name = VOC7.classes[frame.prediction[100, 150]]
        assert pictures(app, f"{title}: {name}")[0].shape == run.picture.pixels.shape
        assert f"Pixel 150, 100 is **{name}**" in text(app)
    choose(app, Method="Integrated gradients")
    assert "on the way from a black picture" in text(app)
