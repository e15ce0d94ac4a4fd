"""Requests of commands in pods, and what their ends and those of copies mean to a caller."""

from __future__ import annotations

import pytest

from koji_adjutant.container.pod_calls import ExecRequest, encode_exec, exec_argv, exit_code
from koji_adjutant.container.pod_copies import ListDecoder, check_end
from koji_adjutant.container.pod_frames import End, StreamEnd
from koji_adjutant.errors import ContainerError, ContainerTimeout, CopyError, ExecError


def end(word: End, code: int | None = None, signal: int | None = None, size: int = 0) -> StreamEnd:
    """A last frame."""
    return StreamEnd(word, code, signal, size, 0, 0, "the system's words")


def test_encoding() -> None:
    """Strings of the request with a NUL behind each; the argv holds nothing of it but length and checksum."""
    encoded = encode_exec(ExecRequest(["a", ""], {"B": "c=d"}, uid=1, timeout=1.5, stdin_size=9, groups=(3, 4)))
    strings = encoded.split(b"\0")
    assert strings[0] == b"ADJREQ1"
    assert {b"uid=1", b"timeout_ms=1500", b"stdin_size=9", b"groups=3,4", b"hangup=1"} <= set(strings)
    assert strings[strings.index(b"argc=2") :] == [b"argc=2", b"a", b"", b"envc=1", b"B=c=d", b"end", b""]
    assert exec_argv("/r", encoded)[:3] == ["/r", "exec", str(len(encoded))]


@pytest.mark.parametrize(
    "request_",
    [
        ExecRequest([]),
        ExecRequest(["a\0b"]),
        ExecRequest(["a"], {"": "x"}),
        ExecRequest(["a"], {"A=B": "x"}),
        ExecRequest(["a"], workdir="/\0"),
        ExecRequest(["a", "x" * (17 << 20)]),
    ],
    ids=range(6),
)
def test_what_no_command_can_be_given(request_: ExecRequest) -> None:
    """Refused before anything is sent."""
    with pytest.raises(ExecError) as caught:
        encode_exec(request_)
    assert (caught.value.reason, caught.value.retryable) == ("not-started", False)


def test_exit_codes() -> None:
    """A code as it is, a signal as shells say it."""
    assert exit_code(end(End.EXITED, 255), "`x`", 1) == 255
    assert exit_code(end(End.EXITED, None, 9), "`x`", 1) == 137


@pytest.mark.parametrize(
    ("word", "kind", "reason", "retryable"),
    [
        (End.TIMEOUT, ContainerTimeout, "timeout", False),
        (End.NOT_STARTED, ExecError, "not-started", False),
        (End.DAMAGED, ExecError, "not-started", True),
        (End.STDIN_CUT, ExecError, "unknown-end", True),
        (End.HANGUP, ExecError, "unknown-end", True),
        (End.OK, ExecError, "unknown-end", True),
    ],
)
def test_ends_without_an_exit_code(word: End, kind: type[ContainerError], reason: str, retryable: bool) -> None:
    """No other end is ever an exit code; the command is named."""
    with pytest.raises(kind) as caught:
        exit_code(end(word), "`make` in task-1", 5)
    assert (caught.value.reason, caught.value.retryable) == (reason, retryable)
    assert "`make` in task-1" in caught.value.brief


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        *((word, word.value) for word in (End.MISSING, End.NOT_REGULAR, End.LINK_OUTSIDE, End.TOO_LARGE)),
        *((word, word.value) for word in (End.DISK_FULL, End.READ_ONLY, End.BROKEN_STREAM)),
        (End.NOT_PERMITTED, "not-writable"),
        (End.FAILED, "copy"),
        (End.EXITED, "copy"),
    ],
)
def test_ends_of_copies(word: End, reason: str) -> None:
    """Each reason is its own error and names path and container; only a broken stream is worth another try."""
    with pytest.raises(CopyError) as caught:
        check_end(end(word, size=7), "/work/x", "task-1", 5)
    assert (caught.value.reason, caught.value.retryable) == (reason, word is End.BROKEN_STREAM)
    assert "/work/x in task-1" in caught.value.brief


def test_good_end_of_a_copy() -> None:
    """Nothing is raised."""
    check_end(end(End.OK), "/work/x", "task-1")


@pytest.mark.parametrize("data", [b"f 1 a/b\0", b"f x a\0", b"q 1 a\0", b"f 1 \0", b"\0", b"x" * 600])
def test_list_of_other_bytes(data: bytes) -> None:
    """What is no entry ends a list; names with a slash are none."""
    with pytest.raises(CopyError) as caught:
        ListDecoder("/work", 10).feed(data)
    assert caught.value.reason == "broken-stream"


def test_list_that_is_not_whole() -> None:
    """Fewer entries than the last frame says, or half of one, are no list."""
    for data, count in ((b"f 1 a\0", 2), (b"f 1 a\0f 1", 1)):
        decoder = ListDecoder("/work", 10)
        decoder.feed(data)
        with pytest.raises(CopyError):
            decoder.finish(end(End.OK, size=count))


def test_list_with_more_entries_than_asked_for() -> None:
    """The limit holds on our side too."""
    with pytest.raises(CopyError) as caught:
        ListDecoder("/work", 1).feed(b"f 1 a\0f 1 b\0")
    assert caught.value.reason == "too-large"
