"""Answers of an API server that are no success."""

from __future__ import annotations

import json

import pytest

from koji_adjutant.container.kubernetes_refusal import ApiRefusal, refusal
from koji_adjutant.errors import RuntimeUnavailable


def answered(status, reason="", message=""):
    """The error for a Status object."""
    body = json.dumps({"kind": "Status", "reason": reason, "message": message}).encode()
    return refusal("POST", "/api/v1/namespaces/builds/pods", "https://api", status, body)


@pytest.mark.parametrize(
    ("status", "word", "message", "reason"),
    [
        (403, "Forbidden", 'pods is forbidden: User "x" cannot create resource "pods"', "forbidden"),
        (403, "Forbidden", 'pods "a" is forbidden: exceeded quota: pods, requested: pods=1', "quota"),
        (403, "Forbidden", 'pods "a" is forbidden: failed quota: pods: must specify limits.cpu', "forbidden"),
        (404, "NotFound", "pods not found", "not-found"),
        (409, "AlreadyExists", "pods already exists", "conflict"),
        (410, "Expired", "too old resource version", "gone"),
        (422, "Invalid", "spec.containers: Required value", "refused"),
        (401, "Unauthorized", "Unauthorized", "refused"),
    ],
)
def test_refusals(status, word, message, reason):
    """Each refusal has its reason, keeps the server's words, and names the request."""
    error = answered(status, word, message)
    assert isinstance(error, ApiRefusal)
    assert (error.reason, error.word, error.message, error.status) == (reason, word, message, status)
    assert "POST /api/v1/namespaces/builds/pods" in error.brief


@pytest.mark.parametrize("status", [429, 500, 503])
def test_not_now(status):
    """A server that cannot now is unavailable, which passes."""
    error = answered(status)
    assert isinstance(error, RuntimeUnavailable)
    assert error.retryable


@pytest.mark.parametrize("body", [b"", b"\xff", b"[1]", b"<html>"])
def test_words_of_a_proxy(body):
    """What is no Status object is kept as it is."""
    assert refusal("GET", "/", "https://api", 404, body).status == 404
