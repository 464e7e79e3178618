"""What models are called where space is short."""

from segviz.defences.titles import WRAPPER_TITLES, short_title
from segviz.models.zoo import MODELS


def test_no_two_models_of_the_catalogue_share_a_name():
    names = {key: short_title(key) for key in (*MODELS, *(f"voc7-lraspp+{wrapper}" for wrapper in WRAPPER_TITLES if wrapper))}
    assert len(set(names.values())) == len(names)
    assert names["voc7-lraspp"] == "LR-ASPP"
    assert names["voc7-enet"] == "ENet"
    assert names["voc7-lraspp+multiscale"] == "LR-ASPP + Multi-scale"
    assert names["voc7-lraspp-pgd-half"] == "LR-ASPP trained on PGD, 50/50"
