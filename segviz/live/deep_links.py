"""Deep links: opened at a page, Streamlit's browser side asks for the server first below the path of that page, then at its root."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route


def deep_link_routes(base: str = "") -> list[BaseRoute]:
    """The routes below the path that the server is told to be at."""
    root = f"/{base.strip('/')}" if base.strip("/") else ""

    async def elsewhere(request: Request) -> Response:
        """No server here, but at the root: status 300 sends the asker on as 404 does, and browsers do not log it as an error."""
        return Response(status_code=300, headers={"Link": f'<{root}/_stcore/{request.path_params["what"]}>; rel="alternate"'})

    return [Route(f"{root}/{{page}}/_stcore/{{what}}", elsewhere)]
