"""The repository proxy's side towards the repositories: requests made by the daemon for a container that has no network."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote, urlsplit

import urllib3
from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3.exceptions import HTTPError

CHUNK = 1 << 18
TIMEOUT = (30.0, 60.0)
"""Seconds to connect, and between two pieces of an answer."""
_MOST_REDIRECTS = 5
_KEPT_CONNECTIONS = 16
"""To one repository, between requests."""
REQUEST_HEADERS = ("Accept", "Cache-Control", "If-Modified-Since", "If-None-Match", "Pragma", "Range", "User-Agent")
"""What is passed on from a container; everything else could carry what a repository should not see."""
ANSWER_HEADERS = (
    "Accept-Ranges",
    "Content-Encoding",
    "Content-Range",
    "Content-Type",
    "ETag",
    "Last-Modified",
    "Retry-After",
)


@dataclass(frozen=True)
class Answer:
    """An open answer: closed by the context manager that gave it."""

    status: int
    headers: Mapping[str, str]
    length: int | None
    raw: Any

    def chunks(self) -> Iterator[bytes]:
        """The body as it came over the wire, in pieces of at most `CHUNK`. Raises OSError when the link breaks."""
        try:
            while chunk := self.raw.read(CHUNK, decode_content=False):
                yield chunk
        except HTTPError as error:
            raise OSError(f"the repository's answer broke: {error}") from error


class RepoClient:
    """Asks repositories; connections are kept and shared by all threads. Nothing of the daemon's environment is used.

    `upstream_proxy`: the site's own proxy. `verify`: whether, or against which CA file, certificates are checked.
    """

    def __init__(self, upstream_proxy: str | None = None, verify: bool | str = True) -> None:
        self._upstream_proxy = upstream_proxy
        settings: dict[str, Any] = {
            "maxsize": _KEPT_CONNECTIONS,
            "timeout": urllib3.Timeout(connect=TIMEOUT[0], read=TIMEOUT[1]),
            # `read`: a kept connection may have been closed by the repository just now.
            "retries": urllib3.Retry(
                connect=0, read=1, redirect=_MOST_REDIRECTS, status=0, other=0, respect_retry_after_header=False
            ),
            **_certificates(verify),
        }
        self._pools: urllib3.PoolManager = (
            urllib3.PoolManager(**settings)
            if upstream_proxy is None
            else urllib3.ProxyManager(upstream_proxy, proxy_headers=_proxy_headers(upstream_proxy), **settings)
        )

    @contextlib.contextmanager
    def ask(self, method: str, url: str, headers: Mapping[str, str]) -> Iterator[Answer]:
        """Send one request.

        Raises:
            OSError: no answer.
        """
        try:
            answer = self._pools.request(
                method,
                url,
                headers={"Accept-Encoding": "identity", "User-Agent": "koji-adjutant", **headers},
                preload_content=False,
            )
        except HTTPError as error:
            raise OSError(str(error)) from error
        try:
            yield Answer(answer.status, answer.headers, _length(answer.headers), answer)
        finally:
            _let_go(answer)

    @contextlib.contextmanager
    def whole_file(self, url: str, *, anew: bool = False) -> Iterator[Answer | None]:
        """The answer to a plain GET if it is the file, else None. `anew`: not out of a cache on the way (RFC 9111, 5.2.1.4)."""
        with self.ask("GET", url, {"Cache-Control": "no-cache"} if anew else {}) as answer:
            yield answer if answer.status == HTTPStatus.OK and not answer.headers.get("Content-Encoding") else None

    def tunnel(self, host: str, port: int) -> socket.socket:
        """A connection to `host:port`, through the site's proxy if there is one.

        Raises:
            OSError: it cannot be had.
        """
        if self._upstream_proxy is None:
            return socket.create_connection((host, port), TIMEOUT[0])
        proxy = urlsplit(self._upstream_proxy)
        link = socket.create_connection((proxy.hostname or "", proxy.port or 3128), TIMEOUT[0])
        link.sendall(f"CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode("ascii"))
        status = _read_head(link).split(b" ")
        if len(status) < 2 or status[1] != b"200":
            link.close()
            raise OSError(f"the proxy {proxy.hostname} refuses a tunnel to {host}:{port}")
        return link


def _certificates(verify: bool | str) -> dict[str, Any]:
    if verify is False:
        return {"cert_reqs": "CERT_NONE"}
    # Where requests looks, which distributions point at their own bundle.
    return {"cert_reqs": "CERT_REQUIRED", "ca_certs": DEFAULT_CA_BUNDLE_PATH if verify is True else verify}


def _proxy_headers(proxy: str) -> dict[str, str] | None:
    parts = urlsplit(proxy)
    if parts.username is None:
        return None
    credentials = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return urllib3.make_headers(proxy_basic_auth=credentials)


def _let_go(answer: Any) -> None:
    """Give the connection back if the answer was read to its end, else close it."""
    answer.close()
    answer.release_conn()


def _length(headers: Mapping[str, str]) -> int | None:
    text = headers.get("Content-Length", "")
    return int(text) if text.isascii() and text.isdigit() else None


def _read_head(link: socket.socket) -> bytes:
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        byte = link.recv(1)
        if not byte or len(head) > CHUNK:
            break
        head += byte
    return head
