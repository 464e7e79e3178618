"""The table of the bundled family."""

from segviz.studies.family import family_table


def test_family_table(small_data):
    heading, rule, plain, wrapped = family_table(small_data, ["voc7-lraspp", "voc7-lraspp+multiscale"], limit=2).splitlines()
    assert heading.startswith("| model | parameters | mIoU % | pixel accuracy % | background | cat |")
    assert heading.count("|") == rule.count("|") == plain.count("|")
    assert plain.startswith("| `voc7-lraspp` | 3.2 M | ")
    assert 50 < float(plain.split("|")[3]) <= 100
    assert plain.split("|")[3] != wrapped.split("|")[3]
