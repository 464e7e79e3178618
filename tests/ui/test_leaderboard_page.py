"""The leaderboard page, driven by AppTest."""

import pytest
from app_page import choose, open_page, table
from streamlit.testing.v1 import AppTest

from segviz.ui.study.state import results_store


@pytest.fixture
def board(tmp_path, monkeypatch) -> AppTest:
    monkeypatch.setenv("SEGVIZ_STUDIES", str(tmp_path))
    results_store.clear()
    return open_page("leaderboard")


def test_ours_first_and_theirs_marked(board):
    rows = table(board, "whose")
    ours, theirs = rows[rows["whose"] == "ours"], rows[rows["whose"] == "theirs"]
    ours, (alone,) = ours[ours["model"] != "one class everywhere"], ours[ours["model"] == "one class everywhere"].to_dict("records")
    assert 0 < alone["ε = 8"] == alone["clean"] < ours["clean"].min()
    assert "6 sample photos" in board.main.markdown[0].value + board.main.markdown[1].value
    assert set(ours["classes"]) == {7}
    assert any("None of these photos has cow, sheep" in caption.value for caption in board.caption)
    assert "1" not in set(ours["place"])
    twins = [f"LR-ASPP trained on {how}" for how in ("EroSeg", "PGD", "PGD, 50/50", "SegPGD")]
    assert sorted(ours["model"]) == sorted(["DeepLab", "FCN-8s", "LR-ASPP", "PSPNet", *twins])
    assert set(ours["model"][:4]) == set(twins)
    assert (ours["ε = 1"] <= ours["clean"]).all()
    assert (ours["ε = 8"] <= ours["ε = 1"]).all()
    ddc = theirs[theirs["model"] == "PSPNet-50, DDC-AT"].iloc[0]
    assert (ddc["clean"], ddc["ε = 2"], ddc["ε = 8"]) == (76.0, 0.1, 0.0)
    assert "Table 1" in ddc["attack"]
    assert ddc["source"].startswith("https://arxiv.org")
    assert "gradient evaluations" in board.main.markdown[0].value


def test_without_theirs_and_figures_they_do_not_print(board):
    choose(board, Figure="NmIoU")
    assert set(table(board, "whose")["whose"]) == {"ours"}
    choose(board, Figure="pixel accuracy")
    assert set(table(board, "whose")["whose"]) == {"ours", "theirs"}
    (theirs,) = [toggle for toggle in board.toggle if toggle.label.startswith("The papers")]
    theirs.set_value(False).run()
    assert set(table(board, "whose")["whose"]) == {"ours"}


def test_another_grid_is_priced_and_the_table_stays(board):
    choose(board, Models=["voc7-dilated"], Attacks=["fgsm"])
    assert "24 gradient evaluations" in board.main.markdown[0].value
    assert len(table(board, "whose"))
    assert board.query_params["models"] == "voc7-dilated"
