"""Downloads from topurl: plain GET without a session (contract 6.1), bounded in time and size, complete or an error.

kojid has no time-out there and checks an rpm with librpm; we have time-outs and look at the lead of the file, since what
fails in practice is a proxy or a login page that answers 200 with HTML.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote

import requests
import structlog
import urllib3

from koji_adjutant.config.secrets import mask_text
from koji_adjutant.errors import CorruptPackage, HubError, Interrupted
from koji_adjutant.hub.transport import interruptible_session

log = structlog.get_logger(__name__)

RETRIES = 3
BACKOFF = 0.3
RETRIED_STATUS = frozenset({408, 429, 500, 502, 504})
TIMEOUT = (30.0, 300.0)
"""Seconds to connect, and between two bytes."""
CHUNK = 1 << 16
MAX_BYTES = 1 << 40
RPM_LEAD = b"\xed\xab\xee\xdb"
_BROKEN = (
    requests.ConnectionError,
    requests.Timeout,
    requests.exceptions.ChunkedEncodingError,
    urllib3.exceptions.HTTPError,
)

Interrupt = Callable[[], Interrupted]


class _Again(Exception):
    """One try failed in a way that a later one may not."""


def download(
    url: str,
    target: Path,
    *,
    max_bytes: int = MAX_BYTES,
    expected_size: int | None = None,
    interrupt: threading.Event | None = None,
    interrupted: Interrupt | None = None,
    timeout: tuple[float, float] = TIMEOUT,
    backoff: float = BACKOFF,
) -> int:
    """Fetch `url` into `target` and return its size. `target` appears only when it is complete.

    408, 429, 500, 502, 504 and broken connections are retried 3 times. A `*.rpm` must begin as an rpm does.

    Raises:
        HubError: not found, too large, incomplete, `CorruptPackage`; `retryable` after outages.
        Interrupted: `interrupt` was set (what `interrupted` returns).
        OSError: the disk.
    """
    event = interrupt or threading.Event()

    def check() -> None:
        if event.is_set():
            raise interrupted() if interrupted else Interrupted(f"the download of {mask_text(url)} was interrupted")

    partial = target.with_name(f".{target.name[:200]}.part")
    with interruptible_session(check) as http, contextlib.ExitStack() as cleanup:
        cleanup.callback(partial.unlink, missing_ok=True)
        for attempt in range(RETRIES + 1):
            check()
            try:
                size = _fetch(http, url, partial, max_bytes, expected_size, timeout, check)
                break
            except _Again as error:
                if attempt == RETRIES:
                    raise _failed(url, f"{error} ({attempt + 1} tries)", retryable=True) from error
                log.info("download.retried", url=mask_text(url), error=str(error))
                event.wait(backoff * 2**attempt)
        _check_rpm(url, partial)
        os.replace(partial, target)
    log.info("download.finished", url=mask_text(url), size=size)
    return size


def _fetch(
    http: requests.Session,
    url: str,
    partial: Path,
    max_bytes: int,
    expected_size: int | None,
    timeout: tuple[float, float],
    check: Callable[[], None],
) -> int:
    try:
        with (
            http.get(url, stream=True, timeout=timeout, headers={"Accept-Encoding": "identity"}) as answer,
            partial.open("wb") as out,
        ):
            _judge_status(url, answer.status_code)
            size = _copy(answer, out, url, max_bytes, check)
            announced = answer.headers.get("Content-Length")
    except _BROKEN as error:
        raise _Again(mask_text(f"{type(error).__name__}: {error}")) from error
    except requests.RequestException as error:
        raise _failed(url, mask_text(str(error)), retryable=False) from error
    if announced is not None and announced.isdigit() and int(announced) != size:
        raise _Again(f"size does not match: {size} of {announced} bytes came")
    if expected_size is not None and size != expected_size:
        raise _failed(url, f"size does not match: {size} bytes, {expected_size} were expected", retryable=True)
    return size


def _copy(answer: requests.Response, out: BinaryIO, url: str, max_bytes: int, check: Callable[[], None]) -> int:
    size = 0
    for chunk in answer.iter_content(CHUNK):
        check()
        size += len(chunk)
        if size > max_bytes:
            raise _failed(url, f"larger than the {max_bytes} bytes allowed", retryable=False)
        out.write(chunk)
    return size


def _judge_status(url: str, status: int) -> None:
    if status in RETRIED_STATUS:
        raise _Again(f"HTTP status {status}")
    if status != requests.codes.ok:
        raise _failed(url, f"HTTP status {status}", retryable=status >= 500)


def _check_rpm(url: str, path: Path) -> None:
    if not url.endswith(".rpm"):
        return
    with path.open("rb") as stream:
        lead = stream.read(512)
    if lead.startswith(RPM_LEAD):
        return
    looks = (
        "an HTML page"
        if b"<html" in lead.lower() or lead.lstrip().lower().startswith(b"<!doctype")
        else repr(lead[:16])
    )
    raise CorruptPackage(
        f"Downloaded rpm {mask_text(url)} is corrupted: it is not an rpm",
        details=f"It begins with {looks}.",
        resolution="Check topurl and what stands between here and the hub's files: a proxy or a login page may have answered.",
    )


def _failed(url: str, why: str, *, retryable: bool) -> HubError:
    return HubError(
        f"cannot download {mask_text(url)}: {why}",
        resolution="Check topurl, and that the file exists at the hub.",
        retryable=retryable,
    )


class TopURLs:
    """The places that serve the hub's files, tried in turn (kojid uses the first alone, contract 8.2.14)."""

    def __init__(self, urls: Sequence[str]) -> None:
        self._urls = tuple(url.rstrip("/") for url in urls)

    def fetch(
        self,
        relative: str,
        target: Path,
        *,
        max_bytes: int = MAX_BYTES,
        expected_size: int | None = None,
        interrupt: threading.Event | None = None,
        interrupted: Interrupt | None = None,
    ) -> int:
        """Download `<topurl>/<relative>`; if no place has it, the error is the first one's with the others in its details."""
        errors: list[HubError] = []
        for base in self._urls:
            try:
                return download(
                    f"{base}/{quote(relative.lstrip('/'), safe='/+~^@:,=')}",
                    target,
                    max_bytes=max_bytes,
                    expected_size=expected_size,
                    interrupt=interrupt,
                    interrupted=interrupted,
                )
            except HubError as error:
                errors.append(error)
                log.warning("download.failed", base=base, path=relative, error=error.brief, details=error.details)
        if not errors:
            raise HubError(f"cannot download {relative}: no topurl is configured")
        raise type(errors[0])(
            errors[0].brief,
            details="\n".join([errors[0].details, *(f"also tried: {error.brief}" for error in errors[1:])]).strip(),
            resolution=errors[0].resolution,
            retryable=any(error.retryable for error in errors),
        )
