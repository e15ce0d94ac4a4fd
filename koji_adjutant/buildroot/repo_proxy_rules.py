"""Which URLs the repository proxy of a task serves: pure rules over URLs that hostile package scripts may have written.

A URL is served when it lies below one of the task's repositories. A repository at `https://` is also served when asked for
as `http://` (same host, same explicit port): the daemon then speaks TLS for the container, sees the path and can keep the
packages.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import SplitResult, unquote, urlsplit

_PORTS = {"http": 80, "https": 443}
_STRANGE = re.compile(r"[\x00-\x20\x7f-\uffff\\]")
_CHECKSUM_NAME = re.compile(r"/repodata/[0-9a-f]{32,128}-[^/]+$")


@dataclass(frozen=True)
class Location:
    """A URL taken apart. `path` as it was written; `port` None means the scheme's own."""

    scheme: str
    host: str
    port: int | None
    path: str
    query: str = ""

    @property
    def effective_port(self) -> int:
        return self.port if self.port is not None else _PORTS[self.scheme]

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = f":{self.port}" if self.port is not None else ""
        return f"{self.scheme}://{host}{port}{self.path}" + (f"?{self.query}" if self.query else "")


def parse_location(url: str) -> Location | None:
    """Take a URL apart; None if it is not an absolute http(s) URL without user, odd characters and `..`."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    host = (parts.hostname or "").lower().rstrip(".")
    if parts.scheme not in _PORTS or not host or parts.username is not None or parts.password is not None:
        return None
    if _STRANGE.search(url) or _climbs(parts):
        return None
    return Location(parts.scheme, host, port, parts.path or "/", parts.query)


def allowed_location(prefixes: Sequence[Location], url: str) -> Location | None:
    """Where to fetch `url` from, or None if it is not below one of `prefixes`."""
    wanted = parse_location(url)
    if wanted is None:
        return None
    candidates = [wanted]
    if wanted.scheme == "http":
        candidates.append(Location("https", wanted.host, wanted.port, wanted.path, wanted.query))
    for candidate in candidates:
        if any(_is_below(prefix, candidate) for prefix in prefixes):
            return candidate
    return None


def tunnel_allowed(prefixes: Sequence[Location], host: str, port: int) -> bool:
    """Whether a TLS tunnel to `host:port` may be opened: some repository at `https://` is there."""
    wanted = host.lower().rstrip(".")
    return any(one.scheme == "https" and (one.host, one.effective_port) == (wanted, port) for one in prefixes)


def proxied_url(url: str) -> str:
    """The URL under which a container asks for `url` so that the proxy sees the path: `https://` becomes `http://`."""
    return "http://" + url.removeprefix("https://") if url.startswith("https://") else url


def is_immutable(location: Location) -> bool:
    """Whether the same URL always gives the same bytes: packages, and metadata named by their checksum."""
    return not location.query and (location.path.endswith(".rpm") or bool(_CHECKSUM_NAME.search(location.path)))


def _climbs(parts: SplitResult) -> bool:
    path = unquote(parts.path)
    return "\\" in path or "\0" in path or any(segment in {".", ".."} for segment in path.split("/"))


def _is_below(prefix: Location, wanted: Location) -> bool:
    if (prefix.scheme, prefix.host, prefix.effective_port) != (wanted.scheme, wanted.host, wanted.effective_port):
        return False
    top = unquote(prefix.path).rstrip("/")
    path = unquote(wanted.path)
    return path == top or path.startswith(top + "/")
