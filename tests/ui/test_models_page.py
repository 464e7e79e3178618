"""The models page and the choice of models in the lab, driven by AppTest."""

import dataclasses
import hashlib
import http.server
import io
import threading
import time

import pytest
import torch
from safetensors.torch import save
from streamlit.testing.v1 import AppTest

from segviz.models import uploads
from segviz.models.enet import ENet
from segviz.models.zoo import MODELS
from segviz.places import APP
from segviz.ui.kit.downloads import snippet


def run_until(app: AppTest, done) -> AppTest:
    """Poll as the fragments do in a browser."""
    end = time.monotonic() + 120
    while not done():
        assert time.monotonic() < end
        time.sleep(0.1)
        app.run()
        assert not app.exception
    app.run()
    assert not app.exception
    return app


def text(app: AppTest) -> str:
    return " ".join(element.value for element in [*app.markdown, *app.caption, *app.info, *app.error])


def open_app(**query: str) -> AppTest:
    app = AppTest.from_file(str(APP), default_timeout=60)
    for name, value in query.items():
        app.query_params[name] = value
    app.run()
    assert not app.exception
    return app


def open_page() -> AppTest:
    app = open_app()
    app.switch_page("pages/models.py").run()
    assert not app.exception
    return app


@pytest.fixture
def served(monkeypatch, tmp_path):
    """ENet with random weights at a local address instead of the published ones, and an empty cache."""
    monkeypatch.setenv("SEGVIZ_CACHE", str(tmp_path))
    monkeypatch.delenv("SEGVIZ_CONFIG", raising=False)
    monkeypatch.setattr(uploads, "UPLOADED", {})
    data = io.BytesIO()
    torch.manual_seed(0)
    torch.save({"state_dict": ENet(19).state_dict()}, data)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", str(len(data.getvalue())))
            self.end_headers()
            self.wfile.write(data.getvalue())

        def log_message(self, *arguments):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sha256 = hashlib.sha256(data.getvalue()).hexdigest()
    url = f"http://127.0.0.1:{server.server_port}/enet.pth"
    monkeypatch.setitem(MODELS, "enet-city", dataclasses.replace(MODELS["enet-city"], url=url, sha256=sha256, working_size=128))
    yield MODELS["enet-city"]
    server.shutdown()
    server.server_close()


def test_table_and_memory(served):
    app = open_page()
    table = app.dataframe[0].value.set_index("key")
    assert list(table.loc["voc7-lraspp", ["label set", "licence", "state"]]) == ["VOC7", "Apache-2.0", "bundled"]
    assert table.loc["torchvision-fcn-resnet50", "state"] == "to be downloaded"
    assert table.loc["voc7-lraspp", "clean mIoU (ours)"] == pytest.approx(75.0)
    assert table.loc["voc7-lraspp", "parameters (M)"] == pytest.approx(3.16, abs=0.01)
    assert "of a budget of" in text(app)


def test_one_photo_through_a_model(served, monkeypatch):
    monkeypatch.setattr("segviz.studies.gallery.REPEATS", 1)
    monkeypatch.setitem(MODELS, "small", dataclasses.replace(MODELS["voc7-lraspp"], key="small", working_size=160))
    app = open_page()
    app.multiselect(key="gallery_models").set_value(["small"]).run()
    app.button(key="segment").click().run()
    run_until(app, lambda: not app.session_state.views_job.active)
    (view,) = app.session_state.views_job.latest
    assert view.prediction.shape == view.pixels.shape[:2]
    assert 0 < view.forward < view.gradient
    assert "forward and backward" in text(app)
    assert "cat" in text(app)


def test_model_is_downloaded_from_the_lab_and_used_on_a_picture_without_truth(served):
    app = open_app()
    app.selectbox(key="model").set_value("enet-city").run()
    assert not app.exception
    assert "not on this machine yet" in text(app)
    assert "Download the model" in text(app)
    assert app.button(key="run").disabled
    app.button(key="download-enet-city").click().run()
    run_until(app, lambda: served.state == "cached")
    run_until(app, lambda: app.session_state.job is not None and not app.session_state.job.active)
    assert app.session_state.job.error is None
    assert not app.button(key="run").disabled
    trajectory = app.session_state.trajectory
    assert trajectory.settings.model == "enet-city"
    assert trajectory.own_prediction
    assert "cached" in text(app)


def test_failed_download_gets_its_message(served, monkeypatch):
    monkeypatch.setitem(MODELS, "enet-city", dataclasses.replace(served, sha256="0" * 64))
    app = open_page()
    app.selectbox(key="absent_model").set_value("enet-city").run()
    app.button(key="download-enet-city").click().run()
    run_until(app, lambda: "refused and removed" in text(app))


