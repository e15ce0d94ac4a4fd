"""The HTTP application: `/healthz`, `/readyz`, `/metrics` and `/api/status`. It changes nothing.

Who asks under a name that is not ours is refused (DNS rebinding), and with a token set, who does not know it, but for the
two probes.
"""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, Iterable
from fnmatch import fnmatchcase

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from koji_adjutant.monitoring.view import DaemonView

PROBES = frozenset({"/healthz", "/readyz"})
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
"""On every answer."""


def application(
    look: Callable[[], DaemonView], registry: CollectorRegistry, *, hosts: list[str], token: str | None = None
) -> Starlette:
    """Return the application; `hosts`: names that a request may be addressed to (`*.example.com` counts)."""

    def healthz(_: Request) -> Response:
        view = look()
        return PlainTextResponse("ok\n" if view.healthy else "not well\n", 200 if view.healthy else 503)

    def readyz(_: Request) -> Response:
        view = look()
        ready = view.healthy and view.ready
        return PlainTextResponse("ready\n" if ready else f"not ready: {view.reason}\n", 200 if ready else 503)

    def metrics(_: Request) -> Response:
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_PLAIN_0_0_4)

    def status(_: Request) -> Response:
        return JSONResponse(look().document())

    async def guarded(request: Request, answer: Callable[[Request], Awaitable[Response]]) -> Response:
        if not is_addressed_to(request.headers.get("host", ""), hosts):
            response: Response = PlainTextResponse("not served under this name: see monitoring.allowed_hosts\n", 400)
        elif token is not None and request.url.path not in PROBES and not _knows(request, token):
            response = PlainTextResponse(
                "a token is needed: Authorization: Bearer TOKEN\n", 401, {"WWW-Authenticate": "Bearer"}
            )
        else:
            response = await answer(request)
        response.headers.update(HEADERS)
        return response

    routes = [
        Route("/healthz", healthz),
        Route("/readyz", readyz),
        Route("/metrics", metrics),
        Route("/api/status", status),
    ]
    middleware = [
        Middleware(BaseHTTPMiddleware, dispatch=guarded),
    ]
    return Starlette(routes=routes, middleware=middleware)


def is_addressed_to(host: str, names: Iterable[str]) -> bool:
    """Say whether a Host header names one of `names`, globs in lower case; its port does not count."""
    name = host.lower()
    if not name.endswith("]"):
        name = name.rpartition(":")[0] or name
    return any(fnmatchcase(name, pattern) for pattern in names)


def _knows(request: Request, token: str) -> bool:
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    return scheme.lower() == "bearer" and hmac.compare_digest(given.encode(), token.encode())
