"""The HTTP application: probes, metrics, the JSON API, and the status page that shows it. It changes nothing."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from koji_adjutant.monitoring import pages
from koji_adjutant.monitoring.api import api_routes
from koji_adjutant.monitoring.guard import Guard, Secret
from koji_adjutant.monitoring.log_events import LogEvents
from koji_adjutant.monitoring.login import login_routes
from koji_adjutant.monitoring.source import Source


def _never() -> bool:
    return False


def application(
    source: Source,
    registry: CollectorRegistry,
    *,
    hosts: list[str],
    token: str | None = None,
    secure: bool = False,
    closing: Callable[[], bool] = _never,
) -> ASGIApp:
    """Return the application.

    `hosts`: names that a request may be addressed to (`*.example.com` counts). `secure`: it is served by TLS. `closing`:
    whether the server is about to stop; what is followed ends then.
    """
    secret = None if token is None else Secret(token)
    routes = [
        *_probes(source),
        _metrics(registry),
        *api_routes(source, login=secret is not None),
        LogEvents(source, closing).route(),
        *login_routes(secret, secure=secure),
        *pages.ROUTES,
    ]
    handlers = {HTTPException: _refused}
    # Outside of everything, so that no answer is without it, an unforeseen error's neither.
    return Guard(Starlette(routes=routes, exception_handlers=handlers), hosts=hosts, secret=secret)


def _probes(source: Source) -> list[Route]:
    async def healthz(_: Request) -> Response:
        view = source.view()
        return PlainTextResponse("ok\n" if view.healthy else "not well\n", 200 if view.healthy else 503)

    async def readyz(_: Request) -> Response:
        view = source.view()
        ready = view.healthy and view.ready
        return PlainTextResponse("ready\n" if ready else f"not ready: {view.reason}\n", 200 if ready else 503)

    return [Route("/healthz", healthz), Route("/readyz", readyz)]


def _metrics(registry: CollectorRegistry) -> Route:
    def metrics(_: Request) -> Response:
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_PLAIN_0_0_4)

    return Route("/metrics", metrics)


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if request.url.path.startswith("/api/"):
        return JSONResponse({"error": error.detail}, error.status_code, error.headers)
    return PlainTextResponse(f"{error.detail}\n", error.status_code, error.headers)
