"""The models page and the choice of models in the lab, driven by AppTest."""

import dataclasses
import hashlib
import http.server
import io
import re
import threading

import pytest
import torch
from app_page import button, choose, control, finish, metrics, open_page, pictures, press, table, text, until, upload
from safetensors.torch import save

from segviz.models import uploads
from segviz.models.enet import ENet
from segviz.models.zoo import MODELS


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
    app = open_page("models")
    rows = table(app, "key").set_index("key")
    assert list(rows.loc["voc7-lraspp", ["label set", "licence", "state"]]) == ["VOC7", "Apache-2.0", "bundled"]
    assert rows.loc["torchvision-fcn-resnet50", "state"] == "to be downloaded"
    assert rows.loc["voc7-lraspp", "clean mIoU (ours)"] == pytest.approx(75.0)
    assert rows.loc["voc7-lraspp", "parameters (M)"] == pytest.approx(3.16, abs=0.01)
    assert "of a budget of" in text(app)


def test_one_photo_through_a_model(served, monkeypatch):
    monkeypatch.setattr("segviz.studies.gallery.REPEATS", 1)
    monkeypatch.setitem(MODELS, "small", dataclasses.replace(MODELS["voc7-lraspp"], key="small", working_size=160))
    app = open_page("models")
    press(choose(app, Models=["small"]), "Segment and measure")
    until(app, lambda: "forward and backward" in text(app))
    assert len(pictures(app)) == 1
    forward, both = map(int, re.search(r"forward (\d+) ms, forward and backward (\d+) ms", text(app)).groups())
    assert 0 < forward <= both
    assert re.search(r"\bcat \d+%", text(app))


def test_model_is_downloaded_from_the_lab_and_used_on_a_picture_without_truth(served):
    app = open_page()
    choose(app, Model="enet-city")
    assert "Download the model" in text(app)
    assert button(app, "Run").disabled
    press(app, "Download")
    until(app, lambda: not button(app, "Run").disabled)
    finish(app)
    assert not app.error
    assert served.state == "cached"
    assert max(pictures(app, "Input")[0].shape[:2]) == served.working_size
    assert "own clean prediction" in text(app)


def test_failed_download_gets_its_message(served, monkeypatch):
    monkeypatch.setitem(MODELS, "enet-city", dataclasses.replace(served, sha256="0" * 64))
    app = open_page("models")
    press(choose(app, Model_to_download="enet-city"), "Download")
    until(app, lambda: any("refused" in error.value for error in app.error))


def test_uploaded_weights_become_a_model_and_code_is_refused(served, tmp_path, monkeypatch, files):
    app = open_page("models")
    torch.manual_seed(1)
    weights = save({name: value for name, value in MODELS["voc7-lraspp"].build().state_dict().items() if value.is_floating_point()})
    choose(app, Network="voc7-lraspp")
    upload(app, "Weights", ("hardened.safetensors", weights, "application/octet-stream"))
    (key,) = uploads.UPLOADED
    assert key in app.success[0].value
    assert key in table(app, "key")["key"].tolist()
    lab = finish(open_page(model=key, steps="1"))
    assert control(lab, "Model").value == key
    assert not lab.error
    code = files["attack.py"]()
    (tmp_path / "mine.safetensors").write_bytes(weights)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(uploads, "UPLOADED", {})
    exec(code.replace("weights.safetensors", "mine.safetensors"), {})
    assert (tmp_path / "adversarial.png").exists()

    control(app, "Order of the colours").set_value("bgr")
    app.run()
    (turned,) = (entry for entry in uploads.UPLOADED.values() if entry.key != key)
    assert turned.channels == "bgr"

    choose(app, Network="espnetv2-voc-0.5-256")
    assert any("espnetv2-voc-0.5-256" in error.value for error in app.error)
    script = io.BytesIO()
    torch.jit.save(torch.jit.script(torch.nn.Conv2d(3, 2, 1)), script)
    upload(app, "Weights", ("script.pt", script.getvalue(), "application/octet-stream"))
    assert "TorchScript archive" in text(app)
    upload(app, "Weights", ("x.pth", b"nothing", "application/octet-stream"))
    assert "x.pth is a file of PyTorch's own format" in text(app)
    upload(app, "Weights", ("x.safetensors", b"nothing", "application/octet-stream"))
    assert "no safetensors file" in text(app)


def test_a_mistake_in_the_configuration_is_shown_and_costs_no_other_model(tmp_path, monkeypatch):
    (tmp_path / "segviz.toml").write_text('[models.mine]\nfactory = "net.py:build"\nlabels = "lost.toml"\n')
    monkeypatch.setenv("SEGVIZ_CONFIG", str(tmp_path / "segviz.toml"))
    app = open_page()
    assert "segviz.toml" in text(app)
    app = open_page("models")
    (warning,) = app.warning
    assert "[models.mine]" in warning.value
    assert "lost.toml" in warning.value
    assert "voc7-lraspp" in table(app, "key")["key"].tolist()


def test_a_model_that_fails_keeps_its_place_among_the_others(tmp_path, monkeypatch):
    (tmp_path / "net.py").write_text("from torch import nn\n\n\ndef build():\n    return nn.Conv2d(3, 2, 1)\n")
    (tmp_path / "segviz.toml").write_text('[models.mine]\nfactory = "net.py:build"\nlabels = "VOC21"\n')
    monkeypatch.setenv("SEGVIZ_CONFIG", str(tmp_path / "segviz.toml"))
    app = open_page("models")
    press(choose(app, Models=["mine", "voc7-enet"]), "Segment and measure")
    until(app, lambda: "forward and backward" in text(app))
    (error,) = app.error
    assert all(part in error.value for part in ("mine", "2 outputs", "VOC21", "21 classes"))
    assert len(pictures(app)) == 1


@pytest.mark.parametrize("asked", ["upload-1234abcd", "nosuch"])
def test_a_link_to_a_model_that_is_not_here_says_so_and_runs_nothing(asked):
    app = open_page(model=asked, steps="3")
    finish(app)
    assert asked in app.warning[0].value
    assert "Largest change" not in metrics(app)
    assert "LR-ASPP" in text(app)
    choose(app, Model="voc7-enet")
    assert not app.warning


def test_link_names_models_of_the_catalogue_only(tmp_path):
    """A link must not make the server run a file or fetch from a hub."""
    (tmp_path / "evil.py").write_text("raise SystemExit")
    for model in (f"{tmp_path}/evil.py:build", "hf:some/model"):
        assert control(open_page(model=model), "Model").value == "voc7-lraspp"
