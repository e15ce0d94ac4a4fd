"""The last word of an exec."""

from __future__ import annotations

import json

import pytest

from koji_adjutant.container.kubernetes_stream import ExecWord, exec_word


@pytest.mark.parametrize(
    ("status", "word"),
    [
        ({"status": "Success"}, ExecWord(0, "")),
        (
            {
                "status": "Failure",
                "reason": "NonZeroExitCode",
                "message": "exit code 42",
                "details": {"causes": [{"reason": "ExitCode", "message": "42"}]},
            },
            ExecWord(42, "exit code 42"),
        ),
        ({"status": "Failure", "reason": "InternalError", "message": "no such file"}, ExecWord(None, "no such file")),
        ({"status": "Failure", "reason": "NonZeroExitCode", "message": "?"}, ExecWord(None, "?")),
        ([], ExecWord(None, "[]")),
    ],
)
def test_exec_word(status, word):
    """Success, an exit code, or the server's words; never a guess."""
    assert exec_word(json.dumps(status).encode()) == word


@pytest.mark.parametrize("status", [b"", b"\xff{"])
def test_no_word_is_no_success(status):
    """A stream without a status has no exit code."""
    assert exec_word(status).exit_code is None
