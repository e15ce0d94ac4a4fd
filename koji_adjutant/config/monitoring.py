"""Section `monitoring`: what the daemon shows of itself, and to whom."""

from __future__ import annotations

import ipaddress
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from koji_adjutant.config.section import AbsolutePath, OffAsText, Section

LISTEN = "127.0.0.1:9745"


class MonitoringSection(Section):
    """Probes, metrics and status over HTTP. Nothing here changes anything."""

    listen: Annotated[str, OffAsText] = Field(
        LISTEN,
        description="`ADDRESS:PORT` (IPv6 in brackets) where `/healthz`, `/readyz`, `/metrics` and `/api/status` are served, "
        "or `off`. An address that cannot be had is named in the log; builds go on.",
    )
    allowed_hosts: tuple[str, ...] = Field(
        (),
        description="Names under which it may be asked, beside localhost and the address itself; `*.example.com` counts. "
        "Requests for other names are refused, so that no web page can read it through somebody's browser.",
    )
    token_file: AbsolutePath | None = Field(
        None,
        description="File with a token that `/metrics` and `/api/status` then ask for (`Authorization: Bearer TOKEN`). Needed "
        "for an address that others can reach.",
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

    @model_validator(mode="after")
    def _guarded(self) -> Self:
        if self.listen != "off" and self.token_file is None:
            host, _ = parse_address(self.listen)
            if not ipaddress.ip_address(host).is_loopback:
                message = f"listen is {self.listen!r}, which others can reach: set token_file, or listen on 127.0.0.1"
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
