"""One password for the whole app, where SEGVIZ_PASSWORD sets one: whoever has not given it gets a form, and no stream.

Given once, it is remembered by a cookie until the browser or the server ends. Programs give it as HTTP Basic does, with any name.
"""

import asyncio
import base64
import binascii
import hmac
import os
import secrets
from html import escape
from urllib.parse import parse_qs

from starlette.requests import HTTPConnection, Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

COOKIE = "segviz_entry"
SIGN_IN = "/sign-in"
OPEN = ("/healthz", "/_stcore/health")
"""Ends of the paths that a supervisor asks without a password."""
WRONG_SECONDS = 1.0
"""How long an answer to a wrong password takes; one such answer is given at a time."""
MAX_FORM = 4096

FORM = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>segviz</title>
<style>body {{ font: 18px system-ui, sans-serif; display: grid; place-items: center; min-height: 90vh; }}
input, button {{ font: inherit; padding: 6px 10px; }}</style></head><body>
<form method="post" action="{action}"><h1>segviz</h1><p role="alert">{said}</p>
<label>Password <input type="password" name="password" autocomplete="current-password" autofocus required></label>
<input type="hidden" name="next" value="{then}"> <button>Sign in</button></form></body></html>
"""


def chosen_password() -> str:
    """The password of this server; empty for none."""
    return os.environ.get("SEGVIZ_PASSWORD", "")


class PasswordGate:
    """ASGI middleware that lets nobody through without the password; `base` is the path that the server is told to be at."""

    def __init__(self, app: ASGIApp, password: str, base: str = ""):
        self.app, self.password = app, password
        self.root = f"/{base.strip('/')}" if base.strip("/") else ""
        self.token = secrets.token_urlsafe(32)
        self._one_at_a_time = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket") or scope["path"] in {self.root + path for path in OPEN}:
            return await self.app(scope, receive, send)
        connection = HTTPConnection(scope)
        if scope["type"] == "http" and scope["method"] == "POST" and scope["path"] == self.root + SIGN_IN:
            answer = await self.sign_in(Request(scope, receive))
            return await answer(scope, receive, send)
        if self.knows_cookie(connection) or await self.knows_basic(connection):
            return await self.app(scope, receive, send)
        if scope["type"] == "websocket":
            await receive()
            return await send({"type": "websocket.close", "code": 4401, "reason": "Sign in first."})
        return await self.refusal(Request(scope))(scope, receive, send)

    def knows_cookie(self, connection: HTTPConnection) -> bool:
        """Whether the browser has given the password before."""
        return hmac.compare_digest(connection.cookies.get(COOKIE, "").encode(), self.token.encode())

    async def knows_basic(self, connection: HTTPConnection) -> bool:
        """Whether a program gives it in the header."""
        kind, _, text = connection.headers.get("authorization", "").partition(" ")
        if kind.lower() != "basic":
            return False
        try:
            given = base64.b64decode(text, validate=True).decode().partition(":")[2]
        except (binascii.Error, UnicodeDecodeError):
            return False
        return await self.is_password(given)

    async def is_password(self, given: str) -> bool:
        """Whether it is the password; a wrong one takes its time."""
        if hmac.compare_digest(given.encode(), self.password.encode()):
            return True
        async with self._one_at_a_time:
            await asyncio.sleep(WRONG_SECONDS)
        return False

    def refusal(self, request: Request) -> Response:
        """The form for who looks at a page, a line for everything else."""
        if request.method == "GET" and "text/html" in request.headers.get("accept", ""):
            then = request.url.path + (f"?{request.url.query}" if request.url.query else "")
            return self.form("", then, 401)
        return PlainTextResponse("Sign in first.", 401, headers={"WWW-Authenticate": 'Basic realm="segviz"'})

    def form(self, said: str, then: str, status: int) -> Response:
        """The form that asks for the password and leads to the address `then`."""
        page = FORM.format(action=escape(self.root + SIGN_IN), said=escape(said), then=escape(then))
        return HTMLResponse(page, status, headers={"Cache-Control": "no-store"})

    async def sign_in(self, request: Request) -> Response:
        """What the form sends: on with a cookie, or once more."""
        body = b""
        async for part in request.stream():
            body += part
            if len(body) > MAX_FORM:
                return PlainTextResponse("This form is too long.", 413)
        fields = {name: values[0] for name, values in parse_qs(body.decode(errors="replace")).items()}
        then = fields.get("next", "")
        # Only to a path of this server: nothing that a browser takes for another host.
        then = then if then.startswith("/") and not then.startswith(("//", "/\\")) else f"{self.root}/"
        if not await self.is_password(fields.get("password", "")):
            return self.form("This is not the password.", then, 401)
        answer = RedirectResponse(then, 303)
        safe = "https" in (request.url.scheme, request.headers.get("x-forwarded-proto", ""))
        answer.set_cookie(COOKIE, self.token, path=f"{self.root}/", httponly=True, samesite="lax", secure=safe)
        return answer
