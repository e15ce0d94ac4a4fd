"""Section `monitoring`: what the daemon shows of itself, and to whom."""

from __future__ import annotations

import ipaddress
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from koji_adjutant.config.section import AbsolutePath, OffAsText, Section

LISTEN = "127.0.0.1:9745"


class MonitoringSection(Section):
    """Status page, JSON API, probes and metrics over HTTP. Nothing here changes anything."""

    listen: Annotated[str, OffAsText] = Field(
        LISTEN,
        description="`ADDRESS:PORT` (IPv6 in brackets) where the status page, its API, `/metrics`, `/healthz` and `/readyz` "
        "are served, or `off`. An address that cannot be had is named in the log; builds go on.",
    )
    allowed_hosts: tuple[str, ...] = Field(
        (),
        description="Names under which it may be asked, beside localhost and the address itself; `*.example.com` counts. "
        "Requests for other names are refused, so that no web page can read it through somebody's browser.",
    )
    token_file: AbsolutePath | None = Field(
        None,
        description="File with a token that everything but the probes then asks for: `Authorization: Bearer TOKEN`, or the "
        "page's login form. This or `client_ca` is needed for an address that others can reach.",
    )
    tls_cert: AbsolutePath | None = Field(
        None, description="PEM file with the server's certificate, and its chain: everything is then served by TLS."
    )
    tls_key: AbsolutePath | None = Field(
        None, description="PEM file with the key. Default: it stands in `tls_cert` too."
    )
    client_ca: AbsolutePath | None = Field(
        None,
        description="PEM file with the authority whose certificates clients must show, probes and Prometheus among them. Needs "
        "`tls_cert`.",
    )
    web_url: str | None = Field(
        None,
        description="Address of the hub's web pages, to which tasks are linked. Default: kojid.conf's `server` with `/koji` in "
        "place of `/kojihub`.",
    )
    traces: Annotated[str, OffAsText] = Field(
        "off",
        description="URL of a collector that takes OpenTelemetry spans by OTLP over HTTP (`http://127.0.0.1:4318/v1/traces`): "
        "one for each run of a task, its phases and its steps. Needs koji-adjutant[tracing] to be installed.",
    )
    task_logs: Annotated[Literal["off", "stdout"], OffAsText] = Field(
        "off",
        description="`stdout` writes each line of each task's logs to the daemon's stdout besides, as JSON (`time`, `task_id`, "
        "`method`, `log`, `line`), for collectors of container logs.",
    )

    @field_validator("listen")
    @classmethod
    def _address(cls, value: str) -> str:
        if value != "off":
            parse_address(value)
        return value

    @field_validator("traces")
    @classmethod
    def _collector(cls, value: str) -> str:
        if value != "off" and (urlsplit(value).scheme not in {"http", "https"} or not urlsplit(value).hostname):
            message = f"{value!r} is no URL of a collector: write http://127.0.0.1:4318/v1/traces or off"
            raise ValueError(message)
        return value

    @field_validator("web_url")
    @classmethod
    def _pages(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            message = f"{value!r} is no address of web pages: write https://koji.example.com/koji"
            raise ValueError(message)
        return value.rstrip("/")

    @model_validator(mode="after")
    def _guarded(self) -> Self:
        if self.tls_cert is None and (self.tls_key is not None or self.client_ca is not None):
            message = "tls_key and client_ca need tls_cert: without it nothing is served by TLS"
            raise ValueError(message)
        if self.listen != "off" and self.token_file is None and self.client_ca is None:
            host, _ = parse_address(self.listen)
            if not ipaddress.ip_address(host).is_loopback:
                message = (
                    f"listen is {self.listen!r}, which others can reach: set token_file or client_ca, "
                    "or listen on 127.0.0.1"
                )
                raise ValueError(message)
        return self


def parse_address(text: str) -> tuple[str, int]:
    """Return address and port of `127.0.0.1:9745` or `[::1]:9745`.

    Raises:
        ValueError: it is neither.
    """
    host, _, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not (_is_address(host) and port.isdecimal() and int(port) <= 65535):
        message = f"{text!r} is no address: write 127.0.0.1:9745, [::1]:9745 or off"
        raise ValueError(message)
    return host, int(port)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
