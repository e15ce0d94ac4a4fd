"""Requests to the API server of a cluster: one client for each thread, a fresh token for each request.

Only configuration, authentication and connection pools of the `kubernetes` package are used. Its typed calls drop fields they
do not know, and its `stream()` turns requests of other threads into websockets for as long as it lasts.
"""

from __future__ import annotations

import json
import threading
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import kubernetes.client
import urllib3
import websocket

from koji_adjutant.container.kubernetes_connection import authorization, load_configuration, proxy_options, tls_options
from koji_adjutant.container.kubernetes_refusal import refusal, unavailable

PROTOCOLS = ["v5.channel.k8s.io", "v4.channel.k8s.io"]
"""Of an exec, the wanted one first. A server that knows only the second takes that."""
MERGE_PATCH = "application/merge-patch+json"
_RETRIES = urllib3.Retry(total=1, redirect=0, status=0, other=0)
"""Once more where nothing was sent, or where the method may be repeated (GET, DELETE): connections are closed when idle."""

Query = Sequence[tuple[str, str]]


class KubernetesApi:
    """The API server that `config` (a kubeconfig, None: the pod's account, else ~/.kube/config) names. Thread-safe.

    `timeout`: seconds that one request may take.
    """

    def __init__(self, config: Path | None, timeout: float) -> None:
        self.timeout = timeout
        self._path = config
        self._lock = threading.Lock()
        self._configuration: Any = None
        self._local = threading.local()
        self._clients: weakref.WeakSet[Any] = weakref.WeakSet()

    def request(
        self,
        method: str,
        path: str,
        *,
        query: Query = (),
        body: Mapping[str, Any] | None = None,
        content_type: str = "application/json",
        timeout: float | None = None,
    ) -> dict[str, Any]:
        """Make a request; the object that is answered. `timeout`: seconds, if not those of all requests.

        Raises:
            ApiRefusal: the server refuses. RuntimeUnavailable: it does not answer, or not now.
        """
        response = self._send(method, path, query, body, content_type, timeout or self.timeout, stream=False)
        try:
            found: dict[str, Any] = json.loads(response.data)
        except ValueError as error:
            raise unavailable(self.host, f"{method} {path} answered what is no JSON: {error}") from error
        return found

    def open(self, path: str, query: Query, silence: float) -> Any:
        """Start a GET whose answer comes bit by bit, and is cut when nothing comes for `silence` seconds. To be closed.

        Reading it raises `urllib3.exceptions.HTTPError`. Raises as `request` does.
        """
        return self._send("GET", path, query, None, "application/json", silence, stream=True)

    def websocket(self, path: str, query: Query) -> Any:
        """Open a `websocket.WebSocket` for an exec.

        Raises:
            websocket.WebSocketBadStatusException: the server refuses (`status_code`, `resp_body`).
            RuntimeUnavailable: it does not answer.
        """
        configuration = self._client().configuration
        url = f"{configuration.host.replace('http', 'ws', 1)}{path}?{urlencode(query)}"
        made: Any = websocket.WebSocket(
            sslopt=tls_options(configuration), skip_utf8_validation=True, enable_multithread=True
        )
        try:
            made.connect(
                url,
                header=[f"{name}: {value}" for name, value in authorization(configuration).items()],
                subprotocols=PROTOCOLS,
                timeout=self.timeout,
                **proxy_options(configuration),
            )
        except websocket.WebSocketBadStatusException:
            raise
        except (OSError, websocket.WebSocketException) as error:
            raise unavailable(configuration.host, f"exec: {error}") from error
        return made

    @property
    def host(self) -> str:
        """URL of the server, for messages."""
        return str(self._loaded().host)

    def close(self) -> None:
        """Give back the connections."""
        with self._lock:
            clients = list(self._clients)
        for client in clients:
            client.rest_client.pool_manager.clear()

    def _send(
        self,
        method: str,
        path: str,
        query: Query,
        body: Mapping[str, Any] | None,
        content_type: str,
        timeout: float,
        *,
        stream: bool,
    ) -> Any:
        for attempt in (1, 2):
            client = self._client()
            configuration = client.configuration
            url = f"{configuration.host}{path}" + (f"?{urlencode(query)}" if query else "")
            headers = {"Accept": "application/json", **authorization(configuration)}
            if body is not None:
                headers["Content-Type"] = content_type
            try:
                response = client.rest_client.pool_manager.request(
                    method,
                    url,
                    body=None if body is None else json.dumps(body).encode(),
                    headers=headers,
                    timeout=urllib3.Timeout(connect=min(10.0, timeout), read=timeout),
                    retries=_RETRIES,
                    preload_content=not stream,
                )
            except (urllib3.exceptions.HTTPError, OSError) as error:
                raise unavailable(configuration.host, f"{method} {path}: {error}") from error
            if 200 <= response.status <= 299:
                return response
            data = response.data
            response.release_conn()
            if response.status == 401 and attempt == 1:
                # A token or certificate that was replaced: read them again, once.
                self._forget(configuration)
                continue
            raise refusal(method, path, configuration.host, response.status, data)
        raise AssertionError("both attempts ended")

    def _client(self) -> Any:
        configuration = self._loaded()
        client = getattr(self._local, "client", None)
        if client is None or client.configuration is not configuration:
            client = kubernetes.client.ApiClient(configuration)
            self._local.client = client
            with self._lock:
                self._clients.add(client)
        return client

    def _loaded(self) -> Any:
        with self._lock:
            if self._configuration is None:
                self._configuration = load_configuration(self._path)
            return self._configuration

    def _forget(self, configuration: Any) -> None:
        with self._lock:
            if self._configuration is configuration:
                self._configuration = None


def pods_path(namespace: str, pod: str = "", part: str = "") -> str:
    """Path of the pods of a namespace, of one, or of a part of it (`exec`, `log`)."""
    return "/".join(filter(None, (f"/api/v1/namespaces/{namespace}/pods", pod, part)))
