"""The login form: takes the token once and gives a cookie that no script can read."""

from __future__ import annotations

import time
from collections.abc import Callable
from urllib.parse import parse_qs

import anyio
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from koji_adjutant.monitoring.guard import COOKIE, COOKIE_SECONDS, LOGIN, LOGOUT, Secret
from koji_adjutant.monitoring.pages import LOGIN_PAGE, LOGIN_REFUSED

MAX_FORM = 4096
"""Bytes of the form; more is nobody's token."""
REFUSAL_SECONDS = 0.5
"""How long a wrong token waits for its answer."""


def login_routes(secret: Secret | None, *, secure: bool, clock: Callable[[], float] = time.time) -> list[Route]:
    """Return the routes; `secure`: the page is served by TLS, so the cookie must not go without."""

    async def show(_: Request) -> Response:
        return RedirectResponse("./", 303) if secret is None else HTMLResponse(LOGIN_PAGE)

    async def log_in(request: Request) -> Response:
        form = await _form(request)
        if form is None:
            return PlainTextResponse("this is not the form of /login\n", 413)
        given = (form.get("token") or [""])[0].strip()
        if secret is None or not secret.is_token(given):
            await anyio.sleep(REFUSAL_SECONDS)
            return HTMLResponse(LOGIN_REFUSED, 401)
        answer = RedirectResponse("./", 303)
        value = secret.cookie(int(clock()) + COOKIE_SECONDS)
        answer.set_cookie(COOKIE, value, max_age=COOKIE_SECONDS, secure=secure, httponly=True, samesite="strict")
        return answer

    async def log_out(_: Request) -> Response:
        answer = RedirectResponse("login", 303)
        answer.delete_cookie(COOKIE, secure=secure, httponly=True, samesite="strict")
        return answer

    return [
        Route(LOGIN, show, methods=["GET"]),
        Route(LOGIN, log_in, methods=["POST"]),
        Route(LOGOUT, log_out, methods=["POST"]),
    ]


async def _form(request: Request) -> dict[str, list[str]] | None:
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > MAX_FORM:
            return None
    try:
        return parse_qs(body.decode("ascii"), max_num_fields=8)
    except ValueError:
        return None
