"""What it means that the API server refuses, or does not answer: from its words to our errors."""

from __future__ import annotations

import json

from koji_adjutant.errors import ContainerError, RuntimeUnavailable

_LATER = {408, 425, 429, 500, 502, 503, 504}
"""Answers of a server that cannot now."""
_MESSAGE = 4000


class ApiRefusal(ContainerError):
    """The server understood and refuses. `status` is its HTTP status, `word` its reason (`NotFound`), `message` its text.

    Reasons: `forbidden`, `quota`, `not-found`, `conflict`, `gone`, `refused`.
    """

    reason = "refused"

    def __init__(self, brief: str, *, status: int, word: str, message: str, reason: str, resolution: str) -> None:
        super().__init__(brief, details=message, resolution=resolution, reason=reason)
        self.status = status
        self.word = word
        self.message = message


def refusal(method: str, path: str, host: str, status: int, body: bytes) -> ContainerError:
    """The error for an answer that is no success."""
    word, message = _words(body)
    if status in _LATER:
        return unavailable(host, f"{method} {path}: {status} {word} {message}")
    reason = {403: "forbidden", 404: "not-found", 409: "conflict", 410: "gone"}.get(status, "refused")
    if status == 403 and "exceeded quota" in message:
        reason = "quota"
    return ApiRefusal(
        f"the API server refuses {method} {path}: {status} {word}",
        status=status,
        word=word,
        message=message,
        reason=reason,
        resolution=_remedy(status, reason),
    )


def unavailable(host: str, details: str) -> RuntimeUnavailable:
    """The error for a server that does not answer."""
    return RuntimeUnavailable(
        f"the API server at {host} does not answer",
        details=details,
        resolution="Check the cluster and kubernetes.config; running builds go on without it.",
    )


def _words(body: bytes) -> tuple[str, str]:
    """`reason` and `message` of a Status object, or the text itself."""
    try:
        found = json.loads(body)
    except ValueError:
        return "", body[:_MESSAGE].decode("utf-8", "replace").strip()
    if not isinstance(found, dict):
        return "", str(found)[:_MESSAGE]
    return str(found.get("reason") or ""), str(found.get("message") or "")[:_MESSAGE]


def _remedy(status: int, reason: str) -> str:
    if status == 401:
        return "Give the daemon credentials that the cluster accepts (kubernetes.config, or its service account)."
    if reason == "quota":
        return "Raise the namespace's quota, or the host's capacity at the hub asks for too much at once."
    if reason == "forbidden":
        return "Give the daemon's service account the verb (see the shipped Role), or change what admission forbids."
    return ""
