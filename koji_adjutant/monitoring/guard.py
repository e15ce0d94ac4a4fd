"""Who is answered at all, and what every answer says about itself. Around the whole application, streams included."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from http.cookies import CookieError, SimpleCookie

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

PROBES = frozenset({"/healthz", "/readyz"})
LOGIN = "/login"
LOGOUT = "/logout"
STATIC = "/static/"
COOKIE = "koji_adjutant"
COOKIE_SECONDS = 12 * 3600
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""On every answer."""


@dataclass(frozen=True)
class Secret:
    """A token, and the proofs that are made of it. Comparisons take the same time whatever is wrong."""

    token: str

    def is_token(self, given: str) -> bool:
        """Say whether `given` is the token."""
        return hmac.compare_digest(given.encode(), self.token.encode())

    def cookie(self, until: int) -> str:
        """Return what a browser keeps instead of the token, good until that unix time and as long as the token stays."""
        return f"{until}.{self._proof(until)}"

    def is_cookie(self, given: str, now: float) -> bool:
        """Say whether `given` is a cookie of ours that is still good."""
        until, _, proof = given.partition(".")
        if not (until.isascii() and until.isdecimal() and len(until) <= 12):
            return False
        return hmac.compare_digest(proof.encode(), self._proof(int(until)).encode()) and now < int(until)

    def _proof(self, until: int) -> str:
        return hmac.new(self.token.encode(), f"status page until {until}".encode(), hashlib.sha256).hexdigest()


class Guard:
    """An ASGI application around another one. `hosts`: names that a request may be addressed to, globs in lower case."""

    def __init__(
        self, app: ASGIApp, *, hosts: Iterable[str], secret: Secret | None, clock: Callable[[], float] = time.time
    ) -> None:
        self._app = app
        self._hosts = tuple(hosts)
        self._secret = secret
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return

        async def marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(HEADERS)
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        refusal = self._refusal(scope)
        await (refusal or self._app)(scope, receive, marked)

    def _refusal(self, scope: Scope) -> Response | None:
        headers, path, method = Headers(scope=scope), scope["path"], scope["method"]
        if not is_addressed_to(headers.get("host", ""), self._hosts):
            return PlainTextResponse("not served under this name: see monitoring.allowed_hosts\n", 400)
        allowed = ("POST",) if path == LOGOUT else ("GET", "HEAD", "POST") if path == LOGIN else ("GET", "HEAD")
        if method not in allowed:
            return PlainTextResponse("nothing can be changed here\n", 405, {"Allow": ", ".join(allowed)})
        if self._secret is None or path in PROBES or path in {LOGIN, LOGOUT} or path.startswith(STATIC):
            return None
        if self._knows(headers, self._secret):
            return None
        if path == "/":
            return RedirectResponse("login", 303)
        text = "a token is needed: Authorization: Bearer TOKEN"
        wanted = {"WWW-Authenticate": "Bearer"}
        if path.startswith("/api/"):
            return JSONResponse({"error": text}, 401, wanted)
        return PlainTextResponse(text + "\n", 401, wanted)

    def _knows(self, headers: Headers, secret: Secret) -> bool:
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and secret.is_token(given.strip()):
            return True
        return secret.is_cookie(_cookie(headers.get("cookie", "")), self._clock())


def is_addressed_to(host: str, names: Iterable[str]) -> bool:
    """Say whether a Host header names one of `names`, globs in lower case; its port does not count."""
    name = host.lower()
    if not name.endswith("]"):
        name = name.rpartition(":")[0] or name
    return any(fnmatchcase(name, pattern) for pattern in names)


def _cookie(header: str) -> str:
    try:
        found = SimpleCookie(header).get(COOKIE)
    except CookieError:
        return ""
    return "" if found is None else found.value
