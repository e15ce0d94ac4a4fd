"""The page's own files, read once: they are part of the package, and nothing is loaded from elsewhere."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib.resources import files

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

TYPES = {
    "css": "text/css; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
MESSAGE = "<!-- message -->"


@dataclass(frozen=True)
class Page:
    """One file as it is served."""

    content: bytes
    media_type: str

    @property
    def etag(self) -> str:
        return f'"{hashlib.sha256(self.content).hexdigest()[:16]}"'


def _read() -> dict[str, Page]:
    found = {}
    for file in files("koji_adjutant.monitoring").joinpath("static").iterdir():
        kind = TYPES.get(file.name.rpartition(".")[2])
        if kind is not None:
            found[file.name] = Page(file.read_bytes(), kind)
    return found


PAGES = _read()
LOGIN_PAGE = PAGES["login.html"].content.decode()
LOGIN_REFUSED = LOGIN_PAGE.replace(MESSAGE, '<p class="bad" role="alert">That is not the token.</p>')


async def show_page(request: Request) -> Response:
    """Answer `/`."""
    return _answer(request, PAGES["index.html"])


async def show_file(request: Request) -> Response:
    """Answer `/static/NAME`."""
    page = PAGES.get(request.path_params["name"])
    if page is None or page.media_type == TYPES["html"]:
        return PlainTextResponse("there is no such file\n", 404)
    return _answer(request, page)


def _answer(request: Request, page: Page) -> Response:
    headers = {"Cache-Control": "no-cache", "ETag": page.etag}
    if request.headers.get("if-none-match") == page.etag:
        return Response(status_code=304, headers=headers)
    return Response(page.content, media_type=page.media_type, headers=headers)


ROUTES = [Route("/", show_page), Route("/static/{name}", show_file)]