def test_uploaded_weights_become_a_model_and_code_is_refused(served, tmp_path, monkeypatch):
    app = open_page()
    torch.manual_seed(1)
    weights = save({name: value for name, value in MODELS["voc7-lraspp"].build().state_dict().items() if value.is_floating_point()})
    app.selectbox(key="upload_network").set_value("voc7-lraspp").run()
    app.file_uploader(key="weights_upload").set_value(("hardened.safetensors", weights, "application/octet-stream")).run()
    assert not app.exception
    (key,) = uploads.UPLOADED
    assert key in app.success[0].value
    assert key in app.dataframe[0].value["key"].tolist()
    lab = open_app(model=key, steps="1")
    assert lab.session_state.model == key
    run_until(lab, lambda: not lab.session_state.job.active)
    assert lab.session_state.job.error is None
    code = snippet(lab.session_state.trajectory, sample=True)
    (tmp_path / "mine.safetensors").write_bytes(weights)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(uploads, "UPLOADED", {})
    exec(code.replace("weights.safetensors", "mine.safetensors"), {})
    assert (tmp_path / "adversarial.png").exists()

    app.selectbox(key="upload_network").set_value("espnetv2-voc-0.5-256").run()
    assert "do not fit espnetv2-voc-0.5-256" in text(app)
    script = io.BytesIO()
    torch.jit.save(torch.jit.script(torch.nn.Conv2d(3, 2, 1)), script)
    app.file_uploader(key="weights_upload").set_value(("script.pt", script.getvalue(), "application/octet-stream")).run()
    assert "TorchScript archive" in text(app)
    app.file_uploader(key="weights_upload").set_value(("x.pth", b"nothing", "application/octet-stream")).run()
    assert "x.pth is a file of PyTorch's own format" in text(app)
    app.file_uploader(key="weights_upload").set_value(("x.safetensors", b"nothing", "application/octet-stream")).run()
    assert "no safetensors file" in text(app)


def test_a_mistake_in_the_configuration_is_shown_and_costs_no_other_model(tmp_path, monkeypatch):
    (tmp_path / "segviz.toml").write_text('[models.mine]\nfactory = "net.py:build"\nlabels = "lost.toml"\n')
    monkeypatch.setenv("SEGVIZ_CONFIG", str(tmp_path / "segviz.toml"))
    app = open_app()
    assert "the page Models says why" in text(app)
    app = open_page()
    (warning,) = app.warning
    assert "[models.mine]" in warning.value
    assert "lost.toml" in warning.value
    assert "voc7-lraspp" in app.dataframe[0].value["key"].tolist()


def test_a_model_that_fails_keeps_its_place_among_the_others(tmp_path, monkeypatch):
    (tmp_path / "net.py").write_text("from torch import nn\n\n\ndef build():\n    return nn.Conv2d(3, 2, 1)\n")
    (tmp_path / "segviz.toml").write_text('[models.mine]\nfactory = "net.py:build"\nlabels = "VOC21"\n')
    monkeypatch.setenv("SEGVIZ_CONFIG", str(tmp_path / "segviz.toml"))
    app = open_page()
    app.multiselect(key="gallery_models").set_value(["mine", "voc7-enet"]).run()
    app.button(key="segment").click().run()
    run_until(app, lambda: not app.session_state.views_job.active)
    assert [view.key for view in app.session_state.views_job.latest] == ["mine", "voc7-enet"]
    assert "**mine**: The model mine has 2 outputs, but its label set VOC21 has 21 classes" in text(app)
    assert "forward and backward" in text(app)


@pytest.mark.parametrize("asked", ["upload-1234abcd", "nosuch"])
def test_a_link_to_a_model_that_is_not_here_says_so_and_runs_nothing(asked):
    app = open_app(model=asked, steps="3")
    run_until(app, lambda: not app.session_state.job.active)
    assert f"The link asks for the model {asked}" in app.warning[0].value
    assert app.session_state.trajectory.settings.steps == 0
    assert "as LR-ASPP sees it, not attacked yet" in text(app)
    app.selectbox(key="model").set_value("voc7-enet").run()
    assert not app.warning


def test_link_names_models_of_the_catalogue_only(tmp_path):
    """A link must not make the server run a file or fetch from a hub."""
    (tmp_path / "evil.py").write_text("raise SystemExit")
    for model in (f"{tmp_path}/evil.py:build", "hf:some/model"):
        assert open_app(model=model).session_state.model == "voc7-lraspp"
