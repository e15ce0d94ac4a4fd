"""Frames of a step: whole and checked, or asked for again; statuses: data of a stranger."""

from __future__ import annotations

import json
import zlib
from typing import Any

import pytest

from koji_adjutant.container.step_frame import MemoryRecord, decode_frame, decode_memory, decode_status
from koji_adjutant.container.steps import StepEnd
from koji_adjutant.errors import ExecError

RUN = "0123456789abcdef" * 2
STATUS: dict[str, Any] = {
    "run_id": RUN,
    "end": "exited",
    "exit_code": 3,
    "signal": None,
    "started_at": 1.5,
    "ended_at": 2,
    "out_bytes": 10,
    "err_bytes": 0,
    "dropped_bytes": 0,
    "oom_kills": 0,
    "peak_memory": 7,
    "message": "",
}


def frame(out: bytes = b"data", err: bytes | None = None, status: bytes | None = None, total: int = 4) -> bytes:
    """A frame as `runner/read.c` makes it."""
    err_offset, err_data = (-1, b"") if err is None else (0, err)
    length = -1 if status is None else len(status)
    head = f"ADJFRAME1 {RUN} 1 0 {len(out)} {total} {err_offset} {len(err_data)} {len(err_data)} 100 50 2 {length} "
    body = out + err_data + (status or b"")
    return head.encode() + f"{zlib.crc32(head.encode() + body)}\n".encode() + body


def test_whole_frame() -> None:
    """Both logs, the status and the memory record come out as they went in."""
    found = decode_frame(frame(b"da\n\0", b"\xff", json.dumps(STATUS).encode(), total=9))
    assert (found.run_id, found.alive, found.memory) == (RUN, True, MemoryRecord(100, 50, 2))
    assert (found.out.data, found.out.total, found.out.at_end) == (b"da\n\0", 9, False)
    assert found.err is not None
    assert (found.err.data, found.err.at_end) == (b"\xff", True)
    assert found.status is not None
    assert (found.status.end, found.status.exit_code, found.status.signal) == (StepEnd.EXITED, 3, None)


def test_every_cut_is_noticed() -> None:
    """A frame that ends early at any byte, or goes on, is no frame; the error says that asking again may help."""
    whole = frame(status=json.dumps(STATUS).encode())
    for broken in [*(whole[:length] for length in range(len(whole))), whole + b"x", whole + whole]:
        with pytest.raises(ExecError) as caught:
            decode_frame(broken)
        assert caught.value.retryable
        assert caught.value.reason == "unknown-end"


def test_every_changed_byte_is_noticed() -> None:
    """One wrong byte anywhere is no frame."""
    whole = frame()
    for index in range(len(whole)):
        with pytest.raises(ExecError):
            decode_frame(whole[:index] + bytes([whole[index] ^ 1]) + whole[index + 1 :])


@pytest.mark.parametrize(
    "changes",
    [
        {"run_id": "f" * 32},
        {"end": "fine"},
        {"exit_code": "0"},
        {"exit_code": True},
        {"exit_code": -1},
        {"exit_code": 256},
        {"signal": 65},
        {"started_at": "now"},
        {"ended_at": float("inf")},
        {"out_bytes": -1},
        {"out_bytes": 1 << 80},
        {"message": 3},
        {"message": "\u20ac"},
    ],
)
def test_forged_status_is_none(changes: dict[str, Any]) -> None:
    """A field of another type or out of its range makes a status none at all."""
    assert decode_status(json.dumps(STATUS).encode(), RUN) is not None
    assert decode_status(json.dumps(STATUS | changes).encode(), RUN) is None


@pytest.mark.parametrize("text", [b"", b"[]", b"{}", b"\xff", b"null", b"[" * 5000, b'{"run_id": "x"'])
def test_nonsense_is_no_status(text: bytes) -> None:
    """What is no JSON object, or an incomplete one, is none; nothing is raised."""
    assert decode_status(text, RUN) is None


def test_message_with_odd_bytes() -> None:
    """The runner escapes bytes; names of files come back as they are, what is no UTF-8 stays visible."""
    escaped = "".join(chr(byte) for byte in "cannot enter é".encode() + b"\xff")
    status = decode_status(json.dumps(STATUS | {"message": escaped}).encode(), RUN)
    assert status is not None
    assert status.message == "cannot enter é\\xff"


def test_memory_record() -> None:
    """Three numbers, or nothing is known."""
    assert decode_memory(b"  1   2 3\n") == MemoryRecord(1, 2, 3)
    for text in (b"", b"1 2", b"1 2 x", b"-1 2 3"):
        assert decode_memory(text) == MemoryRecord()
