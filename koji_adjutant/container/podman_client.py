"""Requests to one Podman service: a session per thread, the server's own version in the path, a time limit on each.

The version is asked once (`/_ping`): podman-py would put its own into the path, which servers of other majors refuse or
misread (traps 4). Only requests that are safe to repeat (GET, HEAD, DELETE) are sent again, once, when a connection that
was kept open turns out dead.
"""

from __future__ import annotations

import json
import threading
import weakref
from collections.abc import Mapping
from typing import Any

import requests
from podman.api.client import APIClient
from podman.api.uds import UDSConnection, UDSConnectionPool, UDSSocket
from podman.errors import PodmanError

from koji_adjutant.errors import ContainerError, RuntimeUnavailable

SAFE_METHODS = frozenset({"GET", "HEAD", "DELETE"})
ENABLE = (
    "Start the service: `systemctl enable --now podman.socket` (root), or as the daemon's user "
    "`systemctl --user enable --now podman.socket` with `loginctl enable-linger`; then set podman.socket to its path."
)


class _Connection(UDSConnection):
    """podman-py's connection, but one that fails gives its socket back at once."""

    def connect(self) -> None:
        sock = UDSSocket(self.uds)
        sock.settimeout(self.timeout)
        try:
            sock.connect()  # type: ignore[no-untyped-call] # podman-py is untyped here
        except BaseException:
            sock.close()
            raise
        self.sock = sock


class _ConnectionPool(UDSConnectionPool):
    ConnectionCls = _Connection


class PodmanRefusal(ContainerError):
    """The service answered with an error; callers turn the ones they know into errors of their own."""

    reason = "refused"

    def __init__(self, call: str, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(f"Podman refused `{call}` ({status}): {message}")
        self.status = status
        self.message = message
        self.headers = headers or {}


class PodmanSilent(RuntimeUnavailable):
    """The service took a request and gave no answer in time: it may act on it yet."""


class PodmanApi:
    """The REST interface of the service at `socket` (a path, or `unix://` and a path). Thread-safe."""

    def __init__(self, socket: str, timeout: float = 60.0) -> None:
        self.socket_path = socket.removeprefix("http+").removeprefix("unix://")
        self.timeout = timeout
        self._local = threading.local()
        self._sessions: weakref.WeakSet[Any] = weakref.WeakSet()
        self._lock = threading.Lock()
        self._version: str | None = None

    @property
    def version(self) -> str:
        """The server's libpod API version, asked once.

        Raises:
            RuntimeUnavailable: the service does not answer.
        """
        with self._lock:
            if self._version is None:
                self._version = self._ask_version(self.timeout)
            return self._version

    def path(self, path: str) -> str:
        """The whole path of a request, for calls that speak to the socket themselves."""
        return f"/v{self.version}/libpod{path}"

    def forget_version(self) -> None:
        """Ask again next time: the service was seen away and may come back as another."""
        with self._lock:
            self._version = None

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        body: Any = None,
        data: Any = None,
        timeout: float | None = None,
        stream: bool = False,
    ) -> Any:
        """Send one request, return the response whatever its status below 400 is.

        `body` is sent as JSON, `data` as it is. With `stream` the caller reads and closes the response.

        Raises:
            PodmanRefusal: the service answered with an error.
            RuntimeUnavailable: it cannot be reached, PodmanSilent: it did not answer in time.
        """
        headers = {"Content-Type": "application/json" if body is not None else "application/x-tar"}
        payload = json.dumps(body) if body is not None else data
        limit = timeout or self.timeout
        options: dict[str, Any] = {
            "params": _plain(params or {}),
            "data": payload,
            "headers": headers,
            "stream": stream,
        }
        options["timeout"] = limit
        for last in (method not in SAFE_METHODS, True):
            try:
                response = self._session()._request(method, path, **options)  # noqa: SLF001 - its public ones lack HEAD's
                break
            except (PodmanError, requests.RequestException, OSError) as error:
                self._drop_session()
                if last or _timed_out(error):
                    raise self._unreachable(f"{method} {path}", error, limit) from error
        if response.status_code >= requests.codes.bad_request:
            raise _refusal(f"{method} {path}", response)
        return response

    def get(self, path: str, *, timeout: float | None = None, **params: Any) -> Any:
        """GET and decode JSON."""
        return self.request("GET", path, params=params, timeout=timeout).json()

    def ping(self, timeout: float) -> str:
        """Ask the version now, within `timeout`."""
        version = self._ask_version(timeout)
        with self._lock:
            self._version = version
        return version

    def close(self) -> None:
        """Close the sessions of all threads."""
        for session in list(self._sessions):
            session.close()

    def _ask_version(self, timeout: float) -> str:
        client = self._client(None)
        try:
            response = client.get("/_ping", compatible=True, timeout=timeout)
        except (PodmanError, requests.RequestException, OSError) as error:
            raise self._unreachable("GET /_ping", error, timeout) from error
        finally:
            client.close()
        version = response.headers.get("Libpod-API-Version")
        if response.status_code != requests.codes.ok or not version:
            raise RuntimeUnavailable(f"{self.socket_path} does not answer as a Podman service", resolution=ENABLE)
        return str(version)

    def _session(self) -> Any:
        session = getattr(self._local, "session", None)
        if session is None:
            session = self._client(self.version)
            self._local.session = session
            with self._lock:
                self._sessions.add(session)
        return session

    def _client(self, version: str | None) -> Any:
        client: Any = APIClient(base_url=f"unix://{self.socket_path}", version=version)
        client.get_adapter("http://").poolmanager.pool_classes_by_scheme = {"http": _ConnectionPool}
        return client

    def _drop_session(self) -> None:
        session = getattr(self._local, "session", None)
        if session is not None:
            session.close()
        self._local.session = None

    def _unreachable(self, call: str, error: BaseException, timeout: float) -> ContainerError:
        if _timed_out(error):
            return PodmanSilent(
                f"Podman at {self.socket_path} did not answer `{call}` within {timeout:g} s",
                resolution="See how busy the machine and its disks are; podman.request_timeout is the limit.",
            )
        return RuntimeUnavailable(
            f"Podman at {self.socket_path} cannot be reached for `{call}`",
            details=_root_cause(error),
            resolution=ENABLE,
        )


def unavailable(socket_path: str, error: OSError) -> RuntimeUnavailable:
    """The error for a socket that cannot be connected to."""
    return RuntimeUnavailable(f"Podman at {socket_path} cannot be reached", details=str(error), resolution=ENABLE)


def _plain(params: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _plain_value(value) for key, value in params.items() if value is not None}


def _plain_value(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value.encode("utf-8", "surrogateescape")
    if isinstance(value, dict):
        return json.dumps(value)
    return value


def _refusal(call: str, response: Any) -> PodmanRefusal:
    try:
        found = response.json()
        message = str(found.get("message") or found.get("cause") or found)
    except (ValueError, AttributeError):
        message = response.text.strip()
    return PodmanRefusal(call, response.status_code, message, response.headers)


def _chain(error: BaseException | None) -> list[BaseException]:
    found: list[BaseException] = []
    while error is not None and error not in found:
        found.append(error)
        error = error.__cause__ or error.__context__
    return found


def _timed_out(error: BaseException) -> bool:
    return any(isinstance(link, requests.Timeout | TimeoutError) for link in _chain(error))


def _root_cause(error: BaseException) -> str:
    return str(_chain(error)[-1]) or repr(error)
