"""The leaderboard page, driven by AppTest."""

import pytest
from app_page import open_page
from streamlit.testing.v1 import AppTest

from segviz.ui.study.page import store


@pytest.fixture
def board(tmp_path, monkeypatch) -> AppTest:
    monkeypatch.setenv("SEGVIZ_STUDIES", str(tmp_path))
    store.clear()
    return open_page("leaderboard")


def test_ours_first_and_theirs_marked(board):
    table = board.dataframe[0].value
    ours, theirs = table[table["whose"] == "ours"], table[table["whose"] == "theirs"]
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
    board.button_group(key="board_figure").set_value("NmIoU").run()
    assert set(board.dataframe[0].value["whose"]) == {"ours"}
    board.button_group(key="board_figure").set_value("pixel accuracy").run()
    assert set(board.dataframe[0].value["whose"]) == {"ours", "theirs"}
    board.toggle(key="board_theirs").set_value(False).run()
    assert not board.exception
    assert set(board.dataframe[0].value["whose"]) == {"ours"}


def test_another_grid_is_priced_and_the_table_stays(board):
    board.multiselect(key="board_models").set_value(["voc7-dilated"])
    board.multiselect(key="board_attacks").set_value(["fgsm"]).run()
    assert not board.exception
    assert "24 gradient evaluations" in board.main.markdown[0].value
    assert len(board.dataframe[0].value)
    assert board.query_params["models"] == "voc7-dilated"
