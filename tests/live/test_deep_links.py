"""Below the path of a page there is no server: the asker is sent on to the root, without a 404 that browsers log."""

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from segviz.live.deep_links import deep_link_routes


@pytest.mark.parametrize(("base", "root"), [("", ""), ("/class/", "/class")])
def test_below_a_page_the_server_is_elsewhere(base, root):
    client = TestClient(Starlette(routes=deep_link_routes(base)))
    told = client.get(f"{root}/compare/_stcore/health", follow_redirects=False)
    assert told.status_code == 300
    assert told.headers["link"].startswith(f"<{root}/_stcore/health>")
    assert client.get(f"{root}/_stcore/health").status_code == 404
